"""One weight that several ops read: one set of arrays, on which its users take turns, or copies where they pay."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.mapping.flow.build import build
from pimsim.mapping.flow.widths import Widths
from pimsim.mapping.mapper import make_plan
from pimsim.report.plan_table import plan_report
from pimsim.report.tables import to_plain_text
from pimsim.run.simulate import simulate
from pimsim.trace import Op, Operand, Tensor, Trace
from pimsim.trace.onnx.export import from_onnx
from tests.oracle.test_lowered import agree
from tests.random_models import Builder, chips, small_chip, traces
from tests.trace.recurrent import lstm


def named(trace: Trace, *groups: tuple[str, ...]) -> Trace:
    """The same trace with one weight for the ops of each group."""
    owner = {name: f"w{n}" for n, group in enumerate(groups) for name in group}
    ops = [
        replace(
            op,
            inputs=tuple(
                replace(each, name=owner.get(op.name)) if each.role == "weight" else each
                for each in op.inputs
            ),
        )
        for op in trace.ops
    ]
    return Trace.from_ops(trace.model, ops, trace.outputs)


def chain(steps: int, features: int = 16, rows: int = 1) -> Trace:
    """Products by one square matrix, one after another."""
    model = Builder()
    x = model.input(rows, features)
    for _ in range(steps):
        x = model.gemm(x, features)
    trace = model.trace("chain")
    return named(trace, tuple(op.name for op in trace.ops if op.weight))


def pyramid(sizes: tuple[int, ...]) -> Trace:
    """One convolution over maps of several sizes."""
    model = Builder()
    made = [model.conv(model.input(1, 4, size, size), 8, (3, 3), pads=(1, 1, 1, 1)) for size in sizes]
    return named(model.trace("pyramid"), tuple(made))


def plan_text(plan) -> str:
    return " ".join(to_plain_text(*plan_report(plan, "m")).split())


def test_a_chain_stands_once_and_each_product_takes_its_turn():
    chip = small_chip()
    plan, alone = make_plan(chip, chain(5)), make_plan(chip, chain(1))
    assert plan.arrays == alone.arrays
    assert len({replica.slots for op in plan.ops if op.tiling for replica in op.replicas}) == 1
    assert [op.shares for op in plan.ops if op.tiling] == [None, *["gemm1"] * 4]
    assert "gemm1 and 4 others read one weight and take turns on one copy of it." in plan_text(plan)


def test_copies_pay_up_to_one_for_each_position_of_the_largest_user():
    """64, 16 and 4 positions follow one another: 84 multiplications an inference, on no more than 64 copies."""
    plan = make_plan(Chip.load("isaac"), pyramid((8, 4, 2)))
    used = [[replica.slots for replica in op.replicas] for op in plan.ops if op.tiling]
    sets = {slots for each in used for slots in each}
    assert [len(each) for each in used] == [min(len(sets), n) for n in (64, 16, 4)]
    assert 1 < len(sets) <= 64
    assert plan.arrays == len(sets) * plan.ops[3].tiling.arrays
    assert f"take turns on {len(sets)} copies of it, as many as keep the pace" in plan_text(plan)


def test_where_a_buffer_is_full_a_further_copy_stands_elsewhere():
    ring = {"tile.count": 8, "network.topology": {"kind": "ring", "nodes": 8}}
    chip = small_chip({**ring, "tile.buffer.capacity_kib": 0.25})
    plan = make_plan(chip, chain(12))
    sets = {replica.slots for op in plan.ops if op.tiling for replica in op.replicas}
    assert 1 < len(sets) < 12
    assert f"{len(sets) - 1} of them where the buffers beside the others are full" in plan_text(plan)
    agree(plan, 2)


def test_a_matrix_that_is_read_turned_is_another_one_to_arrays():
    trace = chain(3)
    ops = [
        replace(op, attributes={**op.attributes, "transB": 0}) if op.name == "gemm2" else op
        for op in trace.ops
    ]
    plan = make_plan(small_chip(), Trace.from_ops("chain", ops, trace.outputs))
    by_name = {op.node.name: {replica.slots for replica in op.replicas} for op in plan.ops if op.tiling}
    assert by_name["gemm1"] == by_name["gemm3"] == {"gemm1.0"}
    assert by_name["gemm2"] == {"gemm2.0"}


def test_unlike_weights_stay_apart():
    """The same shapes without names are several weights, as ever."""
    trace = chain(5)
    ops = [replace(op, inputs=tuple(replace(each, name=None) for each in op.inputs)) for op in trace.ops]
    apart = make_plan(small_chip(), Trace.from_ops("chain", ops, trace.outputs))
    assert apart.arrays == 5 * make_plan(small_chip(), trace).arrays


@pytest.mark.parametrize(("preset", "chips"), [("isaac", 1), ("puma", 1), ("hermes_llm", 1)])
def test_an_unrolled_lstm_needs_the_arrays_of_one_step(tmp_path, preset, chips):
    """100 steps of LSTM(256, 256): two matrices of 256 x 1024, whatever the steps."""
    long = make_plan(Chip.load(preset), from_onnx(lstm(tmp_path / "m.onnx", 100, 256, 256)))
    short = make_plan(Chip.load(preset), from_onnx(lstm(tmp_path / "m.onnx", 1, 256, 256)))
    assert long.package.chips == chips
    assert long.arrays == short.arrays == sum(op.tiling.arrays for op in short.ops if op.tiling)


@pytest.mark.parametrize("preset", ["isaac", "hermes64"])
def test_an_unrolled_lstm_agrees_with_the_twin(tmp_path, preset):
    agree(make_plan(Chip.load(preset), from_onnx(lstm(tmp_path / "m.onnx", 4, 16, 16))), 2)


def test_a_step_takes_its_own_row_of_a_split():
    """Pieces along positions are told apart: a step waits for one row, and holds one."""
    model = Builder()
    rows = model.add("Split", (model.input(6, 16),), (1, 16), more=[(2, 16), (3, 16)], axis=0)
    ops = list(model.ops)
    for piece, size in enumerate((1, 2, 3)):
        tensor = Tensor((size, 16))
        ops.append(Op(f"y{piece}", "Relu", (Operand("activation", tensor, rows, piece),), (tensor,)))
    trace = Trace.from_ops("pieces", ops)
    edges = [node.edges[0] for node in build(trace, Widths(8)) if node.type == "Relu"]
    assert [edge.need.tolist() for edge in edges] == [[1], [2, 3], [4, 5, 6]]
    assert [edge.low.tolist() for edge in edges] == [[0], [1, 2], [3, 4, 5]]
    agree(make_plan(small_chip(), trace), 2)


def test_the_busiest_resource_sums_all_users():
    """Each of 6 products holds the one group of arrays for setup and phases; nothing else is as slow."""
    chip = small_chip({"core.array.read_ns": 100_000.0})
    result = simulate(chip, chain(6, rows=3))
    alone = simulate(chip, chain(1, rows=3))
    assert result.bounds["resource_fs"] == 6 * alone.bounds["resource_fs"]
    assert "gemm1.0" in result.bounds["resource"]
    assert result.latency_fs >= result.bounds["resource_fs"]
    assert result.utilisation["arrays_mapped"] == alone.utilisation["arrays_mapped"]
    assert result.utilisation["cells_mapped"] == alone.utilisation["cells_mapped"]
    assert result.macs == 6 * alone.macs


def test_a_cold_start_brings_and_writes_it_once():
    chip = small_chip({"core.array.write_ns": 50.0})
    result, alone = (simulate(chip, chain(steps), cold=True) for steps in (4, 1))
    written = [
        next(row for row in each.controllers if row["controller"] == "programming")
        for each in (result, alone)
    ]
    assert written[0]["bytes"] == written[1]["bytes"] == 16 * 16 * 2
    assert written[0]["rows"] == written[1]["rows"]
    assert [row["writes"] for row in result.wear] == [1]


def test_rounds_write_it_once_a_round():
    """Two matrices on arrays for one: each round's users wait for the one writing, and arrays wear once a round."""
    model = Builder()
    x = model.input(1, 16)
    for _ in range(4):
        x = model.gemm(x, 16)
    trace = named(model.trace("two"), ("gemm1", "gemm2"), ("gemm3", "gemm4"))
    one = make_plan(small_chip(), chain(1)).arrays
    memory = {
        "kind": "memory",
        "capacity_gib": 1,
        "bandwidth_gb_per_s": 10.0,
        "latency_ns": 50.0,
        "source": "test",
    }
    chip = small_chip(
        {
            "tile.count": 1,
            "tile.cores": 1,
            "core.arrays": one,
            "core.adc.banks": 1,
            "core.array.write_ns": 50.0,
            "network.topology": {"kind": "ring", "nodes": 1},
            "sites.memory": memory,
        }
    )
    plan = make_plan(chip, trace, chips=1, reload=True)
    assert [op.round for op in plan.ops if op.tiling] == [0, 0, 1, 1]
    writers = agree(plan, 2)
    assert writers is not None
    result = simulate(chip, trace, chips=1, reload=True)
    assert {row["writes"] for row in result.wear} == {2}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(chips(), traces(), st.randoms(use_true_random=False))
def test_random_models_with_shared_weights_agree_with_the_twin(chip, trace, chance):
    """Layers whose weights have one shape and width are made one at random."""
    alike: dict[object, list[str]] = {}
    for op in trace.ops:
        if op.weight is not None:
            alike.setdefault((op.type, op.weight.tensor.shape, op.weight.tensor.bits), []).append(op.name)
    trace = named(
        trace, *(tuple(name for name in group if chance.random() < 0.8) for group in alike.values())
    )
    try:
        plan = make_plan(chip, trace)
    except MappingError:
        assume(False)
    agree(plan, 2)
