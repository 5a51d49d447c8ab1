"""Layers of ATen that a trace has no op for: recurrent ones, and normalizations by groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pimsim.trace.lower import recurrent
from pimsim.trace.lower.fourier import transform
from pimsim.trace.lower.recurrent import Layer
from pimsim.trace.torch.graph import Builder, Const, Handler, Value, arguments, registrar
from pimsim.trace.torch.maker import TorchMaker

if TYPE_CHECKING:
    from torch.fx import Node

LAYERS: dict[str, Handler] = {}
_handles = registrar(LAYERS)

_KINDS = {
    "lstm": ("LSTM", "Tanh"),
    "gru": ("GRU", "Tanh"),
    "rnn_tanh": ("RNN", "Tanh"),
    "rnn_relu": ("RNN", "Relu"),
}


@_handles("lstm.input", "gru.input", "rnn_tanh.input", "rnn_relu.input")
def _recurrent(b: Builder, node: Node) -> list[Value]:
    """Layer by layer: (steps, batch, features), the weights of each direction one after another."""
    m = TorchMaker(b, node)
    kind, activation = _KINDS[str(node.target).removeprefix("aten.").partition(".")[0]]
    source, state, parameters, biased, count, _, _, both, by_batch = cast(Any, arguments(node, 9))
    made: Any = b.value(source)
    if len(made.shape) == 2:
        made = m.reshape(made, (made.shape[0], 1, made.shape[1]))
        by_batch = False
    if by_batch:
        made = m.transpose(made, (1, 0, 2))
    given = [b.value(each) for each in (state if isinstance(state, list | tuple) else [state])]
    each = 4 if biased else 2
    weights = [b.value(one) for one in parameters]
    batch, ends, contents = made.shape[1], [], []
    for number in range(count):
        layers = []
        for way in range(2 if both else 1):
            at = number * (2 if both else 1) + way
            own: list[Any] = weights[at * each : (at + 1) * each]
            size = own[1].shape[1]
            first = [_nth(m, one, at, (batch, size)) for one in given]
            biases = own[2:4] if biased else [None, None]
            content = first[1] if len(first) > 1 else None
            layer = Layer(
                kind,
                own[0],
                own[1],
                biases[0],
                biases[1],
                first[0],
                content,
                reverse=way == 1,
                activation=activation,
            )
            layers.append(layer)
        rows, last, held = recurrent.stacked(m, made, layers)
        steps, ways, _, size = rows.shape
        made = m.reshape(m.transpose(rows, (0, 2, 1, 3)), (steps, batch, ways * size))
        ends += last
        contents += held
    if by_batch:
        made = m.transpose(made, (1, 0, 2))
    shapes = [b.form(node, index)[0] for index in range(len(node.meta["val"]))]
    outs = [m.reshape(made, shapes[0])]
    for shape, terms in zip(shapes[1:], (ends, contents), strict=False):
        outs.append(m.reshape(m.concat([m.reshape(t, (1, *t.shape)) for t in terms], 0), shape))
    return outs


def _nth(m: TorchMaker, term: Any, at: int, shape: tuple[int, int]) -> Any:
    if isinstance(term, Const):
        return None  # it begins at zero, or at what is known
    return m.reshape(m.cut(term, 0, at, at + 1) if len(term.shape) == 3 else term, shape)


@_handles("native_group_norm.default", "group_norm.default")
def _group_norm(b: Builder, node: Node) -> Value | list[Value]:
    native = "native" in str(node.target)
    source, *rest = node.args
    if native:
        (weight, bias), (groups, epsilon) = rest[:2], rest[5:7]
    else:
        groups, weight, bias, epsilon = arguments(node, 5)[1:]
    made = b.value(source)
    channels = Const((made.shape[1],), made.dtype)
    operands = [channels if each is None else b.value(each) for each in (weight, bias)]
    attributes = {"num_groups": groups, "epsilon": float(cast(float, epsilon))}
    inputs = [b.operand(made), *map(b.operand, operands)]
    found = b.one(node, "GroupNormalization", inputs, made.shape, attributes)
    return [found] if native else found


@_handles("instance_norm.default")
def _instance_norm(b: Builder, node: Node) -> Value:
    source, weight, bias, *rest = arguments(node, 8)
    made = b.value(source)
    given = [b.operand(b.value(each)) for each in (weight, bias) if each is not None]
    return b.one(node, "InstanceNormalization", [b.operand(made), *given], None, {"epsilon": float(rest[4])})


@_handles("_fft_c2c.default", "_fft_r2c.default")
def _fourier(b: Builder, node: Node) -> Value:
    """Axis by axis; what is complex has its two numbers along a last dimension of its own."""
    m = TorchMaker(b, node)
    source, axes, _, last = cast(Any, arguments(node, 4))
    made: Any = b.value(source)
    rank = len(b.form(node)[0])
    if len(made.shape) == rank:
        made = m.reshape(made, (*made.shape, 1))
    halved = "r2c" in str(node.target) and last
    for number, axis in enumerate(reversed(axes)):
        size = made.shape[axis % rank]
        made = transform(m, made, axis % rank, size // 2 + 1 if halved and number == 0 else size)
    return cast(Value, made)


@_handles("view_as_real.default", "view_as_complex.default")
def _complex(b: Builder, node: Node) -> Value:
    return b.value(node.args[0])


@_handles("native_layer_norm.default")
def _layer_norm(b: Builder, node: Node) -> list[Value]:
    source, sizes, weight, bias, epsilon = cast(Any, arguments(node, 5))
    made = b.value(source)
    form = made.shape[len(made.shape) - len(sizes) :]
    parameters = [Const(form, made.dtype) if weight is None else b.value(weight)]
    parameters += [] if bias is None else [b.value(bias)]
    attributes = {"axis": len(made.shape) - len(sizes), "epsilon": float(epsilon)}
    return [
        b.one(node, "LayerNormalization", [b.operand(made), *map(b.operand, parameters)], None, attributes)
    ]
