"""Several results beside one another: the sentence, the figures, and what their differences are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pimsim.analysis.compare import compare
from pimsim.analysis.sums import sum_by
from pimsim.report.html import words
from pimsim.report.html.bars import Bit, bars, split
from pimsim.report.html.pieces import Chart, Part, Piece, Section, Table, Text
from pimsim.report.html.style import BLUE, ORANGE
from pimsim.report.tables import NOT_MODELLED, share
from pimsim.result.warnings import warned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pimsim.analysis.compare import Difference, Pair
    from pimsim.result.result import Result

TOP = 14
ABSENT = "absent"


def comparison(results: Sequence[Result]) -> Part:
    """Return the first result against each of the others.

    Raises
    ------
    ResultError
        If they cannot be compared.
    """
    found = compare(*results)
    verdict: list[Piece] = [Text(line) for line in [*found.sentence.splitlines(), *found.notes]]
    verdict += [
        Text(f"Warning: {label}: {text}")
        for label, result in zip(found.labels, results, strict=True)
        for text in warned(result.data)
    ]
    if any(result.network["approximate"] for result in results):
        verdict.append(Text("Runs by packet are approximate; by flit they may differ."))
    verdict.append(_figures(found.labels, found.figures))
    sections = [Section("verdict", "In short", verdict)]
    sections += [_pair(pair, i) for i, pair in enumerate(found.pairs)]
    return Part("compare", "Comparison", sections)


def _figures(labels: Sequence[str], rows: list[dict[str, Any]]) -> Table:
    cells = []
    for row in rows:
        line = [row["name"]]
        for value, relative in zip(row["values"], row["relative"], strict=True):
            line += [_write(value, row["unit"]), "" if relative is None else f"{relative:.4g}"]
        del line[2]  # the first against itself
        cells.append(line)
    columns = ["figure", labels[0]]
    for label in labels[1:]:
        columns += [label, f"relative to {labels[0]}"]
    return Table("Side by side", columns, cells)


def _write(value: float | None, unit: str) -> str:
    """Write a figure of a comparison with its unit."""
    if value is None:
        return NOT_MODELLED
    if unit == "fs":
        return words.time(value)
    if unit == "pJ":
        return words.energy(value * words.J_PER_PJ)
    if unit == "pJ fs":
        return words.energy(value * words.J_PER_PJ * 1e-15) + " s"
    if unit == "um2":
        return words.area(value)
    if unit:
        return f"{value:.4g} {unit}"
    return f"{value:,}" if isinstance(value, int) else share(value)


def _pair(pair: Pair, number: int) -> Section:
    """Return what the differences of a pair are made of."""
    pieces: list[Piece] = []
    for name, what, found in (
        ("latency", "latency", pair.latency),
        ("interval", "interval", pair.interval),
        ("energy", "energy", pair.energy),
    ):
        if not found.contributions:
            pieces.append(Text(f"The {what} is the same in every contribution."))
            continue
        keys = ("cause", "part") if found.unit == "fs" else ("part", "kind")
        pieces.append(
            _difference(f"{name}-by", f"{what.capitalize()} by {' and '.join(keys)}", found, keys, pair)
        )
        pieces.append(_difference(f"{name}-op", f"{what.capitalize()} by op", found, ("op",), pair))
    if pair.configuration:
        cells = [[row["path"], _plain(row["a"]), _plain(row["b"])] for row in pair.configuration]
        pieces.append(
            Table("Where the configurations differ", ["key", pair.a, pair.b], cells, words=3, closed=True)
        )
    else:
        pieces.append(Text("The configurations are the same."))
    return Section(f"pair{number}", f"{pair.b} against {pair.a}", pieces)


def _difference(name: str, title: str, found: Difference, keys: tuple[str, ...], pair: Pair) -> Chart | Text:
    """Return the contributions to a difference as bars to the left (less) and to the right (more)."""
    is_time = found.unit == "fs"
    rows = [row for row in found.contributions if keys != ("op",) or row["op"] is not None]
    sums = {", ".join(key): value for key, value in sum_by(rows, keys, found.unit).items() if value}
    if not sums:
        return Text(f"{title}: the same.")
    elsewhere = found.difference - sum(sums.values())
    shown, rest = split({key: float(value) for key, value in sums.items()}, TOP)
    bars_of: dict[str, int] = {key: sums[key] for key in shown}
    if rest:
        bars_of[f"{len(rest)} others"] = sum(sums[key] for key in rest)
    more, less = f"more on {pair.b}", f"less on {pair.b}"
    size = 1.0 if is_time else words.J_PER_AJ
    bits = [
        Bit(
            key,
            more if value > 0 else less,
            value * size,
            {
                ", ".join(keys): key,
                "difference": _signed(value, is_time),
                "of the whole difference": _part(value, found),
            },
        )
        for key, value in bars_of.items()
        if value
    ]
    largest = max((abs(bit.value) for bit in bits), default=0)
    unit = words.time_scale(largest) if is_time else words.scale(largest, "joules")
    cells = [[key, _signed(value, is_time), _part(value, found)] for key, value in sums.items()]
    about = (
        f"What {pair.b} has more (to the right) or less (to the left) than {pair.a}; the contributions sum to "
        f"{_signed(found.difference, is_time)}."
    )
    if elsewhere:
        about += f" Of them, {_signed(elsewhere, is_time)} is static and belongs to no op."
    if rest:
        about += f" The {TOP} largest are shown one by one; the last bar sums up the rest."
    table = Table(title, [", ".join(keys), "difference", "of the whole difference"], cells, closed=True)
    colours = {
        series: colour
        for series, colour in ((less, BLUE), (more, ORANGE))
        if any(b.series == series for b in bits)
    }
    return Chart(name, title, about, bars(bits, unit, "difference", colours, "against " + pair.a), table)


def _signed(value: float, is_time: bool) -> str:
    if is_time:
        return words.signed_time(value)
    return f"{'+' if value > 0 else ''}{words.energy(value * words.J_PER_AJ)}"


def _part(value: float, found: Difference) -> str:
    return share(value / found.difference) if found.difference else "they cancel out"


def _plain(value: object) -> str:
    if value is None:
        return ABSENT
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)
