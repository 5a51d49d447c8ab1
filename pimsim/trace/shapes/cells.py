"""Shape rules of recurrent cells: gate sums of the input and of the state, and the state itself."""

from __future__ import annotations

from pimsim.trace.shapes.given import expect, expect_shape, shape_of
from pimsim.trace.tensor import Shape, Signature, dims


def _gates(op: Signature, gates: int) -> Shape:
    """Check that both sums hold so many gates of each feature of the state, and return the state's shape."""
    state = shape_of(op, 2)
    expect(len(state) >= 1, "inputs[2].shape", f"found {dims(state)}, expected rows of features")
    wide = (*state[:-1], gates * state[-1])
    for position in (0, 1):
        expect_shape(op, position, wide, f"{gates} gates of {state[-1]} features")
    return state


def lstm(op: Signature) -> tuple[Shape, ...]:
    """Four gates; the cell's content comes in, what is put out and the new content go out."""
    expect(len(op.outputs) <= 2, "outputs", f"found {len(op.outputs)}, expected the state and the content")
    return (_gates(op, 4),) * len(op.outputs)


def gru(op: Signature) -> tuple[Shape, ...]:
    """Three gates; the state comes in and goes out."""
    return (_gates(op, 3),)
