"""Whether a symbolic trace is sound: checked with every symbol a small prime, or what the header says that fits.

They differ, so sizes that should be equal and are not differ too, whatever the shape rules are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count, cycle, islice
from typing import Any

from pimsim.errors import TraceError
from pimsim.trace.check import check_graph
from pimsim.trace.experts import row_symbols
from pimsim.trace.found import closest, show
from pimsim.trace.op import Op
from pimsim.trace.optypes import OP_TYPES
from pimsim.trace.symbols import NAME, names_in, put
from pimsim.trace.tensor import Tensor


def check_ops(
    ops: Sequence[Op], outputs: Sequence[str], places: Sequence[str], place: str, header: Mapping[str, Any]
) -> tuple[Op, ...]:
    """Check ops and their graph as `check_graph` does, symbolic sizes too, and return them in topological order.

    Parameters
    ----------
    ops, outputs, places : sequence
        As of `check_graph`.
    place : str
        Where the header stands.
    header : mapping
        A complete header.

    Raises
    ------
    TraceError
        At the first fault, with place and field.
    """
    free = [name for name, value in header["symbols"].items() if value is None]
    for name in free:
        if not NAME.fullmatch(name):
            message = f"found {show(name)}, expected a name of letters, digits and underscores"
            raise TraceError(message, where=f"{place}: symbols")
    drawn = row_symbols(ops) if header.get("routing") else set()
    if not free and not drawn:
        return check_graph(ops, outputs, places, place)
    used = _check_names(ops, places, {*free, *drawn})
    unused = [name for name in free if name not in used]
    if unused:
        message = f"no size depends on '{unused[0]}'"
        raise TraceError(message, where=f"{place}: symbols", mend="leave it out, or give it a value")
    probe = {**dict(zip(sorted(free), _primes(), strict=False)), **header.get("examples", {})}
    probe |= _probed_rows(ops, drawn, probe)
    try:
        checked = check_graph([substituted(op, probe) for op in ops], outputs, places, place)
    except TraceError as error:
        values = ", ".join(f"{name}={probe[name]}" for name in free)
        message = f"{error.message} (tried with {values})" if free else error.message
        raise TraceError(message, where=error.where, mend=error.mend) from None
    given = {op.name: op for op in ops}
    return tuple(_symbolic(given[op.name], op) for op in checked)


def _probed_rows(ops: Sequence[Op], drawn: set[str], probe: Mapping[str, int]) -> dict[str, int]:
    """Give the rows of experts values, other primes as well, but no more than there are tokens."""
    rows = dict(zip(sorted(drawn), cycle(islice(_primes(), 8)), strict=False))
    for op in ops:
        if op.type == "Dispatch" and op.inputs and isinstance(op.inputs[0].tensor.shape, list | tuple):
            given = [put(size, probe) for size in op.inputs[0].tensor.shape[:-1]]
            tokens = math.prod(size for size in given if isinstance(size, int))
            rows = {name: min(count, max(tokens, 1)) for name, count in rows.items()}
    return rows


def _primes() -> Iterator[int]:
    """Yield 11, 13, 17, …: sizes that hardly a model has."""
    return (number for number in count(11) if all(number % factor for factor in range(2, number // 2)))


def sizes(op: Op) -> Iterator[tuple[str, object]]:
    """Yield every size that may be symbolic, with its field; the op is of whatever types."""
    tensors = [(f"inputs[{i}]", operand.tensor) for i, operand in enumerate(op.inputs)]
    tensors += [(f"outputs[{i}]", tensor) for i, tensor in enumerate(op.outputs)]
    for field, tensor in tensors:
        if isinstance(tensor.shape, list | tuple):
            yield from ((f"{field}.shape[{axis}]", size) for axis, size in enumerate(tensor.shape))
    for name in _numbers(op):
        value = op.attributes[name]
        if isinstance(value, list | tuple):
            yield from ((f"attributes.{name}[{i}]", size) for i, size in enumerate(value))
        else:
            yield f"attributes.{name}", value


def _numbers(op: Op) -> list[str]:
    """The attributes that hold whole numbers."""
    if not isinstance(op.type, str) or op.type not in OP_TYPES or not isinstance(op.attributes, dict):
        return []
    kinds = OP_TYPES[op.type].attributes
    return [name for name in op.attributes if name in kinds and kinds[name].kind in ("int", "ints")]


def _check_names(ops: Sequence[Op], places: Sequence[str], known: set[str]) -> set[str]:
    """Check that all sizes can be read and have known symbols only; return those."""
    used: set[str] = set()
    for op, place in zip(ops, places, strict=True):
        for field, size in sizes(op):
            try:
                names = names_in([size])
            except TraceError as error:
                raise TraceError(error.message, where=f"{place}: {field}", mend=error.mend) from None
            for name in sorted(names - known):
                message = f"'{name}' is not among the header's unbound symbols"
                raise TraceError(message, where=f"{place}: {field}", mend=closest(name, sorted(known)))
            used |= names
    return used


def _put_all(value: Any, values: Mapping[str, int]) -> Any:
    if isinstance(value, list | tuple):
        return tuple(put(size, values) for size in value)
    return put(value, values)


def substituted(op: Op, values: Mapping[str, int]) -> Op:
    """Return an op with values in the place of symbols; what is no size is left as it is."""
    numbers = _numbers(op)
    if not any(isinstance(size, str) for _, size in sizes(op)):
        return op

    def tensor(old: Tensor) -> Tensor:
        fits = isinstance(old.shape, list | tuple)
        return replace(old, shape=_put_all(old.shape, values)) if fits else old

    return replace(
        op,
        inputs=tuple(replace(operand, tensor=tensor(operand.tensor)) for operand in op.inputs),
        outputs=tuple(tensor(output) for output in op.outputs),
        attributes={
            name: _put_all(value, values) if name in numbers else value
            for name, value in (op.attributes.items() if isinstance(op.attributes, dict) else ())
        },
    )


def _symbolic(given: Op, checked: Op) -> Op:
    """Return a checked op with its sizes as they were given, in canonical text."""
    as_given = substituted(given, {})
    if as_given is given:
        return checked
    numbers = set(_numbers(given))
    return replace(
        checked,
        inputs=tuple(
            replace(ours, tensor=replace(ours.tensor, shape=theirs.tensor.shape))
            for ours, theirs in zip(checked.inputs, as_given.inputs, strict=True)
        ),
        outputs=tuple(
            replace(ours, shape=theirs.shape)
            for ours, theirs in zip(checked.outputs, as_given.outputs, strict=True)
        ),
        attributes={
            name: as_given.attributes[name] if name in numbers else value
            for name, value in checked.attributes.items()
        },
    )
