"""LSTM, GRU and RNN: the products of all inputs at once, then step by step that of the state, by one weight.

A weight is read by every step and is one weight. A state that begins at zero is made by an op, so that the first step
has its product as every other has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pimsim.trace.lower.maker import Maker, Term


@dataclass(frozen=True)
class Layer:
    """One direction of a recurrent layer.

    Parameters
    ----------
    kind : {"LSTM", "GRU", "RNN"}
        What its cell is.
    weight, state_weight : Term
        Matrices of (gates · features, features in) and (gates · features, features).
    bias, state_bias : Term, optional
        A number a gate's feature, added to the product of the input and of the state.
    state, content : Term, optional
        The first state, and an LSTM's first content, (batch, features); zero by default.
    reverse : bool
        Whether it goes from the last step to the first.
    reset_before : bool
        Whether a GRU resets its state before the product (ONNX's ``linear_before_reset = 0``).
    activation : str
        Op type of an RNN's activation.
    """

    kind: str
    weight: Term
    state_weight: Term
    bias: Term | None = None
    state_bias: Term | None = None
    state: Term | None = None
    content: Term | None = None
    reverse: bool = False
    reset_before: bool = False
    activation: str = "Tanh"


def run(m: Maker, source: Term, layer: Layer) -> tuple[list[Any], Any, Any]:
    """Return the states of all steps in the order of time, the last state, and an LSTM's last content.

    Parameters
    ----------
    source : Term
        (steps, batch, features in).
    """
    steps, batch, _ = source.shape
    size = layer.state_weight.shape[1]
    gates = layer.weight.shape[0]
    sums = m.dense(source, m.turned(layer.weight), layer.bias)
    each = [m.reshape(one, (batch, gates)) for one in m.split(sums, 0, [1] * steps)]
    order = range(steps)[:: -1 if layer.reverse else 1]
    state = _begin(m, layer.state, each[order[0]], (batch, size))
    content = _begin(m, layer.content, each[order[0]], (batch, size)) if layer.kind == "LSTM" else None
    states: list[Any] = [None] * steps
    step = _step(m, layer, size)
    for at in order:
        state, content = step(each[at], state, content)
        states[at] = state
    return states, state, content


def stacked(m: Maker, source: Term, layers: Sequence[Layer]) -> tuple[Any, list[Any], list[Any]]:
    """Run the directions of a layer; return (steps, directions, batch, features), the last states and contents."""
    runs = [run(m, source, layer) for layer in layers]
    rows = []
    for states in zip(*(states for states, _, _ in runs), strict=True):
        both = [m.reshape(state, (1, 1, *state.shape)) for state in states]
        rows.append(m.concat(both, 1))
    return m.concat(rows, 0), [last for _, last, _ in runs], [content for _, _, content in runs]


def _begin(m: Maker, given: Term | None, sums: Term, shape: tuple[int, int]) -> Any:
    """Return a first state: one that is constant is written by an op, times the first sums of nothing."""
    if given is not None and not m.is_constant(given):
        return m.reshape(given, shape)
    known = m.number((), sums.dtype) if given is None else m.reshape(given, shape)
    return m.broadcast("Mul", m.cut(sums, 1, 0, shape[1]), known)


def _step(m: Maker, layer: Layer, size: int) -> Callable[[Term, Term, Any], tuple[Any, Any]]:
    turned = m.turned(layer.state_weight)

    def lstm(sums: Term, state: Term, content: Term) -> tuple[Any, Any]:
        product = m.dense(state, turned, layer.state_bias)
        form = (state.shape, sums.dtype)
        made, held = m.emit("LSTMCell", [sums, product, content], [form, form])
        return made, held

    def gru(sums: Term, state: Term, content: Any) -> tuple[Any, Any]:
        product = m.dense(state, turned, layer.state_bias)
        return m.op("GRUCell", [sums, product, state], state.shape), content

    def rnn(sums: Term, state: Term, content: Any) -> tuple[Any, Any]:
        product = m.dense(state, turned, layer.state_bias)
        return m.op(
            layer.activation, [m.broadcast("Add", sums, product)], **_numbers(layer.activation)
        ), content

    def reset_first(sums: Term, state: Term, content: Any) -> tuple[Any, Any]:
        first, last = m.split(turned, 1, [2 * size, size])
        biases = [None, None] if layer.state_bias is None else m.split(layer.state_bias, 0, [2 * size, size])
        before, after = m.split(sums, 1, [2 * size, size])
        both = m.op("Sigmoid", [m.broadcast("Add", before, m.dense(state, first, biases[0]))])
        update, reset = m.split(both, 1, [size, size])
        kept = m.dense(m.broadcast("Mul", reset, state), last, biases[1])
        new = m.op("Tanh", [m.broadcast("Add", after, kept)])
        change = m.broadcast("Mul", update, m.broadcast("Sub", state, new))
        return m.broadcast("Add", new, change), content

    if layer.kind == "LSTM":
        return lstm
    if layer.kind == "RNN":
        return rnn
    return reset_first if layer.reset_before else gru


def _numbers(activation: str) -> dict[str, Any]:
    """Return the attributes of an activation; which numbers they are changes no cost."""
    from pimsim.trace.optypes import OP_TYPES

    return dict.fromkeys(OP_TYPES[activation].attributes, 1.0)
