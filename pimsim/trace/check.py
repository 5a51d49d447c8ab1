"""Whether a trace is sound: every tensor, operand, attribute, shape, and the graph as a whole.

Everything here says where it found fault as ``file:line: field``; for a trace built in Python the place is
``op 'name': field``.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pimsim.errors import TraceError
from pimsim.trace.found import MAX_SIZE, check_int, check_name, closest, show
from pimsim.trace.identity import check_names
from pimsim.trace.op import Op
from pimsim.trace.optypes import OP_TYPES, Attribute, OpType
from pimsim.trace.tensor import ROLES, Operand, Tensor, dims

DTYPES = (
    *("float64", "float32", "float16", "bfloat16", "float4e2m1"),
    *("float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "float8e8m0"),
    *("int2", "int4", "int8", "int16", "int32", "int64"),
    *("uint2", "uint4", "uint8", "uint16", "uint32", "uint64", "bool"),
)
MAX_ELEMENTS = 2**40
MAX_MACS = 2**63 - 1
MAX_BITS = 64


def _check_tensor(tensor: Tensor, where: str) -> Tensor:
    if not isinstance(tensor.shape, tuple | list):
        raise TraceError(f"found {show(tensor.shape)}, expected a list of sizes", where=f"{where}.shape")
    for axis, size in enumerate(tensor.shape):
        check_int(size, f"{where}.shape[{axis}]", 1, MAX_SIZE)
    if math.prod(tensor.shape) > MAX_ELEMENTS:
        message = f"{dims(tuple(tensor.shape))} has more than {MAX_ELEMENTS} elements"
        raise TraceError(message, where=f"{where}.shape")
    if tensor.dtype not in DTYPES:
        message = f"found {show(tensor.dtype)}, expected an element type"
        raise TraceError(message, where=f"{where}.dtype", mend=closest(tensor.dtype, DTYPES))
    if tensor.bits is not None:
        check_int(tensor.bits, f"{where}.bits", 1, MAX_BITS)
    return tensor if isinstance(tensor.shape, tuple) else replace(tensor, shape=tuple(tensor.shape))


def _check_operand(operand: Operand, position: int, row: OpType, op_type: str, where: str) -> Operand:
    if operand.role not in ROLES:
        message = f"found {show(operand.role)}, expected a role"
        raise TraceError(message, where=f"{where}.role", mend=closest(operand.role, ROLES))
    if operand.role == "weight" and position not in row.weight_at:
        message = "found 'weight' where this op type has none"
        raise TraceError(message, where=f"{where}.role", mend="say 'constant' for a parameter")
    if operand.role == "cache" and op_type != "Concat":
        message = f"found 'cache' at a {op_type}"
        raise TraceError(
            message, where=f"{where}.role", mend="a cache is an operand of a Concat that appends to it"
        )
    if operand.role == "activation":
        if operand.source is None:
            message = "an activation must name the op that computes it"
            raise TraceError(message, where=f"{where}.from")
        check_name(operand.source, f"{where}.from")
    elif operand.source is not None:
        message = f"a {operand.role} comes from no op, found {show(operand.source)}"
        raise TraceError(message, where=f"{where}.from")
    check_int(operand.index, f"{where}.output", 0, MAX_SIZE)
    tensor = _check_tensor(operand.tensor, where)
    _check_name(operand, where)
    return operand if tensor is operand.tensor else replace(operand, tensor=tensor)


def _check_name(operand: Operand, where: str) -> None:
    if operand.name is not None:
        check_name(operand.name, f"{where}.name")
        if operand.role not in ("weight", "constant"):
            message = (
                f"found {show(operand.name)} at the role '{operand.role}', expected a weight or constant"
            )
            raise TraceError(message, where=f"{where}.name")
    if not isinstance(operand.turned, bool):
        raise TraceError(f"found {show(operand.turned)}, expected true or false", where=f"{where}.turned")
    if operand.turned and (operand.name is None or len(operand.tensor.shape) < 2):
        message = "only what has a name and two dimensions or more can stand there turned"
        raise TraceError(message, where=f"{where}.turned")


def _check_attribute(value: object, kind: Attribute, where: str) -> object:
    if value is None and kind.optional:
        return None
    low = 0 if kind.kind in ("axis", "axes") else kind.low
    low = -MAX_SIZE if low is None else low
    if kind.kind in ("int", "axis"):
        return check_int(value, where, low, MAX_SIZE)
    if kind.kind in ("ints", "axes"):
        if not isinstance(value, list | tuple):
            raise TraceError(f"found {show(value)}, expected a list of whole numbers", where=where)
        return tuple(check_int(item, f"{where}[{i}]", low, MAX_SIZE) for i, item in enumerate(value))
    if kind.kind == "float":
        fits = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e38
        if not fits:
            raise TraceError(f"found {show(value)}, expected a finite number", where=where)
        return float(value)  # type: ignore[arg-type]
    name = check_name(value, where)
    if kind.choices and name not in kind.choices:
        raise TraceError(f"found {show(name)}", where=where, mend=closest(name, kind.choices))
    return name


def _check_attributes(attributes: object, row: OpType, where: str) -> dict[str, Any]:
    if not isinstance(attributes, dict):
        raise TraceError(f"found {show(attributes)}, expected an object", where=where)
    for name in attributes:
        if name not in row.attributes:
            mend = closest(name, list(row.attributes)) if row.attributes else "this op type has none"
            raise TraceError(f"unknown attribute {show(name)}", where=where, mend=mend)
    checked = {}
    for name, kind in row.attributes.items():
        if name not in attributes:
            if kind.spare:
                continue
            raise TraceError(f"attribute '{name}' is missing", where=where)
        checked[name] = _check_attribute(attributes[name], kind, f"{where}.{name}")
    return checked


def check_op(op: Op, place: str) -> Op:
    """Check one op by itself and return it in canonical form (tuples for lists, floats for numbers).

    Parameters
    ----------
    op : Op
        The op, of whatever types.
    place : str
        Where it stands, ``file:line``.

    Raises
    ------
    TraceError
        At the first fault, with place and field.
    """
    check_name(op.name, f"{place}: name")
    row = OP_TYPES.get(op.type) if isinstance(op.type, str) else None
    if row is None:
        message = f"unknown op type {show(op.type)}"
        raise TraceError(message, where=f"{place}: type", mend=closest(op.type, list(OP_TYPES)))
    least, most = row.inputs
    if not least <= len(op.inputs) <= most:
        expected = f"{least}" if least == most else f"{least} to {most}"
        message = f"found {len(op.inputs)} operands, expected {expected} for {op.type}"
        raise TraceError(message, where=f"{place}: inputs")
    if not op.outputs or (len(op.outputs) > 1 and not row.many_outputs):
        expected = "one or more" if row.many_outputs else "one"
        message = f"found {len(op.outputs)} outputs, expected {expected} for {op.type}"
        raise TraceError(message, where=f"{place}: outputs")
    inputs = tuple(
        _check_operand(operand, position, row, op.type, f"{place}: inputs[{position}]")
        for position, operand in enumerate(op.inputs)
    )
    if inputs and not any(operand.role == "activation" for operand in inputs):
        message = f"a {op.type} without an activation is a constant, not an op"
        raise TraceError(message, where=f"{place}: inputs")
    outputs = tuple(_check_tensor(tensor, f"{place}: outputs[{i}]") for i, tensor in enumerate(op.outputs))
    attributes = _check_attributes(op.attributes, row, f"{place}: attributes")
    op = Op(op.name, op.type, inputs, outputs, attributes)
    _check_shapes(op, row, place)
    return op


def _check_shapes(op: Op, row: OpType, place: str) -> None:
    try:
        expected = row.shape(op)
    except TraceError as error:
        raise TraceError(f"{op.type}: {error.message}", where=f"{place}: {error.where}") from None
    for position, (output, shape) in enumerate(zip(op.outputs, expected, strict=True)):
        if output.shape != shape:
            message = f"found {dims(output.shape)}, expected {dims(shape)} from the inputs of this {op.type}"
            raise TraceError(message, where=f"{place}: outputs[{position}].shape")
    if op.macs > MAX_MACS:
        raise TraceError(
            f"{op.type} of more than 2^63 multiply-accumulates", where=f"{place}: outputs[0].shape"
        )


def check_graph(
    ops: Sequence[Op], outputs: Sequence[str], places: Sequence[str], header: str
) -> tuple[Op, ...]:
    """Check ops and the graph they form, and return them in topological order.

    Parameters
    ----------
    ops : sequence of Op
        In the order of the file.
    outputs : sequence of str
        Names of the output ops.
    places : sequence of str
        Where each op stands.
    header : str
        Where the header stands.

    Raises
    ------
    TraceError
        At the first fault, with place and field.
    """
    ops = [check_op(op, place) for op, place in zip(ops, places, strict=True)]
    if not any(op.type != "Input" for op in ops):
        raise TraceError("the model is empty: no op computes anything", where=header)
    position: dict[str, int] = {}
    for index, op in enumerate(ops):
        if op.name in position:
            message = f"'{op.name}' is already the name of the op at {places[position[op.name]]}"
            raise TraceError(message, where=f"{places[index]}: name")
        position[op.name] = index
    read: set[str] = set()
    for op, place in zip(ops, places, strict=True):
        for at, operand in enumerate(op.inputs):
            if operand.source is not None:
                _check_source(operand, ops, position, f"{place}: inputs[{at}]")
                read.add(operand.source)
    check_names(ops, places)
    order = _topological_order(ops, position, places)
    if not outputs:
        raise TraceError(
            "found none, expected the names of the model's output ops", where=f"{header}: outputs"
        )
    for at, name in enumerate(outputs):
        if name not in position:
            message = f"there is no op {show(name)}, or the file is truncated"
            mend = closest(name, list(position))
            raise TraceError(message, where=f"{header}: outputs[{at}]", mend=mend)
    for op, place in zip(ops, places, strict=True):
        if op.name not in read and op.name not in outputs:
            message = f"nothing reads '{op.name}' and it is not among the outputs"
            raise TraceError(message, where=place, mend="the file may be truncated")
    return tuple(ops[index] for index in order)


def _check_source(operand: Operand, ops: Sequence[Op], position: dict[str, int], where: str) -> None:
    if operand.source not in position:
        message = f"there is no op {show(operand.source)}"
        raise TraceError(message, where=f"{where}.from", mend=closest(operand.source, list(position)))
    source = ops[position[operand.source]]
    if operand.index >= len(source.outputs):
        message = f"found {operand.index}, but '{source.name}' has {len(source.outputs)} outputs (from 0)"
        raise TraceError(message, where=f"{where}.output")
    made = source.outputs[operand.index]
    for name in ("shape", "dtype", "bits"):
        found, expected = getattr(operand.tensor, name), getattr(made, name)
        if found != expected:
            both = (dims(found), dims(expected)) if name == "shape" else (found, expected)
            message = f"found {both[0]}, but '{source.name}' puts out {both[1]}"
            raise TraceError(message, where=f"{where}.{name}")


def _topological_order(ops: Sequence[Op], position: dict[str, int], places: Sequence[str]) -> list[int]:
    """Kahn's algorithm, taking the op that stands first in the file among those that are ready."""
    waits = [len(op.deps) for op in ops]
    readers: list[list[int]] = [[] for _ in ops]
    for index, op in enumerate(ops):
        for name in op.deps:
            readers[position[name]].append(index)
    ready = [index for index, count in enumerate(waits) if count == 0]
    order = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for reader in readers[index]:
            waits[reader] -= 1
            if waits[reader] == 0:
                heapq.heappush(ready, reader)
    if len(order) < len(ops):
        cycle = _find_cycle(ops, position, {index for index, count in enumerate(waits) if count})
        names = [ops[index].name for index in cycle]
        shown = names if len(names) <= 12 else [*names[:6], "…", *names[-5:]]
        where = f"{places[cycle[0]]}: inputs"
        raise TraceError("the graph has a cycle: " + " -> ".join(shown), where=where)
    return order


def _find_cycle(ops: Sequence[Op], position: dict[str, int], stuck: set[int]) -> list[int]:
    """Walk back from a stuck op, along stuck ops only, until one is met again; return it in data's order."""
    index = min(stuck)
    seen: dict[int, int] = {}
    walk: list[int] = []
    while index not in seen:
        seen[index] = len(walk)
        walk.append(index)
        index = next(position[name] for name in ops[index].deps if position[name] in stuck)
    return [*walk[seen[index] :], index][::-1]
