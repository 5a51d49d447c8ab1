"""Do time, energy and differences close on every shipped chip and trace, to the femtosecond and the attojoule?

An inference of each trace on each chip, flit by flit, of two traces on those that are another but for one thing; then
each chip against each other on the same trace.
"""

from __future__ import annotations

import itertools

import pytest

from pimsim import presets
from pimsim.analysis.breakdown import VIEWS, breakdown
from pimsim.analysis.compare import compare
from pimsim.analysis.roofline import roofline
from pimsim.chip import Chip
from pimsim.machine.machine import Machine
from pimsim.mapping.mapper import make_plan
from pimsim.report.breakdown import breakdown_text
from pimsim.report.comparison import comparison_text
from pimsim.result.freeze import freeze
from pimsim.run.experiment import Experiment
from pimsim.trace import Trace

CHIPS = [name for name in presets.names("configs", ".yaml") if name not in ("h100", "l40s", "rtx3090")]
# Each is another one but for one thing: two traces do.
VARIANTS = {"hermes64_4phase", "isaac_simd"}
WITH_VARIANTS = ("digits_cnn", "squeezenet")
# Processors, whose kernels are few: each against another and one chip of arrays; others are a100 but for figures.
PROCESSORS = {"a100", "a100_pim", "tpuv4"}
# The longest first, so that workers end together.
NAMES = [name for name in presets.names("traces", ".jsonl") if not Trace.load(name).symbols]
TRACES = sorted(NAMES, key=lambda name: (name not in ("vgg19", "alexnet"), name))


def run(chip, trace):
    machine = Machine(make_plan(chip, trace), 1)
    machine.run()
    return freeze(machine, trace, machine, Experiment(chip, trace).identity)


@pytest.mark.parametrize("name", TRACES)
def test_time_energy_and_differences_close(name):
    trace = Trace.load(name)
    chips = [chip for chip in CHIPS if name in WITH_VARIANTS or chip not in VARIANTS]
    results = {chip: run(Chip.load(chip), trace) for chip in chips}
    for result in results.values():
        closes(result)
    for a, b in itertools.combinations(results, 2):
        if not PROCESSORS & {a, b} or {a, b} <= PROCESSORS | {"isaac"}:
            differences_close(results[a], results[b])


def closes(result):
    assert sum(row["fs"] for row in result.attribution) == result.latency_fs
    assert sum(row["fs"] for row in result.interval_attribution) == result.interval_fs
    assert sum(row["critical_fs"] for row in result.ops) == result.latency_fs
    assert sum(row["aj"] for row in result.energy["rows"]) == result.energy["total_aj"]
    for row in result.ops:
        states = (row[f"{state}_fs"] for state in ("working", "starved", "blocked", "denied", "over"))
        assert sum(states) == row["actors"] * result.latency_fs
    spent = sum(map(sum, result.over_time["dynamic_mw"].values())) * result.over_time["bin_fs"] * 1e-6
    assert spent == pytest.approx(sum(result.energy_pj["dynamic"].values()), rel=1e-3)  # four digits are kept
    for by in ("cause", "part", "op"):
        rows = breakdown(result, by).rows
        assert sum(row["fs"] for row in rows) == result.latency_fs
        assert sum(row["interval_fs"] for row in rows) == result.interval_fs
    for by in VIEWS:
        assert max(map(len, breakdown_text(breakdown(result, by)).splitlines())) <= 80
    for point in roofline(result).points:
        assert point["gops"] > 0
        # What an op's first firing needs has come before it: of a window, some rows.
        assert point["share"] <= (1.1 if point["bound"] in ("network", "buses", "buffers") else 1 + 1e-9), (
            point
        )


def differences_close(a, b):
    comparison = compare(a, b)
    (pair,) = comparison.pairs
    for difference, total in (
        (pair.latency, b.latency_fs - a.latency_fs),
        (pair.interval, b.interval_fs - a.interval_fs),
        (pair.energy, b.energy["total_aj"] - a.energy["total_aj"]),
    ):
        amounts = [row[difference.unit] for row in difference.contributions]
        assert sum(amounts) == difference.difference == total
        assert [abs(amount) for amount in amounts] == sorted(map(abs, amounts), reverse=True)
        assert all(amounts)
    assert max(map(len, comparison_text(comparison).splitlines())) <= 80
    back = compare(b, a).pairs[0]
    assert back.latency.difference == -pair.latency.difference
    assert {tuple(row.values())[:3]: row["fs"] for row in back.latency.contributions} == {
        tuple(row.values())[:3]: -row["fs"] for row in pair.latency.contributions
    }
