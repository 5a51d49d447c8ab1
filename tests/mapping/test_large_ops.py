"""Planning one op takes work in proportion to what it is: what is looked at is counted, not timed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimsim.mapping.mapper import make_plan
from pimsim.mapping.planning import reads
from pimsim.mapping.planning.shared import most_within
from tests.random_models import Builder, small_chip


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
    model = Builder()
    model.conv(model.input(images, 2, 8, 8), 4, (3, 3))
    plan = make_plan(small_chip({"tile.buffer.capacity_kib": 64}), model.trace())
    assert max(len(op.replicas) for op in plan.ops) > 1
    assert sorted(asked) == [images * 36]
