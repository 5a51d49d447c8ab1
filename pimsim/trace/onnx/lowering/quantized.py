"""Quantized ops: they are what they are without it, of as many bits as the file says; scales cost nothing.

The scale of a dynamic quantization counts as known: the chip's converters have fixed ranges, and the maximum over a
tensor is not computed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from onnx import NodeProto, helper

from pimsim.trace.onnx.lowering.layers import recurrent_layer
from pimsim.trace.onnx.lowering.table import expands
from pimsim.trace.onnx.piece import OnnxMaker
from pimsim.trace.tensor import Tensor

if TYPE_CHECKING:
    from pimsim.trace.onnx.values import Values

MS = "com.microsoft:"
_FEW = re.compile(r"(?:u?int|float)(2|4|8)(?:$|e)")
# what computes, by the positions of its operands: those between hold scales and zero points
_PLAIN = {
    "QLinearConv": ("Conv", (0, 3, 8)),
    "ConvInteger": ("Conv", (0, 1)),
    "QLinearMatMul": ("MatMul", (0, 3)),
    "MatMulInteger": ("MatMul", (0, 1)),
    f"{MS}QLinearAdd": ("Add", (0, 3)),
    f"{MS}QLinearMul": ("Mul", (0, 3)),
    f"{MS}QLinearSigmoid": ("Sigmoid", (0,)),
    f"{MS}QLinearLeakyRelu": ("LeakyRelu", (0,)),
    f"{MS}QLinearSoftmax": ("Softmax", (0,)),
    f"{MS}QLinearAveragePool": ("AveragePool", (0,)),
    f"{MS}QLinearGlobalAveragePool": ("GlobalAveragePool", (0,)),
    f"{MS}QGemm": ("Gemm", (0, 3, 6)),
    f"{MS}QLinearWhere": ("Where", (0, 1, 4)),
}
_ONLY_MS = ("opset", "channels_last")  # attributes that ONNX's own ops do not have
_INTEGER = ("ConvInteger", "MatMulInteger")  # they put out sums, of more bits


def note_bits(graph: Values, node: NodeProto) -> None:
    """Note to how many bits a QuantizeLinear rounds: those of its zero point, or 8."""
    bits = 8
    if len(node.input) > 2 and node.input[2] in graph.constants.tensors:
        few = _FEW.match(graph.tensor(node.input[2]).dtype)
        bits = int(few[1]) if few else 16
    given = next((a.i for a in node.attribute if a.name == "output_dtype"), 0)
    if given:
        from pimsim.trace.onnx.constants import dtype_name

        few = _FEW.match(dtype_name(given))
        bits = int(few[1]) if few else 16
    graph.quantized[node.output[0]] = bits


def _as(m: OnnxMaker, type_: str, inputs: Sequence[str], outputs: Sequence[str] | None = None) -> NodeProto:
    """Return the node of another type with this one's attributes."""
    made = helper.make_node(
        type_, list(inputs), list(outputs or m.node.output[:1]), name=m.node.name or m.label
    )
    made.attribute.extend(a for a in m.node.attribute if a.name not in _ONLY_MS)
    return made


@expands(*_PLAIN)
def _plain(m: OnnxMaker) -> list[Any]:
    full = m.node.op_type
    type_, positions = _PLAIN[full]
    values = [m.node.input[at] if at < len(m.node.input) else "" for at in positions]
    while not values[-1]:
        values.pop()
    if full not in _INTEGER:
        m.graph.quantized[m.node.output[0]] = 8
    return [_as(m, type_, values)]


@expands(f"{MS}QLinearConcat")
def _concat(m: OnnxMaker) -> list[Any]:
    m.graph.quantized[m.node.output[0]] = 8
    return [_as(m, "Concat", m.node.input[2::3])]


@expands("DynamicQuantizeLinear")
def _dynamic(m: OnnxMaker) -> list[Any]:
    source = m.needed(0)
    m.puts_out(0, source)
    m.graph.quantized[m.node.output[0]] = 8
    for value, dtype in zip(m.node.output[1:], ("float32", "uint8"), strict=False):
        m.graph.constants.add_filled(value, Tensor((), dtype))
    return []


@expands(f"{MS}QuantizeLinear", f"{MS}DequantizeLinear")
def _free(m: OnnxMaker) -> list[Any]:
    source = m.needed(0)
    if m.is_constant(source):
        name = m.part(source, source.shape).name
        return [helper.make_node("Identity", [name], [m.node.output[0]])]
    m.puts_out(0, source)
    if m.node.op_type.endswith(":QuantizeLinear"):
        note_bits(m.graph, m.node)
    return []


@expands(f"{MS}DynamicQuantizeMatMul", f"{MS}MatMulIntegerToFloat")
def _to_float(m: OnnxMaker) -> list[Any]:
    at = 4 if m.node.op_type.endswith("DynamicQuantizeMatMul") else 6
    bias = m.given(at)
    left = m.needed(0)
    made = m.matmul(left, m.needed(1))
    made = made if bias is None else m.broadcast("Add", made, bias)
    m.puts_out(0, made)
    return []


@expands(f"{MS}DynamicQuantizeLSTM")
def _lstm(m: OnnxMaker) -> list[Any]:
    """Its matrices stand transposed."""
    return recurrent_layer(m, "LSTM", m.turned(m.needed(1)), m.turned(m.needed(2)))
