"""Where time, energy and area went, by cause, part, op, tile or phase: all figures, as rows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pimsim.analysis.sums import sum_by
from pimsim.result.energy import AJ_PER_PJ
from pimsim.result.result import Result, data_frame

if TYPE_CHECKING:
    import pandas

Rows = list[dict[str, Any]]
STATES = ("working", "starved", "blocked", "denied", "over")


@dataclass(frozen=True)
class Breakdown:
    """One view of a result.

    Parameters
    ----------
    result : Result
        Of what.
    by : str
        ``cause``, ``part``, ``op``, ``tile`` or ``phase``.
    rows : list of dict
        A row each, the largest on the critical path first; a figure that is not modelled is None.
    """

    result: Result
    by: str
    rows: Rows

    def to_pandas(self) -> pandas.DataFrame:
        """Return the rows as a data frame.

        Raises
        ------
        ResultError
            If pandas is not installed.
        """
        return data_frame(self.rows)

    def __str__(self) -> str:
        from pimsim.report.breakdown import breakdown_text

        return breakdown_text(self)


def breakdown(result: Result, by: str = "cause") -> Breakdown:
    """Return where the time, energy and area of a run went.

    Parameters
    ----------
    result : Result
        Of what.
    by : {"cause", "part", "op", "tile", "phase"}
        ``cause``: rows of `cause`, `part`, `fs` (along the critical path) and `interval_fs`. ``part``: also energy,
        area, how busy and waited for it was. ``op``: also the states of its actors and by whom they were starved,
        blocked and held up. ``tile``: what it did, its power and buffer. ``phase``: rows of `phase`, `cause`, `part`,
        `fs`.

    Raises
    ------
    ValueError
        If there is no such view.
    """
    if by not in VIEWS:
        raise ValueError(f"no breakdown by {by!r}; there are: {', '.join(VIEWS)}")
    return Breakdown(result, by, VIEWS[by](result))


def _by_cause(result: Result) -> Rows:
    latency = sum_by(result.attribution, ("cause", "part"))
    interval = sum_by(result.interval_attribution, ("cause", "part"))
    return [
        {
            "cause": key[0],
            "part": key[1],
            "fs": latency.get(key, 0),
            "share": latency.get(key, 0) / result.latency_fs,
            "interval_fs": interval.get(key, 0),
            "interval_share": interval.get(key, 0) / result.interval_fs,
        }
        for key in {**latency, **interval}
    ]


def _by_part(result: Result) -> Rows:
    latency, interval = (
        sum_by(rows, ("part",)) for rows in (result.attribution, result.interval_attribution)
    )
    causes: dict[str, dict[str, int]] = defaultdict(dict)
    for (part, cause), fs in sum_by(result.attribution, ("part", "cause")).items():
        causes[part][cause] = fs
    energy, area = result.energy_pj, result.area_um2
    resources = result.resources
    parts = dict.fromkeys([*latency, *interval])
    names = dict.fromkeys(
        [
            *(key[0] for key in parts),
            *resources,
            *energy["by_part"],
            *energy["not_modelled"],
            *area["by_part"],
        ]
    )
    rows = []
    for part in names:
        used = resources.get(part)
        rows.append(
            {
                "part": part,
                "fs": latency.get((part,), 0),
                "share": latency.get((part,), 0) / result.latency_fs,
                "causes": causes.get(part, {}),
                "interval_fs": interval.get((part,), 0),
                "interval_share": interval.get((part,), 0) / result.interval_fs,
                "dynamic_pj": energy["dynamic"].get(part),
                "static_pj": energy["static"].get(part),
                "energy_pj": energy["by_part"].get(part),
                "area_um2": area["by_part"].get(part),
                "busiest": used["busiest"] if used else None,
                "busiest_share": used["busiest_fs"] / result.latency_fs if used else None,
                "visits": used["visits"] if used else None,
                "waited_fs": used["waited_fs"] if used else None,
            }
        )
    return sorted(rows, key=lambda row: (-row["fs"], -(row["energy_pj"] or 0), row["part"]))


def _by_op(result: Result) -> Rows:
    plan = {row["op"]: row for row in result.plan}
    interval = sum_by(result.interval_attribution, ("op",))
    causes: dict[str, dict[str, int]] = defaultdict(dict)
    for (op, cause, part), fs in sum_by(result.attribution, ("op", "cause", "part")).items():
        causes[op][f"{cause} {part}"] = fs
    rows = []
    for row in result.ops:
        time = row["actors"] * result.latency_fs
        planned = plan.get(row["op"], {})
        rows.append(
            {
                "op": row["op"],
                "type": planned.get("type"),
                "on": planned.get("on", "host"),
                "fs": row["critical_fs"],
                "share": row["critical_fs"] / result.latency_fs,
                "causes": causes.get(row["op"], {}),
                "interval_fs": interval.get((row["op"],), 0),
                "interval_share": interval.get((row["op"],), 0) / result.interval_fs,
                "energy_pj": row["energy_aj"] / AJ_PER_PJ,
                **{f"{state}_share": row[f"{state}_fs"] / time if time else 0.0 for state in STATES},
                **{key: value for key, value in row.items() if key not in ("op", "critical_fs", "energy_aj")},
            }
        )
    return sorted(rows, key=lambda row: -row["fs"])


def _by_tile(result: Result) -> Rows:
    rows = [{"share": row["critical_fs"] / result.latency_fs, **row} for row in result.tiles]
    return sorted(rows, key=lambda row: (-row["critical_fs"], row["tile"]))


def _by_phase(result: Result) -> Rows:
    return [
        {
            "phase": phase["phase"],
            "begin_fs": phase["begin_fs"],
            "end_fs": phase["end_fs"],
            "cause": cause,
            "part": part,
            "fs": fs,
            "share": fs / (phase["end_fs"] - phase["begin_fs"]),
        }
        for phase in result.phases
        for (cause, part), fs in sum_by(phase["attribution"], ("cause", "part")).items()
    ]


VIEWS = {"cause": _by_cause, "part": _by_part, "op": _by_op, "tile": _by_tile, "phase": _by_phase}
