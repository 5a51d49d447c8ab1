"""GDDR6-AiM as a site: what a product takes there, where the planner puts it, and what is refused."""

from __future__ import annotations

import pytest

from pimsim.chip import Chip
from pimsim.dram.compute import memory_program
from pimsim.errors import ConfigError, MappingError
from pimsim.mapping.mapper import make_plan
from pimsim.run.simulate import simulate
from pimsim.units import fs_from_ns

from ..analysis.test_closures import closes
from ..oracle.test_lowered import compare as agree_with_twin
from ..random_models import Builder
from .pim import alone, beside
from .processors import matmul

CHANNELS = 4
TREES = {  # 16 units at the banks of each of 4 channels
    "pim.standard": "gddr6_aim",
    "pim.digital.units.count": 16 * CHANNELS,
    "pim.digital.units.operations": {"Gemm": 1.0, "MatMul": 1.0},
}


def charged(result):
    found = {}
    for row in result.attribution:
        key = row["cause"], row["part"]
        found[key] = found.get(key, 0) + row["fs"]
    return found


def test_a_product_takes_its_program():
    """As `pimsim memory` runs it, to the units' clock, whose cycle is 1 ns, and their latency of two."""
    result = simulate(alone(TREES), matmul(1, 1000, 300), 1)
    run = memory_program("gddr6_aim", "gemv", rows=1000, columns=300, channels=CHANNELS).run
    work = -(-fs_from_ns(run.cycles * 0.5) // 1_000_000) * 1_000_000
    assert charged(result)["compute", "pim.digital.units"] == work + 2_000_000
    assert (
        result.energy_pj["dynamic"]["pim.memory"] > 0
    )  # what goes through its port; programs' energy is not modelled
    assert any("energy of its programs is not modelled" in note for note in result.notes)
    closes(result)


@pytest.mark.parametrize("rows", [1, 3])
def test_it_closes_and_agrees_with_the_twin_alone_and_beside_a_processor(rows):
    model = Builder()
    y = model.input(rows, 200)
    for width, inner in ((300, 200), (100, 300)):
        y = model.add("MatMul", (y,), (rows, width), [("weight", (inner, width))])
    trace = model.trace("products")
    for chip in (alone(TREES), beside(TREES)):
        agree_with_twin(chip, trace, 2)
        closes(simulate(chip, trace, 2))


def test_the_planner_says_what_both_would_take():
    """A vector is faster in the memory; each further one takes another program, and an A100 reads the matrix once."""
    chip = Chip.load("a100_pim", {**TREES, "pim.digital.units.count": 512})
    sites = {}
    for vectors in (1, 16):
        (op,) = [op for op in make_plan(chip, matmul(vectors, 4096, 4096)).ops if op.node.type == "MatMul"]
        assert "least time an inference, work and inputs' way: tile " in op.why
        assert ", pim " in op.why
        sites[vectors] = op.site
    assert sites == {1: "pim", 16: "tile"}


def test_peak_is_a_column_of_all_banks_each_nanosecond():
    site = alone(TREES).config.sites["pim"]
    assert site.channels == CHANNELS
    assert site.macs_per_second() == CHANNELS * 16 * 16 * 1e9
    assert "64 units in 4 channels" in site.summary()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pim.digital.units.count": 60}, "found 60, expected 16 for each channel"),
        ({"pim.order": "samsung"}, "found the order 'samsung', expected one of: standard"),
        ({"pim.memory.width_bits": 2048}, "no faster than 4 channels of gddr6_aim, 128 GB/s"),
    ],
)
def test_a_site_that_does_not_fit_together_is_refused(changes, message):
    with pytest.raises(ConfigError) as caught:
        alone({**TREES, **changes})
    assert message in str(caught.value)


def test_elementwise_ops_have_no_program():
    model = Builder()
    model.add("Relu", (model.input(1, 64),), (1, 64))
    chip = alone({**TREES, "pim.digital.units.operations": {"Gemm": 1.0, "Relu": 1.0}})
    with pytest.raises(MappingError, match="there is no program for Relu"):
        make_plan(chip, model.trace("relu"))
