"""The figures of a run, each with its name, its unit and what it means: for every form of report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pimsim.report.tables import NOT_MODELLED, share
from pimsim.units import format_si, format_time

if TYPE_CHECKING:
    from pimsim.result.result import Result

Figure = tuple[str, str, str]


def figures(result: Result) -> Iterator[Iterator[Figure]]:
    """Yield the figures of a run in groups: times, rates, costs, use. Each is a name, a value and a note."""
    for group in (_tokens, _times, _rates, _costs, _use):
        if group is not _tokens or "generation" in result.data:
            yield group(result)


def latency_bounds(result: Result) -> Iterator[tuple[str, int, str]]:
    """Yield what the latency is never less than: by what its plan asks for, and by any plan. A name, fs and a note."""
    bounds = result.bounds
    part = next((p for p, row in result.resources.items() if row["busiest"] == bounds["resource"]), "")
    yield "busiest resource", bounds["resource_fs"], f"{bounds['resource']} ({part})"
    yield "dependence chain", bounds["dependence_fs"], "one inference, nothing contended for"
    if bounds.get("chip_latency_fs"):
        by = bounds.get("chip_latency_by")  # an older result does not say
        yield "any plan", bounds["chip_latency_fs"], f"{by}, no transport" if by else "no transport"


def interval_bounds(result: Result) -> Iterator[tuple[str, int, str]]:
    """Yield what the interval is never less than, by its plan and by any plan, and what it is expected to be.

    Each is a name, fs and a note.
    """
    prediction, bounds = result.prediction, result.bounds
    first = prediction["busiest"][0]
    yield (
        "this plan",
        prediction["interval_fs"],
        f"{first['name']} ({first['what']}), most of it for {first['op']}",
    )
    expected_fs = prediction.get("expected_fs", 0)
    if expected_fs > prediction["interval_fs"]:
        yield "as expected", expected_fs, "with waits of packets at tiles' ports"
    chip_fs = bounds.get("chip_interval_fs")
    if chip_fs:
        over = prediction["interval_fs"] / chip_fs
        note = f"{bounds.get('chip_by') or 'parts'} at work, no transport; the plan is {over:.4g} times it"
        yield "any plan", chip_fs, note


def times_of(result: Result, bound_fs: int) -> str:
    """Say how far an interval that was measured is from a bound."""
    if result.prediction.get("error") is None:
        return "not measured"
    return f"{result.interval_fs / bound_fs:.4g} times it"


def _tokens(result: Result) -> Iterator[Figure]:
    about, token_fs = result.generation, result.token_fs
    asked = f"{about['requests']} prompt{'s' if about['requests'] > 1 else ''} of {about['prompt']} tokens"
    yield "first token", format_time(result.first_token_fs), f"median after the arrival of {asked}"
    if token_fs is not None:
        yield "next token", format_time(token_fs["median"]), f"median of {about['tokens'] - 1} a prompt"
        yield "  the first", format_time(token_fs["first"]), f"with {about['prompt']} tokens before"
        yield (
            "  the last",
            format_time(token_fs["last"]),
            f"with {about['prompt'] + about['tokens'] - 2} before",
        )
    if about["requests"] > 1:
        firsts, nexts = about["first_token_percentiles_fs"], about["token_percentiles_fs"]
        for percent in ("90", "99"):
            yield f"{percent} % first", format_time(firsts[percent]), "of the first tokens came in this time"
            if nexts is not None:
                yield f"{percent} % next", format_time(nexts[percent]), "of the tokens after them"
    yield (
        "tokens",
        f"{result.tokens_per_s:,.0f} a second"
        if result.tokens_per_s >= 1000
        else f"{result.tokens_per_s:.4g} a second",
        "of all prompts, over the latency",
    )
    yield from _energy_of_tokens(about)


def _energy_of_tokens(about: Mapping[str, Any]) -> Iterator[Figure]:
    """The prompt's and the decode's apart, and both over all tokens."""
    both = format_si(about["energy_over_tokens_pj"] * 1e-12, "J")
    yield (
        "energy a prompt",
        format_si(about["energy_per_prompt_pj"] * 1e-12, "J"),
        "of its pass, up to its first token",
    )
    if about["energy_per_token_pj"] is not None:
        yield (
            "energy a token",
            format_si(about["energy_per_token_pj"] * 1e-12, "J"),
            "of those after the first",
        )
    yield "  with prompts", both, "of all that is modelled, over all tokens"


def _times(result: Result) -> Iterator[Figure]:
    batch, rate = result.batch, result.inferences_per_s
    of_all = "" if batch == 1 else f" of all {batch}"
    yield "latency", format_time(result.latency_fs), f"first input in to last output out{of_all}"
    yield "first output", format_time(result.first_output_fs), "after the first input"
    yield "interval", format_time(result.interval_fs), _about_interval(result)
    yield (
        "throughput",
        f"{rate:,.0f} inf/s" if rate >= 1000 else f"{rate:.4g} inf/s",
        "inferences, at most" if result.interval_how == "bound" else "inferences, at that interval",
    )


def _about_interval(result: Result) -> str:
    """Say how the interval was found, in how long a run, and how sure it is."""
    how, seen = result.interval_how, result.interval_batch
    if how == "bound":
        return "or longer: the busiest part's work; a larger --batch shows"
    if how == "mean":
        return f"mean of all {seen}, filling and draining included"
    error, over = result.interval_error_fs, result.interval_over
    sure = "" if error is None else f" within {share(error / result.interval_fs)}"
    said = f"between outputs{sure}" if how == "settled" else f"not settled{sure}"
    return f"{said} ({over} of the first {seen})" if over else f"{said} (from the work of {seen})"


def _rates(result: Result) -> Iterator[Figure]:
    tops, peak = result.tops, result.peak["tops"]
    native = result.config["precision"]
    bits = f"{native['weight_bits']}-bit weights, {native['input_bits']}-bit inputs, 1 MAC = 2 ops"
    yield (
        "achieved",
        f"{tops['achieved']:.4g} TOPS",
        f"over the latency; {share(tops['achieved'] / peak)} of peak",
    )
    yield "steady", f"{tops['steady']:.4g} TOPS", f"over the interval; {share(tops['steady'] / peak)} of peak"
    yield "peak", f"{peak:.4g} TOPS", bits


def _costs(result: Result) -> Iterator[Figure]:
    energy, area, peak = result.energy_pj, result.area_um2, result.peak
    if energy["by_part"]:
        per_inference, mean_kw = (
            energy["total"] / result.batch,
            energy["total"] / result.latency_fs,
        )  # pJ/fs is kW
        at_peak = f"; {format_si(peak['watts'], 'W')} at peak" if peak["watts"] else ""
        yield "energy", format_si(per_inference * 1e-12, "J"), f"per inference{_without(energy)}"
        beside = energy.get("off_chip")
        if beside and energy["total"]:
            inside = energy["on_chip"] / result.batch
            yield (
                "  on the chip",
                format_si(inside * 1e-12, "J"),
                f"without {' and '.join(beside)}, {share(1 - energy['on_chip'] / energy['total'])}",
            )
        yield "power", format_si(mean_kw * 1e3, "W"), f"mean over the latency{at_peak}"
        at_peak = f"; {peak['tops'] / peak['watts']:.4g} at peak" if peak["watts"] else ""
        if result.tops["per_watt"] is None:
            yield "efficiency", "undefined", "the energy of all that is modelled is 0"
        else:
            yield "efficiency", f"{result.tops['per_watt']:.4g} TOPS/W", f"operations by energy{at_peak}"
    else:
        for name in ("energy", "power", "efficiency"):
            yield name, NOT_MODELLED, ""
    if area["by_part"]:
        chips = "1 chip" if result.chips == 1 else f"all {result.chips} chips"
        yield "area", f"{area['total'] * 1e-6:.4g} mm2", f"of {chips}{_without(area)}"
    else:
        yield "area", NOT_MODELLED, ""


def _without(figures: Mapping[str, Any]) -> str:
    """Say how many parts a sum lacks."""
    count = len(figures["not_modelled"])
    return f"; {count} part{'s' if count > 1 else ''} not modelled" if count else ""


def _use(result: Result) -> Iterator[Figure]:
    use = result.utilisation
    held = _held_in(result)
    if use["arrays_mapped"] is not None:
        yield (
            f"{held} in use",
            share(use["arrays_mapped"]),
            f"hold weights; {share(use['cells_mapped'])} of all cells do",
        )
    for row in result.data.get("wear", [])[:1]:  # the most often written
        yield "writes", f"{row['writes']:,}", f"of a cell of {row['op']} at most, {row['what']}"
        lifetime = row["lifetime_s"]
        yield (
            "worn out after",
            NOT_MODELLED if lifetime is None else _duration(lifetime),
            "the array has no endurance"
            if lifetime is None
            else f"at this rate, {row['endurance']:.4g} writes",
        )
    if use["arrays_busy"] is not None:
        yield f"{held} busy", share(use["arrays_busy"]), f"of the time of all {held}"
    if use["adcs_busy"] is not None:
        yield "ADCs busy", share(use["adcs_busy"]), "of the time of all ADCs"


def _held_in(result: Result) -> str:
    """Return what the run's weights are held in: arrays, or what a kind of site has in their place."""
    found = dict.fromkeys(
        row["on"] for row in result.plan if row["arrays"] and row["utilisation"] is not None
    )
    return " and ".join(found) or "arrays"


def _duration(seconds: float) -> str:
    """Write a time that may be years."""
    for unit, size in (("years", 365.25 * 86400), ("days", 86400), ("hours", 3600)):
        if seconds >= 2 * size:
            return f"{seconds / size:.4g} {unit}"
    return f"{seconds:.4g} s"
