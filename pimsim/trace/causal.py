"""Causal attention: which products of queries and keys a causal mask follows, so that later keys do not count."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pimsim.trace.op import Op

Sense = Literal["true keeps", "true hides", "added", "taken off"]
"""What a mask's values do: a condition that keeps or hides scores, or numbers added to them or taken off."""

OPPOSITE: dict[Sense, Sense] = {"true keeps": "true hides", "true hides": "true keeps"}

_HIDDEN = 1e3  # a score that so much is taken off is nothing after the softmax
_PASSED = ("Mul", "Div", "Add", "Sub", "Where", "Reshape", "Cast", "Clip", "Tanh")


def is_causal(values: npt.NDArray[Any], sense: Sense) -> bool:
    """Return whether a mask over (…, rows, keys) leaves each row the keys up to its own, the last row all of them."""
    if values.ndim < 2 or not 1 < values.shape[-2] <= values.shape[-1]:
        return False
    if sense in ("added", "taken off") and values.dtype != bool:
        number = values.astype(np.float64)
        kept = (number if sense == "added" else -number) > -_HIDDEN
    else:
        kept = values.astype(bool) != (sense == "true hides")
    rows, keys = values.shape[-2:]
    return bool((kept == np.tri(rows, keys, keys - rows, dtype=bool)).all())


def sense_of(op: Op, operand: int) -> Sense | None:
    """Return what an operand does as a mask of scores; None if it is none.

    Parameters
    ----------
    op : Op
        ``Add``, ``Sub`` or ``Where``.
    operand : int
        Which of its operands.
    """
    if op.type == "Add":
        return "added"
    if op.type == "Sub":
        return "taken off" if operand == 1 else None
    if op.type == "Where" and operand == 0:
        return "true hides" if op.inputs[1].role != "activation" else "true keeps"
    return None


def mark(ops: Iterable[Op], masked: Collection[str]) -> list[Op]:
    """Return the ops, those products marked ``causal`` that are only read through a causal mask and a softmax.

    Parameters
    ----------
    ops : iterable of Op
        Of a model.
    masked : collection of str
        Names of the ops that apply a causal mask.
    """
    ops = list(ops)
    by_name = {op.name: op for op in ops}
    readers: dict[str, list[Op]] = {}
    for op in ops:
        for name in op.deps:
            readers.setdefault(name, []).append(op)
    found = {product.name for product in map(by_name.get, _products(by_name, readers, masked)) if product}
    return [replace(op, attributes={**op.attributes, "causal": 1}) if op.name in found else op for op in ops]


def _products(by_name: dict[str, Op], readers: dict[str, list[Op]], masked: Collection[str]) -> Iterable[str]:
    """Yield the names of the products whose scores such masks are for."""
    for name in masked:
        op = by_name.get(name)
        if op is None or not _ends_in_softmax(op, readers):
            continue
        for operand in op.activations:
            product = _product_before(str(operand.source), op.output.shape[-2:], by_name, readers)
            if product is not None:
                yield product


def _ends_in_softmax(op: Op, readers: dict[str, list[Op]]) -> bool:
    """Whether scores go to a softmax over the keys, and nowhere else."""
    while True:
        after = readers.get(op.name, [])
        if len(after) != 1:
            return False
        op = after[0]
        if op.type == "Softmax":
            return bool(op.attributes["axis"] == len(op.output.shape) - 1)
        if op.type not in _PASSED:
            return False


def _product_before(
    name: str, scores: Sequence[object], by_name: dict[str, Op], readers: dict[str, list[Op]]
) -> str | None:
    """Return the product of two activations that scores come from, if nothing else reads them on the way."""
    todo = [name]
    while todo:
        op = by_name[todo.pop()]
        if op.output.shape[-2:] != tuple(scores) or len(readers[op.name]) != 1:
            continue
        if op.type == "MatMul" and len(op.activations) == 2:
            return op.name
        if op.type in _PASSED:
            todo.extend(op.deps)
    return None
