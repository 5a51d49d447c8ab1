"""Faults: a part fails, and a spare one takes over; or nothing can, and the run ends.

A site that fails is closed and what is under way there ends. Its weights are written into a spare site of its chip, row
by row as they come from the memory or the host, where the chip file says how long a write takes. Then its steps go to
the spare's parts, its packets over the spare's routes, and its ops open. An array takes its core with it, for which a
spare core of the site takes over in the same way, or, where none is left, its whole site. When a
link fails, everything is closed and comes to its end, since old and new routes together could form a circle; then all
packets go up and down a tree of the links that are left, and everything opens.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import simpy

from pimsim.chip.faults import Fault
from pimsim.errors import InterruptedRunError
from pimsim.machine.controllers.base import Controller, Deeds, Span
from pimsim.machine.controllers.detour import NoDetour, Steps
from pimsim.units import FS_PER_S, format_time

if TYPE_CHECKING:
    from pimsim.machine.machine import Machine
    from pimsim.machine.residents import Resident
    from pimsim.netlist.rows import Step

LOOK_FS = 100_000_000  # how often it looks whether what was under way has ended

Process = Generator[simpy.Event, Any, None]


class Faults(Controller):
    """Lets parts fail, and brings others in.

    Parameters
    ----------
    machine : Machine
        Whose chip file has faults.
    """

    name: ClassVar[str] = "faults"

    def __init__(self, machine: Machine) -> None:
        self.machine, self.env = machine, machine.env
        self.package, self.config = machine.plan.package, machine.plan.chip.config
        self.deeds = Deeds(self.name, "chip")
        self.steps = Steps(machine)
        self.repairs = simpy.Resource(self.env)  # one at a time
        self.seat = {tile: tile for name in self.config.working for tile in self.package.seats_of(name)}
        """Where each site's work is done now."""
        self.home: dict[int, int] = {}
        """The resource that weights are in now, by their number among the machine's."""
        self.spare_cores: dict[int, list[int]] = {}
        self.spares = {
            name: sorted(set(self.package.tiles_of(name)) - set(self.package.seats_of(name)))
            for name in self.config.working
        }
        self.events: list[dict[str, Any]] = []
        self.spent_pj = 0.0

    def start(self) -> None:
        """A process for each entry of the chip file."""
        for fault in self.config.faults or ():
            self.process(self._at(fault) if fault.at_fs is not None else self._at_random(fault))

    # -- when --------------------------------------------------------------------------------------------------

    def _at(self, fault: Fault) -> Process:
        assert fault.at_fs is not None
        yield self.env.timeout(fault.at_fs)
        if fault.link is not None:
            yield from self._fail_link((fault.link[0], fault.link[1]))
            return
        if fault.array is not None:
            failed = self.config.tiles_of(fault.array.site)[fault.array.number]
            yield from self._fail_array(failed, fault.array.core)
            return
        assert fault.site is not None
        assert fault.number is not None
        yield from self._fail_tile(self.config.tiles_of(fault.site)[fault.number])

    def _at_random(self, fault: Fault) -> Process:
        assert fault.rate_per_s is not None
        rng = np.random.default_rng(fault.seed)
        links = sorted({(a, b) for a, b in self._links()})
        while True:
            yield self.env.tick(max(1, round(rng.exponential(FS_PER_S / fault.rate_per_s))))
            if fault.of == "link":
                yield from self._fail_link(links[int(rng.integers(len(links)))])
                continue
            failed = int(rng.integers(self.package.tiles))
            cores = self.package.site(failed).part_at("cores")
            if fault.of == "array" and cores is not None:
                yield from self._fail_array(failed, int(rng.integers(cores)))
            elif fault.of == "tile":
                yield from self._fail_tile(failed)

    def _links(self) -> Iterator[tuple[str, str]]:
        graph = self.package.graph
        for a, b, data in graph.edges(data=True):
            if data["kind"] == "link":
                yield a, b

    # -- a core ------------------------------------------------------------------------------------------------

    def _fail_array(self, failed: int, core: int) -> Process:
        """Let a spare core of the site take over, or else a spare site."""
        began, what = int(self.env.now), f"an array of core {core} of tile {failed}"
        with self.repairs.request() as turn:
            yield turn
            spares = self._spare_cores(failed)
            if core in spares:
                spares.remove(core)
                self._note(began, what, "was spare")
                return
            tile, actors = self._work_at(failed)
            if spares and actors and not self._is_over():
                spare = spares.pop(0)
                yield from self._rest(tile, actors)
                yield from self._write(f"tile{failed}.core{core}.", failed, failed, (core, spare))
                self.steps.move_core(failed, (core, spare))
                self.open(actors, "programming")
                self._note(began, what, f"replaced by core {spare}", tile)
                return
        yield from self._fail_tile(failed, f"an array of core {core} of ")

    def _spare_cores(self, tile: int) -> list[int]:
        """Return the spare cores that a tile has left."""
        if tile not in self.spare_cores:
            site = self.package.site(tile)
            cores = int(site.part_at("cores"))
            self.spare_cores[tile] = list(range(cores - (site.part_at("core.spares") or 0), cores))
        return self.spare_cores[tile]

    # -- a site ------------------------------------------------------------------------------------------------

    def _work_at(self, seat: int) -> tuple[int, list[int]]:
        """Return the site whose work is done at a place, and its actors; none where a site has failed, or is spare."""
        tile = next((tile for tile, where in self.seat.items() if where == seat), -1)
        return tile, self.actors_at(tile) if tile >= 0 else []

    def _rest(self, tile: int, actors: list[int]) -> Process:
        """Close a site and wait until what is under way there has ended."""
        self.close(actors)
        while self.machine.engine.site_figures(tile)[0]:
            yield self.env.timeout(LOOK_FS)

    def _fail_tile(self, failed: int, part: str = "") -> Process:
        began = int(self.env.now)
        with self.repairs.request() as turn:
            yield turn
            what = f"{part}tile {failed}"
            site = self.package.site(failed)
            name = site.name
            tile, actors = self._work_at(failed)
            if failed in self.spares[name]:
                self.spares[name].remove(failed)
                self._note(began, what, "was spare")
                return
            if not actors or self._is_over():
                self._note(began, what, "had nothing to do")
                return
            chip = failed // self.config.tiles
            spare = next((each for each in self.spares[name] if each // self.config.tiles == chip), None)
            try:
                self.steps.check()
                if spare is None:
                    raise NoDetour(f"no spare site of '{name}' is left ({name}.spares: {site.spares or 0})")
            except NoDetour as reason:
                raise self._interrupted(began, what, str(reason)) from None
            self.spares[name].remove(spare)
            yield from self._rest(tile, actors)
            yield from self._write(f"tile{failed}.", failed, spare)
            try:
                self.steps.move(failed, spare)
            except NoDetour as reason:
                raise self._interrupted(began, what, str(reason)) from None
            self.seat[tile] = spare
            self.open(actors, "programming")
            self._note(began, what, f"replaced by tile {spare}", tile)

    def _write(self, here: str, failed: int, spare: int, cores: tuple[int, int] | None = None) -> Process:
        """Write the weights in what is named so into a spare tile or core, those of different places side by side."""
        resources = self.machine.net.resources
        writing = [
            self.process(self._write_one(number, resident, failed, spare, cores))
            for number, resident in enumerate(self.machine.residents)
            if resources[self.home.setdefault(number, resident.resource)].name.startswith(here)
        ]
        yield self.env.all_of(writing)

    def _write_one(
        self, number: int, resident: Resident, failed: int, spare: int, cores: tuple[int, int] | None
    ) -> Process:
        """Bring the rows of one place and write them, one after another, if the chip file says how long that takes."""
        machine, share, transport = self.machine, resident.share, self.machine.transport
        new = self.home[number] = transport.moved(self.home[number], failed, spare, cores)
        if not resident.kind.writable:
            return
        bits = -(-share.elements // share.rows) * share.width
        writing = resident._replace(resource=new).writing(1)._replace(tally=resident.written(new))
        steps: list[Step] = [*transport.weights(spare, bits, transport.next_choice()), writing]
        machine.substrate.sync()
        op = machine.ops.index(resident.op)
        path = self.env.path_of(steps, op)
        each_pj = sum(pj for step in steps for _, pj in step.energy if pj is not None)
        for _ in range(share.rows):
            self.spent_pj += each_pj
            yield self.env.send(path, op)

    # -- a link ------------------------------------------------------------------------------------------------

    def _fail_link(self, link: tuple[str, str]) -> Process:
        began, what = int(self.env.now), f"the link {link[0]}-{link[1]}"
        with self.repairs.request() as turn:
            yield turn
            if self._is_over():
                self._note(began, what, "nothing was left to send")
                return
            everything = range(len(self.machine.net.actors))
            self.close(everything)
            while self.machine.engine.next_time is not None:
                yield self.env.timeout(LOOK_FS)
            try:
                self.steps.check()
                self.steps.avoid(link)
            except NoDetour as reason:
                raise self._interrupted(began, what, str(reason)) from None
            self.open(everything, "maintenance")
            self._note(began, what, "all packets go around it")

    # -- what is told ------------------------------------------------------------------------------------------

    def _is_over(self) -> bool:
        return len(self.machine.host.outputs) >= self.machine.batch

    def _note(self, began: int, what: str, done: str, tile: int | None = None) -> None:
        now = int(self.env.now)
        self.deeds.times += 1
        self.deeds.held_fs += now - began
        self.deeds.spans.append(Span(began, now, f"{what} failed: {done}", tile))
        self.events.append({"at_fs": began, "what": what, "done": done, "ready_fs": now})

    def _interrupted(self, began: int, what: str, reason: str) -> InterruptedRunError:
        host, machine = self.machine.host, self.machine
        before = "; ".join(f"{each['what']} {each['done']}" for each in self.events) or "nothing"
        done: dict[str, object] = {
            "at_fs": began,
            "failed": what,
            "reason": reason,
            "batch": machine.batch,
            "outputs_fs": list(host.outputs),
            "faults": self.events,
        }
        return InterruptedRunError(
            f"{what} failed at {format_time(began)} and {reason}; replaced before: {before}; "
            f"{len(host.outputs)} of {machine.batch} inferences are complete",
            done=done,
        )

    def finish(self, end_fs: int) -> None:
        """What failed when, and what was done."""
        self.deeds.spans = [span for span in self.deeds.spans if span.begin_fs < end_fs]
        self.deeds.energy_pj = self.spent_pj
        self.deeds.figures = {
            "spares_left": sum(map(len, self.spares.values())),
            **{
                f"fault {n}": f"{each['what']} at {format_time(each['at_fs'])}: {each['done']}"
                for n, each in enumerate(self.events, 1)
            },
            "faults": self.events,
        }
