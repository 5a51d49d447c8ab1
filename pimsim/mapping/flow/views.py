"""Which ops move no data: they only address the tokens of their input otherwise, and vanish.

A view, a transposition, a slice, or a repetition of the features. Each rule takes an op, the source of its input and
which output is meant, and returns that output's source; None if data move.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pimsim.mapping.flow import addressing
from pimsim.mapping.flow.layout import Axes, Shape, Source, Table
from pimsim.trace.op import Op


def view(op: Op, source: Source, index: int) -> Source:
    """The same elements in the same order, counted otherwise."""
    before, after = op.inputs[0].tensor.shape, op.outputs[index].shape
    axes = _reshaped(before, after, source.axes) if source.axes is not None else None
    if source.grid is None:
        return replace(source, axes=axes)
    return _on(source, addressing.reshaped(source.grid, before, after, axes), after, axes)


def transposed(op: Op, source: Source, index: int) -> Source | None:
    """The same elements in another order; without a grid neither that of positions nor that of features changes."""
    shape, axes, perm = op.inputs[0].tensor.shape, source.axes, op.attributes["perm"]
    moved = None if axes is None else tuple(n for n, axis in enumerate(perm) if axis in axes)
    if source.grid is not None:
        return replace(source, axes=moved, grid=source.grid.transpose(perm))
    if axes is None:
        return None
    tokens = [axis for axis in perm if axis in axes and shape[axis] > 1]
    features = [axis for axis in perm if axis not in axes and shape[axis] > 1]
    if tokens != sorted(tokens) or features != sorted(features):
        return None
    return replace(source, axes=moved)


def repeated(op: Op, source: Source, index: int) -> Source | None:
    """Features are read several times; there are as many positions as before."""
    shape, after = op.inputs[0].tensor.shape, op.outputs[index].shape
    if source.axes is None or len(after) != len(shape):
        return None
    return source if all(after[axis] == shape[axis] for axis in source.axes) else None


def divided(op: Op, source: Source, index: int) -> Source | None:
    """Each output is a slice (Split)."""
    axis, sizes = op.attributes["axis"], [each.shape[op.attributes["axis"]] for each in op.outputs]
    begin = sum(sizes[:index])
    places = {axis: np.arange(begin, begin + sizes[index])}
    return _cut(source, op.inputs[0].tensor.shape, op.outputs[index].shape, places, (op.name, index))


def sliced(op: Op, source: Source, index: int) -> Source | None:
    """A slice."""
    about = op.attributes
    rows = zip(about["axes"], about["starts"], about["ends"], about["steps"], strict=True)
    places = {axis: np.arange(*each) for axis, *each in rows}
    return _cut(source, op.inputs[0].tensor.shape, op.outputs[index].shape, places, (op.name,))


def _cut(
    source: Source, shape: Shape, after: Shape, places: Mapping[int, Table], name: tuple[object, ...]
) -> Source | None:
    """Return the source of a slice: some of the tokens where its axes count them, some of their features elsewhere."""
    grid, axes = source.grid, source.axes
    if grid is None and (axes is None or set(places) & set(axes)):
        return None
    features = source.features
    for axis, those in places.items():
        if grid is not None and grid.shape[axis] > 1:
            grid = grid.take(those, axis=axis)
        elif (axes is None or axis not in axes) and after[axis] < shape[axis]:
            features = max(1, features * after[axis] // shape[axis])
    piece = source.piece if features == source.features else (*source.piece, *name)
    return replace(source, features=features, piece=piece, grid=grid)


def _on(source: Source, grid: Table | None, shape: Shape, axes: Axes | None) -> Source:
    """Return a source with another grid, and the axes that count its tokens if these are not given."""
    if axes is None and grid is not None:
        axes = addressing.counting(grid, shape, source.features)
    return replace(source, axes=axes, grid=grid)


def appended(op: Op, source: Source) -> Source | None:
    """Return the source of a Concat that appends an activation's tokens to those of a cache; None if it does not."""
    axis, shape = op.attributes["axis"], op.activations[0].tensor.shape
    if source.axes is None or (axis not in source.axes and shape[axis] > 1):
        return None
    cached = sum(o.tensor.shape[axis] for o in op.inputs if o.role == "cache")
    axes = tuple(sorted({*source.axes, axis}))  # an axis of size 1 may not have been among them
    return replace(source, axes=axes, cached=source.cached + cached, grid=None)


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
