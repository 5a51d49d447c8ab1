"""Giving symbols their values: a symbolic trace becomes one of whole numbers, checked as any other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from pimsim.errors import TraceError
from pimsim.trace.batch import batch_symbols
from pimsim.trace.canonical import bound_form
from pimsim.trace.experts import row_symbols
from pimsim.trace.found import MAX_SIZE, closest, show
from pimsim.trace.model import Model
from pimsim.trace.op import Op
from pimsim.trace.probe import substituted
from pimsim.trace.routing import counts
from pimsim.trace.symbols import expert_of, names_in, put
from pimsim.trace.tensor import Operand

Bound = TypeVar("Bound", bound=Model)


def bind(
    trace: Bound,
    values: Mapping[str, int],
    *,
    partial: bool = False,
    every_expert: bool = False,
    keep_experts: bool = False,
    routing_seed: int | None = None,
) -> Bound:
    """Give symbols their values.

    A cache of no elements (``kv=0``) vanishes, and a Concat that is left with one operand becomes what it was given.
    The rows of experts are drawn (`pimsim.trace.routing`); an expert without a token vanishes, and a note says so.

    Parameters
    ----------
    trace : Trace
        With symbols or without.
    values : mapping of str to int
        Values by symbol. Only one along which caches grow may be 0.
    partial : bool
        Let the other symbols stay.
    every_expert : bool
        Give every expert all tokens instead of drawing: what is needed to lay out all weights.
    keep_experts : bool
        Give an expert that no token goes to one row all the same, so that it does not vanish.
    routing_seed : int, optional
        In the place of the header's.

    Raises
    ------
    TraceError
        If a symbol is unknown, is not given a value, or is given one that makes no sense.
    """
    _check_values(trace, values)
    missing = [name for name in trace.symbols if name not in values]
    if missing and not partial:
        mend = "say " + " ".join(f"--bind {name}=N" for name in missing)
        message = f"symbols without a value: {', '.join(missing)}"
        raise TraceError(message, where=trace.model, mend=mend)
    undrawn = bool(trace.header.get("routing")) and _sizes_of_experts(trace)
    if not values and not (undrawn and not missing):
        return trace
    header = dict(trace.header)
    header["symbols"] = {**header["symbols"], **values}
    left = {name: fit for name, fit in header.pop("examples", {}).items() if name not in values}
    header |= {"examples": left} if left else {}
    numbers = dict(values)
    if undrawn and not missing:
        header["routing"] = {**header["routing"]}
        if routing_seed is not None:
            header["routing"]["seed"] = routing_seed
        rows = _rows(trace, values, header["routing"]["seed"], every_expert)
        if keep_experts:
            rows = {name: max(1, count) for name, count in rows.items()}
        header["notes"] = [*header["notes"], *_notes(rows, every_expert)]
        numbers |= rows
    ops, outputs = _without_nothing([substituted(op, numbers) for op in trace.ops], trace.outputs)
    ops, outputs = bound_form(ops, outputs)
    try:
        return trace.from_ops(trace.model, ops, outputs, header)
    except TraceError as error:
        given = "with " + ", ".join(f"{name}={value}" for name, value in values.items())
        parts = [given if values else "", error.where.removeprefix("trace: "), error.message]
        message = ": ".join(part for part in parts if part)
        raise TraceError(message, where=trace.model, mend=error.mend) from None


def bind_batch(trace: Bound) -> Bound:
    """Give the symbols that count inferences, if they have no value yet, 1, and say so in the header."""
    names = batch_symbols(trace.symbols, trace.ops)
    if not names:
        return trace
    bound = bind(trace, dict.fromkeys(names, 1), partial=True)
    header = {**bound.header, "defaults": [*bound.header.get("defaults", ()), *names]}
    return trace.from_ops(bound.model, bound.ops, bound.outputs, header)


def bind_text(trace: Bound, texts: Sequence[str], *, partial: bool = False) -> Bound:
    """Give symbols their values as the command line has them, ``NAME=N`` each.

    Raises
    ------
    TraceError
        As `bind`, and if a text is not ``NAME=N`` or a name stands there twice.
    """
    values: dict[str, int] = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        if not name or not (number.isascii() and number.isdigit() and len(number) < 12):
            mend = "for example --bind batch=1"
            raise TraceError(f"found '{text}', expected NAME=N", where="--bind", mend=mend)
        if name in values:
            raise TraceError(f"'{name}' is given twice", where="--bind")
        values[name] = int(number)
    return bind(trace, values, partial=partial)


def _check_values(trace: Model, values: Mapping[str, int]) -> None:
    growing = _cache_symbols(trace.ops)
    for name, value in values.items():
        if name not in trace.symbols:
            if name in trace.header["symbols"]:
                message = f"'{name}' is bound already, to {trace.header['symbols'][name]}"
                raise TraceError(message, where=trace.model)
            mend = closest(name, trace.symbols) if trace.symbols else "it has none that is unbound"
            raise TraceError(f"the trace has no symbol {show(name)}", where=trace.model, mend=mend)
        low = 0 if name in growing else 1
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= MAX_SIZE:
            message = f"found {name}={show(value)}, expected a whole number from {low} to {MAX_SIZE}"
            raise TraceError(message, where=trace.model, mend=f"say --bind {name}=N")


def _cache_symbols(ops: Iterable[Op]) -> set[str]:
    """Return the symbols along which caches grow: they may be 0, before the first token."""
    return names_in(
        operand.tensor.shape[op.attributes["axis"]]
        for op in ops
        for operand in op.inputs
        if operand.role == "cache"
    )


def _sizes_of_experts(trace: Model) -> bool:
    """Whether the rows of experts are still to be drawn."""
    dispatched = (op.output.shape[0] for op in trace.ops if op.type == "Dispatch")
    return any(expert_of(size) is not None for size in dispatched)


def _rows(trace: Model, values: Mapping[str, int], seed: int, every_expert: bool) -> dict[str, int]:
    """Return the rows of every expert by the name of its symbol."""
    names = row_symbols(trace.ops)
    hidden = next((op.inputs[0].tensor for op in trace.ops if op.type == "Dispatch"), None)
    if hidden is None:
        return {}
    sizes: list[Any] = [put(size, values) for size in hidden.shape[:-1]]
    tokens = math.prod(sizes)
    if every_expert:
        return dict.fromkeys(names, tokens)
    drawn = counts(trace, tokens, seed)
    return {name: drawn[name] for name in names}


def _notes(rows: Mapping[str, int], every_expert: bool) -> list[str]:
    if every_expert:
        return ["every expert is given every token, to lay out all weights: nobody would run that"]
    idle = sorted(name for name, count in rows.items() if count == 0)
    if not idle:
        return []
    shown = ", ".join(idle[:8]) + (f" and {len(idle) - 8} more" if len(idle) > 8 else "")
    return [f"experts that no token was routed to vanish: {shown}"]


def _without_nothing(ops: Sequence[Op], outputs: Sequence[str]) -> tuple[list[Op], list[str]]:
    """Leave out operands and ops of no elements, and each Concat that is left with one operand."""
    gone: set[str] = set()
    alias: dict[str, tuple[str, int]] = {}  # a vanished Concat -> what it was given
    kept = []
    for op in ops:
        inputs = tuple(_renamed(operand, alias) for operand in op.inputs)
        if op.type in ("Concat", "Combine"):
            inputs = tuple(
                operand
                for operand in inputs
                if operand.source not in gone and not (operand.role == "cache" and 0 in operand.tensor.shape)
            )
        if op.type != "Input" and any(0 in tensor.shape for tensor in op.outputs):
            gone.add(op.name)
            continue
        source = inputs[0] if inputs else None
        alone = op.type == "Concat" and len(inputs) == 1 < len(op.inputs)
        if alone and source and source.source and not (op.name in outputs and source.index):
            alias[op.name] = (source.source, source.index)
            continue
        kept.append(replace(op, inputs=inputs))
    return kept, [alias[name][0] if name in alias else name for name in outputs]


def _renamed(operand: Operand, alias: Mapping[str, tuple[str, int]]) -> Operand:
    if operand.source is None or operand.source not in alias:
        return operand
    source, index = alias[operand.source]
    return replace(operand, source=source, index=index)
