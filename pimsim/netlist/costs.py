"""What visits cost, as the engine counts them: a row a step, or a row for each argument that the step may have."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

from pimsim.chip.base import Energy
from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import Growing, Owner, Step, Tree
from pimsim_core.kernel import record_dtype

COLUMNS = ("occupancy", "latency", "flits", "charge", "op", "program", "tally", "bursts")


class Costs:
    """The rows of costs of a netlist, and where those of each step and tree begin.

    A visit counts for the op and the program that the step's path belongs to. Growing paths that cost the same and
    have one owner share their rows.

    Parameters
    ----------
    net : Netlist
        A whole machine.
    """

    def __init__(self, net: Netlist) -> None:
        self.net = net
        self.steps: list[tuple[int, int, int]] = []
        """Of each step, the first of its rows, the selector of its argument (-1 is none), and how many rows."""
        self._rows: list[tuple[int, ...]] = []
        self._part_id = {name: i for i, name in enumerate(net.energy_parts)}
        self._op_id = {name: i for i, name in enumerate(net.ops)}
        self._charges: dict[Energy, int] = {}
        self._known: list[list[tuple[int, float]]] = []
        self._tables: dict[tuple[Hashable, Owner | None], int] = {}
        self._grown: dict[Hashable, list[tuple[Step, ...]]] = {}
        growing = {row.path: row for row in net.growing}
        for number, path in enumerate(net.paths):
            owner = net.path_owners.get(number)
            if number in growing:
                self._add_growing(growing[number], owner)
                continue
            for step in path:
                self.steps.append((self._add([step], owner), -1, 1))
        self.trees = [
            self._add([tree], net.owner_of(cast.actor)) for cast in net.casts for tree in cast.trees
        ]

    def _add(self, visits: list[Step] | list[Tree], owner: Owner | None) -> int:
        """Append a row for each visit, and return the first."""
        first = len(self._rows)
        whose = (-1, -1) if owner is None else (self._op_id[owner.op], owner.program)
        for visit in visits:
            timed, bursts = (0, 0, 0), 0
            if isinstance(visit, Step):
                timed = visit.occupancy, visit.latency, visit.flits
                bursts = visit.access.bursts if visit.access is not None else 0
            counted = self._charge(visit.energy), *whose, self.net.add_tally(visit.tally)
            self._rows.append((*timed, *counted, bursts))
        return first

    def _add_growing(self, row: Growing, owner: Owner | None) -> None:
        key, number = (row.key, owner), row.last - row.first + 1
        if row.key not in self._grown:
            self._grown[row.key] = [row.at(argument) for argument in range(row.first, row.last + 1)]
        grown = self._grown[row.key]
        if key not in self._tables:
            self._tables[key] = len(self._rows)
            for step in range(len(grown[0])):
                self._add([path[step] for path in grown], owner)
        first = self._tables[key]
        self.steps += [(first + step * number, row.selector, number) for step in range(len(grown[0]))]

    def _charge(self, energy: Energy) -> int:
        """The kind of what a visit costs, -1 where that is nothing or not known."""
        if energy not in self._charges:
            known = [(self._part_id[part], pj) for part, pj in energy if pj is not None]
            self._charges[energy] = len(self._known) if known else -1
            if known:
                self._known.append(known)
        return self._charges[energy]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return ``costs``, and the kinds of what visits cost: ``charge_…``."""
        rows = np.zeros(len(self._rows), dtype=record_dtype("cost"))
        for column, name in enumerate(COLUMNS):
            rows[name] = [row[column] for row in self._rows]
        return {
            "costs": rows,
            "charge_ptr": np.cumsum([0, *map(len, self._known)]).astype(np.int32),
            "charge_part": np.array([part for kind in self._known for part, _ in kind], dtype=np.int32),
            "charge_pj": np.array([pj for kind in self._known for _, pj in kind], dtype=np.float64),
            "charge_sum": np.array([sum(pj for _, pj in kind) for kind in self._known], dtype=np.float64),
        }
