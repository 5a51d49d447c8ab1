"""Lists of tensors: what is in them is known while the graph is gone through, so they cost nothing."""

from __future__ import annotations

from typing import Any

from pimsim.trace.onnx.lowering.table import expands
from pimsim.trace.onnx.piece import OnnxMaker


@expands("SequenceConstruct", "SequenceEmpty")
def _construct(m: OnnxMaker) -> list[Any]:
    m.graph.sequences[m.node.output[0]] = list(m.node.input)
    return []


@expands("SequenceInsert", "SequenceErase")
def _change(m: OnnxMaker) -> list[Any]:
    held = list(_held(m, 0))
    at = m.value(2 if m.node.op_type == "SequenceInsert" else 1)
    place = int(at[0]) if at else len(held)
    if m.node.op_type == "SequenceInsert":
        held.insert(place, m.node.input[1])
    else:
        held.pop(place if at else -1)
    m.graph.sequences[m.node.output[0]] = held
    return []


@expands("SequenceAt")
def _at(m: OnnxMaker) -> list[Any]:
    (place,) = m.value(1) or [0]
    m.puts_out(0, m.term(_held(m, 0)[int(place)]))
    return []


@expands("SequenceLength")
def _length(m: OnnxMaker) -> list[Any]:
    import numpy as np
    from onnx import numpy_helper

    count = np.asarray(len(_held(m, 0)), np.int64)
    m.graph.constants.add_stored(numpy_helper.from_array(count, m.node.output[0]))
    return []


@expands("SplitToSequence")
def _split(m: OnnxMaker) -> list[Any]:
    source = m.needed(0)
    axis = m.attribute("axis", 0) % len(source.shape)
    size, sizes = source.shape[axis], m.value(1)
    if sizes is None:
        sizes = [1] * size
    elif len(m.term(m.node.input[1]).shape) == 0:
        step = int(sizes[0])
        sizes = [min(step, size - start) for start in range(0, size, step)]
    parts = m.split(source, axis, [int(each) for each in sizes])
    if len(m.node.input) < 2 and not m.attribute("keepdims", 1):
        parts = [m.reshape(each, (*each.shape[:axis], *each.shape[axis + 1 :])) for each in parts]
    m.graph.sequences[m.node.output[0]] = [each.name for each in parts]
    return []


@expands("ConcatFromSequence")
def _join(m: OnnxMaker) -> list[Any]:
    terms = [m.term(value) for value in _held(m, 0)]
    new = m.attribute("new_axis", 0)
    axis = m.attribute("axis") % (len(terms[0].shape) + new)
    if new:
        terms = [m.reshape(each, (*each.shape[:axis], 1, *each.shape[axis:])) for each in terms]
    m.puts_out(0, m.concat(terms, axis))
    return []


def _held(m: OnnxMaker, position: int) -> list[str]:
    value = m.node.input[position]
    if value not in m.graph.sequences:
        raise m.refuse("it reads a list that is not known")
    return m.graph.sequences[value]
