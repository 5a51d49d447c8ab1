"""ONNX's Fourier transforms."""

from __future__ import annotations

from typing import Any

from pimsim.errors import TraceError
from pimsim.trace.lower.fourier import transform
from pimsim.trace.onnx.lowering.products import without_empty
from pimsim.trace.onnx.lowering.table import expands
from pimsim.trace.onnx.piece import OnnxMaker


@expands("DFT")
def _dft(m: OnnxMaker) -> list[Any]:
    """Each transform multiplies its samples, real or complex, by a matrix."""
    given_value = m.graph.own(m.node.input[0])
    source = m.term(m.graph.real.get(given_value, given_value))  # zeros need not be multiplied
    rank = len(source.shape)
    if m.graph.opset >= 20:
        given = m.value(2)
        axis = int(given[0]) if given else -2
    else:
        axis = m.attribute("axis", 1)
    axis %= rank
    length = m.value(1)
    size = source.shape[axis]
    wanted = int(length[0]) if length else size
    if wanted < size and not m.attribute("inverse", 0):
        source, size = m.cut(source, axis, 0, wanted), wanted
    half = m.attribute("onesided", 0)
    bins, out_parts = (wanted // 2 + 1 if half else wanted), 2
    if m.attribute("inverse", 0) and half:  # from half of a spectrum back to real samples
        bins, out_parts = (int(length[0]) if length else 2 * (source.shape[axis] - 1)), 1
    m.puts_out(0, transform(m, source, axis, bins, out_parts))
    return []


@expands("Concat")
def _complex(m: OnnxMaker) -> list[Any] | None:
    """Remember of what is made complex what it was; else as what is empty says."""
    values = [m.graph.own(value) for value in m.node.input]
    if len(values) == 2 and all(value in m.graph.constants.tensors for value in values):
        shape = m.term(values[0]).shape
        last = m.attribute("axis", 1) % len(shape) == len(shape) - 1 and shape[-1:] == (1,)
        if last and m.term(values[1]).shape == shape and _is_zero(m, values[1]):
            m.graph.real[m.node.output[0]] = values[0]
    return without_empty(m)


def _is_zero(m: OnnxMaker, value: str) -> bool:
    """Whether a value is a constant, all zeros."""
    if value not in m.graph.constants.names:
        return False
    try:
        return not m.graph.constants.value(value).any()
    except TraceError:  # its value is not known
        return False


@expands("STFT")
def _stft(m: OnnxMaker) -> list[Any]:
    """A convolution along time, a channel a bin and part, by the transform's matrix with the window in it."""
    source, step, window = m.needed(0), m.value(1), m.given(2)
    batch, samples, *rest = source.shape
    parts = rest[0] if rest else 1
    given = m.value(3)
    frame = int(given[0]) if given else window.shape[0] if window is not None else samples
    stride = int((step or [frame])[0])
    bins = frame // 2 + 1 if m.attribute("onesided", 1) and parts == 1 else frame
    frames = (samples - frame) // stride + 1
    turned = m.transpose(m.reshape(source, (batch, samples, parts)), (0, 2, 1))
    weight = m.number((2 * bins, parts, frame), source.dtype)
    about: dict[str, Any] = {
        "kernel_shape": (frame,),
        "strides": (stride,),
        "pads": (0, 0),
        "dilations": (1,),
        "group": 1,
    }
    made = m.op("Conv", [turned, weight], (batch, 2 * bins, frames), **about)
    made = m.reshape(m.transpose(made, (0, 2, 1)), (batch, frames, bins, 2))
    m.puts_out(0, made)
    return []
