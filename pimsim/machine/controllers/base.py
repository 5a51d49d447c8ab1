"""What all controllers have in common: started with the machine, and asked at the end what they have done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import simpy

if TYPE_CHECKING:
    from pimsim.chip.control import Control
    from pimsim.chip.site import Site
    from pimsim.machine.environment import Job
    from pimsim.machine.machine import Machine
    from pimsim.netlist.rows import Step


Change = Callable[["Step"], "Step"]
"""Says what a visit has become."""


class Span(NamedTuple):
    """Something that a controller did or let be, to be drawn."""

    begin_fs: int
    end_fs: int
    name: str
    tile: int | None


@dataclass
class Deeds:
    """What a controller has done in a run.

    Parameters
    ----------
    controller : str
        Which: ``power``, ``calibration``, …
    where : str
        The sites or the part that it ran, as results call them.
    times : int
        How often it acted.
    held_fs : int
        How long it held parts, over all of them, fs.
    energy_pj : float
        What that cost, pJ, as far as it is modelled.
    figures : dict
        What else there is to say, each with its unit in its name.
    spans : list of Span
        What is drawn of it.
    """

    controller: str
    where: str
    times: int = 0
    held_fs: int = 0
    energy_pj: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)


class Controller(ABC):
    """A process, or several, that runs the sites of a name, or a part of them.

    Parameters
    ----------
    machine : Machine
        What it is part of.
    site : Site
        The sites' description.
    path : str
        The part below the site that it is for; empty for the site itself.
    control : Control
        What the chip file asks.
    """

    name: ClassVar[str]

    def __init__(self, machine: Machine, site: Site, path: str, control: Control) -> None:
        self.machine, self.env = machine, machine.env
        self.site, self.path, self.control = site, path, control
        self.deeds = Deeds(self.name, site.label(path) if path else site.name)

    @property
    def tiles(self) -> list[int]:
        """The numbers of its sites that something runs on, over all chips."""
        used = {tile for op in self.machine.plan.ops for tile in op.tiles if tile >= 0}
        return [tile for tile in self.machine.plan.package.tiles_of(self.site.name) if tile in used]

    @abstractmethod
    def start(self) -> None:
        """Start its processes, before time 0."""

    def process(self, generator: Generator[simpy.Event, Any, Any]) -> simpy.Process:
        """Start one process."""
        return self.env.process(generator)

    def spend(self, steps: Iterable[Step]) -> None:
        """Count what visits cost, and name the parts whose cost is not modelled."""
        costs = [(part, pj) for step in steps for part, pj in step.energy]
        self.deeds.energy_pj += sum(pj for _, pj in costs if pj is not None)
        unknown = self.deeds.figures.get("energy_not_modelled_of", "").split(", ")
        unknown += [part for part, pj in costs if pj is None]
        if any(unknown):
            self.deeds.figures["energy_not_modelled_of"] = ", ".join(dict.fromkeys(filter(None, unknown)))

    def finish(self, end_fs: int) -> None:  # noqa: B027  # most have nothing to add
        """Complete its deeds: the run is over, its last output came at `end_fs`."""

    def moved(self, change: Change) -> None:  # noqa: B027  # most send no visits of their own to a part
        """Send its visits where others now do the work of a part that has failed."""

    def actors_at(self, tile: int) -> list[int]:
        """Return the numbers of the actors that work at a site."""
        return self._actors_by_site.get(tile, [])

    @cached_property
    def _actors_by_site(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for number, row in enumerate(self.machine.net.actors):
            found.setdefault(row.site, []).append(number)
        return found

    def close(self, actors: Iterable[int]) -> None:
        """Let actors start no more firings until this controller, and all others, have let them go."""
        self.machine.gates.close(self, actors)

    def open(self, actors: Iterable[int], cause: str, job: Job | None = None) -> None:
        """Let actors go: see `pimsim.machine.controllers.gates.Gates.open`."""
        self.machine.gates.open(self, actors, cause, job)
