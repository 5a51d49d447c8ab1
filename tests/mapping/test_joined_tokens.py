"""Are the states of a long recurrence tokens again, one behind another, and not one large one?"""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import helper

from pimsim.chip import Chip
from pimsim.mapping.flow.build import build
from pimsim.mapping.flow.widths import Widths
from pimsim.mapping.mapper import make_plan
from pimsim.trace import Op, Operand, Tensor, Trace
from pimsim.trace.onnx.export import from_onnx
from tests.trace.builders import model, zeros


def joined(before: tuple[int, ...], shape: tuple[int, ...], axis: int, count: int = 3) -> Trace:
    """Inputs of one shape, seen in another and joined."""
    ops, first, tensor = [], Tensor(before), Tensor(shape)
    for n in range(count):
        ops.append(Op(f"x{n}", "Input", (), (first,)))
        ops.append(Op(f"r{n}", "Reshape", (Operand("activation", first, f"x{n}"),), (tensor,)))
    wide = (*shape[:axis], shape[axis] * count, *shape[axis + 1 :])
    operands = tuple(Operand("activation", tensor, f"r{n}") for n in range(count))
    ops.append(Op("y", "Concat", operands, (Tensor(wide),), {"axis": axis}))
    return Trace.from_ops("joined", ops, ["y"])


@pytest.mark.parametrize(
    ("before", "shape", "axis", "tokens", "features"),
    [
        ((1, 16), (1, 1, 1, 16), 0, 3, 16),  # states of (steps, directions, batch, features)
        ((1, 16), (1, 1, 16), 0, 3, 16),
        ((1, 16), (1, 1, 16), 1, 3, 16),
        ((1, 16), (1, 16), 0, 3, 16),
        ((1, 16, 1, 1), (1, 16, 1, 1), 1, 1, 48),  # channels
        ((1, 16), (1, 1, 16), 2, 1, 48),  # features
        ((1, 1, 4, 4), (1, 1, 4, 4), 1, 16, 3),  # pixels
    ],
)
def test_each_token_is_a_position_where_they_stand_one_behind_another(
    before: tuple[int, ...], shape: tuple[int, ...], axis: int, tokens: int, features: int
) -> None:
    (found,) = (node for node in build(joined(before, shape, axis), Widths(8)) if node.name == "y")
    assert (found.tokens, found.features) == (tokens, features)


def test_a_recurrence_longer_than_a_buffer_has_room(tmp_path: Path) -> None:
    """80 states of 512 elements of 16 bits are 80 KiB, a tile of isaac has 64."""
    cell = helper.make_node("RNN", ["x", "w", "r"], ["y"], hidden_size=512)
    arrays = {"w": zeros(1, 512, 8), "r": zeros(1, 512, 512)}
    made = model(tmp_path / "m.onnx", [cell], {"x": [80, 1, 8]}, {"y": [80, 1, 1, 512]}, arrays)
    trace = from_onnx(made)
    joins = [op for op in trace.ops if op.type == "Concat"]
    assert max(len(op.inputs) for op in joins) <= 32
    assert sum(op.output.shape[0] for op in joins if len(op.inputs) > 1) >= 160
    assert make_plan(Chip.load("isaac"), trace).arrays
