"""Folding on traces: normalizations and per-channel scales into the Conv before them; ops nobody reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pimsim.trace.op import Op
from pimsim.trace.tensor import Operand, Tensor

_SHIFTS = ("Add", "Sub")  # they change a bias, but no weight
_SCALES = ("Mul", "Div", *_SHIFTS)


def fold_scales(ops: Sequence[Op], outputs: Sequence[str]) -> tuple[list[Op], list[str]]:
    """Do what `fold_scales_into` does, without saying what was folded into what."""
    kept, renamed, _ = fold_scales_into(ops, outputs)
    return kept, renamed


def fold_scales_into(ops: Sequence[Op], outputs: Sequence[str]) -> tuple[list[Op], list[str], dict[str, str]]:
    """Fold what multiplies or adds a constant a channel into the Conv or BatchNormalization before it.

    A BatchNormalization, or a Mul, Add, Div, Sub by a constant with one number a channel, is folded if it
    alone reads the Conv (or the BatchNormalization) and that is not an output of the model. The Conv keeps
    its name and gains a bias if it had none. Where several ops read a Conv's weight, it must stay one: what multiplies
    is folded only if it is the same behind all of them.

    Parameters
    ----------
    ops : sequence of Op
        In topological order.
    outputs : sequence of str
        Names of the model's output ops.

    Returns
    -------
    ops : list of Op
        In the same order, without those folded.
    outputs : list of str
        With the names of folded ops replaced by those of the ops they were folded into.
    folded : dict
        For each folded op's name, in order, that of the op that does its work now.
    """
    made = _folded(ops, outputs, frozenset())
    apart = _told_apart(ops, made[2])
    return _folded(ops, outputs, apart) if apart else made


def _folded(
    ops: Sequence[Op], outputs: Sequence[str], apart: frozenset[str]
) -> tuple[list[Op], list[str], dict[str, str]]:
    """Fold what can be, but nothing that multiplies into some ops."""
    reads: dict[str, int] = {}
    for op in ops:
        for operand in op.activations:
            reads[str(operand.source)] = reads.get(str(operand.source), 0) + 1
    alias: dict[str, str] = {}  # a folded op's name -> the op that does its work now
    kept: dict[str, Op] = {}
    for op in ops:
        inputs = tuple(_renamed(operand, alias) for operand in op.inputs)
        op = replace(op, inputs=inputs)
        base = kept.get(str(op.inputs[0].source)) if op.inputs else None
        if op.type in ("Mul", "Add") and base is None and len(op.inputs) > 1:
            base = kept.get(str(op.inputs[1].source))  # the constant may stand first
        kept_one = base is not None and base.name in apart and op.type not in _SHIFTS
        if (
            base is None
            or kept_one
            or not _foldable(op, base)
            or reads[base.name] > 1
            or base.name in outputs
        ):
            kept[op.name] = op
            continue
        alias[op.name] = base.name
        outputs = [base.name if name == op.name else name for name in outputs]
        reads[base.name] = reads.get(op.name, 0)
        kept[base.name] = _with_bias(base)
    return list(kept.values()), list(outputs), alias


def _told_apart(ops: Sequence[Op], folded: Mapping[str, str]) -> frozenset[str]:
    """Return the ops whose weights, one as they are read, would be several if all was folded that can be."""
    scales: dict[str, list[object]] = {}
    for op in ops:
        if op.name in folded and op.type not in _SHIFTS:
            constants = tuple(
                each.name or (op.name, at) for at, each in enumerate(op.inputs) if not each.source
            )
            scales.setdefault(folded[op.name], []).append((op.type, constants, op.attributes))
    users: dict[str, list[str]] = {}
    for op in ops:
        for operand in op.inputs:
            if operand.name is not None and operand.role == "weight":
                users.setdefault(operand.name, []).append(op.name)
    return frozenset(
        name
        for names in users.values()
        if any(scales.get(name) != scales.get(names[0]) for name in names)
        for name in names
    )


def drop_unread(ops: Sequence[Op], outputs: Iterable[str]) -> list[Op]:
    """Leave out the ops that no output depends on."""
    wanted = set(outputs)
    kept = []
    for op in reversed(ops):
        if op.name in wanted:
            wanted.update(op.deps)
            kept.append(op)
    return kept[::-1]


def _renamed(operand: Operand, alias: dict[str, str]) -> Operand:
    source = operand.source
    return replace(operand, source=alias[source]) if source is not None and source in alias else operand


def _foldable(op: Op, base: Op) -> bool:
    if base.type not in ("Conv", "BatchNormalization") or len(op.activations) != 1:
        return False
    if base.type == "Conv" and base.weight is None:
        return False
    if op.type == "BatchNormalization":
        return True
    if op.type not in _SCALES or op.output.shape != base.output.shape:
        return False
    if op.type in ("Div", "Sub") and op.inputs[0].role != "activation":
        return False  # a constant minus or divided by the activation
    constant = next(operand.tensor.shape for operand in op.inputs if operand.role == "constant")
    rank = len(base.output.shape)
    full = (1,) * (rank - len(constant)) + constant
    return all(size == 1 for axis, size in enumerate(full) if axis != 1)


def _with_bias(base: Op) -> Op:
    if base.type != "Conv" or len(base.inputs) == 3:
        return base
    bias = Operand("constant", Tensor((base.output.shape[1],), base.output.dtype))
    return replace(base, inputs=(*base.inputs, bias))
