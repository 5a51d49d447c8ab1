"""What onnxruntime's optimizer leaves: its fused ops, taken apart into those that they do the work of."""

from __future__ import annotations

from typing import Any

from pimsim.trace.lower.attention import attention, by_heads, joined
from pimsim.trace.onnx.lowering.layers import rotary
from pimsim.trace.onnx.lowering.quantized import MS
from pimsim.trace.onnx.lowering.table import expands
from pimsim.trace.onnx.piece import Named, OnnxMaker


@expands(f"{MS}FusedMatMul", f"{MS}TransposeMatMul")
def _fused_matmul(m: OnnxMaker) -> list[Any]:
    left, right = m.needed(0), m.needed(1)
    left = m.turned(left) if m.attribute("transA", 0) else left
    right = m.turned(right) if m.attribute("transB", 0) else right
    made = m.matmul(left, right)
    scaled = m.attribute("alpha", 1.0) != 1.0
    m.puts_out(0, m.broadcast("Mul", made, m.number((), made.dtype)) if scaled else made)
    return []


@expands(f"{MS}BiasGelu", f"{MS}FastGelu", f"{MS}Gelu", f"{MS}QuickGelu", f"{MS}GemmFastGelu")
def _gelu(m: OnnxMaker) -> list[Any]:
    made, more = m.needed(0), m.given(1)
    if "Gemm" in m.node.op_type:
        made, more = m.matmul(made, m.needed(1)), m.given(2)
    made = made if more is None else m.broadcast("Add", made, more)
    if "QuickGelu" in m.node.op_type:
        m.puts_out(0, m.op("Swish", [made], alpha=1.702))
    else:
        fast = "Fast" in m.node.op_type
        m.puts_out(0, m.op("Gelu", [made], approximate="tanh" if fast else "none"))
    return []


@expands(f"{MS}BiasAdd", f"{MS}BiasDropout")
def _bias(m: OnnxMaker) -> list[Any]:
    made = m.broadcast("Add", m.needed(0), m.needed(1))
    rest = m.given(2)
    m.puts_out(0, made if rest is None or made.shape != rest.shape else m.broadcast("Add", made, rest))
    return []


@expands(f"{MS}SkipLayerNormalization", f"{MS}SkipSimplifiedLayerNormalization")
def _skip_norm(m: OnnxMaker) -> list[Any]:
    simple = "Simplified" in m.node.op_type
    made = m.broadcast("Add", m.needed(0), m.needed(1))
    bias = m.given(3 if simple else 4)
    made = made if bias is None else m.broadcast("Add", made, bias)
    m.puts_out(3, made)
    m.puts_out(0, _norm(m, made, m.needed(2), None if simple else m.given(3), simple))
    return []


@expands("SimplifiedLayerNormalization", f"{MS}SimplifiedLayerNormalization")
def _simple_norm(m: OnnxMaker) -> list[Any]:
    m.puts_out(0, _norm(m, m.needed(0), m.needed(1), None, True))
    return []


def _norm(m: OnnxMaker, source: Named, scale: Named, bias: Named | None, simple: bool) -> Any:
    axis = m.attribute("axis", -1) % len(source.shape)
    operands = [source, scale, *([] if bias is None else [bias])]
    about = {"axis": axis, "epsilon": float(m.attribute("epsilon", 1e-5))}
    return m.op("RMSNormalization" if simple else "LayerNormalization", operands, **about)


@expands(f"{MS}EmbedLayerNormalization")
def _embed(m: OnnxMaker) -> list[Any]:
    """Rows of three tables, their sum, normalized."""
    ids, words, places, segments = m.needed(0), m.needed(2), m.needed(3), m.given(4)
    shape = (*ids.shape, words.shape[-1])
    made = m.op("Gather", [words, ids], shape, words.dtype, axis=0)
    made = m.broadcast("Add", made, m.number((1, *shape[1:]), places.dtype))
    if segments is not None and m.given(1) is not None:
        rows = m.op("Gather", [segments, m.needed(1)], shape, words.dtype, axis=0)
        made = m.broadcast("Add", made, rows)
    m.puts_out(2, made)
    m.puts_out(0, _norm(m, made, m.needed(5), m.needed(6), False))
    if len(m.node.output) > 1 and m.node.output[1]:
        from pimsim.trace.tensor import Tensor

        m.graph.constants.add_filled(m.node.output[1], Tensor((ids.shape[0],), "int32"))
    return []


@expands(f"{MS}FusedConv", f"{MS}FusedGemm")
def _fused_activation(m: OnnxMaker) -> list[Any]:
    """A product and the activation behind it; a fused convolution may add another operand between them."""
    from onnx import helper

    conv = m.node.op_type.endswith("FusedConv")
    own = ("activation", "activation_params", "activation_alpha", "activation_beta", "activation_gamma")
    mid, end = m.graph.unnamed(), m.node.output[0]
    inner = helper.make_node("Conv" if conv else "Gemm", list(m.node.input[:3]), [mid], name=m.label)
    inner.attribute.extend(a for a in m.node.attribute if a.name not in own)
    nodes = [inner]
    if conv and len(m.node.input) > 3 and m.node.input[3]:
        nodes.append(helper.make_node("Add", [mid, m.node.input[3]], [f"{mid}+"]))
        mid = f"{mid}+"
    nodes.append(helper.make_node(m.attribute("activation", "Relu"), [mid], [end]))
    return nodes


@expands(f"{MS}MatMulNBits", f"{MS}MatMulBnb4")
def _few_bits(m: OnnxMaker) -> list[Any]:
    """The weight stands packed: (features out, blocks, bytes)."""
    packed, bias = m.needed(1), m.given(5)
    bits = m.attribute("bits", 4)
    weight = m.part(packed, (m.attribute("K"), m.attribute("N")), "", bits)
    m.puts_out(0, m.dense(m.needed(0), weight, bias))
    return []


@expands(f"{MS}GatherBlockQuantized")
def _few_bits_rows(m: OnnxMaker) -> list[Any]:
    table, indices = m.needed(0), m.needed(1)
    axis = m.attribute("gather_axis", 0) % len(table.shape)
    packed = 8 // m.attribute("bits", 4) if table.dtype == "uint8" else 1
    shape = (*table.shape[:-1], table.shape[-1] * packed)
    wide = m.part(table, shape)
    made = (*shape[:axis], *indices.shape, *shape[axis + 1 :])
    m.puts_out(0, m.op("Gather", [wide, indices], made, "float32", axis=axis))
    return []


@expands(f"{MS}Attention", f"{MS}QAttention")
def _attention(m: OnnxMaker) -> list[Any]:
    """One product for queries, keys and values, then attention by heads."""
    quantized = m.node.op_type.endswith("QAttention")
    source, weight, bias = m.needed(0), m.needed(1), m.given(2)
    mask, past = (m.given(at) for at in ((5, 8) if quantized else (3, 4)))
    more = None if quantized else m.given(5)
    heads = m.attribute("num_heads")
    sizes = m.attribute("qkv_hidden_sizes") or [weight.shape[1] // 3] * 3
    queries, keys, values = m.split(m.dense(source, weight, bias), 2, sizes)
    queries, keys, values = (by_heads(m, each, heads) for each in (queries, keys, values))
    if past is not None:
        before = [m.reshape(each, past.shape[1:]) for each in m.split(past, 0, [1, 1])]
        keys, values = m.concat([before[0], keys], 2), m.concat([before[1], values], 2)
    if len(m.node.output) > 1 and m.node.output[1]:
        wide = [m.reshape(each, (1, *each.shape)) for each in (keys, values)]
        m.puts_out(1, m.concat(wide, 0))
    causal = bool(m.attribute("unidirectional", 0))
    made = attention(m, queries, keys, values, more, masked=mask is not None, causal=causal)
    m.puts_out(0, joined(m, made))
    return []


@expands(f"{MS}MultiHeadAttention")
def _multi_head(m: OnnxMaker) -> list[Any]:
    heads = m.attribute("num_heads")
    queries, keys, values, bias = m.needed(0), m.given(1), m.given(2), m.given(3)
    if len(queries.shape) == 5:  # (batch, rows, heads, 3, features)
        batch, rows, _, _, size = queries.shape
        parts = [m.reshape(each, (batch, rows, heads * size)) for each in m.split(queries, 3, [1, 1, 1])]
        queries, keys, values = parts
    elif keys is not None and len(keys.shape) == 5:
        batch, rows, _, _, size = keys.shape
        keys, values = (m.reshape(each, (batch, rows, heads * size)) for each in m.split(keys, 3, [1, 1]))
    if keys is None or values is None:
        raise m.refuse("it has no keys")
    terms = [queries, keys, values]
    if bias is not None:
        widths = [t.shape[-1] if len(t.shape) == 3 else t.shape[1] * t.shape[3] for t in terms]
        biases = m.split(bias, 0, widths)
        terms = [
            m.broadcast("Add", t, b) if len(t.shape) == 3 else t for t, b in zip(terms, biases, strict=True)
        ]
    queries, keys, values = (by_heads(m, t, heads) if len(t.shape) == 3 else t for t in terms)
    keys, values = _appended(m, keys, values, 6)
    causal = bool(m.attribute("unidirectional", 0))
    made = attention(m, queries, keys, values, m.given(5), masked=m.given(4) is not None, causal=causal)
    m.puts_out(0, joined(m, made))
    return []


@expands(f"{MS}GroupQueryAttention")
def _group_query(m: OnnxMaker) -> list[Any]:
    heads, few = m.attribute("num_heads"), m.attribute("kv_num_heads")
    queries, keys, values = m.needed(0), m.given(1), m.given(2)
    if keys is None or values is None:
        size = queries.shape[2] // (heads + 2 * few)
        queries, keys, values = m.split(queries, 2, [heads * size, few * size, few * size])
    queries = by_heads(m, queries, heads)
    keys, values = (by_heads(m, each, few) for each in (keys, values))
    tables = m.given(7), m.given(8)
    if m.attribute("do_rotary", 0) and tables[0] is not None and tables[1] is not None:
        queries, keys = (rotary(m, each, tables[0], tables[1], None, 0) for each in (queries, keys))
    keys, values = _appended(m, keys, values, 3)
    m.puts_out(0, joined(m, attention(m, queries, keys, values, m.given(10), causal=True)))
    return []


def _appended(m: OnnxMaker, keys: Any, values: Any, position: int) -> tuple[Any, Any]:
    """Append keys and values to those of the tokens before, if they are given, and put both out."""
    before = m.given(position), m.given(position + 1)
    if before[0] is not None and before[1] is not None:
        keys, values = m.concat([before[0], keys], 2), m.concat([before[1], values], 2)
    m.puts_out(1, keys)
    m.puts_out(2, values)
    return keys, values


@expands(f"{MS}RotaryEmbedding")
def _rotary(m: OnnxMaker) -> list[Any]:
    places = m.given(1)
    m.puts_out(0, rotary(m, m.needed(0), m.needed(2), m.needed(3), places, m.attribute("num_heads", 0)))
    return []


@expands(f"{MS}GroupNorm", f"{MS}SkipGroupNorm")
def _group_norm(m: OnnxMaker) -> list[Any]:
    """Channels stand last."""
    made, scale, bias = m.needed(0), m.needed(1), m.needed(2)
    for position in (3, 4) if "Skip" in m.node.op_type else ():
        more = m.given(position)
        made = made if more is None else m.broadcast("Add", made, more)
    m.puts_out(1, made)
    rank = len(made.shape)
    turned = m.transpose(made, (0, rank - 1, *range(1, rank - 1)))
    about = {"num_groups": m.attribute("groups"), "epsilon": float(m.attribute("epsilon", 1e-5))}
    turned = m.op("GroupNormalization", [turned, scale, bias], **about)
    if m.attribute("activation", 0):
        turned = m.op("Swish", [turned], alpha=1.0)
    m.puts_out(0, m.transpose(turned, (0, *range(2, rank), 1)))
    return []
