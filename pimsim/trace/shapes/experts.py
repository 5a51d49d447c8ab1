"""Shape rules of mixtures of experts."""

from __future__ import annotations

import math

from pimsim.trace.shapes.given import expect, expect_shape, shape_of
from pimsim.trace.tensor import Shape, Signature, dims


def _routed(op: Signature, position: int) -> int:
    """Return the tokens that an operand of choices (experts' numbers, or their gates) routes, ``top`` each."""
    shape, top = shape_of(op, position), op.attributes["top"]
    message = f"found {dims(shape)}, expected {top} choices a token along the last dimension"
    expect(shape[-1:] == (top,), f"inputs[{position}].shape", message)
    experts = op.attributes["experts"]
    expect(
        top <= experts, "attributes.top", f"found {top}, expected at most the number of experts, {experts}"
    )
    return math.prod(shape[:-1])


def _rows(op: Signature, shape: Shape, field: str, tokens: int) -> None:
    message = f"found {dims(shape)}, expected a matrix of up to {tokens} rows, as many as there are tokens"
    expect(len(shape) == 2 and shape[0] <= tokens, field, message)


def dispatch(op: Signature) -> tuple[Shape, ...]:
    """Some of the tokens' hidden states (…×features), a row each; which ones, the choices (…×top) say."""
    shape, tokens = shape_of(op), _routed(op, 1)
    message = f"found {dims(shape)}, expected the hidden states of {tokens} tokens"
    expect(len(shape) >= 2 and math.prod(shape[:-1]) == tokens, "inputs[0].shape", message)
    expert, experts = op.attributes["expert"], op.attributes["experts"]
    expect(expert < experts, "attributes.expert", f"found {expert}, expected less than {experts}")
    _rows(op, op.output.shape, "outputs[0].shape", tokens)
    return ((op.output.shape[0], shape[-1]),)


def combine(op: Signature) -> tuple[Shape, ...]:
    """The rows of experts, weighted with the gates (…×top) and summed into one a token."""
    tokens, shape = _routed(op, 0), op.output.shape
    most = op.attributes["experts"]
    message = f"found {len(op.inputs) - 1} experts, expected at most {most}"
    expect(len(op.inputs) - 1 <= most, "inputs", message)
    for position in range(1, len(op.inputs)):
        _rows(op, shape_of(op, position), f"inputs[{position}].shape", tokens)
    features = shape_of(op, 1)[1]
    for position in range(2, len(op.inputs)):
        expect_shape(op, position, (shape_of(op, position)[0], features), "features as of inputs[1]")
    fits = len(shape) >= 2 and math.prod(shape[:-1]) == tokens and shape[-1] == features
    message = f"found {dims(shape)}, expected {features} features of {tokens} tokens"
    expect(fits, "outputs[0].shape", message)
    return (shape,)
