"""Rounds: which op is done when, what that costs, and what is refused."""

from __future__ import annotations

import pytest

from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.kinds.crossbar.tiling import tile_op
from pimsim.mapping.flow.build import build
from pimsim.mapping.flow.heads import groups_of
from pimsim.mapping.flow.widths import Widths
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.planning.generation import plan_generation
from pimsim.mapping.planning.options import PlanOptions
from pimsim.mapping.planning.rounds import pieces, rounds_of
from pimsim.run.generate import generate
from pimsim.run.simulate import simulate
from pimsim.trace.routing import routed
from tests.oracle.test_experts import mixture
from tests.transformers import decoder

SIZES = {"tile.count": 2, "network.topology": {"kind": "mesh", "width": 2, "height": 1}, "core.arrays": 4}
CHIP = Chip.from_dict(Chip.load("hermes_llm").to_dict(), {**SIZES, "core.adc.banks": 4})
BOUND = {"batch": 1, "seq": 6, "kv": 0}
SMALL = decoder(2, heads=4, width=64, vocabulary=20)


def test_attention_is_never_cut_and_no_round_needs_more_than_there_is():
    nodes = build(SMALL.bind(**BOUND), Widths(8))
    groups = groups_of(nodes)
    tilings = [
        tile_op(n.op, CHIP.config.sites["tile"].core, 8) if n.on_arrays and n.op else None for n in nodes
    ]
    sites = ["tile" if tiling else None for tiling in tilings]
    cut = pieces(nodes, groups)
    assert [n for piece in cut for n in piece] == list(range(len(nodes)))
    for arrays in (1, 2, 3, 5, 8):
        rounds = rounds_of(nodes, tilings, sites, groups, {"tile": arrays})
        assert rounds is not None
        assert rounds == sorted(rounds)
        for group in groups:
            assert len({rounds[n] for n in group.members}) == 1
        for each in set(rounds):
            used = [t.arrays for t, r in zip(tilings, rounds, strict=True) if t and r == each]
            assert sum(used) <= arrays
    assert rounds_of(nodes, tilings, sites, groups, {"tile": 0}) is None


def test_each_inference_writes_every_row_that_has_to_be_written():
    """Seven layers of one array on eight arrays, six on the next round: by the formula, rows times write time each."""
    write_ns = 1_000_000  # so slow that nothing else counts
    chip = Chip.from_dict(CHIP.to_dict(), {"core.array.write_ns": write_ns})
    trace = SMALL.bind(**BOUND)
    plan = make_plan(chip, trace, chips=1, reload=True)
    tallest = [0] * plan.rounds
    for op in plan.ops:
        for chunk in (c for replica in op.replicas for c in replica.chunks):
            if (chunk.tile, chunk.core) in plan.rewritten:
                tallest[op.round] = max(tallest[op.round], *(block.rows for block in chunk.blocks))
    result = simulate(chip, trace, 3, chips=1, reload=True)
    least = 3 * sum(tallest) * write_ns * 1_000_000
    assert least < result.latency_fs < 1.01 * least
    spent = sum(row["fs"] for row in result.attribution if row["cause"] == "programming")
    assert spent == pytest.approx(least, rel=0.01)


def test_writing_costs_energy_and_the_memory_is_read():
    """By the formula: a cell of 8 bits a weight, 100 pJ each; 3.59 pJ for each bit of a weight read."""
    trace = SMALL.bind(**BOUND)
    plan = make_plan(CHIP, trace, chips=1, reload=True)
    weights = sum(
        block.rows * block.outputs
        for op in plan.ops
        for replica in op.replicas
        for chunk in replica.chunks
        if (chunk.tile, chunk.core) in plan.rewritten
        for block in chunk.blocks
    )
    stays = simulate(CHIP, trace, chips=2).energy_pj["dynamic"]
    taken = simulate(CHIP, trace, chips=1, reload=True).energy_pj["dynamic"]
    assert taken["core.array"] - stays["core.array"] == pytest.approx(weights * 100)
    assert taken["memory"] > weights * 8 * 3.59
    assert "memory" not in stays


def test_one_sequence_is_generated_at_a_time():
    asked = {"chips": 1, "reload": True, "requests": 2}
    result = generate(CHIP, SMALL, 6, 3, places=1, **asked)
    assert sum(row["fs"] for row in result.attribution) == result.latency_fs
    first, second = result.generation["sequences"]
    assert second["token_fs"][0] > first["token_fs"][-1]
    with pytest.raises(MappingError, match="--places 1"):
        generate(CHIP, SMALL, 6, 3, **asked)


def test_a_cache_between_rounds_lies_in_the_memory():
    plan = make_plan(CHIP, SMALL.bind(batch=1, seq=1, kv=8), chips=1, reload=True)
    assert {op.held_in for op in plan.ops if op.node.right is not None} == {"memory"}


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"sites.memory": None}, "memory"),
        ({"core.array.write_ns": None, "core.array.device": "sram"}, "core.array.write_ns"),
    ],
)
def test_refuses_a_chip_that_cannot(changes, where):
    chip = Chip.from_dict(CHIP.to_dict(), changes)
    with pytest.raises(MappingError) as failure:
        make_plan(chip, SMALL.bind(**BOUND), chips=1, reload=True)
    assert failure.value.where == where
    assert make_plan(chip, SMALL.bind(**BOUND)).rounds == 1  # two chips hold it


def test_refuses_a_layer_that_is_larger_than_the_chips():
    trace = decoder(1, heads=4, width=64, vocabulary=256 * 9).bind(**BOUND)
    with pytest.raises(MappingError, match="cannot be cut needs 9 arrays, 1 x"):
        make_plan(CHIP, trace, chips=1, reload=True)
    assert make_plan(CHIP, trace, reload=True).package.chips == 2


def test_a_model_that_fits_is_not_reloaded():
    trace = decoder(1, heads=4, width=64, vocabulary=20).bind(**BOUND)
    assert make_plan(CHIP, trace, reload=True).rounds == 1
    asked, plain = simulate(CHIP, trace, reload=True).data, simulate(CHIP, trace).data
    assert asked.pop("identity") != plain.pop("identity")
    assert asked == plain


def test_experts_that_a_token_passes_by_are_not_written():
    """Two layers of four experts, two for each token: writes of an expert are the passes that went to it."""
    chip = Chip.from_dict(
        Chip.load("hermes_llm").to_dict(),
        {
            "tile.count": 4,
            "network.topology": {"kind": "mesh", "width": 2, "height": 2},
            "core.arrays": 2,
            "core.adc.banks": 2,
            "core.array.write_ns": 50,
        },
    )
    trace, prompt, tokens = mixture(2), 3, 5
    result = generate(chip, trace, prompt, tokens, chips=1, reload=True)
    whole = generate(chip, trace, prompt, tokens)
    assert result.macs == whole.macs
    assert max(row["round"] for row in result.plan) > 0
    assert sum(row["fs"] for row in result.attribution) == result.latency_fs
    assert sum(row["aj"] for row in result.energy["rows"]) == result.energy["total_aj"]
    routes = routed(trace, prompt + tokens - 1)
    own = plan_generation(chip, trace, prompt, tokens, options=PlanOptions(chips=1, reload=True))[0].plan
    writes: dict[tuple[int, int], dict[int, int]] = {core: {} for core in own.rewritten}
    for op in own.ops:
        passes = tokens
        if op.node.expert is not None:
            layer, expert = op.node.expert
            of_prompt = (routes[layer, :prompt] == expert).any()
            passes = int(of_prompt + (routes[layer, prompt:] == expert).any(axis=1).sum())
        for chunk in (c for replica in op.replicas for c in replica.chunks):
            rounds = writes.get((chunk.tile, chunk.core))
            if rounds is not None:
                rounds[op.round] = max(passes, rounds.get(op.round, 0))
    by_core = {sum(rounds.values()) for rounds in writes.values()}
    assert {row["writes"] for row in result.wear} <= by_core
    assert result.wear[0]["writes"] == max(by_core) > tokens  # a cell is written in each round that uses it
    assert len(by_core) > 1  # and less where an expert was passed by
