"""Activations of several widths in one model: each op's phases, bytes and cells follow what it reads, by formula."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from onnx import helper

from pimsim import Chip, MappingError, Trace, make_plan, simulate
from pimsim.kinds.processor.schedule import schedule
from pimsim.mapping.flow.build import build
from pimsim.mapping.flow.widths import Widths
from pimsim.mapping.lowering.lowering import lower
from pimsim.report.plan_table import plan_report
from pimsim.report.tables import to_plain_text
from pimsim.trace import Op, Operand, Tensor
from pimsim.trace.onnx.export import from_onnx
from tests.cli.runner import call
from tests.kinds.processors import matmul
from tests.random_models import Builder, chips, traces
from tests.trace.builders import model as saved
from tests.trace.builders import zeros
from tests.transformers import decoder

ROWS, INNER, OUTER = 16, 256, 64
WIDTHS = (8, 4, None)
"""Of the input, of what the first layer puts out, and of what the second does."""


def chain(widths: tuple[int | None, ...] = WIDTHS) -> Trace:
    model = Builder()
    model.bits = widths[0]
    x = model.input(ROWS, INNER)
    model.bits = widths[1]
    x = model.gemm(x, INNER)
    model.bits = widths[2]
    model.relu(model.gemm(x, OUTER))
    return model.trace("chain")


def stated(trace: Trace, bits: int) -> Trace:
    """The same with all activations so wide."""

    def wide(tensor: Tensor) -> Tensor:
        return replace(tensor, bits=bits)

    ops = [
        replace(
            op,
            inputs=tuple(
                replace(each, tensor=wide(each.tensor)) if each.source else each for each in op.inputs
            ),
            outputs=tuple(map(wide, op.outputs)),
        )
        for op in trace.ops
    ]
    return Trace.from_ops(trace.model, ops, trace.outputs, trace.header)


def test_phases_follow_what_each_layer_reads() -> None:
    """By ISAAC's DACs of one bit, a phase a bit: firings × arrays × bits × columns conversions."""
    chip = Chip.load("isaac")
    core = chip.config.sites["tile"].core
    assert core.dac.bits == 1
    result = simulate(chip, chain())
    spent = {(row["part"], row["op"]): row["aj"] for row in result.data["energy"]["rows"]}
    for op, bits in (("gemm1", 8), ("gemm2", 4)):
        (row,) = (each for each in result.rows("plan") if each["op"] == op)
        arrays = row["arrays"] // row["replicas"]
        conversions = ROWS * arrays * bits * core.array.columns
        assert spent["core.adc", op] == pytest.approx(conversions * core.adc.action_pj * 1e6, rel=1e-9)
        assert spent["core.dac", op] * core.array.columns == pytest.approx(
            ROWS * arrays * bits * core.array.rows * core.dac.action_pj * 1e6 * core.array.columns, rel=1e-9
        )


def test_what_moves_is_as_wide_as_it_is_read() -> None:
    """The host sends 16 rows of 256 at 8 bits; a token to the second layer has 4, what comes out the chip's 16."""
    chip = Chip.load("isaac")
    machine = lower(make_plan(chip, chain()), 1)
    bits = {}
    for row in machine.net.streams:
        if row.bits:
            source, _, rest = row.name.partition(" -> ")
            bits.setdefault((source, rest.partition(" at ")[0]), set()).add(row.bits)
    assert max(bits["input0", "gemm1"]) == INNER * 8
    assert max(bits["gemm1", "gemm2"]) == INNER * 4
    assert bits["relu3", "relu3 (output)"] == {OUTER * 16}
    rows = {row["op"]: row for row in simulate(chip, chain()).rows("ops")}
    assert rows["gemm1"]["bytes_in"] == ROWS * INNER * 8 / 8
    assert rows["gemm2"]["bytes_in"] == rows["gemm1"]["bytes_out"] == ROWS * INNER * 4 / 8
    assert rows["host"]["bytes_in"] == ROWS * OUTER * 16 / 8


def test_an_option_overrides_all() -> None:
    chip = Chip.load("isaac")
    asked, plain = (simulate(chip, trace, input_bits=16) for trace in (chain(), chain((None,) * 3)))
    assert asked.latency_fs == plain.latency_fs == simulate(chip, chain((16,) * 3)).latency_fs
    assert asked.input_widths == [16]


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(chip=chips(), trace=traces())
def test_a_width_that_all_state_is_the_option(chip: Chip, trace: Trace) -> None:
    try:
        asked = simulate(chip, trace, input_bits=5)
    except MappingError:
        assume(False)
    found = simulate(chip, stated(trace, 5))
    assert found.latency_fs == asked.latency_fs
    assert found.energy_pj == asked.energy_pj
    assert found.rows("plan") == asked.rows("plan")


def test_a_product_written_into_arrays_takes_cells_by_its_right_matrix() -> None:
    """Cells are elements × slices of a weight: ISAAC's of 2 bits hold 8 of 4 bits each, or 4 of 8 bits."""
    trace = decoder(layers=1).bind(batch=1, seq=8, kv=0)
    chip = Chip.from_dict(
        Chip.load("hermes_llm").to_dict(), {"tile.products": "write", "core.array.write_ns": 100}
    )
    found = {}
    for bits in (4, 8):
        plan = make_plan(chip, stated(trace, bits))
        shares = [share for op in plan.ops if op.written for share in op.operand.shares]
        assert shares
        slices = chip.config.sites["tile"].core.weight_slices(bits)
        assert all(share.cells == share.elements * slices for share in shares)
        found[bits] = sum(share.elements for share in shares)
    assert found[4] == found[8]


def test_a_kernel_loads_each_operand_at_its_own_width() -> None:
    """All fits the buffer: it reads m × k of the left matrix once, and k × n of the weights, and stores m × n."""
    chip, (m, n, k) = Chip.load("tpuv4"), (64, 128, 256)
    site = chip.config.sites["tile"]
    ops = []
    for op in matmul(m, n, k).ops:
        inputs = [
            replace(each, tensor=replace(each.tensor, bits=8)) if each.source else each for each in op.inputs
        ]
        bits = 8 if op.type == "Input" else 32
        ops.append(
            replace(op, inputs=tuple(inputs), outputs=tuple(replace(each, bits=bits) for each in op.outputs))
        )
    node = build(Trace.from_ops("m", ops), Widths(16))[1]
    pieces = [piece for kernel in schedule(site, node, 16, 16) for piece in kernel.pieces]  # type: ignore[arg-type]
    assert sum(piece.times * piece.loaded for piece in pieces) == m * k * 8 + k * n * 16
    assert sum(piece.times * piece.stored for piece in pieces) == m * n * 32


def test_a_quantized_file_states_each_tensor(tmp_path: Path) -> None:
    """The first layer reads what was quantized to 8 bits, the second what never was."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("MatMul", ["d", "v"], ["a"]),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("MatMul", ["r", "w"], ["y"]),
    ]
    arrays = {"s": np.float32(0.1), "z": np.int8(0), "v": zeros(8, 8), "w": zeros(8, 8) + 1}
    trace = from_onnx(saved(tmp_path / "m.onnx", nodes, {"x": [5, 8]}, {"y": None}, arrays))
    plan = make_plan(Chip.load("isaac"), trace)
    read = {op.node.type + str(n): op.node.read_bits for n, op in enumerate(plan.ops)}
    assert read == {"Input0": 8, "MatMul1": 8, "Relu2": 16, "MatMul3": 16, "Output4": 16}


def test_what_is_printed_names_each_width(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chip = Chip.load("isaac")
    result = simulate(chip, chain())
    assert (result.input_widths, result["input_bits"]) == ([4, 8, 16], 16)
    assert "4-, 8- and 16-bit inputs" in " ".join(str(result).split())
    table = " ".join(to_plain_text(*plan_report(make_plan(chip, chain()), "chain")).split())
    assert "4-, 8- and 16-bit inputs" in table
    chain().save(tmp_path / "chain.jsonl")
    done = call(capsys, monkeypatch, "run", "isaac", str(tmp_path / "chain.jsonl"))
    assert "4-, 8- and 16-bit inputs" in " ".join(done.out.split())


def test_a_view_between_says_nothing_of_the_width() -> None:
    """Rows are quantized once they are flattened: what they are made of is sent so."""
    wide, narrow = Tensor((2, 5, 8)), Tensor((10, 8), bits=4)
    trace = Trace.from_ops(
        "view",
        [
            Op("x", "Input", (), (wide,)),
            Op("r", "Relu", (Operand("activation", wide, "x"),), (wide,)),
            Op("v", "Reshape", (Operand("activation", wide, "r"),), (narrow,)),
            Op(
                "y",
                "MatMul",
                (Operand("activation", narrow, "v"), Operand("weight", Tensor((8, 3)))),
                (Tensor((10, 3)),),
            ),
        ],
    )
    nodes = {node.name: node for node in build(trace, Widths(16))}
    assert nodes["y"].edges[0].bits == nodes["r"].bits == 4
    assert nodes["r"].edges[0].bits == nodes["x"].bits == 16
