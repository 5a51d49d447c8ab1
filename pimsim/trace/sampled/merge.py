"""One symbolic trace from several of one model that differ in sizes only."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pimsim.errors import TraceError
from pimsim.trace.op import Op
from pimsim.trace.optypes import OP_TYPES
from pimsim.trace.sampled.fits import Fits, Vector
from pimsim.trace.schema import Trace
from pimsim.trace.symbols import Size, parse, product, quotient, total
from pimsim.trace.tensor import Operand, Tensor

Path = tuple[Any, ...]
"""Where a size of an op stands: ("inputs", 1, 0), ("outputs", 0, 3), ("attributes", "pads", 2)."""


def skeleton(trace: Trace) -> Hashable:
    """Return all of a trace but sizes, and names that may hold them."""
    place = {op.name: n for n, op in enumerate(trace.ops)}
    called: dict[str | None, int] = {}
    rows = []
    for op in trace.ops:
        inputs = tuple(
            (
                each.role,
                place.get(each.source or ""),
                each.index,
                each.name is not None and called.setdefault(each.name, len(called)),
                each.turned,
                *_form(each.tensor),
            )
            for each in op.inputs
        )
        sized = dict(_attributes(op))
        free = (*sized, *_limits(op))
        rest = tuple((name, value) for name, value in sorted(op.attributes.items()) if name not in free)
        counts = tuple((name, _count(value)) for name, value in sorted(sized.items()))
        rows.append((op.type, inputs, tuple(map(_form, op.outputs)), rest, counts))
    return tuple(rows), tuple(place[name] for name in trace.outputs)


def _form(tensor: Tensor) -> tuple[Hashable, ...]:
    return len(tensor.shape), tensor.dtype, tensor.bits


def _attributes(op: Op) -> Iterator[tuple[str, Any]]:
    """Yield the attributes that hold sizes."""
    kinds = OP_TYPES[op.type].attributes
    return ((name, value) for name, value in op.attributes.items() if kinds[name].kind in ("int", "ints"))


def _limits(op: Op) -> Iterator[str]:
    """Yield the attributes that may be left out and hold no sizes: the limits of a Clip, which may follow from one."""
    kinds = OP_TYPES[op.type].attributes
    return (name for name in op.attributes if kinds[name].kind == "float" and kinds[name].optional)


def _count(value: Any) -> int | None:
    return len(value) if isinstance(value, tuple) else None


def _places(value: Any) -> int:
    return len(value) if isinstance(value, tuple) else 1


def merged(traces: Sequence[Trace], points: Sequence[Mapping[str, int]]) -> tuple[list[Op], Fits]:
    """Return the ops of the first trace with its sizes as expressions of symbols.

    Parameters
    ----------
    traces : sequence of Trace
        Of one skeleton.
    points : sequence of mapping
        The values of symbols of each.

    Returns
    -------
    ops : list of Op
        With symbolic sizes.
    fits : Fits
        What was found, and what another point would tell more of.

    Raises
    ------
    TraceError
        If a size is no expression of the symbols that can be found.
    """
    fits = Fits(points)
    names = _neutral(traces)
    made: dict[str, Op] = {}
    for ops in zip(*(trace.ops for trace in traces), strict=True):
        made[ops[0].name] = _merged(fits, ops, names, made)
    return list(made.values()), fits


def _neutral(traces: Sequence[Trace]) -> dict[str, str]:
    """Return other names for the constants whose names depend on sizes."""
    named = [
        [each.name for op in trace.ops for each in op.inputs if each.name is not None] for trace in traces
    ]
    found: dict[str, str] = {}
    for same in zip(*named, strict=True):
        if len(set(same)) > 1:
            found.setdefault(same[0], f"constant {len(found)} of any size")
    return found


def _merged(fits: Fits, ops: Sequence[Op], names: Mapping[str, str], made: Mapping[str, Op]) -> Op:
    """Return one op whose sizes are expressions: of those of what it reads, where they are."""
    first = ops[0]
    found: dict[Path, Size] = {}
    near: list[Size] = []
    for path in _paths(first):
        size = _read(first, path, made)
        if size is None:
            values: Vector = tuple(_at(op, path) for op in ops)
            size = fits.find(values, near, _guesses(first, path, found))
        if size is None:
            message = f"a size of '{first.name}' ({first.type}) is {', '.join(map(str, values[:4]))}, …"
            raise TraceError(message)
        found[path] = size
        if size.names and size not in near:
            near.append(size)
    varied = [name for name in _limits(first) if len({op.attributes[name] for op in ops}) > 1]
    made_op = _with(first, found, names)
    return replace(made_op, attributes={**made_op.attributes, **dict.fromkeys(varied)}) if varied else made_op


def _read(op: Op, path: Path, made: Mapping[str, Op]) -> Size | None:
    """Return a size of what another op computes."""
    group, at, axis = path
    if group != "inputs" or op.inputs[at].source is None:
        return None
    operand = op.inputs[at]
    return parse(str(made[str(operand.source)].outputs[operand.index].shape[axis]))


def _paths(op: Op) -> Iterator[Path]:
    """Yield where sizes stand: operands first, then attributes, since outputs follow from them."""
    for at, operand in enumerate(op.inputs):
        yield from (("inputs", at, axis) for axis in range(len(operand.tensor.shape)))
    for name, value in _attributes(op):
        yield from (("attributes", name, n) for n in range(_places(value)))
    for at, output in enumerate(op.outputs):
        yield from (("outputs", at, axis) for axis in range(len(output.shape)))


def sizes_of(op: Op) -> list[int]:
    """Return all sizes of an op, those of its attributes too."""
    return [_at(op, path) for path in _paths(op)]


def _at(op: Op, path: Path) -> int:
    group, which, n = path
    if group == "attributes":
        value = op.attributes[which]
        found = value[n] if isinstance(value, tuple) else value
    else:
        found = (op.inputs[which].tensor if group == "inputs" else op.outputs[which]).shape[n]
    assert found is None or isinstance(found, int)
    return -1 if found is None else found


def _guesses(op: Op, path: Path, found: Mapping[Path, Size]) -> Iterator[Size]:
    """Yield what an output's size should be by the rule of the op's type, where that divides or adds up."""
    group, _, axis = path
    if group != "outputs":
        return
    if op.type == "Concat" and axis == op.attributes["axis"]:
        yield total(term for n in range(len(op.inputs)) for term in found["inputs", n, axis].terms)
    if "strides" in op.attributes and "kernel_shape" in op.attributes and axis >= 2:
        rank = len(op.attributes["kernel_shape"])
        at = axis - 2
        stride = op.attributes["strides"][at]
        reach = op.attributes["dilations"][at] * (op.attributes["kernel_shape"][at] - 1) + 1
        pads = [found["attributes", "pads", n] for n in (at, at + rank)]
        room = total([*found["inputs", 0, axis].terms, *pads[0].terms, *pads[1].terms, ((), -reach)])
        size = found["inputs", 0, axis]
        if any(pad.names for pad in pads):  # padded so that this comes out
            yield quotient(total([*size.terms, ((), stride - 1)]), stride)
        for more in (0, stride - 1):  # rounded down, or with ceil_mode up
            yield total([*quotient(total([*room.terms, ((), more)]), stride).terms, ((), 1)])
    if op.type in ("SpaceToDepth", "DepthToSpace") and axis >= 2:
        block, size = op.attributes["blocksize"], found["inputs", 0, axis]
        yield quotient(size, block)
        yield product(size, total([((), block)]))


def _with(op: Op, found: Mapping[Path, Size], names: Mapping[str, str]) -> Op:
    """Return an op with sizes in their places."""

    def tensor(old: Tensor, group: str, at: int) -> Tensor:
        shape = tuple(found[group, at, axis].plain() for axis in range(len(old.shape)))
        return replace(old, shape=shape)  # type: ignore[arg-type]

    def operand(old: Operand, at: int) -> Operand:
        return replace(old, tensor=tensor(old.tensor, "inputs", at), name=names.get(old.name or "", old.name))

    attributes = dict(op.attributes)
    for name, value in _attributes(op):
        if value is not None:
            sizes = tuple(found["attributes", name, n].plain() for n in range(_places(value)))
            attributes[name] = sizes if isinstance(value, tuple) else sizes[0]
    return replace(
        op,
        inputs=tuple(operand(each, at) for at, each in enumerate(op.inputs)),
        outputs=tuple(tensor(each, "outputs", at) for at, each in enumerate(op.outputs)),
        attributes=attributes,
    )
