"""Power states of sites: active, idle after a while without work, gated after longer; waking takes time and energy.

A lazy timer a site: it looks when the site could at the earliest have been without work for long enough, so there are
events as time goes by and as states change, never one a firing. A site that is idle or gated is closed; the first op
that wants to start there wakes it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, ClassVar

import simpy

from pimsim.chip.power import PowerStates
from pimsim.machine.controllers.base import Controller, Span
from pimsim.netlist.rows import Step

STATES = ("active", "idle", "gated", "waking")


class Power(Controller):
    """Puts the sites of a name to sleep and wakes them."""

    name: ClassVar[str] = "power"
    control: PowerStates

    def start(self) -> None:
        """A process for each site, whether something runs there or not."""
        self.changes: dict[int, list[tuple[int, str]]] = {}
        """When each site went into which state, fs."""
        working = {row.site for row in self.machine.net.actors}
        waking = {
            tile: self._waking(tile)
            for tile in self.machine.plan.package.tiles_of(self.site.name)
            if tile in working
        }
        self.machine.substrate.sync()
        paths = self.env.paths_of(([step], self.machine.host_op) for step in waking.values())
        self._paths = dict(zip(waking, paths, strict=True))
        for tile in self.machine.plan.package.tiles_of(self.site.name):
            self.changes[tile] = [(0, "active")]
            self.process(self._sleep(tile, self.actors_at(tile)))

    def _sleep(self, tile: int, actors: list[int]) -> Generator[simpy.Event, Any, None]:
        """One site: let it sleep when it has had nothing to do, and wake it when it has."""
        env, idle, gate = self.env, self.control.idle_fs, self.control.gate_fs
        first = idle if idle is not None else gate
        assert first is not None
        awake = 0
        while True:
            yield from self._until_quiet(tile, actors, awake, first)
            self.close(actors)
            wanted = env.wanted(tile)
            if idle is not None:
                self._enter(tile, "idle")
                if gate is not None:
                    yield env.any_of([wanted, env.timeout(gate - idle)])
            if gate is not None and not wanted.triggered:
                self._enter(tile, "gated")
            yield wanted
            if self.changes[tile][-1][1] == "gated":
                self._enter(tile, "waking")
                self.deeds.times += 1
                self.env.send(self._paths[tile], self.machine.host_op)
                yield env.timeout(self.control.wake_fs)
            self._enter(tile, "active")
            awake = int(env.now)
            self.open(actors, "waking")

    def _until_quiet(
        self, tile: int, actors: list[int], awake: int, span: int
    ) -> Generator[simpy.Event, Any, None]:
        """Wait until a site has been without work for so long, fs, since it was awake.

        While another controller holds its ops, that is at work there.
        """
        env, gates = self.env, self.machine.gates
        if tile >= self.machine.engine.sites:  # nothing runs at so high a number
            yield env.timeout(awake + span - int(env.now))
            return
        while True:
            if gates.are_held(self, actors):
                yield gates.let_go(self, actors)
                awake = int(env.now)
            yield env.resting(tile, awake, span)
            yield env.timeout(1)
            firings, since = self.machine.engine.site_figures(tile)
            if not firings and since + span <= env.now and not gates.are_held(self, actors):
                return

    def _enter(self, tile: int, state: str) -> None:
        self.changes[tile].append((int(self.env.now), state))

    def _waking(self, tile: int) -> Step:
        """Return the visit that spends the energy of waking, spread over its time."""
        part, energy = f"{self.site.name}.power", self.control.wake_energy_pj
        site = self.machine.plan.package.site(tile)
        period = site.clocks[site.bus.clock].period_fs
        resource = self.machine.transport.resource(
            ("power", tile), f"tile{tile}.power", part, period, cause="waking", tile=tile
        )
        held = self.control.wake_fs
        return Step(resource, held, held, energy=((part, energy),))

    def finish(self, end_fs: int) -> None:
        """Sum up the time in each state, by site."""
        deeds, each_pj = self.deeds, self.control.wake_energy_pj
        deeds.energy_pj = deeds.times * (each_pj or 0.0)
        sites = []
        for tile, changes in self.changes.items():
            times = dict.fromkeys(STATES, 0)
            ends = [time for time, _ in changes[1:]] + [end_fs]
            for (begin, state), end in zip(changes, ends, strict=True):
                last = min(end, end_fs)
                times[state] += max(0, last - begin)
                if state != "active" and begin < last:
                    deeds.spans.append(Span(begin, last, state, tile))
            sites.append({"site": tile, **{f"{state}_fs": fs for state, fs in times.items()}})
        self.state_fs = {state: sum(row[f"{state}_fs"] for row in sites) for state in STATES}
        deeds.held_fs = self.state_fs["waking"]
        deeds.figures = {**{f"{state}_fs": fs for state, fs in self.state_fs.items()}, "sites": sites}
        if each_pj is None and deeds.times:
            deeds.figures["energy_not_modelled_of"] = f"{self.site.name}.power"

    def static_energy_aj(self) -> dict[tuple[str, str], int]:
        """Return the static energy of the parts inside the sites, whole aJ, by part and state, for states that were.

        1 mW for 1 fs is 1 aJ.
        """
        shares = {"idle": self.control.idle_share, "gated": self.control.gated_share}
        return {
            (use.path, state): round(
                use.part.static_power_mw * use.instances / self.site.count * shares.get(state, 1.0) * fs
            )
            for use in self.site.uses()
            if use.part.static_power_mw is not None
            for state, fs in self.state_fs.items()
            if fs
        }
