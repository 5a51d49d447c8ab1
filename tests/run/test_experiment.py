"""Is an experiment known by what affects its result, before it runs, and by nothing else? And are options checked?"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields
from typing import Any, get_type_hints

import pytest

import pimsim
from pimsim import Chip, ConfigError, Experiment, Options, Trace, saved_plan
from pimsim.mapping.planning.options import PlanKeywords, PlanOptions
from pimsim.run.experiment import Changes
from pimsim.run.options import OptionKeywords
from tests.oracle.test_experts import mixture
from tests.oracle.test_lowered import small_cnn
from tests.random_models import small_chip
from tests.transformers import decoder

ASKED = {"prompt": 6, "tokens": 4, "requests": 3, "rate": 1e5, "places": 2, "seed": 1}
OTHER: dict[str, Any] = {  # another value of every option
    "chips": 2,
    "weight_bits": 4,
    "input_bits": 4,
    "reload": True,
    "effort": "normal",
    "mapper": "mine",
    "optimize": "interval",
    "budget": 3,
    "mapping": saved_plan(small_chip(), decoder(), **ASKED),
    "batch": 2,
    "prompt": 7,
    "tokens": 5,
    "requests": 4,
    "rate": 2e5,
    "places": 1,
    "pace": 2,
    "cold": True,
    "seed": 2,
}


def test_a_result_has_the_identity_that_its_experiment_had_before_it_ran() -> None:
    inference = Experiment(small_chip(), small_cnn(), Options(batch=2, input_bits=4))
    before = dict(inference.identity)
    assert pimsim.simulate(inference).identity == before
    assert pimsim.simulate(small_chip(), small_cnn(), 2, input_bits=4).identity == before
    generation = Experiment(small_chip(), decoder(), Options(**ASKED))
    before = dict(generation.identity)
    for result in (
        pimsim.generate(generation),
        pimsim.simulate(generation),
        pimsim.generate(small_chip(), decoder(), **ASKED),
    ):
        assert result.identity == before
        assert result.generation["places"] == 2


@pytest.mark.parametrize("name", [each.name for each in fields(Options) if each.name != "many"])
def test_every_option_is_part_of_the_identity(name: str) -> None:
    """An option that is added needs a row in `OTHER`, or this fails."""
    asked = {} if name in ("batch", "optimize") else {"optimize": "energy"} if name == "budget" else ASKED
    plain = Experiment(small_chip(), decoder(), Options(**asked))
    assert plain.with_(**{name: OTHER[name]}).digest != plain.digest


def test_leave_for_many_chips_is_no_part_of_the_identity() -> None:
    """It says whether to run, and nothing of what comes out."""
    plain = Experiment(small_chip(), small_cnn())
    assert plain.with_(many=True).digest == plain.digest


def test_chip_and_trace_are_part_of_the_identity_and_what_they_are_called_is_not() -> None:
    plain = Experiment(small_chip(), small_cnn())
    assert plain.with_(chip=small_chip({"core.array.read_ns": 123.0})).digest != plain.digest
    assert plain.with_(trace=decoder().bind(batch=1, seq=2, kv=0)).digest != plain.digest
    assert plain.with_(chip=small_chip({"description": "another"})).digest == plain.digest


def test_a_seed_counts_only_where_something_is_drawn() -> None:
    """Random arrivals, or experts; and with neither, the identity says in its `null` that nothing is random."""
    quiet = Experiment(small_chip(), decoder(), Options(prompt=6, tokens=4))
    assert quiet.with_(seed=3).digest == quiet.digest
    assert quiet.identity["seed"] is None
    for drawn in (quiet.with_(rate=1e5), quiet.with_(trace=mixture())):
        assert drawn.with_(seed=3).digest != drawn.digest


def test_as_many_places_as_requests_are_what_is_taken_anyway() -> None:
    plain = Experiment(small_chip(), decoder(), Options(prompt=6, tokens=4, requests=3))
    assert plain.with_(places=3).digest == plain.digest


def test_a_changed_copy_leaves_the_original_as_it_was() -> None:
    plain = Experiment(small_chip(), small_cnn())
    other = plain.with_(batch=4, chips=2)
    assert (plain.options.batch, other.options.batch, other.options.chips) == (1, 4, 2)
    assert other.chip is plain.chip
    assert other != plain
    assert other.with_(batch=1, chips=None) == plain
    assert len({plain, other, plain.with_()}) == 2


def test_the_identity_is_the_same_in_every_process() -> None:
    code = (
        "import pimsim; print(pimsim.Experiment(pimsim.Chip.load('hermes64'), pimsim.Trace.load('digits_cnn'), "
        "pimsim.Options(batch=2)).digest)"
    )
    here = Experiment(Chip.load("hermes64"), Trace.load("digits_cnn"), Options(batch=2)).digest
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == here


def test_keywords_are_the_fields_of_the_options() -> None:
    """Functions that take options by name know the same names and types as the options do."""
    for keywords, options in ((PlanKeywords, PlanOptions), (OptionKeywords, Options)):
        assert get_type_hints(keywords) == get_type_hints(options)
    assert set(get_type_hints(Changes)) == {*get_type_hints(Options), "chip", "trace"}


COUNT = "expected a whole number from 1 to"
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"batch": 0}, f"batch: found 0, {COUNT} 1000000"),
    ({"batch": True}, f"batch: found True, {COUNT} 1000000"),
    ({"chips": 0}, f"chips: found 0, {COUNT} 100000"),
    ({"weight_bits": 65}, f"weight_bits: found 65, {COUNT} 64"),
    ({"input_bits": 1.0}, f"input_bits: found 1.0, {COUNT} 64"),
    ({"reload": 1}, "reload: found 1, expected True or False"),
    ({"prompt": 4}, "prompt: needs tokens, too"),
    ({"tokens": 4}, "tokens: needs prompt, too"),
    ({"rate": 1e5}, "rate: needs prompt and tokens"),
    ({"requests": 2}, "requests: needs prompt and tokens"),
    ({**ASKED, "batch": 2}, "batch: does not go with a prompt; give requests"),
    ({**ASKED, "prompt": 0}, f"prompt: found 0, {COUNT} 1000000"),
    ({**ASKED, "requests": 0}, f"requests: found 0, {COUNT} 1000000"),
    ({**ASKED, "places": -1}, f"places: found -1, {COUNT} 1000000"),
    ({**ASKED, "rate": 0.0}, "rate: found 0.0, expected prompts a second, more than 0"),
    ({**ASKED, "seed": -1}, "seed: found -1, expected a whole number from 0"),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=[message[:30] for _, message in WRONG])
def test_a_wrong_option_is_refused_before_there_is_an_experiment(options, message) -> None:
    with pytest.raises(ConfigError) as caught:
        Options(**options)
    assert str(caught.value) == message


def test_an_experiment_is_whole() -> None:
    plain = Experiment(small_chip(), small_cnn())
    for wrong in (lambda: pimsim.simulate(plain, small_cnn()), lambda: pimsim.simulate(plain, chips=2)):
        with pytest.raises(TypeError, match=r"experiment\.with_"):
            wrong()
    with pytest.raises(TypeError, match="a chip and a trace, or an experiment"):
        pimsim.simulate(small_chip())
    with pytest.raises(ConfigError, match="prompt: is not given"):
        pimsim.generate(plain)
