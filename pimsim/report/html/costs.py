"""What a run cost: energy by part and op, power over time, area by part."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pimsim.report.html import words
from pimsim.report.html.bars import Bit, bars, palette, split
from pimsim.report.html.pieces import Chart, Piece, Section, Table, Text
from pimsim.report.html.power import power_over_time
from pimsim.report.html.style import BLUE, GREY
from pimsim.report.tables import NOT_MODELLED, share

if TYPE_CHECKING:
    from pimsim.result.result import Result

PARTS, OPS = 16, 20
KINDS = {"dynamic": BLUE, "static": GREY}


def costs(result: Result) -> Section:
    """Return energy, power and area."""
    pieces: list[Piece] = []
    if result.energy["rows"]:
        pieces.append(energy_by_part(result))
    else:
        pieces.append(Text("Energy and power are not modelled for any part of this chip."))
    if result.area_um2["by_part"]:
        pieces.append(area_by_part(result))
    else:
        pieces.append(Text("Area is not modelled for any part of this chip."))
    if any(row["op"] is not None for row in result.energy["rows"]):
        pieces.append(energy_by_op(result))
    if result.energy["rows"]:
        pieces += power_over_time(result)
    return Section("costs", "Energy, power and area", pieces)


def energy_by_part(result: Result) -> Chart:
    """Return the energy of the run by part, dynamic and static."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in result.energy["rows"]:
        sums[row["part"]][row["kind"]] += row["aj"]
    totals: dict[str, float] = {part: sum(kinds.values()) for part, kinds in sums.items()}
    shown, rest = split(totals, PARTS)
    if rest:
        shown.append(others := f"{len(rest)} other parts")
        for part in rest:
            for kind, aj in sums[part].items():
                sums[others][kind] += aj
    whole = result.energy["total_aj"]
    bits = [
        Bit(part, kind, aj * words.J_PER_AJ, _about("part", part, kind, aj, whole))
        for part in shown
        for kind in KINDS
        if (aj := sums[part].get(kind, 0))
    ]
    missing = result.energy_pj["not_modelled"]
    static = any(row["kind"] == "static" for row in result.energy["rows"])
    cells = [
        [
            part,
            *(_joules(sums[part][kind]) if kind in sums[part] else NOT_MODELLED for kind in KINDS),
            _joules(totals[part]),
            share(totals[part] / whole) if whole else "",
        ]
        for part in sorted(totals, key=lambda part: (-totals[part], part))
    ] + [[part, NOT_MODELLED, NOT_MODELLED, NOT_MODELLED, ""] for part in missing]
    return Chart(
        "energy-part",
        "Energy by part",
        _lacking(
            f"Energy of the run, {_joules(whole)} in all.",
            [] if static else ["static power of any part"],
            missing,
        ),
        bars(
            bits,
            _scale(bits),
            "energy",
            {kind: KINDS[kind] for kind in KINDS if any(b.series == kind for b in bits)},
            "kind",
        ),
        Table("Energy by part", ["part", "dynamic", "static", "total", "share"], cells, closed=True),
    )


def energy_by_op(result: Result) -> Chart:
    """Return the energy of the run by op, cut by part; static energy belongs to none."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    parts: dict[str, int] = defaultdict(int)
    static = 0
    for row in result.energy["rows"]:
        if row["op"] is None:
            static += row["aj"]
            continue
        sums[row["op"]][row["part"]] += row["aj"]
        parts[row["part"]] += row["aj"]
    totals: dict[str, float] = {op: sum(each.values()) for op, each in sums.items()}
    shown, rest = split(totals, OPS)
    if rest:
        shown.append(others := f"{len(rest)} other ops")
        for op in rest:
            for part, aj in sums[op].items():
                sums[others][part] += aj
    named, small = split(dict(parts), 6)
    colours = palette(named, "other parts" if small else "")
    whole = result.energy["total_aj"]
    bits = []
    for op in shown:
        cut: dict[str, int] = defaultdict(int)
        for part, aj in sums[op].items():
            cut[part if part in named else "other parts"] += aj
        bits += [
            Bit(op, part, cut[part] * words.J_PER_AJ, _about("op", op, part, cut[part], whole))
            for part in colours
            if cut.get(part)
        ]
    cells = [
        [op, f"{part}, {_joules(most)}", _joules(aj), share(aj / whole) if whole else ""]
        for op, aj in sorted(totals.items(), key=lambda item: (-item[1], item[0]))
        for part, most in [max(sums[op].items(), key=lambda item: (item[1], item[0]))]
    ]
    about = "Dynamic energy of an op's actions and of the packets that it sends, cut by part."
    if static:
        about += f" Static energy, {_joules(static)}, belongs to no op."
    if rest:
        about += f" The {OPS} largest are shown one by one; the last bar sums up the rest."
    return Chart(
        "energy-op",
        "Energy by op",
        about,
        bars(bits, _scale(bits), "dynamic energy", colours, "part"),
        Table("Energy by op", ["op", "most of it", "dynamic", "share of all energy"], cells, 2, closed=True),
        wide=True,
    )


def area_by_part(result: Result) -> Chart:
    """Return the area of all chips by part."""
    by_part, missing = result.area_um2["by_part"], result.area_um2["not_modelled"]
    order = sorted(by_part, key=lambda part: (-by_part[part], part))
    whole = result.area_um2["total"]
    bits = [
        Bit(
            part,
            "area",
            by_part[part] * 1e-6,
            {"part": part, "area": words.area(by_part[part]), "share": share(by_part[part] / (whole or 1))},
        )
        for part in order
    ]
    cells = [[part, words.area(by_part[part]), share(by_part[part] / (whole or 1))] for part in order]
    cells += [[part, NOT_MODELLED, ""] for part in missing]
    return Chart(
        "area",
        "Area by part",
        _lacking(
            f"Area of {'the chip' if result.chips == 1 else f'all {result.chips} chips'}, {words.area(whole)} in all.",
            [],
            missing,
        ),
        bars(bits, words.Scale(1, "square millimetres"), "area", {"area": BLUE}),
        Table("Area by part", ["part", "area", "share"], cells, closed=True),
    )


def _about(key: str, name: str, kind: str, aj: int, whole: int) -> dict[str, str]:
    second = "kind" if key == "part" else "part"
    return {
        key: name,
        second: kind,
        "energy": _joules(aj),
        "share of all energy": share(aj / whole) if whole else "",
    }


def _joules(aj: float) -> str:
    return words.energy(aj * words.J_PER_AJ)


def _scale(bits: Iterable[Bit]) -> words.Scale:
    sums: dict[str, float] = defaultdict(float)
    for bit in bits:
        sums[bit.name] += bit.value
    return words.scale(max(sums.values(), default=0), "joules")


def _lacking(about: str, kinds: list[str], parts: list[str]) -> str:
    missing = [*kinds, *parts]
    return f"{about} Not modelled, and not in it: {', '.join(missing)}." if missing else about
