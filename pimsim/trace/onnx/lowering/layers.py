"""ONNX's composite layers: transposed convolutions, recurrent layers, attention and what goes with it."""

from __future__ import annotations

from typing import Any

from pimsim.trace.lower import recurrent
from pimsim.trace.lower.attention import attention, by_heads, joined
from pimsim.trace.lower.recurrent import Layer
from pimsim.trace.lower.transposed import conv_transpose
from pimsim.trace.onnx.lowering.table import expands
from pimsim.trace.onnx.piece import Named, OnnxMaker


@expands("ConvTranspose")
def _conv_transpose(m: OnnxMaker) -> list[Any]:
    source, weight = m.needed(0), m.needed(1)
    if not m.is_constant(weight):
        raise m.refuse("its weight is computed, expected a constant one")
    rank = len(weight.shape) - 2
    kernel = weight.shape[2:]
    strides = m.attribute("strides") or [1] * rank
    dilations = m.attribute("dilations") or [1] * rank
    more = m.attribute("output_padding") or [0] * rank
    wanted = m.attribute("output_shape")
    auto = m.attribute("auto_pad", "NOTSET")
    pads = list(m.attribute("pads") or [0] * (2 * rank))
    image = []
    for axis in range(rank):
        full = (
            (source.shape[axis + 2] - 1) * strides[axis]
            + dilations[axis] * (kernel[axis] - 1)
            + 1
            + more[axis]
        )
        if auto == "VALID":
            pads[axis] = pads[axis + rank] = 0
        if wanted or auto.startswith("SAME"):
            size = wanted[len(wanted) - rank + axis] if wanted else source.shape[axis + 2] * strides[axis]
            total = max(full - size, 0)
            less = total // 2
            begin = less if auto == "SAME_UPPER" else total - less
            pads[axis], pads[axis + rank] = begin, total - begin
            image.append(size)
        else:
            image.append(full - pads[axis] - pads[axis + rank])
    made = conv_transpose(
        m,
        source,
        weight,
        m.given(2),
        image=tuple(image),
        strides=strides,
        pads=pads,
        dilations=dilations,
        group=m.attribute("group", 1),
    )
    m.puts_out(0, made)
    return []


@expands("LSTM", "GRU", "RNN")
def _recurrent(m: OnnxMaker) -> list[Any]:
    return recurrent_layer(m, m.node.op_type, m.needed(1), m.needed(2))


def recurrent_layer(m: OnnxMaker, kind: str, weight: Named, state_weight: Named) -> list[Any]:
    """Make the pieces of a recurrent layer whose weights are as ONNX has them, (directions, gates · features, …)."""
    source, bias = m.needed(0), m.given(3)
    if m.given(7) is not None and kind == "LSTM":
        raise m.refuse("its gates look at the content (peepholes), which is not modelled")
    for term, what in ((source, "input"), (weight, "weight"), (state_weight, "weight of the state")):
        if len(term.shape) != 3:
            raise m.refuse(f"its {what} has {len(term.shape)} dimensions, expected 3")
    by_batch = m.attribute("layout", 0)
    source = m.transpose(source, (1, 0, 2)) if by_batch else source
    count, wide, _ = weight.shape
    size = state_weight.shape[2]
    batch = source.shape[1]
    layers = []
    for n in range(count):
        both = m.split(_nth(m, bias, n), 0, [wide, wide]) if bias is not None else [None, None]
        first, content = (_first(m, at, n, (batch, size), by_batch) for at in (5, 6))
        layers.append(
            Layer(
                kind,
                _nth(m, weight, n),
                _nth(m, state_weight, n),
                both[0],
                both[1],
                first,
                content if kind == "LSTM" else None,
                reverse=n == 1 or m.attribute("direction", "forward") == "reverse",
                reset_before=kind == "GRU" and not m.attribute("linear_before_reset", 0),
                activation=_activation(m, kind, n),
            )
        )
    states, last, contents = recurrent.stacked(m, source, layers)
    ends = [last, contents] if kind == "LSTM" else [last]
    axis = 1 if by_batch else 0
    m.puts_out(0, m.transpose(states, (2, 0, 1, 3)) if by_batch else states)
    for position, terms in enumerate(ends, 1):
        if position < len(m.node.output):
            wide_terms = [m.reshape(t, (batch, 1, size) if by_batch else (1, batch, size)) for t in terms]
            m.puts_out(position, m.concat(wide_terms, axis))
    return []


def _nth(m: OnnxMaker, term: Named, n: int) -> Any:
    one = m.cut(term, 0, n, n + 1)
    return m.reshape(one, term.shape[1:])


def _first(m: OnnxMaker, position: int, n: int, shape: tuple[int, int], by_batch: bool) -> Any:
    """Return the first state or content of a direction; None if it begins at zero."""
    given = m.given(position)
    if given is None:
        return None
    axis = 1 if by_batch else 0
    return m.reshape(m.cut(given, axis, n, n + 1), shape)


def _activation(m: OnnxMaker, kind: str, n: int) -> str:
    """Return the op type of an RNN's activation; the gates of an LSTM or a GRU cost the same, whatever theirs are."""
    from pimsim.trace.optypes import OP_TYPES

    given = m.attribute("activations") or ["Tanh"]
    name: str = given[min(n, len(given) - 1)]
    return name if kind == "RNN" and name in OP_TYPES else "Tanh"


@expands("Attention")
def _attention(m: OnnxMaker) -> list[Any]:
    """As of opset 23: rows of heads, or heads already apart; a cache is appended to."""
    queries, keys, values, mask = m.needed(0), m.needed(1), m.needed(2), m.given(3)
    flat = len(queries.shape) == 3
    if flat:
        queries = by_heads(m, queries, m.attribute("q_num_heads"))
        keys, values = (by_heads(m, each, m.attribute("kv_num_heads")) for each in (keys, values))
    for position, past in ((0, m.given(4)), (1, m.given(5))):
        if past is not None:
            joint = m.concat([past, (keys, values)[position]], 2)
            keys, values = (joint, values) if position == 0 else (keys, joint)
    first, masked = bool(m.attribute("is_causal", 0)), False
    causal = first and (
        m.given(4) is not None or queries.shape[2] == keys.shape[2]
    )  # else counted from the first
    if mask is not None and mask.shape[-1] not in (1, keys.shape[2]):  # keys behind its end are left out
        mask, masked = None, True
    made = attention(
        m, queries, keys, values, mask, masked=first or masked, causal=causal, scale=m.attribute("scale")
    )
    m.puts_out(0, joined(m, made) if flat else made)
    m.puts_out(1, keys)
    m.puts_out(2, values)
    return []


@expands("RotaryEmbedding")
def _rotary(m: OnnxMaker) -> list[Any]:
    """Halves of the features turned: two products by constants or by chosen rows of tables, and a sum."""
    source, cosines, sines, places = m.needed(0), m.needed(1), m.needed(2), m.given(3)
    m.puts_out(0, rotary(m, source, cosines, sines, places, m.attribute("num_heads", 0)))
    return []


def rotary(
    m: OnnxMaker, source: Named, cosines: Named, sines: Named, places: Named | None, heads: int
) -> Any:
    """Return (batch, heads, rows, features) or (batch, rows, heads · features) turned by its rows' angles."""
    flat = len(source.shape) == 3
    turned = by_heads(m, source, heads or 1) if flat else source
    rows, size = turned.shape[2:]
    angles = []
    for table in (cosines, sines):
        half = table.shape[-1]
        chosen = len(table.shape) == 2 and places is not None and not m.is_constant(places)
        if chosen and places is not None:
            table = m.op("Gather", [table, places], (*places.shape, half), table.dtype, axis=0)
        if len(table.shape) == 3 and not m.is_constant(table):
            angles.append(m.reshape(table, (table.shape[0], 1, rows, half)))
        else:  # rows of a table that are known
            angles.append(m.number((1, 1, rows, half), table.dtype))
    half = angles[0].shape[-1]
    parts = m.split(turned, 3, [half, half, *([size - 2 * half] if size > 2 * half else [])])
    one, two = parts[:2]
    cos, sin = angles
    real = m.broadcast("Sub", m.broadcast("Mul", one, cos), m.broadcast("Mul", two, sin))
    rest = m.broadcast("Add", m.broadcast("Mul", one, sin), m.broadcast("Mul", two, cos))
    made = m.concat([real, rest, *parts[2:]], 3)
    return joined(m, made) if flat else made


@expands("TensorScatter")
def _append(m: OnnxMaker) -> list[Any]:
    """Rows of a cache replaced by new ones: they are moved, the others stay where they are."""
    cache, update = m.needed(0), m.needed(1)
    axis = m.attribute("axis", -2) % len(cache.shape)
    rest = cache.shape[axis] - update.shape[axis]
    kept = m.cut(cache, axis, 0, rest) if rest else None
    m.puts_out(0, update if kept is None else m.concat([kept, update], axis))
    return []


@expands("DeformConv")
def _deformed(m: OnnxMaker) -> list[Any]:
    """Each element of a kernel takes a sample at a place of its own; then the kernel goes over the samples."""
    source, weight, offset, bias, mask = m.needed(0), m.needed(1), m.needed(2), m.given(3), m.given(4)
    batch, channels, *_ = source.shape
    sizes, kernel = offset.shape[2:], weight.shape[2:]
    groups = m.attribute("offset_group", 1)
    laid = tuple(a * b for a, b in zip(sizes, kernel, strict=True))
    each = offset.shape[1] // groups
    sampled = []
    for n, part in enumerate(m.split(source, 1, [channels // groups] * groups)):
        grid = m.transpose(m.cut(offset, 1, n * each, (n + 1) * each), (0, 2, 3, 1))
        grid = m.reshape(grid, (batch, *laid, len(kernel)))
        sampled.append(m.op("GridSample", [part, grid], (*part.shape[:2], *laid), mode="linear"))
    made = m.concat(sampled, 1)
    if mask is not None:
        weights = m.reshape(m.transpose(mask, (0, 2, 3, 1)), (batch, groups, *laid))
        if groups > 1:
            wide = m.op(
                "Expand",
                [m.reshape(weights, (batch, groups, 1, *laid))],
                (batch, groups, channels // groups, *laid),
            )
            weights = m.reshape(wide, (batch, channels, *laid))
        made = m.broadcast("Mul", made, weights)
    ones = (1,) * len(kernel)
    about: dict[str, Any] = {
        "kernel_shape": kernel,
        "strides": kernel,
        "pads": (0,) * (2 * len(kernel)),
        "dilations": ones,
    }
    operands = [made, weight, *([] if bias is None else [bias])]
    shape = (batch, weight.shape[0], *sizes)
    m.puts_out(0, m.op("Conv", operands, shape, **about, group=m.attribute("group", 1)))
    return []


@expands("MeanVarianceNormalization")
def _mean_variance(m: OnnxMaker) -> list[Any]:
    source = m.needed(0)
    axes = tuple(axis % len(source.shape) for axis in (m.attribute("axes") or [0, 2, 3]))
    m.puts_out(0, m.op("MeanVarianceNormalization", [source], axes=axes))
    return []
