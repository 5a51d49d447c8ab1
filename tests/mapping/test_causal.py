"""Causal attention: what a row waits for, what is worked on, and what that does to a prompt."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pimsim.chip import Chip
from pimsim.machine.machine import Machine
from pimsim.mapping.flow.build import build
from pimsim.mapping.flow.causal import Triangle
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.widths import Widths
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.planning.stationary import ARRAYS
from pimsim.run.generate import generate
from pimsim.run.simulate import simulate
from tests.oracle.test_transformers import small_chip
from tests.transformers import decoder

SKIPS = {"tile.digital.matrix.skips_masked": True, "tile.digital.vector.skips_masked": True}
WRITE = {"products": "write", "core.array.write_ns": 40}
PRODUCTS = ("h0.attn.scores", "h0.attn.context")


def small(**more: Any) -> Any:
    return decoder(1, heads=4, width=64, vocabulary=20, **more)


def nodes(trace: Any, **sizes: int) -> dict[str, Node]:
    return {node.name: node for node in build(trace.bind(**sizes), Widths(8))}


@pytest.mark.parametrize(("batch", "seq", "kv"), [(1, 6, 0), (1, 5, 9), (2, 3, 4)])
@pytest.mark.parametrize("kv_heads", [4, 2])
def test_a_row_waits_for_the_keys_and_values_up_to_its_own(
    batch: int, seq: int, kv: int, kv_heads: int
) -> None:
    """Row r of an image of n tokens, all images before it being there: those of the cache never have to come."""
    found = nodes(small(kv_heads=kv_heads, causal=True), batch=batch, seq=seq, kv=kv)
    expected = [image * seq + row + 1 for image in range(batch) for row in range(seq)]
    for name in PRODUCTS:
        right = found[name].right
        assert right is not None
        assert right.need.tolist() == expected
        assert right.low.tolist() == [image * seq for image in range(batch) for _ in range(seq)]
        assert right.at_once.tolist() == [(image + 1) * seq for image in range(batch) for _ in range(seq)]


def test_without_the_word_or_in_a_step_nothing_changes() -> None:
    """One new token sees all before it."""
    plain, causal = small(), small(causal=True)
    for sizes in ({"seq": 1, "kv": 9}, {"seq": 6, "kv": 0}):
        for name, node in nodes(plain, batch=1, **sizes).items():
            other = nodes(causal, batch=1, **sizes)[name]
            assert (node.work, node.features, node.positions) == (other.work, other.features, other.positions)
            same = all(np.array_equal(a.need, b.need) for a, b in zip(node.edges, other.edges, strict=True))
            assert same == (name not in PRODUCTS or sizes["seq"] == 1)
            assert node.seen == 1.0
            assert sizes["seq"] > 1 or other.seen == 1.0


@pytest.mark.parametrize(("rows", "keys"), [(1, 1), (7, 7), (4, 12)])
def test_the_share_is_that_of_the_scores_left(rows: int, keys: int) -> None:
    """Counted one by one; (n + 1) / 2n of n rows and as many keys."""
    left = sum(j <= i + keys - rows for i in range(rows) for j in range(keys))
    assert Triangle(rows, keys).share == pytest.approx(left / (rows * keys), rel=1e-12)


@pytest.mark.parametrize(("seq", "kv"), [(16, 0), (5, 11)])
def test_a_unit_that_skips_does_the_multiplications_that_are_left(seq: int, kv: int) -> None:
    trace, share = small(causal=True).bind(batch=1, seq=seq, kv=kv), (2 * kv + seq + 1) / (2 * (kv + seq))
    dense, skipped = (simulate(small_chip(**more), trace) for more in ({}, SKIPS))
    assert dense.macs == trace.macs
    assert any("worked on like others" in note for note in dense.notes)
    assert any("units skip the work" in note for note in skipped.notes)
    for name in PRODUCTS:
        all_, left = (next(row["macs"] for row in each.ops if row["op"] == name) for each in (dense, skipped))
        assert all_ == seq * (kv + seq) * 64
        assert left == all_ * share
    for name in ("h0.attn.scaled", "h0.attn.masked", "h0.attn.softmax"):
        all_, left = (
            next(row["elements"] for row in each.ops if row["op"] == name) for each in (dense, skipped)
        )
        assert left == pytest.approx(all_ * share)
    assert (
        skipped.energy_pj["dynamic"]["tile.digital.matrix"]
        < dense.energy_pj["dynamic"]["tile.digital.matrix"]
    )


def test_rows_start_before_the_last_key_has_come() -> None:
    """From the log: the first scores are made before the last token's queries, keys and values are."""
    begins = {}
    for causal in (False, True):
        plan = make_plan(small_chip(), small(causal=causal).bind(batch=1, seq=32, kv=0))
        machine = Machine(plan, record=True)
        machine.run()
        ops = [actor.op for actor in machine.net.actors]
        visits = [(ops[row[0]], row[4], row[5]) for row in machine.engine.visit_log if row[3] >= 0]
        first = min(begin for op, begin, _ in visits if op == "h0.attn.scores")
        last = max(leave for op, _, leave in visits if op == "h0.attn.wk.product")
        begins[causal] = first < last
    assert begins == {False: False, True: True}


def test_layers_of_a_prompt_overlap() -> None:
    """What rows take beyond the way of a single one: once for each of four layers, or once for all.

    A step, whose way it is, is as before. Stated before: by a factor of nearly four, above two.
    """
    plain, causal = (
        generate(Chip.load("hermes_llm"), decoder(4, causal=each), 128, 3) for each in (False, True)
    )
    step = plain.token_fs["first"]
    assert plain.first_token_fs - step > 2 * (causal.first_token_fs - step)
    assert causal.macs == plain.macs
    assert causal.token_fs["last"] == pytest.approx(plain.token_fs["last"], rel=1e-4)  # by a clock edge
    assert causal.generation["energy_aj"]["decode"] == pytest.approx(
        plain.generation["energy_aj"]["decode"], rel=0.02
    )


def test_what_is_written_into_arrays_is_written_whole() -> None:
    """A row may not meet a matrix of which a part is there; and queries that wait have their places."""
    plans = [
        make_plan(small_chip(**WRITE), small(causal=each).bind(batch=2, seq=9, kv=0))
        for each in (False, True)
    ]
    assert {op.held_in for op in plans[1].ops if op.node.right is not None} == {ARRAYS}
    ends = []
    for plan in plans:
        machine = Machine(plan, 2)
        machine.run()
        ends.append(machine.host.outputs)
    assert ends[0] == ends[1]
