"""What to know before runs are read side by side: differences that are assumptions, intervals that are not settled."""

from __future__ import annotations

from collections.abc import Iterator

from pimsim.result.result import Result


def assumed(results: tuple[Result, ...], names: tuple[str, ...]) -> Iterator[str]:
    """Say which parts off the chips have an energy in some of the runs and none in others."""
    parts = dict.fromkeys(part for result in results for part in result.energy_pj.get("off_chip", ()))
    for part in parts:
        shares = [result.energy_pj["by_part"].get(part) for result in results]
        counted = [
            f"{name} ({energy / result.energy_pj['total']:.0%})"
            for name, result, energy in zip(names, results, shares, strict=True)
            if energy and result.energy_pj["total"]
        ]
        left = [name for name, energy in zip(names, shares, strict=True) if not energy]
        if counted and left:
            yield (
                f"The energy of {part}, which stands beside the arrays' chip, is counted on {', '.join(counted)} and "
                f"not modelled on {', '.join(left)}: that difference is an assumption of the chip files, not of the "
                "designs; 'on the chip' leaves it out."
            )


def uncertain(results: tuple[Result, ...], names: tuple[str, ...]) -> Iterator[str]:
    """Say which intervals are not known to 1 %, and how far they are."""
    for name, result in zip(names, results, strict=True):
        if result.interval_how != "settled":
            yield f"The interval of {name} {_how_uncertain(result)}."


def _how_uncertain(result: Result) -> str:
    if result.interval_how == "mean":
        return f"is the mean of all {result.interval_batch} inferences, filling and draining included"
    if result.interval_error_fs is None:
        return "is what its busiest part needs, and may be longer; a larger --batch shows"
    within = 100 * result.interval_error_fs / result.interval_fs
    return f"has not settled: it is known within {within:.2g} %; a larger --batch tells more"
