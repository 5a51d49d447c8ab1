"""Simulate a model that generates tokens, for one prompt or for many that come at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Unpack, overload

import numpy as np

from pimsim.chip import Chip
from pimsim.errors import ConfigError
from pimsim.machine.generation import Generation, Requests, Sequence
from pimsim.machine.machine import Machine
from pimsim.mapping.given.door import find_plans
from pimsim.mapping.planning.generation import plan_generation, routing_of
from pimsim.mapping.planning.program import Program
from pimsim.mapping.seating.seating import require_effect, seated
from pimsim.result.controllers import row_of
from pimsim.result.energy import AJ_PER_PJ
from pimsim.result.freeze import freeze
from pimsim.result.passes import aj_by_program, energy_by_pass
from pimsim.result.recording import MOST_RECORDS, recording_of
from pimsim.result.result import Result
from pimsim.run.experiment import Experiment, experiment_of
from pimsim.run.options import GenerationKeywords, Options
from pimsim.trace.schema import Trace
from pimsim.units import FS_PER_S, MAX_FS

PERCENTILES = (50, 90, 95, 99)


@overload
def generate(
    experiment: Experiment,
    /,
    *,
    timeline: tuple[int, int] | None = None,
    on_progress: Callable[[int, int, int], None] | None = None,
) -> Result: ...


@overload
def generate(
    chip: Chip,
    trace: Trace,
    prompt: int,
    tokens: int,
    *,
    timeline: tuple[int, int] | None = None,
    on_progress: Callable[[int, int, int], None] | None = None,
    **options: Unpack[GenerationKeywords],
) -> Result: ...


def generate(
    chip: Chip | Experiment,
    trace: Trace | None = None,
    prompt: int | None = None,
    tokens: int | None = None,
    *,
    timeline: tuple[int, int] | None = None,
    on_progress: Callable[[int, int, int], None] | None = None,
    **options: Any,
) -> Result:
    """Take in prompts and generate tokens, each token after the one before, with a cache that grows.

    The first token comes out of the prompt's pass; each other one out of a pass of a single token. Of the prompt's
    outputs only the last position's is computed. With several requests, sequences share the chip: each goes on as soon
    as its own last token is out, and a new prompt joins as soon as a place is free.

    Parameters
    ----------
    chip : Chip or Experiment
        What to run on; or the whole experiment, and nothing else.
    trace : Trace
        What to run, with the symbols ``seq`` and ``kv``.
    prompt, tokens : int
        Tokens of each prompt, and tokens to generate for it.
    timeline, on_progress
        As for `simulate`.
    **options
        ``requests``, ``rate``, ``places``, ``pace``, ``seed``, ``chips``, ``weight_bits``, ``input_bits``, ``reload``,
        ``cold``: see `pimsim.Options`.

    Returns
    -------
    Result
        As of `simulate`, a request being an inference; with ``first_token_fs``, ``token_fs``, ``tokens_per_s`` and
        ``generation``.

    Raises
    ------
    ConfigError
        If an option is wrong.
    MappingError
        If the trace cannot generate, or does not fit.
    SimulationError
        If the machine cannot go on.
    """
    experiment = experiment_of(chip, trace, {"prompt": prompt, "tokens": tokens, **options})
    trace, asked = experiment.trace, experiment.options
    if asked.prompt is None or asked.tokens is None:
        raise ConfigError(
            "is not given", where="prompt", mend="give prompt and tokens, or simulate inferences"
        )
    arrivals = _arrivals(asked)
    programs = programs_of(experiment)
    wanted = None if timeline is None else (*timeline, MOST_RECORDS)
    machine = Machine(programs[0].plan, asked.requests, timeline=wanted, programs=programs, cold=asked.cold)
    if on_progress is not None:
        total = machine.firings
        machine.env.on_progress = lambda done, now: on_progress(done, total, now)
    requests = Requests(asked.prompt, asked.tokens, arrivals, min(asked.sequences, asked.requests))
    routing = routing_of(trace, asked.prompt, asked.tokens, _routing_seed(experiment))
    generation = Generation(machine, requests, routing, asked.pace)
    machine.run(generation.serve())
    result = freeze(machine, trace, machine, experiment.identity)
    about = {name: experiment.identity[name] for name in ("prompt", "tokens", "requests", "places")}
    about |= {"rate_per_s": asked.rate, "seed": experiment.identity["seed"]}
    result.data.update(_figures(about, generation.sequences, result, aj_by_program(machine)))
    if trace.header.get("routing"):
        result.data["notes"].append(_on_routing(trace.header["routing"], asked.requests))
    pacing = generation.pacing()
    if pacing is not None:
        result.data.setdefault("controllers", []).append(row_of(pacing))
    if timeline is not None:
        result.recording = recording_of(machine, timeline)
    return result


def programs_of(experiment: Experiment) -> list[Program]:
    """Plan an experiment that generates: the prompt's program and, for more than one token, that of a step.

    Raises
    ------
    MappingError
        If the trace cannot generate, or does not fit.
    """
    asked = experiment.options
    assert asked.prompt is not None
    assert asked.tokens is not None
    programs = plan_generation(
        experiment.chip,
        experiment.trace,
        asked.prompt,
        asked.tokens,
        requests=asked.requests,
        places=min(asked.sequences, asked.requests),
        routing_seed=_routing_seed(experiment),
        options=asked,
        planner=find_plans,
    )
    if asked.mapping is not None:
        return programs
    require_effect(experiment.chip.config, asked.effort)
    return seated(programs, asked.effort)


def _routing_seed(experiment: Experiment) -> int | None:
    """Return the seed of the experts that tokens go to; None if the trace has none."""
    routing = experiment.trace.header.get("routing")
    return routing["seed"] + experiment.options.seed if routing else None


def _on_routing(routing: dict[str, Any], requests: int) -> str:
    """Say what was drawn."""
    text = (
        f"Tokens go to {routing['top']} of {routing['experts']} experts in each layer, drawn at random "
        f"({routing['distribution']})"
    )
    return text + ("; all prompts are routed like the first." if requests > 1 else ".")


def _arrivals(asked: Options) -> tuple[int, ...]:
    """Return when each prompt comes, fs."""
    requests, rate = asked.requests, asked.rate
    if rate is None:
        return (0,) * requests
    gaps = np.random.default_rng(asked.seed).exponential(FS_PER_S / rate, requests)
    if gaps.sum() > MAX_FS / 4:
        raise ConfigError(
            f"at {rate:g} a second, {requests} prompts take longer than can be counted", where="rate"
        )
    times = np.cumsum(gaps)
    return tuple(int(time) for time in times - times[0])


def _figures(
    about: dict[str, Any], sequences: list[Sequence], result: Result, dynamic_aj: dict[int, int]
) -> dict[str, Any]:
    """Return the figures of a run that generates."""
    first = [each.first_token_fs for each in sequences]
    between = [gap for each in sequences for gap in each.between_fs]
    steps = [each.between_fs for each in sequences]
    requests = about["requests"]
    tokens = requests * about["tokens"]
    spent = energy_by_pass(dynamic_aj, sequences, result)
    token_fs = None
    if about["tokens"] > 1:
        token_fs = {
            "first": _median([gaps[0] for gaps in steps]),
            "median": _median(between),
            "last": _median([gaps[-1] for gaps in steps]),
        }
    return {
        "first_token_fs": _median(first),
        "token_fs": token_fs,
        "tokens_per_s": tokens / result.latency_fs * FS_PER_S,
        "generation": {
            **about,
            "energy_aj": spent,
            "energy_per_prompt_pj": spent["prompt"] / AJ_PER_PJ / requests,
            "energy_per_token_pj": spent["decode"] / AJ_PER_PJ / (tokens - requests)
            if tokens > requests
            else None,
            "energy_over_tokens_pj": result.energy_pj["total"] / tokens,
            "first_token_percentiles_fs": _percentiles(first),
            "token_percentiles_fs": _percentiles(between),
            "sequences": [
                {"arrival_fs": each.arrival_fs, "token_fs": list(each.token_fs)} for each in sequences
            ],
        },
    }


def _median(values: list[int]) -> int:
    return round(float(np.median(values)))


def _percentiles(values: list[int]) -> dict[str, int] | None:
    if not values:
        return None
    return {str(p): round(float(np.percentile(values, p))) for p in PERCENTILES}
