"""Products of two activations: on a digital unit or written into arrays, by the chip's policy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pimsim.chip import Chip
from pimsim.errors import ConfigError, MappingError
from pimsim.kinds.crossbar.written import Matrix
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.planning.stationary import ARRAYS, BUFFER
from pimsim.run.generate import generate
from pimsim.run.simulate import simulate
from tests.oracle.test_transformers import small_chip
from tests.transformers import decoder

MODEL = decoder(1, heads=4, width=64, vocabulary=20)
QUICK = {"core.array.write_ns": 1, "core.array.read_ns": 1, "core.array.setup_ns": 0}
SLOW_UNIT = {"tile.digital.matrix.lanes": 1, "tile.digital.matrix.rows": 1}


def products(result):
    return {row["op"]: row for row in result.plan if row["right_matrix_in"]}


def test_what_a_slice_writes_by_the_formula():
    """Head of 16 features, arrays of 256 x 256 cells of 8 bits; 300 tokens of which 5 are new; one head a slice.

    Keys are 16 rows by 300 columns: 1 x 2 arrays, 16 rows are written; values 300 by 16: 2 x 1 arrays, 5 rows.
    """
    chip = small_chip(**{"core.array.write_ns": 40})
    tile = chip.config.sites["tile"]
    plan = make_plan(chip, MODEL.bind(batch=1, seq=5, kv=295))
    keys, values = (Matrix.of(op.node, 4) for op in plan.ops if op.node.right is not None)
    assert (keys.rows, keys.columns, keys.fresh, keys.blocks(tile)) == (16, 300, 5, (1, 2))
    assert (values.rows, values.columns, values.fresh, values.blocks(tile)) == (300, 16, 5, (2, 1))
    assert (keys.rows_written(tile), values.rows_written(tile)) == (16, 5)
    assert keys.cells_written(tile) == values.cells_written(tile) == 5 * 16
    assert replace(keys, bits=16).cells_written(tile) == 2 * 5 * 16


def test_writing_takes_its_time_energy_and_endurance():
    """Rows times the write time, keys while values; cells times the energy; one write an inference."""
    writes = {
        "core.array.write_ns": 1e6,
        "core.array.energy_per_cell_write_pj": 7,
        "core.array.endurance": 1e6,
    }
    trace = MODEL.bind(batch=1, seq=6, kv=0)
    result = simulate(small_chip(products="write", **writes), trace)
    least = 16 * 10**12
    assert least <= result.latency_fs < 1.01 * least
    spent = sum(row["fs"] for row in result.attribution if row["cause"] == "programming")
    assert spent == pytest.approx(least, rel=0.01)
    assert sum(row["fs"] for row in result.attribution) == result.latency_fs
    free = simulate(
        small_chip(products="write", **{**writes, "core.array.energy_per_cell_write_pj": None}), trace
    )
    cells = 2 * 6 * 64  # keys and values of six tokens
    more = result.energy_pj["dynamic"]["core.array"] - free.energy_pj["dynamic"]["core.array"]
    assert more == pytest.approx(7 * cells)
    assert [row["writes"] for row in result.wear] == [1, 1]
    assert result.wear[0]["lifetime_s"] == pytest.approx(1e6 * result.latency_fs / 1e15)
    assert "worn out after" in str(result)
    assert "wear" not in simulate(small_chip(), trace).data


@pytest.mark.parametrize(("changes", "where"), [({}, BUFFER), (QUICK | SLOW_UNIT, ARRAYS)])
def test_auto_takes_the_faster_and_says_so(changes, where):
    """Not only by the plan's estimate: the run itself is faster than with the other way for everything."""
    trace = MODEL.bind(batch=1, seq=48, kv=0)
    times = {}
    for policy in ("digital", "write", "auto"):
        result = simulate(small_chip(products=policy, **{"core.array.write_ns": 400} | changes), trace)
        times[policy] = result.latency_fs
        rows = products(result)
    assert {row["right_matrix_in"] for row in rows.values()} == {where}
    for row in rows.values():
        chosen, other = ("written", "digital") if where == ARRAYS else ("digital", "written")
        assert row["product_fs"][chosen] < row["product_fs"][other]
        assert row["on"] == ("arrays" if where == ARRAYS else "matrix")
    assert times["auto"] == min(times.values()) < max(times.values())


def test_auto_goes_without_arrays_where_none_are_left():
    """Four tiles of two arrays hold the weights of seven layers; one is left, and a slice of heads needs two."""
    full = {"core.arrays": 2, "core.adc.banks": 2, **QUICK, **SLOW_UNIT}
    full |= {"tile.count": 4, "network.topology": {"kind": "ring", "nodes": 4}}
    trace = MODEL.bind(batch=1, seq=48, kv=0)
    result = simulate(small_chip(products="auto", **full), trace, chips=1)
    rows = products(result)
    assert {row["right_matrix_in"] for row in rows.values()} == {BUFFER}
    assert all(row["product_fs"]["written"] < row["product_fs"]["digital"] for row in rows.values())
    with pytest.raises(MappingError, match="arrays"):
        make_plan(small_chip(products="write", **full), trace, chips=1)
    assert make_plan(small_chip(products="write", **full), trace).package.chips > 1


def test_generation_writes_each_token_once():
    """A cell is written once for each sequence that has its place; each place has arrays of its own."""
    chip = small_chip(products="write", **QUICK)
    result = generate(chip, MODEL, 8, 4, requests=5, places=2)
    assert {row["right_matrix_in"] for row in products(result).values()} == {ARRAYS}
    assert [row["writes"] for row in result.wear] == [3, 3]  # five sequences in two places
    one = generate(chip, MODEL, 8, 4)
    for name, row in products(result).items():
        assert row["arrays"] == 2 * products(one)[name]["arrays"]
    assert sum(row["fs"] for row in result.attribution) == result.latency_fs
    assert sum(row["aj"] for row in result.energy["rows"]) == result.energy["total_aj"]
    assert result.macs == 5 * one.macs


def test_refuses_what_cannot_be():
    with pytest.raises(ConfigError, match="write_ns"):
        Chip.load("isaac", ["products=auto"])
    one_tile = {
        "tile.count": 2,
        "network.topology": {"kind": "ring", "nodes": 2},
        "core.arrays": 2,
        "core.adc.banks": 2,
    }
    chip = small_chip(products="write", **{"core.array.write_ns": 40, **one_tile})
    with pytest.raises(MappingError, match="take turns"):
        make_plan(chip, MODEL.bind(batch=1, seq=6, kv=0), chips=1, reload=True)


def test_a_cache_in_arrays_needs_no_buffer():
    """Keys and values of 2000 tokens are 64 KiB a head; the buffer has 8, and the chip has no memory."""
    tight = {"tile.buffer.capacity_kib": 8, "core.array.write_ns": 40, "sites.memory": None}
    trace = MODEL.bind(batch=1, seq=1, kv=2000)
    with pytest.raises(MappingError, match="buffer"):
        make_plan(small_chip(**tight), trace)
    plan = make_plan(small_chip(products="write", **tight), trace)
    assert {op.held_in for op in plan.ops if op.node.right is not None} == {ARRAYS}
