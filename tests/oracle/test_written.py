"""Oracle: right matrices written into arrays agree with the twin, visit by visit."""

from __future__ import annotations

import pytest

from pimsim.mapping.mapper import make_plan
from pimsim.mapping.planning.stationary import ARRAYS
from tests.oracle.test_lowered import agree
from tests.oracle.test_transformers import small_chip
from tests.transformers import decoder

WRITE = {"products": "write", "core.array.write_ns": 40}
BINDINGS = [
    {"batch": 1, "seq": 6, "kv": 0},
    {"batch": 2, "seq": 3, "kv": 0},
    {"batch": 2, "seq": 3, "kv": 4},
    {"batch": 1, "seq": 1, "kv": 400},
]


@pytest.mark.parametrize("binding", BINDINGS, ids=str)
@pytest.mark.parametrize("kv_heads", [4, 2])
def test_a_decoder_visit_by_visit(binding, kv_heads):
    """With 400 tokens before, values take two arrays from top to bottom, whose sums a digital unit adds."""
    trace = decoder(1, heads=4, width=64, vocabulary=20, kv_heads=kv_heads).bind(**binding)
    plan = make_plan(small_chip(**WRITE), trace)
    assert {op.held_in for op in plan.ops if op.node.right is not None} == {ARRAYS}
    agree(plan, 2)


def test_arrays_that_share_converters_are_set_aside_by_whole_banks():
    """Four arrays share a bank; a head's keys and values take one array each, so a bank each."""
    chip = small_chip(**WRITE, **{"core.adc.banks": 16})
    plan = make_plan(chip, decoder(1, heads=4, width=64, vocabulary=20).bind(**BINDINGS[0]))
    agree(plan, 1)
    weights = [chunk for op in plan.ops for replica in op.replicas for chunk in replica.chunks]
    written = [replica.home for op in plan.ops if op.written for replica in op.replicas]
    for tile in range(6):
        banks = {(chunk.core, chunk.bank) for chunk in weights if chunk.tile == tile}
        assert len(banks) + written.count(tile) <= 16
    assert len(written) == 8
