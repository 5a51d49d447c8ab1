"""The roofline of a run: how fast each op was, against what its parts and the ways to them allow.

S. Williams, A. Waterman and D. Patterson, "Roofline: an insightful visual performance model for multicore
architectures", Communications of the ACM 52(4), 2009. Here a byte is one that crosses the network or a bus into an
op's buffers or out of them; weights are in the arrays and move nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from pimsim.chip import Chip
from pimsim.mapping.flow.rules import rule_of
from pimsim.result.result import Result
from pimsim.units import FS_PER_S

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Roofline:
    """Ops and ceilings.

    Parameters
    ----------
    points : list of dict
        A row for every op that does something and moves something: `op`, `type`, `on` (``arrays`` or a digital unit),
        `ops_per_byte`, `gops` (1e9 operations a second, from its first start to its last end; 1 MAC = 2 operations, an
        element on a digital unit is 1, of a product 2), `ceiling_gops` (the lowest of those of the parts that it
        uses), `bound` (which that is) and `share` (of it; a little above 1 where a window's first rows had come before
        the first firing).
    ceilings : list of dict
        Rows of `name` and of `gops` (arrays, converters, digital units) or `gb_per_s` (network, buses, buffers), of all
        chips together.
    not_modelled : list of str
        Ceilings that one might look for.
    """

    points: Rows
    ceilings: Rows
    not_modelled: list[str]


def roofline(result: Result) -> Roofline:
    """Return the roofline of a run.

    Parameters
    ----------
    result : Result
        Of one run, with its whole configuration.
    """
    rates = _Rates(result)
    plan = {row["op"]: row for row in result.plan}
    points = []
    for row in result.ops:
        planned = plan.get(row["op"])
        work, moved = 2 * row["macs"] or row["elements"], row["bytes_in"] + row["bytes_out"]
        end = max(row["end_fs"], row.get("done_fs", 0))  # all of its work, though no output waits for some
        if planned is None or not work or end <= row["begin_fs"]:
            continue
        gops = work / (end - row["begin_fs"]) * FS_PER_S / 1e9
        own = rates.of_op(planned, row, work)
        bound = min(own, key=lambda name: (own[name], name))
        points.append(
            {
                "op": row["op"],
                "type": planned["type"],
                "on": planned["on"],
                "ops_per_byte": work / moved if moved else None,
                "gops": gops,
                "ceiling_gops": own[bound],
                "bound": bound,
                "share": gops / own[bound],
            }
        )
    return Roofline(
        points,
        rates.of_chips(),
        ["off-chip memory: weights are resident; what caches read from it has no ceiling here"],
    )


class _Rates:
    """What the parts of a run's chips can do at most."""

    def __init__(self, result: Result) -> None:
        self.result = result
        self.config = Chip.from_dict(result.config).config

    def of_chips(self) -> Rows:
        """The ceilings of all chips together; sites that bound the same thing add up."""
        config, chips = self.config, self.result.chips
        gops: dict[str, float] = defaultdict(float)
        moved: dict[str, float] = defaultdict(float)
        for site in config.working.values():
            for name, rate in site.ceilings(
                self.result.weight_widths[0], self.result.input_widths[0]
            ).items():
                gops[name] += rate * chips
            for name, rate in self._ways(site).items():
                moved[name] += rate * site.count * chips
        return [
            *({"name": name, "gops": rate} for name, rate in gops.items()),
            *({"name": name, "gb_per_s": rate} for name, rate in moved.items()),
        ]

    def _ways(self, site: Any) -> dict[str, float]:
        """What moves data into and out of a site, in GB/s."""
        return {
            "network": self.config.network.gb_per_s(self.config.clocks),
            **site.ways(),
        }

    def _firings(self, planned: dict[str, Any], row: dict[str, Any]) -> int:
        """Return how often an op fired in the run, copies together; results of older versions have no figure of it."""
        firings: int = row.get("positions", planned["firings"] * self.result.batch)
        return firings

    def of_op(self, planned: dict[str, Any], row: dict[str, Any], work: float) -> dict[str, float]:
        """The ceilings of one op, by the parts that it has: its arrays or units, and its tiles' ways in and out."""
        tiles = max(1, len(planned["tiles"]))
        site: Any = self.config.sites[planned["site"]]
        if planned["arrays"]:
            together = planned["replicas"] if planned.get("slices", 1) == 1 else 1  # slices fire together
            each = work / self._firings(planned, row) * together
            bits = planned.get("input_bits") or self.result.input_bits
            own: dict[str, float] = site.slot_ceilings(each, bits, tiles)
        else:
            unit = site.digital[planned["on"]]
            ops = (
                2 if rule_of(planned["type"]).multiplies else 1
            )  # of an element: there it is a multiply-accumulate
            rate = (
                ops
                / site.ops_of(planned["on"])
                * site.unit_gops(planned["on"], max(planned["weight_bits"] or 0, self.result.input_bits))
            )
            own = {"digital units": rate / (unit.cost_of(planned["type"]) or 1.0) * tiles}
        crossing = {
            "network": max(row["network_bytes_in"], row["network_bytes_out"]),  # either way at once
            "buses": row["bytes_in"],  # read at least once
            "buffers": 2 * row["bytes_in"],  # written, and read at least once
        }
        # What comes before the first firing and leaves after the last is not within the op's time.
        each_fires = self._firings(planned, row) / planned["replicas"]
        overlapped = 0.0 if planned.get("at_once") else 1 - 1 / each_fires
        ways = self._ways(site)
        if "memory" in ways:  # what a kernel itself reads and writes
            size = sum(row[f"bytes_{way}"] - row[f"network_bytes_{way}"] for way in ("in", "out"))
            own["memory"] = work / size * ways["memory"] * tiles
        for name, size in crossing.items():
            if size and overlapped > 0:
                own[name] = work / (size * overlapped) * ways[name] * tiles
        return own
