"""Is the best of several plans what its objective asks for, as predicted and as simulated, and is nonsense refused?"""

from __future__ import annotations

from typing import Any

import pytest

from pimsim import Chip, ConfigError, Experiment, Options, simulate
from pimsim.mapping.best import figures_of
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.planning.options import OBJECTIVES, weights_of
from pimsim.run.mapping import saved_plan
from tests.oracle.test_lowered import small_cnn
from tests.random_models import small_chip

TIGHT: dict[str, Any] = {"network.link_width_bits": 4}
"""Links so narrow that copies cost more than they win."""


def test_energy_and_interval_of_a_plan_are_those_of_its_run() -> None:
    """The energy of visits is exact; the static part is over the predicted interval, the run's over its latency."""
    chip, trace = Chip.load("isaac"), small_cnn()
    figures = figures_of(make_plan(chip, trace))
    result = simulate(chip, trace)
    static_mw = sum(row.static_mw for row in chip.peak.rows if row.static_mw is not None)
    dynamic = sum(result.energy_pj["dynamic"].values())
    assert figures["energy"] == pytest.approx(dynamic + static_mw * figures["interval"] * 1e-6)
    assert figures["interval"] == result.prediction["interval_fs"]
    assert figures["latency"] == result.bounds["dependence_fs"] + figures["interval"]
    assert figures["chips"] == 1


@pytest.mark.parametrize("objective", ["interval", "latency", "energy", "interval=1,energy=3"])
@pytest.mark.parametrize(
    "chip", [small_chip(TIGHT), Chip.load("hermes_llm")], ids=["narrow links", "hermes_llm"]
)
def test_the_best_is_no_worse_than_the_plan_without(chip: Chip, objective: str) -> None:
    trace = small_cnn()
    plain = figures_of(make_plan(chip, trace))
    best = figures_of(make_plan(chip, trace, optimize=objective, budget=3))
    weights = weights_of(objective)
    product = 1.0
    for name, weight in weights.items():
        product *= (best[name] / plain[name]) ** weight
    assert product <= 1


def test_chips_are_taken_where_they_win_more_than_they_cost() -> None:
    """Chips that count nine times as much as the interval stay few; the other way round, none is slower."""
    chip, trace = (
        small_chip(TIGHT | {"tile.count": 1, "network.topology": {"kind": "ring", "nodes": 1}}),
        small_cnn(),
    )
    few = make_plan(chip, trace)
    cheap = make_plan(chip, trace, optimize="chips=9,interval=1", budget=4)
    dear = make_plan(chip, trace, optimize="interval=9,chips=1", budget=4)
    assert cheap.package.chips == few.package.chips
    assert figures_of(dear)["interval"] <= figures_of(few)["interval"]
    assert make_plan(chip, trace, optimize="interval", budget=2).package.chips == few.package.chips


def test_the_plan_is_the_same_each_time_and_says_how_it_was_chosen() -> None:
    chip, trace = small_chip(TIGHT), small_cnn()
    asked = Experiment(chip, trace, Options(optimize="interval", budget=3))
    result, saved = simulate(asked), saved_plan(asked)
    assert any(note.startswith("Of 3 plans, the best by interval, as predicted (") for note in result.notes)
    assert (result.identity["optimize"], result.identity["budget"]) == ("interval", 3)
    assert simulate(chip, trace, mapping=saved).latency_fs == result.latency_fs


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"optimize": "interval", "budget": 0}, "budget: found 0, expected a whole number from 1 to 100"),
        ({"budget": 3}, "budget: needs an objective; give --optimize, too"),
        ({"optimize": "intervall"}, r"optimize: found 'intervall', expected .*; did you mean 'interval'\?"),
        ({"optimize": "interval,interval"}, "each once"),
        (
            {"optimize": "interval=0"},
            "optimize: found the weight '0' of interval, expected a number more than 0",
        ),
        ({"optimize": "interval=x"}, "found the weight 'x'"),
        ({"optimize": "interval=nan"}, "found the weight 'nan'"),
        ({"optimize": ""}, "expected some of interval, latency, energy, chips"),
        ({"optimize": 3}, "found 3, expected some of"),
        ({"optimize": "interval", "mapper": "mine"}, "optimize: does not go with a mapper"),
        ({"optimize": "interval", "prompt": 3, "tokens": 2}, "optimize: does not go with a prompt"),
    ],
)
def test_nonsense_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Options(**options)


def test_every_objective_has_a_figure() -> None:
    assert set(figures_of(make_plan(small_chip(), small_cnn()))) == set(OBJECTIVES)
