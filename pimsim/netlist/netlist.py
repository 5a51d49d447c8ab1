"""A machine as the engine sees it: resources, paths, streams and actors, appended row by row."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from pimsim.netlist.rows import (
    HOST,
    Actor,
    Cast,
    Growing,
    Input,
    NetworkRows,
    Output,
    Owner,
    Resource,
    Step,
    Stream,
    Tally,
    Tree,
    Way,
    Window,
)
from pimsim.network.fabric import add_tree, add_ways
from pimsim_core.network import Network


class Netlist:
    """Rows of a machine, appended one by one; each ``add_…`` returns the row's number."""

    def __init__(self) -> None:
        self.resources: list[Resource] = []
        self.paths: list[tuple[Step, ...]] = []
        self.tables: list[npt.NDArray[np.int64]] = []
        self.streams: list[Stream] = []
        self.actors: list[Actor] = []
        self.inputs: list[Input] = []
        self.outputs: list[Output] = []
        self.casts: list[Cast] = []
        self.selectors: list[int] = []  # inferences that each chooses for
        self.growing: list[Growing] = []
        self.windows: list[Window] = []
        self.bits_at: dict[int, Callable[[int], int]] = {}  # stream -> bits of a token, where they grow
        self.network: NetworkRows | None = None
        self.tiles = 0
        self.tallies: dict[Tally, int] = {}  # what visits are counted as, beside energy, and their numbers
        self.routes: list[Way] = []
        self._route_ids: dict[Way, int] = {}
        self._path_ids: dict[tuple[Step, ...], int] = {}
        self._bypass_ids: dict[tuple[tuple[Step, ...], tuple[Step, ...]], int] = {}
        self._table_ids: dict[bytes, int] = {}
        self.program = 0
        """Which data flow is being written down."""
        self.path_owners: dict[int, Owner] = {}
        self._copies: dict[tuple[int, Owner], int] = {}

    def copy(self) -> Netlist:
        """Return the same rows; what is appended to one of both is not in the other."""
        other = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, list | dict):
                setattr(other, name, value.copy())
        return other

    def add_resource(self, *args: Any, **kwargs: Any) -> int:
        """Append a `Resource`."""
        self.resources.append(Resource(*args, **kwargs))
        return len(self.resources) - 1

    def add_path(self, steps: Sequence[Step]) -> int:
        """Append a path, or find the equal one."""
        key = tuple(steps)
        if key not in self._path_ids:
            self._path_ids[key] = len(self.paths)
            self.paths.append(key)
        return self._path_ids[key]

    def replace_path(self, number: int, steps: Sequence[Step], owner: Owner) -> None:
        """Let a path that has an owner have other steps; it is found by neither any more."""
        if self._path_ids.get(self.paths[number]) == number:
            del self._path_ids[self.paths[number]]
        self.paths[number], self.path_owners[number] = tuple(steps), owner

    def add_bypass(self, past: Sequence[Step], through: Sequence[Step]) -> int:
        """Append two paths for a selector to choose from, or find equal ones: past something, and through it."""
        key = tuple(past), tuple(through)
        if key not in self._bypass_ids:
            self._bypass_ids[key] = len(self.paths)
            self.paths += key
        return self._bypass_ids[key]

    def add_growing(
        self, at: Callable[[int], Sequence[Step]], key: Hashable, selector: int, first: int, last: int
    ) -> int:
        """Append a path whose costs depend on an argument, from a first to a last one; see `Growing`."""
        number = len(self.paths)
        self.paths.append(tuple(at(last)))
        self.growing.append(Growing(number, key, selector, first, last, lambda count: tuple(at(count))))
        return number

    def add_tally(self, tally: Tally | None) -> int:
        """Return the number of what a visit is counted as; -1 for nothing."""
        return -1 if tally is None else self.tallies.setdefault(tally, len(self.tallies))

    def add_selector(self, inferences: int) -> int:
        """Append a selector for so many inferences, which all take their first path until told otherwise."""
        self.selectors.append(inferences)
        return len(self.selectors) - 1

    def add_route(self, way: Way) -> int:
        """Append a way through the network, or find the equal one."""
        if way not in self._route_ids:
            self._route_ids[way] = len(self.routes)
            self.routes.append(way)
        return self._route_ids[way]

    def add_table(self, values: npt.ArrayLike) -> int:
        """Append a table over the firings of an inference, or find the equal one."""
        table = np.ascontiguousarray(values, dtype=np.int64)
        key = table.tobytes()
        if key not in self._table_ids:
            self._table_ids[key] = len(self.tables)
            self.tables.append(table)
        return self._table_ids[key]

    def add_stream(self, *args: Any, **kwargs: Any) -> int:
        """Append a `Stream`."""
        self.streams.append(Stream(*args, **kwargs))
        return len(self.streams) - 1

    def add_actor(self, *args: Any, **kwargs: Any) -> int:
        """Append an `Actor`."""
        row = Actor(*args, **kwargs)
        self.actors.append(row._replace(path=self._own(row.path, row.op, row.selector)))
        return len(self.actors) - 1

    def add_input(self, *args: Any, **kwargs: Any) -> None:
        """Append an `Input`; inputs are added actor by actor, in the actors' order."""
        self.inputs.append(Input(*args, **kwargs))

    def add_output(self, *args: Any, **kwargs: Any) -> None:
        """Append an `Output`; outputs are added actor by actor, in the actors' order."""
        row = Output(*args, **kwargs)
        if row.path is not None:
            row = row._replace(path=self._own(row.path, self.actors[row.actor].op, row.selector))
        self.outputs.append(row)

    def _own(self, path: int, op: str, selector: int | None) -> int:
        """Return an equal path of an op's own in its program: visits are counted by step, and count for one owner."""
        owner = Owner(op, self.program)
        if self.path_owners.get(path, owner) != owner:
            if (path, owner) not in self._copies:
                self._copies[path, owner] = len(self.paths)
                self.paths += self.paths[path : path + (1 if selector is None else 2)]
            path = self._copies[path, owner]
        self.path_owners[path] = owner
        if selector is not None:
            self.path_owners[path + 1] = owner
        return path

    def owner_of(self, actor: int) -> Owner:
        """Return whose visits those of an actor are."""
        return self.path_owners[self.actors[actor].path]

    @property
    def links(self) -> int:
        """Channels of the network of all chips."""
        return 0 if self.network is None else self.network.copies * len(self.network.fabric.channels)

    def build_network(self) -> Network | None:
        """Return the compiled network with the routes so far; None where packets go over resources."""
        if self.network is None or not self.network.by_flit:
            return None
        made = self.network.fabric.network(self.network.copies, tracking=True)
        for tree in self.trees:
            add_tree(made, [leaf.way for leaf in tree.leaves])
        add_ways(made, self.routes)
        return made

    @property
    def trees(self) -> list[Tree]:
        """The trees of all casts, in order; in the compiled network they come before `routes`."""
        return [tree for cast in self.casts for tree in cast.trees]

    @property
    def parts(self) -> list[str]:
        """The kinds of parts that time is charged to, in declared order, the host last."""
        names = dict.fromkeys([*(r.part for r in self.resources), *(s.part for s in self.streams)])
        return [*(name for name in names if name != HOST), HOST]

    @property
    def energy_parts(self) -> list[str]:
        """The parts that visits cost energy in, known or not, in the order of their first visit."""
        visits = [step.energy for path in self.paths for step in path] + [tree.energy for tree in self.trees]
        return list(dict.fromkeys(part for energy in visits for part, _ in energy))

    @property
    def places(self) -> list[str]:
        """Where time on the critical path can be spent: the network's channels, the streams, the resources."""
        return [*self.link_names, *(s.name for s in self.streams), *(r.name for r in self.resources)]

    @property
    def link_names(self) -> list[str]:
        """The channels of the networks of all chips."""
        if self.network is None:
            return []
        channels = self.network.fabric.channels
        return [f"chip{chip}.{a}-{b}" for chip in range(self.network.copies) for a, b in channels]

    @property
    def ops(self) -> list[str]:
        """The ops of the actors, in declared order, the host last."""
        names = dict.fromkeys(actor.op for actor in self.actors)
        return [*(name for name in names if name != HOST), HOST]
