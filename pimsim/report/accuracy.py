"""What a model answers on a chip, as a terminal report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pimsim.report.tables import heading, plain, share, table
from pimsim.units import format_time

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pimsim.run.accuracy import AccuracyResult

SPANS = ((31_536_000.0, "y"), (86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
MOST_LAYERS = 24


def accuracy_report(result: AccuracyResult) -> list[RenderableType]:
    """Return the pieces of a report: the answers, then what ops lose, then what was switched off, then notes."""
    data = result.data
    counted = f"{data['identity']['samples']:,} samples of {data['values']}"
    seeds = data["identity"]["seeds"]
    pieces: list[RenderableType] = [
        heading(f"{data['model']} on {data['chips']} x {data['chip']}: answers", first=True),
        plain(
            f"{counted}, {seeds} seed{'s' * (seeds > 1)} of what is drawn"
            if data["identity"]["seed"] is not None
            else f"{counted}; nothing is drawn"
        ),
        _answers(data),
        plain(
            f"latency {format_time(data['latency_fs'])}, interval {format_time(data['interval_fs'])}, "
            f"{data['energy_pj'] / 1e6:.4g} uJ an inference"
        ),
        heading("What each op on arrays loses (signal to error, dB)"),
        _layers(result.layers),
    ]
    if len(result.layers) > MOST_LAYERS:
        pieces.append(plain(f"... {len(result.layers) - MOST_LAYERS} more; all of them with --json or -o"))
    if result.causes:
        pieces += [heading("What costs accuracy: each switched off, alone"), _causes(result)]
    return [*pieces, heading("Notes"), *(plain(f"- {note}") for note in data["notes"])]


def _answers(data: Mapping[str, Any]) -> RenderableType:
    labelled = "top1" in data["floats"]
    columns = ["top-1", "95 %"] if labelled else []
    rows = table("answers", *columns, "as in floats", "cosine", "error")
    named = [
        ("in floats", data["floats"]),
        (_widths(data), data["integers"]),
        *((_on_chip(data, row), row) for row in data["times"]),
    ]
    for name, row in named:
        cells = []
        if labelled:
            low, high = row["top1_95"]
            cells = [f"{100 * row['top1']:.2f} %", f"{100 * low:.1f} to {100 * high:.1f}"]
        rows.add_row(plain(name), *cells, share(row["same_choice"]), f"{row['cosine']:.5f}", _error(row))
    return rows


def _widths(data: Mapping[str, Any]) -> str:
    layers = data["layers"]
    weights = sorted({each["weight_bits"] for each in layers})
    inputs = sorted({each["input_bits"] for each in layers})
    return f"integers, weights of {_or(weights)}, inputs of {_or(inputs)} bits"


def _or(numbers: list[int]) -> str:
    return " or ".join(map(str, numbers))


def _on_chip(data: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    at = row["after_s"]
    return f"on {data['chip']}" + ("" if at == 0 and len(data["times"]) == 1 else f" after {span(at)}")


def span(seconds: float) -> str:
    """Write seconds in the largest unit that leaves at least one."""
    size, unit = next(((size, unit) for size, unit in SPANS if seconds >= size), (1.0, "s"))
    return f"{seconds / size:.4g} {unit}"


def _error(row: Mapping[str, Any]) -> str:
    return f"{100 * row['relative_error']:.3g} %"


def _layers(layers: list[dict[str, Any]]) -> RenderableType:
    rows = table("op", "rows x outputs", "arrays", "copies", "alone", "with all before")
    for each in layers[:MOST_LAYERS]:
        rows.add_row(
            plain(each["op"]),
            f"{each['rows']} x {each['outputs']}",
            str(each["arrays"]),
            str(each["copies"]),
            _decibels(each["own_snr_db"]),
            _decibels(each["snr_db"]),
        )
    return rows


def _decibels(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.1f}"


def _causes(result: AccuracyResult) -> RenderableType:
    labelled = "top1" in result.data["floats"]
    rows = table("off", *(["top-1"] if labelled else []), "as in floats", "cosine", "error")
    for each in result.causes:
        cells = [f"{100 * each['top1']:.2f} %"] if labelled else []
        rows.add_row(each["off"], *cells, share(each["same_choice"]), f"{each['cosine']:.5f}", _error(each))
    return rows
