"""Planning one op takes work in proportion to what it is: what is looked at is counted, not timed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from pimsim.errors import MappingError
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.planning import reads
from pimsim.mapping.planning.job import Job
from pimsim.mapping.planning.placement import NoRoom
from pimsim.mapping.planning.shared import most_within
from pimsim.trace.onnx import from_onnx
from pimsim.trace.schema import Trace
from tests.oracle.test_lowered import agree
from tests.random_models import Builder, small_chip
from tests.trace.builders import model, zeros


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(0, 40))
def test_the_most_within_a_window_is_what_a_loop_finds(taken: list[bool], window: int) -> None:
    long = taken * (3 + window // len(taken))
    counted = max(sum(long[first : first + window]) for first in range(len(taken)))
    assert most_within(np.array(taken), window) == counted


@pytest.mark.parametrize("images", [1, 4])
def test_whether_each_position_has_a_token_of_its_own_is_asked_once(
    images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not once a copy: it looks at every position."""
    asked: list[int] = []
    own = reads.own_token
    monkeypatch.setattr(reads, "own_token", lambda edge: asked.append(len(edge.need)) or own(edge))
    net = Builder()
    net.conv(net.input(images, 2, 8, 8), 4, (3, 3))
    plan = make_plan(small_chip({"tile.buffer.capacity_kib": 64}), net.trace())
    assert max(len(op.replicas) for op in plan.ops) > 1
    assert sorted(asked) == [images * 36]


def long_lstm(path: Path, steps: int) -> Trace:
    """A recurrence in ONNX's own op: each step's cell takes a token of all steps' sums."""
    arrays = {"W": zeros(1, 32, 8), "R": zeros(1, 32, 8)}
    nodes = [helper.make_node("LSTM", ["x", "W", "R"], ["y"], hidden_size=8)]
    return from_onnx(
        model(path / "m.onnx", nodes, {"x": [steps, 1, 8]}, {"y": [steps, 1, 1, 8]}, arrays, opset=14)
    )


def test_a_step_of_a_recurrence_keeps_places_for_the_token_that_it_takes(tmp_path: Path) -> None:
    """Of 90 sums one, and those of the next two inferences; with room for all 90, no buffer would hold two steps."""
    chip = small_chip({"tile.buffer.capacity_kib": 32, "core.arrays": 8})
    plan = make_plan(chip, long_lstm(tmp_path, 90))
    cells = [n for n, op in enumerate(plan.ops) if op.node.type == "LSTMCell"]
    assert len(cells) == 90
    assert all(plan.places[n, 0, tile] <= 3 for n in cells for tile in plan.ops[n].buffer_tiles)
    assert plan.package.chips == 1


def test_a_recurrence_in_small_buffers_runs_as_plain_simpy_does(tmp_path: Path) -> None:
    """Inputs that want more than there is get what they cannot do without, once that is all that there is room for."""
    chip = small_chip({"tile.buffer.capacity_kib": 1, "core.arrays": 8})
    plan = make_plan(chip, long_lstm(tmp_path, 12), chips=1)
    agree(plan, 2)


def test_copies_that_there_is_no_room_for_are_placed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares of the spare arrays that lead to the same copies are one try; the modest one comes last."""
    tried: list[tuple[object, ...]] = []

    def place(job, package, copies, rounds, products, owners, modest):
        tried.append((modest, package.chips, job.part, tuple(copies.sets.values())))
        raise NoRoom("buffer")

    monkeypatch.setattr(Job, "_place", place)
    net = Builder()
    net.gemm(net.gemm(net.input(1, 8), 8), 8)
    with pytest.raises(MappingError, match="not enough buffer"):
        make_plan(small_chip(), net.trace())
    assert len(set(tried)) == len(tried)
    assert [modest for modest, *_ in tried] == sorted(modest for modest, *_ in tried)
    assert {modest for modest, *_ in tried} == {False, True}
