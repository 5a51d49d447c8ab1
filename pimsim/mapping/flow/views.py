"""Which ops move no data: they only address the tokens of their input otherwise, and vanish.

A view, a transposition that keeps the order of positions and of features, a slice of the features or a repetition of
them. Each rule takes an op, the source of its input and which output is meant, and returns that output's source; None
if data move.
"""

from __future__ import annotations

import math
from dataclasses import replace

from pimsim.mapping.flow.layout import Axes, Shape, Source
from pimsim.trace.op import Op


def view(op: Op, source: Source, index: int) -> Source:
    """The same elements in the same order, counted otherwise."""
    if source.axes is None:
        return source
    return replace(source, axes=_reshaped(op.inputs[0].tensor.shape, op.outputs[index].shape, source.axes))


def transposed(op: Op, source: Source, index: int) -> Source | None:
    """Neither the order of positions changes nor that of features."""
    shape, axes, perm = op.inputs[0].tensor.shape, source.axes, op.attributes["perm"]
    if axes is None:
        return None
    tokens = [axis for axis in perm if axis in axes and shape[axis] > 1]
    features = [axis for axis in perm if axis not in axes and shape[axis] > 1]
    if tokens != sorted(tokens) or features != sorted(features):
        return None
    return replace(source, axes=tuple(n for n, axis in enumerate(perm) if axis in axes))


def repeated(op: Op, source: Source, index: int) -> Source | None:
    """Features are read several times; there are as many positions as before."""
    shape, after = op.inputs[0].tensor.shape, op.outputs[index].shape
    if source.axes is None or len(after) != len(shape):
        return None
    return source if all(after[axis] == shape[axis] for axis in source.axes) else None


def divided(op: Op, source: Source, index: int) -> Source | None:
    """Each output is a slice of the features (Split)."""
    shape, axis = op.inputs[0].tensor.shape, op.attributes["axis"]
    if source.axes is None or axis in source.axes:
        return None
    part = source.features * op.outputs[index].shape[axis] // shape[axis]
    return replace(source, features=part, piece=(*source.piece, op.name, index))


def sliced(op: Op, source: Source, index: int) -> Source | None:
    """A slice of the features."""
    if source.axes is None or set(op.attributes["axes"]) & set(source.axes):
        return None
    part = source.features * math.prod(op.outputs[index].shape) // math.prod(op.inputs[0].tensor.shape)
    return replace(source, features=max(1, part), piece=(*source.piece, op.name))


def appended(op: Op, source: Source) -> Source | None:
    """Return the source of a Concat that appends an activation's tokens to those of a cache; None if it does not."""
    axis, shape = op.attributes["axis"], op.activations[0].tensor.shape
    if source.axes is None or (axis not in source.axes and shape[axis] > 1):
        return None
    cached = sum(o.tensor.shape[axis] for o in op.inputs if o.role == "cache")
    axes = tuple(sorted({*source.axes, axis}))  # an axis of size 1 may not have been among them
    return replace(source, axes=axes, cached=source.cached + cached)


def _reshaped(before: Shape, after: Shape, axes: Axes) -> Axes | None:
    """Return the axes that count the same positions after a reshape; None if it mixes positions and features."""
    found: list[int] = []
    i = j = 0
    while i < len(before) or j < len(after):
        here, there = [i] if i < len(before) else [], [j] if j < len(after) else []
        left, right = before[i] if here else 1, after[j] if there else 1
        i, j = i + len(here), j + len(there)
        while left != right:
            if left < right and i < len(before):
                here.append(i)
                left *= before[i]
                i += 1
            elif right < left and j < len(after):
                there.append(j)
                right *= after[j]
                j += 1
            else:
                return None
        kinds = {axis in axes for axis in here if before[axis] > 1}
        if len(kinds) > 1:
            return None
        if True in kinds:
            found += [axis for axis in there if after[axis] > 1]
    return tuple(found)
