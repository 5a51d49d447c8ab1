"""Simulate a model that generates tokens, for one prompt or for many that come at random."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pimsim.chip import Chip
from pimsim.errors import ConfigError
from pimsim.machine.generation import Generation, Requests, Sequence
from pimsim.machine.machine import Machine
from pimsim.mapping.generation import plan_generation, routing_of
from pimsim.result.freeze import freeze
from pimsim.result.recording import MOST_RECORDS, recording_of
from pimsim.result.result import Result
from pimsim.run.simulate import check_options
from pimsim.trace.schema import Trace
from pimsim.units import FS_PER_S, MAX_FS

PERCENTILES = (50, 90, 95, 99)


def generate(
    chip: Chip,
    trace: Trace,
    prompt: int,
    tokens: int,
    *,
    requests: int = 1,
    rate: float | None = None,
    places: int | None = None,
    seed: int = 0,
    chips: int | None = None,
    weight_bits: int | None = None,
    input_bits: int | None = None,
    reload: bool = False,
    timeline: tuple[int, int] | None = None,
    on_progress: Callable[[int, int, int], None] | None = None,
) -> Result:
    """Take in prompts and generate tokens, each token after the one before, with a cache that grows.

    The first token comes out of the prompt's pass; each other one out of a pass of a single token. Of the prompt's
    outputs only the last position's is computed. With several requests, sequences share the chip: each goes on as soon
    as its own last token is out, and a new prompt joins as soon as a place is free.

    Parameters
    ----------
    chip : Chip
        What to run on.
    trace : Trace
        What to run, with the symbols ``seq`` and ``kv``.
    prompt, tokens : int
        Tokens of each prompt, and tokens to generate for it.
    requests : int
        How many prompts come.
    rate : float, optional
        Prompts a second, at random times (exponential gaps, drawn with `seed`); without it all come at time 0.
    places : int, optional
        Sequences that may be under way at once; by default all.
    seed : int
        Of the random times and, added to the trace's own, of the experts that tokens go to.
    chips, weight_bits, input_bits, reload, timeline, on_progress
        As for `simulate`.

    Returns
    -------
    Result
        As of `simulate`, a request being an inference; with ``first_token_fs``, ``token_fs``, ``tokens_per_s`` and
        ``generation``.

    Raises
    ------
    ConfigError
        If a number is out of its range.
    MappingError
        If the trace cannot generate, or does not fit.
    SimulationError
        If the machine cannot go on.
    """
    check_options(batch=requests, chips=chips, weight_bits=weight_bits, input_bits=input_bits)
    places = check_counts(prompt, tokens, requests, places)
    counts = {"prompt": prompt, "tokens": tokens, "requests": requests, "places": places}
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        raise ConfigError(f"found {seed!r:.30}, expected a whole number from 0", where="seed")
    arrivals = _arrivals(requests, rate, seed)
    routing = trace.header.get("routing")
    routing_seed = routing["seed"] + seed if routing else None
    programs = plan_generation(
        chip,
        trace,
        prompt,
        tokens,
        requests=requests,
        places=min(places, requests),
        routing_seed=routing_seed,
        chips=chips,
        weight_bits=weight_bits,
        input_bits=input_bits,
        reload=reload,
    )
    wanted = None if timeline is None else (*timeline, MOST_RECORDS)
    machine = Machine(programs[0].plan, requests, timeline=wanted, programs=programs)
    if on_progress is not None:
        total = machine.firings
        machine.env.on_progress = lambda done, now: on_progress(done, total, now)
    asked = Requests(prompt, tokens, arrivals, min(places, requests))
    generation = Generation(machine, asked, routing_of(trace, prompt, tokens, routing_seed))
    machine.run(generation.serve())
    about = {**counts, "rate_per_s": rate, "seed": None if rate is None and not routing else seed}
    result = freeze(machine, trace, machine, chips, about)
    result.data.update(_figures(about, generation.sequences, result))
    if routing:
        result.data["notes"].append(_on_routing(routing, requests))
    if timeline is not None:
        result.recording = recording_of(machine, timeline)
    return result


def _on_routing(routing: dict[str, Any], requests: int) -> str:
    """Say what was drawn."""
    text = (
        f"Tokens go to {routing['top']} of {routing['experts']} experts in each layer, drawn at random "
        f"({routing['distribution']})"
    )
    return text + ("; all prompts are routed like the first." if requests > 1 else ".")


def check_counts(prompt: int, tokens: int, requests: int, places: int | None) -> int:
    """Check what is asked for and return the places: as many as there are requests, unless they are given.

    Raises
    ------
    ConfigError
        If a number is out of its range.
    """
    places = requests if places is None else places
    counts = {"prompt": prompt, "tokens": tokens, "requests": requests, "places": places}
    for name, value in counts.items():
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1_000_000:
            raise ConfigError(f"found {value!r:.30}, expected a whole number from 1 to 1000000", where=name)
    return places


def _arrivals(requests: int, rate: float | None, seed: int) -> tuple[int, ...]:
    """Return when each prompt comes, fs."""
    if rate is None:
        return (0,) * requests
    if not isinstance(rate, int | float) or isinstance(rate, bool) or not 0 < rate < math.inf:
        raise ConfigError(f"found {rate!r:.30}, expected prompts a second, more than 0", where="rate")
    gaps = np.random.default_rng(seed).exponential(FS_PER_S / rate, requests)
    if gaps.sum() > MAX_FS / 4:
        raise ConfigError(
            f"at {rate:g} a second, {requests} prompts take longer than can be counted", where="rate"
        )
    times = np.cumsum(gaps)
    return tuple(int(time) for time in times - times[0])


def _figures(about: dict[str, Any], sequences: list[Sequence], result: Result) -> dict[str, Any]:
    """Return the figures of a run that generates."""
    first = [each.first_token_fs for each in sequences]
    between = [gap for each in sequences for gap in each.between_fs]
    steps = [each.between_fs for each in sequences]
    tokens = about["requests"] * about["tokens"]
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
            "energy_per_token_pj": result.energy_pj["total"] / tokens,
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
