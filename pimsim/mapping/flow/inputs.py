"""How the host sends a model's input: position by position as the first op that looks at positions wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pimsim.mapping.flow import cuts
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.layout import Axes, Layout, Shape, pixels_of
from pimsim.mapping.flow.rules import rule_of
from pimsim.trace.op import Op

BURST = 32
"""Elements that the host sends at once, at most, where it sends pixels."""


def input_axes(op: Op, readers: Mapping[str, Sequence[Op]]) -> Axes:
    """Return the axes of an input that count its positions: pixels, if an op that reads it sees them in it.

    Parameters
    ----------
    op : Op
        The input.
    readers : mapping of str to sequence of Op
        The ops that read each op.
    """
    found = _wanted(op.name, tuple(range(len(op.output.shape))), op.output.shape, readers)
    return rule_of(op.type).cut(op, None) if found is None else found


def _wanted(name: str, axes: Axes, shape: Shape, readers: Mapping[str, Sequence[Op]]) -> Axes | None:
    """Return the input's axes that count pixels to an op behind `name`, whose axes are those of the input; or None."""
    for op in readers.get(name, ()):
        if op.activations[0].source != name:
            continue
        rule = rule_of(op.type)
        if rule.cut in (cuts.pixels, cuts.rows, cuts.product):
            if rule.cut is not cuts.pixels:
                return None
            return tuple(sorted(axes[axis] for axis in pixels_of(len(axes))))
        kept = len(op.output.shape) == len(shape)
        if kept and rule.cut is cuts.transposed:
            perm = op.attributes["perm"]
            turned, sizes = tuple(axes[axis] for axis in perm), tuple(shape[axis] for axis in perm)
            found = _wanted(op.name, turned, sizes, readers)
        else:
            found = _wanted(op.name, axes, op.output.shape, readers) if kept else None
        if found is not None:
            return found
    return None


def input_node(op: Op, axes: Axes) -> Node:
    """Return the node of an input: the host sends a row at a time, of pixels or of features, not one packet a pixel."""
    layout = Layout(op.output.shape, axes)
    rows = layout.positions
    if len(layout.shape) >= 4 or (len(layout.shape) == 3 and layout.channels):
        width = layout.shape[axes[-1]]
        pixels = max(1, BURST // layout.features)
        bursts = next(n for n in range(1, width + 1) if width % n == 0 and width // n <= pixels)
        rows = layout.positions // width * bursts
    each = np.arange(rows, dtype=np.int64)
    return Node(op.name, op.type, op, rows, layout.positions * layout.features // rows, rows, each, 0, layout)
