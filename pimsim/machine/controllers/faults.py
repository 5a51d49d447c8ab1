"""Faults: a part fails, and a spare one takes over; or nothing can, and the run ends.

A site that fails is closed and what is under way there ends. Its weights are written into a spare site of its chip, row
by row as they come from the memory or the host, where the chip file says how long a write takes. Then its steps go to
the spare's parts, its packets over the spare's routes, and its ops open. An array takes its whole site with it. When a
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
        self.seat = {tile: tile for tile in range(self.package.tiles)}
        """Where each site's work is done now."""
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
        name, number, where = fault.site, fault.number, ""
        if fault.array is not None:
            name, number = fault.array.site, fault.array.number
            where = f"an array of core {fault.array.core} of "
        assert name is not None
        assert number is not None
        yield from self._fail_tile(self.config.tiles_of(name)[number], where)

    def _at_random(self, fault: Fault) -> Process:
        assert fault.rate_per_s is not None
        rng = np.random.default_rng(fault.seed)
        links = sorted({(a, b) for a, b in self._links()})
        while True:
            yield self.env.timeout(max(1, round(rng.exponential(FS_PER_S / fault.rate_per_s))))
            if fault.of == "link":
                yield from self._fail_link(links[int(rng.integers(len(links)))])
            else:
                where = "an array of " if fault.of == "array" else ""
                yield from self._fail_tile(int(rng.integers(self.package.tiles)), where)

    def _links(self) -> Iterator[tuple[str, str]]:
        graph = self.package.graph
        for a, b, data in graph.edges(data=True):
            if data["kind"] == "link":
                yield a, b

    # -- a site ------------------------------------------------------------------------------------------------

    def _fail_tile(self, failed: int, part: str) -> Process:
        began = int(self.env.now)
        with self.repairs.request() as turn:
            yield turn
            what = f"{part}tile {failed}"
            name = self.package.site(failed).name
            tile = next((tile for tile, seat in self.seat.items() if seat == failed), failed)
            actors = self.actors_at(tile)
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
                    raise NoDetour(f"no spare site of '{name}' is left")
            except NoDetour as reason:
                raise self._interrupted(began, what, str(reason)) from None
            self.spares[name].remove(spare)
            self.close(actors)
            while self.machine.engine.site_figures()[0][tile]:
                yield self.env.timeout(LOOK_FS)
            yield from self._write(tile, failed, spare)
            try:
                self.steps.move(failed, spare)
            except NoDetour as reason:
                raise self._interrupted(began, what, str(reason)) from None
            self.seat[tile] = spare
            self.open(actors, "programming")
            self._note(began, what, f"replaced by tile {spare}", tile)

    def _write(self, tile: int, failed: int, spare: int) -> Process:
        """Write a tile's weights into a spare one, those of different places side by side."""
        residents = [each for each in self.machine.residents if each.share.tile == tile]
        writing = [
            self.process(self._write_one(resident, failed, spare))
            for resident in residents
            if resident.kind.writable
        ]
        yield self.env.all_of(writing)

    def _write_one(self, resident: Resident, failed: int, spare: int) -> Process:
        """Bring the rows of one place and write them, one after another."""
        machine, share = self.machine, resident.share
        resource = resident.resource
        if failed != share.tile:  # it has moved before
            resource = machine.transport.moved(resource, share.tile, failed)
        new = resident._replace(resource=machine.transport.moved(resource, failed, spare))
        bits = -(-share.elements // share.rows) * machine.plan.weight_bits
        transport = machine.transport
        steps: list[Step] = [*transport.weights(spare, bits, transport.next_choice()), new.writing(1)]
        machine.sync_resources()
        op = machine.ops.index(resident.op)
        each_pj = sum(pj for step in steps for _, pj in step.energy if pj is not None)
        for _ in range(share.rows):
            self.spent_pj += each_pj
            yield self.env.submit(steps, op)
        machine.written[new.resource] += 1

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
