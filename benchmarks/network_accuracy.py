"""How exact the network is: pimsim against every row of BookSim2's tables, written to ``docs/network-accuracy.md``.

    python benchmarks/network_accuracy.py

Takes about five minutes on one core.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pimsim.network.figures import Load  # noqa: E402
from pimsim.network.measure import T_95, measure  # noqa: E402
from pimsim.network.traffic import pattern  # noqa: E402
from tests.published import test_booksim  # noqa: E402
from tests.published.booksim import tables  # noqa: E402

PAGE = ROOT / "docs" / "network-accuracy.md"
SEEDS = (1, 2, 3, 4, 5)
BANDS = ((0.5, 0.02), (0.8, 0.05), (0.95, 0.10))
NAMES = ("up to 50 %", "50 to 80 %", "80 to 95 %", "above 95 %")
CALIBRATION, MAKESPAN, SATURATION, OVERLOAD = 0.005, 0.03, 0.03, 0.03
STEP = 1.02  # from one rate to the next where saturation is looked for
PERIOD = 1500  # cycles of a period there, in both simulators
MANY = tuple(range(1, 101))  # seeds of a batch that chance decides
FORTY = tuple(range(1, 41))  # seeds of a rate that misses its tolerance, to see what was chance


@dataclass
class Line:
    """One network at one rate.

    Parameters
    ----------
    row : dict of str to str
        One of its series' rows.
    rate : float
        Flits a terminal and cycle.
    share : float
        Of saturation.
    table, seeds : list of float
        BookSim2's mean latency in each row of the tables, and with every seed there is.
    load : Load
        pimsim's.
    """

    row: dict[str, str]
    rate: float
    share: float
    table: list[float]
    seeds: list[float]
    load: Load

    @property
    def label(self) -> str:
        """Name of its series."""
        return label(self.row)

    @property
    def band(self) -> int:
        """Number of its band; the last is beyond all that have a tolerance."""
        return next((i for i, (most, _) in enumerate(BANDS) if self.share <= most), len(BANDS))

    @property
    def tolerance(self) -> float | None:
        """Relative; None beyond the bands."""
        if self.band == len(BANDS):
            return None
        allowed = BANDS[self.band][1]
        if self.band == len(BANDS) - 1:
            allowed = max(allowed, (self.load.latency_ci95 or 0.0) / float(np.mean(self.table)))
        return allowed

    def difference(self, against: list[float]) -> float | None:
        """Return pimsim's latency over BookSim2's, less one; None if pimsim calls the load unstable."""
        latency = self.load.latency_cycles
        return None if latency is None else latency / float(np.mean(against)) - 1

    def holds(self, against: list[float]) -> bool | None:
        """Whether the difference is within the tolerance; None beyond the bands."""
        if self.tolerance is None:
            return None
        difference = self.difference(against)
        return difference is not None and abs(difference) <= self.tolerance

    def noise(self, rows: int) -> float:
        """Return half the 95 % interval of a difference, as wide as the seeds of both simulators spread."""
        ours = (self.load.latency_ci95 or 0.0) / T_95[len(SEEDS) - 2]
        theirs = float(np.std(self.seeds, ddof=1)) if len(self.seeds) > 1 else 0.0
        return 1.96 * math.sqrt(ours**2 + theirs**2 / rows) / float(np.mean(self.seeds))

    def reason(self) -> str:
        """Say what a difference against the tables is likely due to."""
        difference = self.difference(self.table)
        if difference is None:
            return "pimsim calls the load unstable"
        if len(self.seeds) > len(self.table) and self.holds(self.seeds):
            return "the table's seed: the mean of all holds"
        if abs(difference) <= self.noise(len(self.table)):
            return "within the spread of seeds"
        return "more than the spread of seeds"


@dataclass
class Knee:
    """Saturation of a series in both simulators; None if there is none below 1."""

    label: str
    alone: float
    booksim: float | None
    ours: float | None


def say(text: str) -> None:
    print(f"{time.process_time():6.0f} s  {text}", flush=True)


def label(row: dict[str, str]) -> str:
    """Name a series by what differs from the base configuration."""
    names = {"routing_delay": "rd", "vc_alloc_delay": "va", "sw_alloc_delay": "sa", "st_final_delay": "st"}
    more = [f"{short} {row[name]}" for name, short in names.items() if row.get(name, "1") != "1"]
    more += [f"credit {row['credit_delay']}"] if row.get("credit_delay", "0") != "0" else []
    more += ["speculative"] if row.get("speculative") == "1" else []
    words = [tables.spec(row), row["pattern"].strip(), f"L {row['packet_size']}", f"{row['vcs']} VC"]
    return ", ".join([*words, *([f"buffer {row['buf']}"] if row["buf"] != "8" else []), *more])


def knee(row: dict[str, str], points: dict[float, float | None]) -> Knee:
    """Find saturation in BookSim2's points and, at the same rates and as many more as it takes, in pimsim."""
    built, size = tables.fabric(row), int(row["packet_size"])
    rule, alone = pattern(row["pattern"], built.topology), tables.zero_load(built, row["pattern"], size)
    ours: dict[float, float | None] = {}

    def latency(rate: float) -> float:
        if rate not in ours:
            ours[rate] = measure(built, rule, rate, size, SEEDS, PERIOD).latency_cycles
        return ours[rate] or math.inf

    for rate in points:
        latency(rate)
    while latency(min(ours)) >= tables.KNEE * alone:
        latency(min(ours) / STEP)
    while latency(max(ours)) < tables.KNEE * alone and max(ours) < 1:
        latency(min(1.0, max(ours) * STEP))
    return Knee(label(row), alone, tables.saturation(points, alone), tables.saturation(ours, alone))


def knees() -> dict[tuple[str, ...], Knee]:
    found = {}
    for key, points in tables.brackets().items():
        row = dict(zip(tables.SERIES, key, strict=True))
        found[key] = knee(row, points)
        say(f"saturation: {found[key].label}: {found[key].booksim} {found[key].ours}")
    return found


def load_of(row: dict[str, str], rate: float, seeds: tuple[int, ...]) -> Load:
    built = tables.fabric(row)
    return measure(built, pattern(row["pattern"], built.topology), rate, int(row["packet_size"]), seeds)


def latencies(found: dict[tuple[str, ...], Knee]) -> list[Line]:
    """Measure every rate of every series that the tables hold."""
    lines = []
    for key, series in tables.series().items():
        limit = (found[key].booksim if key in found else None) or 1.0
        for rate, rows in sorted(series.shared.items()):
            load = load_of(series.row, rate, SEEDS)
            table = [latency for _, latency in rows]
            lines.append(Line(series.row, rate, rate / limit, table, series.means(rate), load))
        say(f"latency: {label(series.row)}")
    return lines


# -- sections --------------------------------------------------------------------------------------------------


def table(heading: str, rows: list[list[str]], left: int = 1) -> str:
    """Write a Markdown table; so many columns are aligned to the left."""
    names = heading.split("|")
    rule = ["---" if i < left else "---:" for i in range(len(names))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [names, rule, *rows])


def percent(value: float | None, digits: int = 1) -> str:
    return "unstable" if value is None else f"{100 * value:+.{digits}f} %"


def answer(holds: bool | None) -> str:
    return "–" if holds is None else "yes" if holds else "**no**"


def zero_load_section() -> str:
    rows = []
    sizes = (1, 2, 7)
    for shape in test_booksim.SHAPES:
        topology = test_booksim.from_spec(shape)
        packets = wrong = 0
        for pipeline in test_booksim.PIPELINES:
            router = test_booksim.router_of(pipeline)
            found, expected = test_booksim.idle_latencies(topology, router, sizes)
            packets += len(found)
            wrong += sum(a != b for a, b in zip(found, expected, strict=True))
        rows.append([shape, str(packets), str(wrong)])
    say("packets alone")
    lengths = ", ".join(map(str, sizes))
    return f"""One packet at a time over every route between every two terminals, of {lengths} flits, through
{len(test_booksim.PIPELINES)} pipelines: route 0 to 2, VC and switch allocation 1 to 3, traversal 0 to 3 cycles,
speculative or not, links of 1 to 4 cycles. *Differ* counts packets whose latency is not exactly
`R·(rd + va + sa + st) + (R − 1)·link + 3 + (L − 1)`, with R from the terminals' numbers by arithmetic, not from a
route; with `speculative`, `max(va, sa)` stands for `va + sa`.

{table("network|packets|differ", rows)}"""


def calibration_section() -> str:
    rows = []
    for row in tables.rows("calib_2node"):
        size, built = int(row["packet_size"]), tables.fabric(row)
        booksim = float(row["accepted_flits"])
        ours = tables.accepted(built, row["pattern"], size, 2000)
        verdict = answer(abs(ours / booksim - 1) <= CALIBRATION)
        if row["wait_for_tail_credit"] == test_booksim.TAIL_CREDIT:
            verdict = "not modelled"
        elif test_booksim.dry(row):
            verdict = "sources run dry"
        columns = (
            *("packet_size", "vcs", "buf", "routing_delay", "credit_delay", "speculative"),
            *("vc_allocator", "alloc_iters", "wait_for_tail_credit"),
        )
        cells = [row[column] for column in columns]
        rows.append([*cells, f"{booksim:.4f}", f"{ours:.4f}", percent(ours / booksim - 1, 2), verdict])
    heading = (
        "L|VCs|buffer|rd|credit|speculative|allocator|iterations|tail credit|BookSim2|pimsim|difference|holds"
    )
    say("two nodes")
    return f"""Flits delivered a node and cycle in 6 000 cycles behind 6 000 of warm-up; in pimsim, from sources that
always have a packet.

{table(heading, rows)}

- *Not modelled*: the row waits for the credit of a tail before a virtual channel is granted again
  (`wait_for_tail_credit = 1`). pimsim has no such option; all the row's other columns are those of the row with 0.6667.
- *Sources run dry*: the link carries all that is offered. BookSim2's sources decide by chance whether a packet begins
  and offer 1 flit a cycle in the mean only; with two channels nothing holds these packets up, so now and then a source
  has none and a cycle is lost. The row shows that loss with one seed, not the link, which carries 1.
  {dry_means()}
- Three iterations of the allocator, or a separable one, make no difference here; pimsim has iSLIP with one."""


def dry_means() -> str:
    row = next(row for row in tables.rows("calib_2node") if test_booksim.dry(row))
    built, size = tables.fabric(row), int(row["packet_size"])
    booksim = [float(other["accepted_flits"]) for other in tables.rows("calib_2node_seeds", vcs=row["vcs"])]
    ours = [tables.accepted(built, row["pattern"], size, 2000, rate=1.0, seed=seed) for seed in MANY]
    mean, our = float(np.mean(booksim)), float(np.mean(ours))
    return (
        f"From sources by chance in both: {mean:.4f} in BookSim2 (mean of {len(booksim)} seeds), {our:.4f} in pimsim "
        f"({len(ours)} seeds; {percent(our / mean - 1, 2)})."
    )


def makespan_section() -> str:
    names = ("topology", "k", "n", "pattern", "packet_size", "vcs", "routing_delay", "packets_per_node")
    batches: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in test_booksim.BATCHES:
        batches.setdefault(tuple(row.get(name, "2") for name in names), []).append(row)
    more: dict[tuple[str, ...], list[int]] = {}
    for row in tables.rows("makespan_seeds"):
        more.setdefault(tuple(row[name] for name in names), []).append(int(row["makespan"]))
    rows = []
    for batch, found in batches.items():
        row, chance = found[0], test_booksim.by_chance(found[0])
        booksim = more[batch] if chance else [int(row["makespan"])]
        ours = test_booksim.makespans(row, MANY if chance else (1, 2))
        mean, our = float(np.mean(booksim)), float(np.mean(ours))
        kind = f"means of {len(booksim)} and {len(ours)} seeds" if chance else "no chance in it"
        figures = [f"{value:.1f}" if chance else f"{value:.0f}" for value in (mean, our)]
        name = f"{label(row)}, {row['packets_per_node']} a node"
        given = ", ".join(sorted({each["makespan"] for each in found}))
        holds = answer(abs(our / mean - 1) <= MAKESPAN)
        rows.append([name, given, *figures, percent(our / mean - 1, 2), kind, holds])
    say("batches")
    return table("batch|table's rows|BookSim2|pimsim|difference|compared|holds", rows)


def overload_section() -> str:
    rows = []
    more: dict[tuple[str, ...], list[float]] = {}
    for row in tables.rows("overload_seeds"):
        more.setdefault(tables.key(row), []).append(float(row["accepted_flits"]))
    for row in tables.rows("mesh", "topologies", sim_type="throughput"):
        if row["k"] == "2":
            continue  # the two nodes again
        built, size = tables.fabric(row), int(row["packet_size"])
        rate, booksim = float(row["injection_rate"]), float(row["accepted_flits"])
        found = [tables.accepted(built, row["pattern"], size, 1000, rate=rate, seed=seed) for seed in SEEDS]
        ours, mean = float(np.mean(found)), float(np.mean([booksim, *more[tables.key(row)]]))
        differences = ours / booksim - 1, ours / mean - 1
        figures = [f"{value:.4f}" for value in (booksim, mean, ours)]
        holds = [answer(abs(difference) <= OVERLOAD) for difference in differences]
        rows.append([label(row), f"{rate:g}", *figures, *map(percent, differences), *holds])
    say("overload")
    held = [sum(row[column] == "yes" for row in rows) for column in (-2, -1)]
    heading = "series|rate|table|mean of 5|pimsim|to the table|to the mean|holds, table|holds, mean"
    return f"""More than the network takes: flits delivered a terminal and cycle in 3 000 cycles behind 3 000 of
warm-up. The tables have one seed; means are of five, in both. Within {100 * OVERLOAD:.0f} %: {held[0]} of {len(rows)}
rows of the tables, {held[1]} of the means.

{table(heading, rows)}"""


def knee_section(found: list[Knee]) -> str:
    rows, held, compared = [], 0, 0
    for each in found:
        difference, holds = None, each.booksim is each.ours
        if each.booksim is not None and each.ours is not None:
            difference = each.ours / each.booksim - 1
            holds = abs(difference) <= SATURATION
            held, compared = held + holds, compared + 1
        figures = ["none below 1" if value is None else f"{value:.4f}" for value in (each.booksim, each.ours)]
        shown = "" if difference is None else percent(difference)
        rows.append([each.label, f"{each.alone:.1f}", *figures, shown, answer(holds)])
    heading = "series|packets alone, cycles|BookSim2|pimsim|difference|holds"
    return f"{held} of {compared} within {100 * SATURATION:.0f} %.\n\n{table(heading, rows)}"


def summary_section(lines: list[Line]) -> str:
    rows = []
    for i, name in enumerate(NAMES):
        own = [line for line in lines if line.band == i]
        cells = [name, str(len(own))]
        for against in ("table", "seeds"):
            held = sum(bool(line.holds(getattr(line, against))) for line in own)
            cells.append(f"{held} of {len(own)}" if i < len(BANDS) else "–")
        found = [difference for line in own if (difference := line.difference(line.seeds)) is not None]
        cells += [f"{100 * float(np.median(np.abs(found))):.2f} %", percent(float(np.mean(found)), 2)]
        rows.append(cells)
    return table("share of saturation|rates|table's rows|all seeds|median difference|mean difference", rows)


def miss_section(lines: list[Line]) -> str:
    rows = []
    for line in lines:
        if line.holds(line.table) is not False and line.holds(line.seeds) is not False:
            continue
        differences = [
            f"{percent(line.difference(values))} ({len(values)})" for values in (line.table, line.seeds)
        ]
        allowed, spread = (
            f"{100 * (line.tolerance or 0):.1f} %",
            f"± {100 * line.noise(len(line.table)):.1f} %",
        )
        known = [
            float(row["avg_packet_latency"])
            for row in tables.rows("latency_more_seeds")
            if tables.key(row) == tables.key(line.row) and float(row["injection_rate"]) == line.rate
        ]
        known += line.seeds
        latency = load_of(line.row, line.rate, FORTY).latency_cycles
        more = f"{percent(latency / float(np.mean(known)) - 1) if latency else 'unstable'} ({len(known)})"
        name = [line.label, f"{line.rate:g}", f"{100 * line.share:.0f} %", allowed]
        rows.append([*name, *differences, spread, more, line.reason()])
    heading = "series|rate|share|tolerance|to the table (rows)|to all (seeds)|spread|40 seeds to (seeds)|likely reason"
    return table(heading, rows)


def latency_section(lines: list[Line]) -> str:
    heading = (
        "rate|share|table (rows)|all seeds|pimsim|95 %|to the table|to all|tolerance|holds, table|holds, all"
    )
    parts = []
    for name in dict.fromkeys(line.label for line in lines):
        own = [line for line in lines if line.label == name]
        parts.append(f"**{name}**\n\n{table(heading, [latency_row(line) for line in own], 0)}")
    return "\n\n".join(parts)


def latency_row(line: Line) -> list[str]:
    load, both = line.load, (line.table, line.seeds)
    latency = "unstable" if load.latency_cycles is None else f"{load.latency_cycles:.2f}"
    return [
        *(f"{line.rate:g}", f"{100 * line.share:.0f} %"),
        *(f"{np.mean(values):.2f} ({len(values)})" for values in both),
        *(latency, "" if load.latency_ci95 is None else f"± {load.latency_ci95:.2f}"),
        *(percent(line.difference(values)) for values in both),
        "–" if line.tolerance is None else f"{100 * line.tolerance:.1f} %",
        *(answer(line.holds(values)) for values in both),
    ]


def method_section() -> str:
    return f"""# How exact the network is

[docs/network.md](network.md) says how the network works; this page compares it with BookSim2 (Jiang et al., ISPASS
2013; commit 28f43299), row by row. `python benchmarks/network_accuracy.py` measures pimsim and writes this page; the
tables are in [tests/published/booksim](../tests/published/booksim/README.md), with how they were measured.
`tests/published/test_booksim.py` holds a selection of it in every test run.

## What is asked

| figure | tolerance |
|---|---|
| latency of a packet alone | none |
| throughput of one link at full load | 0.5 % |
| mean latency, up to 50 % of saturation | 2 % |
| mean latency, 50 to 80 % | 5 % |
| mean latency, 80 to 95 % | 10 %, or half the 95 % interval over pimsim's five seeds if that is wider |
| mean latency, above 95 % | none stated: listed, not judged |
| saturation | 3 % |
| time of a batch | 3 % |
| throughput under overload | {100 * OVERLOAD:.0f} % |

## How it is compared

- **Latency** is the mean over packets from creation to the tail's arrival, then the mean of seeds 1 to 5, as
  `pimsim noc --seeds 5` gives it, with pimsim's own choice of periods. It is compared twice: with *the table's rows*,
  one seed of BookSim2 in most of `booksim_mesh.csv` and three in `booksim_topologies.csv`, and with *the mean of all
  seeds* of BookSim2 there are, five with those of `booksim_latency_seeds.csv`. Nothing widens a tolerance because
  a row has one seed.
- **The 95 % interval** is Student's, over pimsim's five seeds. *Spread*, where differences are listed, is 1.96 standard
  deviations of the difference of the two means, as far as the seeds of both simulators scatter: what chance explains in
  19 of 20 cases.
- **Saturation** is the rate at which mean latency (five seeds, periods of {PERIOD} cycles, in both simulators) is
  {tables.KNEE:g} times that of packets alone. Both are measured at the same rates, {100 * (STEP - 1):.0f} % apart, that
  bracket it (`booksim_saturation.csv`); between two of them the inverse of the latency is interpolated, an unstable
  rate counting as 0. The share of saturation of a rate is its share of BookSim2's; where there is none below 1 flit a
  terminal and cycle, the most that can be offered, it is the share of 1.
- Above saturation the throughput that is left says something else, and is compared by itself (overload)."""


def page(lines: list[Line], found: list[Knee]) -> str:
    return f"""{method_section()}

## Latency: summary

{summary_section(lines)}

*Median* and *mean difference* are against the mean of all seeds.

### What does not hold

Every rate that misses its tolerance, against the table's rows or against the mean of all seeds. *40 seeds
to* runs more seeds of pimsim, and compares a rate that misses both with more of BookSim2 as well
(`booksim_latency_more_seeds.csv`); it decides nothing here, but tells chance from error.

{miss_section(lines)}

## Packets alone

{zero_load_section()}

## Two nodes at full load

{calibration_section()}

## Time of a batch

{makespan_section()}

## Saturation

{knee_section(found)}

## Overload

{overload_section()}

## Latency: every rate

{latency_section(lines)}
"""


def main() -> None:
    found = knees()
    lines = latencies(found)
    PAGE.write_text(page(lines, list(found.values())))
    say(f"written: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
