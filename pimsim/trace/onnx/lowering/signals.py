"""ONNX's Fourier transforms."""

from __future__ import annotations

from typing import Any

from pimsim.trace.lower.fourier import transform
from pimsim.trace.onnx.lowering.table import expands
from pimsim.trace.onnx.piece import OnnxMaker


@expands("DFT")
def _dft(m: OnnxMaker) -> list[Any]:
    """Each transform multiplies its samples, real or complex, by a matrix."""
    source = m.needed(0)
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
