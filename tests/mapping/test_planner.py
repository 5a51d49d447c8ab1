"""The plan, recounted from outside: arrays, buffers, number of chips, and what it says when a model does not fit."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, assume, given, settings

from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.mapping.lowering.lowering import lower
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.planning.plan import Plan
from pimsim.trace import Trace
from tests.random_models import Builder, chips, small_chip, traces

TILED = dict.fromkeys(["core.array.rows", "core.array.columns"], 8)


def check_arrays(plan: Plan) -> None:
    """No array is used twice: blocks fit the arrays of each bank of each core of each tile."""
    config = plan.chip.config
    per_bank = config.sites["tile"].core.arrays // config.sites["tile"].core.adc.banks
    in_core: dict[tuple[int, int], int] = {}
    in_bank: dict[tuple[int, int, int], int] = {}
    for op in plan.ops:
        for replica in op.replicas:
            held = [block for chunk in replica.chunks for block in chunk.blocks]
            assert sorted(held, key=repr) == sorted(op.tiling.blocks if op.tiling else (), key=repr)
            for chunk in replica.chunks:
                assert 0 <= chunk.tile < plan.package.tiles
                assert 0 <= chunk.core < config.sites["tile"].cores
                key = (chunk.tile, chunk.core)
                in_core[key] = in_core.get(key, 0) + len(chunk.blocks)
                if per_bank > 1:
                    assert 0 <= chunk.bank < config.sites["tile"].core.adc.banks
                    in_bank[*key, chunk.bank] = in_bank.get((*key, chunk.bank), 0) + len(chunk.blocks)
    assert all(count <= config.sites["tile"].core.arrays for count in in_core.values())
    assert all(count <= per_bank for count in in_bank.values())
    assert plan.arrays == sum(in_core.values()) <= plan.arrays_available


def check_buffers(plan: Plan) -> None:
    """What the places of a tile's buffers hold together fits its capacity; attached inputs do not use the buffer."""
    used: dict[int, int] = {}
    for (number, edge, tile), places in plan.places.items():
        op = plan.ops[number]
        if op.attached:
            continue
        here = {
            block for r in op.replicas for chunk in r.chunks if chunk.tile == tile for block in chunk.blocks
        }
        unrolled = op.node.edges[edge].unrolled
        share = op.tiling.share(here, unrolled=unrolled) if op.tiling else 1.0
        source = plan.ops[op.node.edges[edge].source].node
        used[tile] = used.get(tile, 0) + places * math.ceil(
            source.features * share * op.node.edges[edge].bits / 8
        )
    capacity = plan.chip.config.sites["tile"].buffer.capacity_kib * 1024
    for tile, amount in used.items():
        assert amount <= capacity, f"tile {tile}"


def check_lowered_buffers(plan: Plan) -> None:
    """The streams that the machine gets, with places for what is on its way, fit into the tiles' buffers."""
    used: dict[int, int] = {}
    for stream in lower(plan, 1).net.streams:
        if stream.tile is not None:
            used[stream.tile] = used.get(stream.tile, 0) + stream.capacity * -(-stream.bits // 8)
    for tile, amount in used.items():
        assert amount <= plan.package.site(tile).buffer.capacity_bytes, f"tile {tile}"


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(chips(), traces())
def test_no_array_and_no_byte_is_given_away_twice(chip, trace):
    try:
        plan = make_plan(chip, trace)
    except MappingError:
        assume(False)
    check_arrays(plan)
    check_buffers(plan)
    check_lowered_buffers(plan)
    assert all(1 <= len(op.replicas) <= op.node.positions for op in plan.ops)


@pytest.mark.parametrize("chip", ["isaac", "puma", "hermes64"])
@pytest.mark.parametrize("model", ["resnet50", "densenet121", "shufflenet"])
def test_real_models_keep_within_the_chip_too(chip, model):
    plan = make_plan(Chip.load(chip), Trace.load(model))
    check_arrays(plan)
    check_buffers(plan)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(chips(), traces())
def test_the_chips_chosen_work_and_fewer_do_with_less_at_most(chip, trace):
    """Fewer that are asked for hold it only if each input has no more than it cannot do without."""
    try:
        chosen = make_plan(chip, trace).package.chips
    except MappingError:
        assume(False)
    for fewer in range(1, chosen):
        with suppress(MappingError):
            held, wide = make_plan(chip, trace, chips=fewer), make_plan(chip, trace)
            assert sum(held.places.values()) <= sum(wide.places.values())
    assert make_plan(chip, trace, chips=chosen).package.chips == chosen
    assert make_plan(chip, trace, chips=chosen + 1).package.chips == chosen + 1


def test_vgg19_needs_five_isaac_chips():
    """143.7 M weights of 8 cells each need 70 181 arrays at best; a chip has 16 128."""
    plan = make_plan(Chip.load("isaac"), Trace.load("vgg19"))
    assert plan.package.chips == 5
    least = sum(
        -(-op.tiling.rows // 128) * -(-op.node.op.weight.tensor.shape[0] // 16)
        for op in plan.ops
        if op.tiling
    )
    assert 4 * 16128 < least <= 5 * 16128


def conv_model(channels: int = 16, side: int = 6) -> Builder:
    model = Builder()
    x = model.input(1, channels, side, side)
    model.conv(x, channels, (3, 3), pads=(1, 1, 1, 1))
    return model


def test_too_few_chips_says_what_is_needed_and_what_there_is():
    """144 rows by 16 outputs of 8 cells on 8x8 arrays: 18 by 16 blocks; 4 tiles of 2 cores of 2 arrays are 16."""
    with pytest.raises(MappingError) as caught:
        make_plan(small_chip(TILED), conv_model().trace("big"), chips=2)
    assert str(caught.value) == (
        "the weights of 'big' need 288 arrays, 2 x isaac has 32 arrays; give --chips 18 or more, or leave it out"
    )


def test_a_buffer_too_small_for_one_op_says_what_is_needed_and_what_there_is():
    """A 3x3 window over rows of 6 pixels of 16 channels of 2 bytes keeps rows of the input: 192 bytes each."""
    with pytest.raises(MappingError) as caught:
        make_plan(small_chip({"tile.buffer.capacity_kib": 0.125}), conv_model().trace())
    text = str(caught.value)
    assert text.startswith("op 'conv1' (Conv): its inputs need ")
    assert "isaac has 0.125 KiB" in text
    assert "tile.buffer.capacity_kib=" in text


def test_the_buffer_that_the_message_asks_for_is_enough():
    with pytest.raises(MappingError) as caught:
        make_plan(small_chip({"tile.buffer.capacity_kib": 0.125}), conv_model().trace())
    needed = float(str(caught.value).split("capacity_kib=")[1].split(",")[0])
    make_plan(small_chip({"tile.buffer.capacity_kib": needed}), conv_model().trace())


def test_an_op_that_no_unit_does_is_named():
    model = Builder()
    model.relu(model.input(1, 4))
    digital = small_chip().config.sites["tile"].digital["vector"].model_dump() | {"classes": {}}
    with pytest.raises(MappingError, match="no digital unit of isaac does Relu"):
        make_plan(small_chip({"tile.digital": {"vector": digital}}), model.trace())


SHOW = """
import json
from pimsim.chip import Chip
from pimsim.trace import Trace
from pimsim.mapping.mapper import make_plan
plan = make_plan(Chip.load("isaac"), Trace.load("squeezenet"))
print(json.dumps([plan.rows(), sorted(map(repr, plan.places.items())), [repr(op.replicas) for op in plan.ops]]))
"""


def test_the_plan_does_not_depend_on_hash_seeds():
    shown = {
        subprocess.run(
            [sys.executable, "-c", SHOW],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(shown) == 1
