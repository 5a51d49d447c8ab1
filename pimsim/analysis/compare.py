"""How runs of one model differ, and why: differences that their contributions sum to exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pimsim.analysis.causes import phrase
from pimsim.analysis.caveats import assumed, uncertain
from pimsim.analysis.controllers import side_by_side
from pimsim.analysis.sums import differences, sum_by
from pimsim.errors import ResultError
from pimsim.result.attribution import scaled
from pimsim.result.result import Result, data_frame
from pimsim.result.warnings import warned

if TYPE_CHECKING:
    import pandas

Rows = list[dict[str, Any]]
SAME = 0.0005  # relative; below it two times are called the same

_TEXTS = ("source", "notes", "description", "published")


@dataclass(frozen=True)
class Difference:
    """One figure of two runs.

    Parameters
    ----------
    unit : str
        ``fs`` or ``aj``: whole femtoseconds, or whole attojoules.
    a, b : int
        The figure of either.
    contributions : list of dict
        Rows of `cause`, `part`, `op` (time) or `part`, `op`, `kind` (energy) and of the unit: what B has more than A.
        They sum to ``b - a`` exactly; the largest movers come first.
    """

    unit: str
    a: int
    b: int
    contributions: Rows

    @property
    def difference(self) -> int:
        """What B has more than A."""
        return self.b - self.a

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        unit = self.unit
        return {
            f"a_{unit}": self.a,
            f"b_{unit}": self.b,
            f"difference_{unit}": self.difference,
            "contributions": self.contributions,
        }


@dataclass(frozen=True)
class Pair:
    """A run (B) against the first one (A).

    Parameters
    ----------
    a, b : str
        What they are called.
    latency, interval, energy : Difference
        Of the units of work that `Comparison.normalised` states.
    configuration : list of dict
        Rows of `path`, `a`, `b`: where the chips, the traces or the options differ; None is absent.
    sentence : str
        What matters.
    """

    a: str
    b: str
    latency: Difference
    interval: Difference
    energy: Difference
    configuration: Rows
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; the difference in latency and its contributions stand at the top."""
        return {
            "a": self.a,
            "b": self.b,
            "sentence": self.sentence,
            "difference_fs": self.latency.difference,
            "contributions": self.latency.contributions,
            "latency": self.latency.to_dict(),
            "interval": self.interval.to_dict(),
            "energy": self.energy.to_dict(),
            "configuration": self.configuration,
        }


@dataclass(frozen=True)
class Comparison:
    """Runs of one model side by side, the first against each of the others.

    Parameters
    ----------
    results : tuple of Result
        What is compared.
    labels : tuple of str
        What they are called.
    normalised : list of str
        What was brought to the same unit of work, in words.
    pairs : list of Pair
        Each of the others against the first.
    assumed : list of str
        Differences that are assumptions of the chip files and none of the designs, in words.
    uncertain : list of str
        Intervals that are not known to 1 %, and how far they are, in words.
    """

    results: tuple[Result, ...]
    labels: tuple[str, ...]
    normalised: list[str]
    pairs: list[Pair] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    uncertain: list[str] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """What to know before the figures are read side by side."""
        return [*self.normalised, *self.assumed, *self.uncertain]

    @property
    def sentence(self) -> str:
        """What matters, a sentence for each pair."""
        return "\n".join(pair.sentence for pair in self.pairs)

    @cached_property
    def figures(self) -> Rows:
        """Rows of `name`, `unit`, `values` and `relative` (to the first); None where it is not modelled."""
        columns = [_figures_of(result, result.batch if self.normalised else 1) for result in self.results]
        rows = []
        for line in zip(*columns, strict=True):
            name, unit, first = line[0]
            values = [value for _, _, value in line]
            relative = [value / first if value is not None and first else None for value in values]
            rows.append({"name": name, "unit": unit, "values": values, "relative": relative})
        return rows

    @cached_property
    def controllers(self) -> Rows:
        """Rows of `controller`, `where`, `figure` and `values`: what controllers did otherwise in the runs."""
        return side_by_side(self.results)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: of two runs their differences at the top, of more a list of such."""
        warnings = {name: warned(each.data) for name, each in zip(self.labels, self.results, strict=True)}
        warned_of = {"warnings": warnings} if any(warnings.values()) else {}
        data: dict[str, Any] = {
            "labels": list(self.labels),
            "normalised": self.normalised,
            "assumed": self.assumed,
            "uncertain": self.uncertain,
            "figures": self.figures,
            **({"controllers": self.controllers} if self.controllers else {}),
        }
        if len(self.pairs) == 1:
            return {**warned_of, **self.pairs[0].to_dict(), **data}
        return {**warned_of, **data, "comparisons": [pair.to_dict() for pair in self.pairs]}

    def to_pandas(self) -> pandas.DataFrame:
        """Return the contributions to the differences in latency as a data frame, a column `b` naming the run.

        Raises
        ------
        ResultError
            If pandas is not installed.
        """
        rows = [{"b": pair.b, **row} for pair in self.pairs for row in pair.latency.contributions]
        return data_frame(rows, ["b", "cause", "part", "op", "fs"])

    def __str__(self) -> str:
        from pimsim.report.comparison import comparison_text

        return comparison_text(self)


def _figures_of(result: Result, divisor: int) -> list[tuple[str, str, Any]]:
    """Name, unit and value of what stands side by side; time and energy are divided."""
    energy = result.energy_pj["total"] / divisor if result.energy_pj["by_part"] else None
    inside = result.energy_pj.get("on_chip") if result.energy_pj["by_part"] else None
    latency = result.latency_fs / divisor
    return [
        ("latency", "fs", latency),
        ("interval", "fs", result.interval_fs),
        ("energy", "pJ", energy),
        ("  on the chip", "pJ", None if inside is None else inside / divisor),
        ("energy x latency", "pJ fs", None if energy is None else energy * latency),
        ("area", "um2", result.area_um2["total"] if result.area_um2["by_part"] else None),
        ("achieved", "TOPS", result.tops["achieved"]),
        ("peak", "TOPS", result.peak["tops"]),
        ("efficiency", "TOPS/W", result.tops["per_watt"]),
        ("arrays busy", "", result.utilisation["arrays_busy"]),
        ("chips", "", result.chips),
    ]


def compare(*results: Result, labels: tuple[str, ...] | None = None) -> Comparison:
    """Compare runs of one model: the first with each of the others.

    Latency and energy are those of one inference, where the batches differ; the interval always is.

    Parameters
    ----------
    *results : Result
        Two or more.
    labels : tuple of str, optional
        What to call them; by default their chips, with a letter where those are the same.

    Raises
    ------
    ResultError
        If a comparison makes no sense: fewer than two, other models, other work, other versions of pimsim.
    """
    if len(results) < 2:
        raise ResultError(f"found {len(results)} results, expected two or more to compare")
    names = tuple(labels) if labels is not None else label(results)
    first = results[0]
    for name, other in zip(names[1:], results[1:], strict=True):
        _check(first, other, names[0], name)
    per_inference = len({result.batch for result in results}) > 1
    normalised = []
    if per_inference:
        batches = ", ".join(f"{n}: {r.batch}" for n, r in zip(names, results, strict=True))
        normalised.append(
            f"The batches differ ({batches}): latency and energy are those of the run divided by its inferences."
        )
    pairs = [
        _pair(first, other, names[0], name, per_inference)
        for name, other in zip(names[1:], results[1:], strict=True)
    ]
    return Comparison(
        results, names, normalised, pairs, list(assumed(results, names)), list(uncertain(results, names))
    )


def label(results: tuple[Result, ...]) -> tuple[str, ...]:
    """Return a name for each result: its chip, with a letter where chips share a name."""
    chips = [result.chip for result in results]
    return tuple(chip if chips.count(chip) == 1 else f"{chip} ({_letter(i)})" for i, chip in enumerate(chips))


def _letter(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else str(index + 1)


def _check(a: Result, b: Result, name_a: str, name_b: str) -> None:
    """Refuse to compare what is not the same work."""
    where = f"{name_a} and {name_b}"
    if a.model != b.model:
        raise ResultError(
            f"different models, {a.model!r:.60} and {b.model!r:.60}, expected runs of one model",
            where=where,
            mend="run the same trace on both chips",
        )
    work = a.macs // a.batch, b.macs // b.batch
    if work[0] != work[1]:
        raise ResultError(
            f"different work, {work[0]:,} and {work[1]:,} MACs an inference, expected the same",
            where=where,
            mend="run the same trace on both chips",
        )
    versions = a.identity["pimsim"], b.identity["pimsim"]
    if versions[0] != versions[1]:
        raise ResultError(
            f"simulated by different versions of pimsim, {versions[0]} and {versions[1]}, whose models may differ",
            where=where,
            mend="run the older one again",
        )


def _pair(a: Result, b: Result, name_a: str, name_b: str, per_inference: bool) -> Pair:
    latency = _difference(
        "fs", ("cause", "part", "op"), *(_latency(result, per_inference) for result in (a, b))
    )
    interval = _difference(
        "fs", ("cause", "part", "op"), *((r.interval_fs, r.interval_attribution) for r in (a, b))
    )
    energy = _difference("aj", ("part", "op", "kind"), *(_energy(r, per_inference) for r in (a, b)))
    sentence = _sentence(
        name_a, name_b, latency, _latency(a, per_inference)[1], _latency(b, per_inference)[1]
    )
    return Pair(name_a, name_b, latency, interval, energy, _configuration(a, b), sentence)


def _latency(result: Result, per_inference: bool) -> tuple[int, Rows]:
    if not per_inference:
        return result.latency_fs, result.attribution
    total = round(result.latency_fs / result.batch)
    return total, scaled(result.attribution, total)


def _energy(result: Result, per_inference: bool) -> tuple[int, Rows]:
    if not per_inference:
        return result.energy["total_aj"], result.energy["rows"]
    total = round(result.energy["total_aj"] / result.batch)
    return total, scaled(result.energy["rows"], total, "aj")


def _difference(unit: str, keys: tuple[str, ...], a: tuple[int, Rows], b: tuple[int, Rows]) -> Difference:
    return Difference(unit, a[0], b[0], differences(a[1], b[1], keys, unit))


# -- the sentence --------------------------------------------------------------------------------------------


def _sentence(name_a: str, name_b: str, latency: Difference, rows_a: Rows, rows_b: Rows) -> str:
    """Say which is faster, what moved most, and what holds most of the critical path now."""
    before, after = (sum_by(rows, ("cause", "part")) for rows in (rows_a, rows_b))
    largest, held = next(iter(after.items()))
    now = f"{phrase(*largest)} holds {_percent(held / latency.b)} of its critical path"
    if abs(latency.difference) <= SAME * latency.a:
        return f"{name_b} is as fast as {name_a}; {now}."
    faster = latency.b < latency.a
    ratio = latency.a / latency.b if faster else latency.b / latency.a
    moved = {key: after.get(key, 0) - before.get(key, 0) for key in {**before, **after}}
    mover = (min if faster else max)(moved, key=lambda key: (moved[key], key))
    verdict = f"{name_b} is {_times(ratio)} {'faster' if faster else 'slower'} than {name_a}"
    change = f"{phrase(*mover)} {_change(before.get(mover, 0), after.get(mover, 0))}"
    if mover == largest:
        return f"{verdict}: {change}, and holds {_percent(held / latency.b)} of its critical path."
    against = moved[largest] != 0 and (moved[largest] > 0) == faster
    return f"{verdict}: {change}, {'though' if against else 'and'} {now}{' now' if against else ''}."


def _times(ratio: float) -> str:
    return f"{ratio:.3g}x" if ratio < 1.095 else f"{ratio:.2g}x" if ratio < 100 else f"{ratio:,.0f}x"


def _change(before: int, after: int) -> str:
    """Say how a time changed, relative to what it was."""
    if not before:
        return "is new"
    if not after:
        return "is gone"
    percent = 100 * (after / before - 1)
    return f"{percent:+.0f} %" if percent < 900 else f"takes {after / before:,.0f} times as long"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


# -- what they were run with ---------------------------------------------------------------------------------


def _configuration(a: Result, b: Result) -> Rows:
    """Return where the chips, the traces and the options of two runs differ."""
    sides: list[dict[str, Any]] = []
    for result in (a, b):
        options = {key: result[key] for key in ("batch", "chips", "weight_bits", "input_bits")}
        options |= {key: result.identity.get(key) for key in ("pace", "cold")}
        trace = {"digest": result.identity["trace"], **_flat(result.trace)}
        sides.append(
            {
                **{f"run.{key}": value for key, value in options.items()},
                **{f"trace.{key}": value for key, value in trace.items()},
                **{f"chip.{key}": value for key, value in _flat(result.config).items()},
            }
        )
    before, after = sides
    paths = [*before, *(path for path in after if path not in before)]
    return [
        {"path": path, "a": before.get(path), "b": after.get(path)}
        for path in paths
        if before.get(path) != after.get(path)
    ]


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested data as paths and values, without texts."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        if key in _TEXTS:
            continue
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
