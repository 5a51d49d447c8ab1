"""`pimsim.accuracy`: one call for the answers of a model on a chip, beside their time and energy."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import numpy.typing as npt

from pimsim import __version__
from pimsim.chip import Chip
from pimsim.errors import ConfigError
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.planning.options import PlanKeywords, check_count
from pimsim.result.result import digest_of
from pimsim.run.answers import CONVERTER, Answers, Layer, Setting, similarity
from pimsim.run.experiment import experiment_of
from pimsim.run.simulate import simulate
from pimsim.trace.schema import Trace
from pimsim.values.errors import DRIFT, EFFECTS, WIRES
from pimsim.values.sidecar import Floats, Sidecar

if TYPE_CHECKING:
    import pandas

SCHEMA = "pimsim-accuracy/1"
CALIBRATE = 64
"""Samples that set scales and ranges, by default."""
MOST_SEEDS, MOST_TIMES = 1000, 100
MOST_SECONDS = 1e10
Z = 1.959963984540054
"""Of the normal distribution: within so many standard deviations lie 95 %."""


class AccuracyResult:
    """What a model answers on a chip.

    Parameters
    ----------
    data : dict
        Everything, as plain data; ``docs/accuracy.md`` says what each figure means.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data

    @property
    def times(self) -> list[dict[str, Any]]:
        """A row for each time since the weights were written."""
        return list(self.data["times"])

    @property
    def layers(self) -> list[dict[str, Any]]:
        """A row for each op on arrays."""
        return list(self.data["layers"])

    @property
    def causes(self) -> list[dict[str, Any]]:
        """A row for each thing that was switched off, alone; empty unless asked for."""
        return list(self.data["causes"])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return self.data

    def to_json(self) -> str:
        """Return everything as JSON."""
        return json.dumps(self.data, indent=1) + "\n"

    def to_pandas(self) -> pandas.DataFrame:
        """Return the rows by time as a frame; needs pandas."""
        import pandas

        return pandas.json_normalize(self.times)


class AccuracyInterrupted(KeyboardInterrupt):
    """Ctrl-C came when some of the runs were through.

    Parameters
    ----------
    result : AccuracyResult
        Of those.
    """

    def __init__(self, result: AccuracyResult) -> None:
        super().__init__()
        self.result = result


def accuracy(
    chip: Chip,
    trace: Trace,
    values: Sidecar | str | Path,
    *,
    samples: int | None = None,
    seeds: int = 1,
    after_s: Sequence[float] = (0.0,),
    calibrate: int = CALIBRATE,
    causes: bool = False,
    seed: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
    **options: Unpack[PlanKeywords],
) -> AccuracyResult:
    """Compute what a model answers on a chip, from the same plan, slices and converters that are simulated.

    Weights are cells of the chip's arrays, block by block and copy by copy as the plan has them; inputs are read phase
    by phase; sums are converted, shifted and added. Ops that are not on arrays are computed in float32. Devices do what
    their technology is known for (`pimsim.chip.devices`), and no more: the result says what is not modelled.

    Parameters
    ----------
    chip : Chip
        What to compute on.
    trace : Trace
        The model.
    values : Sidecar or path
        Its weights and samples: `Sidecar.beside` or `Sidecar.load`, or the path of an ``.npz`` file.
    samples : int, optional
        How many, the first ones; by default all.
    seeds : int
        How often everything that is drawn is drawn anew.
    after_s : sequence of float
        Times since the weights were written, in seconds.
    calibrate : int
        How many samples set the scales of inputs and the ranges of converters, the first ones.
    causes : bool
        Also switch each thing that costs accuracy off, one at a time, at the last of the times.
    seed : int
        The first of the seeds.
    on_progress : callable, optional
        Called now and then with the samples computed, over all seeds and times, and all there are to compute.
    **options
        Of the plan: ``chips``, ``weight_bits``, ``input_bits``, ``effort``: see `pimsim.Options`.

    Returns
    -------
    AccuracyResult
        Answers against those in floats and in integers, by time; what each op loses; latency, interval and energy.

    Raises
    ------
    ConfigError
        If an option is wrong.
    MappingError
        If the model does not fit, or nothing of it is on arrays.
    TraceError
        If the values do not fit the trace, or an op cannot be computed.
    AccuracyInterrupted
        If Ctrl-C comes when a run is through: a KeyboardInterrupt that has the result of those that are.
    """
    experiment = experiment_of(chip, trace, dict(options))
    if not isinstance(values, Sidecar):
        values = Sidecar.load(experiment.trace, Path(values))
    count, times = _asked(values, samples, seeds, after_s, calibrate, seed)
    plan = make_plan(experiment.chip, experiment.trace, experiment.options)
    answers = Answers(plan, experiment.trace, values, count, min(calibrate, count))
    effects = answers.effects
    drawn = bool(effects - {CONVERTER, WIRES})
    runs = seeds if drawn else 1
    still = len(times) > 1 and DRIFT not in effects
    times = times[:1] if still else times
    cases = _cases(effects) if causes else []
    total = count * (2 + len(times) * runs + len(cases))
    done = 0

    def progress(more: int) -> None:
        nonlocal done
        done += more
        if on_progress is not None:
            on_progress(min(done, total), total)

    answers.on_progress = progress
    floats = answers.in_floats()
    integers = answers.in_integers()
    timed = simulate(experiment)
    layers: dict[str, Layer] = {}
    found: dict[float, list[Floats]] = {}
    switched: list[dict[str, Any]] = []
    stopped = False
    try:
        for time in times:
            for n in range(runs):
                first = None if found else layers
                outputs = answers.on_chip(Setting(effects, time, seed + n), first)
                found.setdefault(time, []).append(outputs)
        for name, of in cases:
            outputs = answers.on_chip(Setting(of, times[-1], seed))
            switched.append({"off": name, **_figures([outputs], floats, values.labels)})
    except KeyboardInterrupt:
        if not found:
            raise
        stopped = True
    if causes and not stopped:
        switched.append({"off": "all of these", **_figures([integers], floats, values.labels)})
    rows = [{"after_s": time, **_figures(each, floats, values.labels)} for time, each in found.items()]
    about = {
        "pimsim": __version__,
        "experiment": experiment.identity["digest"],
        "values": values.digest,
        "samples": count,
        "seeds": runs,
        "seed": seed if drawn else None,
        "calibrate": min(calibrate, count),
    }
    notes = _notes(answers, values, still)
    if stopped:
        done_runs = sum(map(len, found.values()))
        notes.insert(
            0, f"Interrupted: {done_runs} of {len(times) * runs} runs (times, seeds) are in these figures."
        )
    result = AccuracyResult(
        {
            "schema": SCHEMA,
            "identity": {"digest": digest_of({**about, "after_s": times, "causes": causes}), **about},
            "chip": experiment.chip.config.name,
            "model": experiment.trace.model,
            "values": Path(values.where).name,
            "chips": plan.package.chips,
            "floats": _figures([floats], floats, values.labels),
            "integers": _figures([integers], floats, values.labels),
            "times": rows,
            "layers": [_layer(answers, name, each) for name, each in layers.items()],
            "causes": switched,
            "latency_fs": timed.latency_fs,
            "interval_fs": timed.interval_fs,
            "energy_pj": timed.data["energy_pj"]["total"],
            "notes": notes,
        }
    )
    if stopped:
        raise AccuracyInterrupted(result)
    return result


def _asked(
    values: Sidecar, samples: int | None, seeds: int, after_s: Sequence[float], calibrate: int, seed: int
) -> tuple[int, list[float]]:
    """Check what is asked; return the samples and the times."""
    if samples is not None:
        check_count("samples", samples, values.samples)
    check_count("seeds", seeds, MOST_SEEDS)
    check_count("calibrate", calibrate, 10**9)
    check_count("seed", seed, 2**31)
    times = [float(time) for time in after_s]
    if not 1 <= len(times) <= MOST_TIMES:
        raise ConfigError(f"found {len(times)} times, expected 1 to {MOST_TIMES}", where="after")
    for time in times:
        if not (math.isfinite(time) and 0 <= time <= MOST_SECONDS):
            raise ConfigError(f"found {time!r}, expected a time from 0 to {MOST_SECONDS:g} s", where="after")
    return samples or values.samples, times


def _cases(effects: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    """Return what is switched off, and what is left."""
    return [(name, effects - {name}) for name in (*EFFECTS, CONVERTER) if name in effects]


def _figures(runs: Sequence[Floats], floats: Floats, labels: npt.NDArray[np.int64] | None) -> dict[str, Any]:
    """Return how near answers are to those in floats, and with labels how many are right, over all runs."""
    wanted = floats.reshape(-1, floats.shape[-1]).argmax(axis=1)
    picks = [each.reshape(-1, each.shape[-1]).argmax(axis=1) for each in runs]
    near = [similarity(each, floats) for each in runs]
    found: dict[str, Any] = {
        name: float(np.mean([each[name] for each in near])) for name in ("cosine", "relative_error")
    }
    found["same_choice"] = float(np.mean([pick == wanted for pick in picks]))
    if labels is not None and len(wanted) == len(floats):
        right = labels[: len(floats)]
        shares = [float(np.mean(pick == right)) for pick in picks]
        found |= {
            "top1": float(np.mean(shares)),
            "top1_95": _interval(shares, len(right)),
            "top1_by_seed": shares,
        }
    return found


def _interval(shares: Sequence[float], samples: int) -> list[float]:
    """Return the 95 % interval of a share: Wilson's over samples, and the spread of the seeds' mean beside it.

    Wilson, J. Am. Stat. Assoc. 22 (1927); the two are independent, so their squares add up.
    """
    mean, n = float(np.mean(shares)), samples
    middle = (mean + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(mean * (1 - mean) / n + Z * Z / (4 * n * n))
    seeds = Z * float(np.std(shares, ddof=1)) / math.sqrt(len(shares)) if len(shares) > 1 else 0.0
    low, high = (
        mean - math.hypot(mean - (middle - half), seeds),
        mean + math.hypot(middle + half - mean, seeds),
    )
    return [max(0.0, low), min(1.0, high)]


def _layer(answers: Answers, name: str, layer: Layer) -> dict[str, Any]:
    each = answers.on_arrays[name]
    form = each.analog.form
    return {
        "op": name,
        "type": each.op.type,
        "rows": each.codes.shape[0],
        "outputs": each.codes.shape[1],
        "arrays": len(each.analog.pieces),
        "copies": max(1, len(each.positions)),
        "weight_bits": form.weight_bits,
        "input_bits": form.input_bits,
        "signed_inputs": each.inputs.signed,
        "own_snr_db": _decibels(layer.product, layer.own),
        "snr_db": _decibels(layer.signal, layer.all),
    }


def _decibels(signal: float, error: float) -> float | None:
    """Ten times the logarithm of a ratio of powers; None where nothing is lost, or there is no signal."""
    return 10 * math.log10(signal / error) if error > 0 and signal > 0 else None


def _notes(answers: Answers, values: Sidecar, still: bool) -> list[str]:
    """What is approximate, and what is not modelled."""
    notes = (
        ["The answers at other times are not modelled: no device here is known to drift."] if still else []
    )
    others = sorted({op.type for op in answers.trace.ops if op.name not in answers.on_arrays} - {"Input"})
    if others:
        notes.append(f"Computed in float32, what units round is not modelled: {', '.join(others)}.")
    for name, device in answers.devices.items():
        notes += [f"{name}: {what} is not modelled, {why}." for what, why in device.not_modelled.items()]
    if WIRES not in answers.effects:
        notes.append(
            "IR drop is not modelled: core.array.wire_ohm is not given, or cells have no conductances."
        )
    notes.append(
        "Not modelled: offset, gain and nonlinearity of converters. Sums of inputs are digital, and exact; so is what "
        "cells at their least conductance add."
    )
    if answers.calibrate < answers.samples or values.labels is not None:
        notes.append(
            f"Scales of inputs, and ranges of converters by samples, come from the first {answers.calibrate} of the "
            "samples that are answered."
        )
    return notes
