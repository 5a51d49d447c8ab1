"""A machine as the engine sees it: resources, paths, streams and actors, first as rows, then as arrays.

The rows are what the mapping writes and what the plain SimPy twin in ``tests/oracle`` reads; `Netlist.freeze`
turns them into the arrays of `pimsim_core.engine.Engine`. What each of them means is in ``docs/machine-model.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pimsim.network.fabric import Fabric, add_tree, add_ways, tree_rows
from pimsim_core.kernel import CAUSES, record_dtype
from pimsim_core.network import Network

HOST = "host"  # the part that waiting for the host is charged to; always the last one

Energy = tuple[tuple[str, float | None], ...]
"""What a visit costs, pJ by part; None where the part acts but has no figure."""


class Resource(NamedTuple):
    """Something that is held while it works."""

    name: str
    part: str
    period_fs: int
    servers: int = 1
    link: int | None = None  # channel of the network that it is, or that it is the entrance of
    cause: str = "compute"
    tile: int | None = None


class Mvm(NamedTuple):
    """The phases of a matrix-vector multiplication; durations in fs."""

    phases: int
    setup: int
    read: int
    convert: int  # all samples of one phase
    tail: int  # from the last conversion to the result
    bank: int  # the resource that converts
    shared: bool  # whether other actors convert there too


class Step(NamedTuple):
    """One visit: the resource is held for the occupancy, the visitor goes on after the latency (fs).

    With a route, the visitor is a packet that holds the network's entrance until its tail is inside, and goes on when
    its tail has come out; occupancy and latency are then those of an empty network.
    """

    resource: int
    occupancy: int
    latency: int
    mvm: Mvm | None = None
    route: int | None = None
    terminal: int = -1  # where the route begins
    flits: int = 0
    energy: Energy = ()


Way = tuple[tuple[int, int], ...]
"""Channels of the network, one after another, each with the class of virtual channels that may be used on it."""


class Leaf(NamedTuple):
    """Where a copy of a packet that branches ends."""

    output: int  # of the actor, counted from its first
    way: Way
    latency: int  # fs of a packet of one flit on an empty network


class Tree(NamedTuple):
    """A packet that branches in the routers, cut into pieces that a buffer can hold whole."""

    resource: int  # the network's entrance
    terminal: int
    pieces: tuple[int, ...]  # flits of each
    leaves: tuple[Leaf, ...]
    energy: Energy = ()


class Cast(NamedTuple):
    """What an actor sends to several places at once; `tree` is a table over the firings of an inference, or -1."""

    actor: int
    tree: int
    trees: tuple[Tree, ...]


class NetworkRows(NamedTuple):
    """The networks of all chips as one, and what its numbers mean."""

    fabric: Fabric
    copies: int
    period_fs: int
    by_flit: bool  # or else by packet, over resources


class Stream(NamedTuple):
    """Tokens in order, in a buffer with a finite number of places."""

    name: str
    capacity: int
    tokens: int  # an inference
    part: str = "tile.buffer"
    tile: int | None = None  # whose buffer it is in
    bits: int = 0  # of a token


class Actor(NamedTuple):
    """An op on one replica."""

    name: str
    op: str
    path: int
    firings: int
    period: int = 1  # firings an inference
    depth: int = 1  # firings under way at once
    limit: int | None = None  # firings allowed before the host says more; None is all
    milestone: int = 0  # tell the host every so many firings
    selector: int | None = None  # which of the paths from `path` on an inference takes


class Input(NamedTuple):
    """What an actor takes from a stream; `need` and `free` are tables over the firings of an inference."""

    actor: int
    stream: int
    need: int
    free: int
    freed: int = 0  # tokens below this one the actor never needs


class Output(NamedTuple):
    """What an actor puts on a stream; `token` is a table over the firings of an inference, -1 where there is none.

    Where the path that an inference takes has no steps, nothing is sent: the token is there at once.
    """

    actor: int
    stream: int
    token: int
    path: int | None = None  # of the packet; None is there at once
    cast: int | None = None  # fs through an empty network before the path, where a `Cast` brings it
    selector: int | None = None


class Growing(NamedTuple):
    """Paths whose cost depends on how many tokens a cache holds: equal ones side by side, one a place of a batch.

    `at` gives the steps for a number of cached tokens: the same resources each time. Those with the same `key` cost the
    same wherever they are.
    """

    path: int  # the first of them
    places: int
    key: Hashable
    at: Callable[[int], tuple[Step, ...]]


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
        self.bits_at: dict[int, Callable[[int], int]] = {}  # stream -> bits of a token, where they grow
        self.network: NetworkRows | None = None
        self.tiles = 0
        self.routes: list[Way] = []
        self._route_ids: dict[Way, int] = {}
        self._path_ids: dict[tuple[Step, ...], int] = {}
        self._bypass_ids: dict[tuple[tuple[Step, ...], tuple[Step, ...]], int] = {}
        self._table_ids: dict[bytes, int] = {}

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

    def add_bypass(self, past: Sequence[Step], through: Sequence[Step]) -> int:
        """Append two paths for a selector to choose from, or find equal ones: past something, and through it."""
        key = tuple(past), tuple(through)
        if key not in self._bypass_ids:
            self._bypass_ids[key] = len(self.paths)
            self.paths += key
        return self._bypass_ids[key]

    def add_growing(
        self, at: Callable[[int], Sequence[Step]], key: Hashable, places: int, cached: int
    ) -> int:
        """Append as many paths as a batch has places, all at the cost of so many cached tokens; return the first."""
        first = len(self.paths)
        self.paths += [tuple(at(cached))] * places
        self.growing.append(Growing(first, places, key, lambda count: tuple(at(count))))
        return first

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
        self.actors.append(Actor(*args, **kwargs))
        return len(self.actors) - 1

    def add_input(self, *args: Any, **kwargs: Any) -> None:
        """Append an `Input`; inputs are added actor by actor, in the actors' order."""
        self.inputs.append(Input(*args, **kwargs))

    def add_output(self, *args: Any, **kwargs: Any) -> None:
        """Append an `Output`; outputs are added actor by actor, in the actors' order."""
        self.outputs.append(Output(*args, **kwargs))

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
    def growing_paths(self) -> set[int]:
        """The numbers of the growing paths."""
        return {row.path + place for row in self.growing for place in range(row.places)}

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

    def _freeze_energy(self) -> tuple[dict[Energy, int], list[int], dict[str, npt.NDArray[Any]]]:
        """The kinds of visits by what they cost, those of the steps of growing paths, and the arrays of what that is.

        A step of a growing path is a kind of its own, in the order of the steps, since what it costs will change.
        """
        part_id = {name: i for i, name in enumerate(self.energy_parts)}
        grows = self.growing_paths
        steps = [step.energy for path in self.paths for step in path]
        kinds = list(dict.fromkeys([*steps, *(tree.energy for tree in self.trees)]))
        fixed = len(kinds)
        kinds += [step.energy for n, path in enumerate(self.paths) if n in grows for step in path]
        known = [[(part_id[part], pj) for part, pj in kind if pj is not None] for kind in kinds]
        numbers = [i if row else -1 for i, row in enumerate(known)]
        return (
            dict(zip(kinds[:fixed], numbers, strict=False)),
            numbers[fixed:],
            {
                "charge_ptr": np.cumsum([0, *map(len, known)]).astype(np.int32),
                "charge_part": np.array([part for kind in known for part, _ in kind], dtype=np.int32),
                "charge_pj": np.array([pj for kind in known for _, pj in kind], dtype=np.float64),
                "charge_sum": np.array([sum(pj for _, pj in kind) for kind in known], dtype=np.float64),
            },
        )

    def _freeze_casts(self, charges: dict[Energy, int]) -> dict[str, npt.NDArray[Any]]:
        """The arrays of `casts`: by actor, their trees, and the leaves of those by their last hop."""
        casts = sorted(self.casts, key=_actor)
        trees = [tree for cast in casts for tree in cast.trees]
        number = {id(tree): i for i, tree in enumerate(self.trees)}
        first_tree = np.cumsum([0, *(len(cast.trees) for cast in casts)])[: len(casts)]
        first_leaf = np.cumsum([0, *(len(tree.leaves) for tree in trees)])[: len(trees)]
        pieces = np.cumsum([0, *(len(tree.pieces) for tree in trees)])
        leaves = [leaf for tree in trees for leaf in tree.leaves]
        last = [hop for tree in trees for hop in tree_rows([leaf.way for leaf in tree.leaves])[1]]
        first_cast, last_cast = _spans(casts, len(self.actors))
        return {
            "first_cast": first_cast.astype(np.int32),
            "last_cast": last_cast.astype(np.int32),
            "casts": records("cast", casts, table=(cast.tree for cast in casts), first_tree=first_tree),
            "trees": records(
                "tree",
                trees,
                resource=(tree.resource for tree in trees),
                terminal=(tree.terminal for tree in trees),
                route=(number[id(tree)] for tree in trees),
                first_piece=pieces[:-1],
                last_piece=pieces[1:],
                first_leaf=first_leaf,
                leaves=(len(tree.leaves) for tree in trees),
                charge=(charges[tree.energy] for tree in trees),
            ),
            "pieces": np.array([flits for tree in trees for flits in tree.pieces], dtype=np.int32),
            "leaves": records(
                "leaf",
                leaves,
                latency=(leaf.latency for leaf in leaves),
                output=(leaf.output for leaf in leaves),
                hop=last,
            ),
        }

    def freeze(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays that `pimsim_core.engine.Engine` takes."""
        part_id = {name: i for i, name in enumerate(self.parts)}
        op_id = {name: i for i, name in enumerate(self.ops)}
        mvms: dict[Mvm, int] = {}
        charges, own, energy = self._freeze_energy()
        grows, rest = self.growing_paths, iter(own)
        step_charges = [
            next(rest) if n in grows else charges[step.energy]
            for n, path in enumerate(self.paths)
            for step in path
        ]
        first_resource = self.links + len(self.streams)
        first_route = len(self.trees)
        steps = [step for path in self.paths for step in path]
        for step in steps:
            if step.mvm is not None:
                mvms.setdefault(step.mvm, len(mvms))
        inputs, outputs = sorted(self.inputs, key=_actor), sorted(self.outputs, key=_actor)

        first_input, last_input = _spans(inputs, len(self.actors))
        first_output, last_output = _spans(outputs, len(self.actors))
        consumer_ptr, consumers = _csr([i.stream for i in inputs], len(self.streams))
        producer_ptr, producing = _csr([o.stream for o in outputs], len(self.streams))
        return {
            "select_ptr": np.cumsum([0, *self.selectors]).astype(np.int64),
            "resources": records(
                "resource",
                self.resources,
                period=(r.period_fs for r in self.resources),
                servers=(r.servers for r in self.resources),
                link=(-1 if r.link is None else r.link for r in self.resources),
                cause=(CAUSES.index(r.cause) for r in self.resources),
                part=(part_id[r.part] for r in self.resources),
                place=range(first_resource, first_resource + len(self.resources)),
                tile=(self.tiles if r.tile is None else r.tile for r in self.resources),
            ),
            "steps": records(
                "step",
                steps,
                occupancy=(s.occupancy for s in steps),
                latency=(s.latency for s in steps),
                resource=(s.resource for s in steps),
                mvm=(-1 if s.mvm is None else mvms[s.mvm] for s in steps),
                route=(-1 if s.route is None else first_route + s.route for s in steps),
                terminal=(s.terminal for s in steps),
                flits=(s.flits for s in steps),
                charge=step_charges,
            ),
            "path_ptr": np.cumsum([0, *(len(p) for p in self.paths)]).astype(np.int32),
            "mvms": records(
                "mvm",
                list(mvms),
                setup=(m.setup for m in mvms),
                read=(m.read for m in mvms),
                convert=(m.convert for m in mvms),
                tail=(m.tail for m in mvms),
                phases=(m.phases for m in mvms),
                bank=(m.bank for m in mvms),
                shared=(m.shared for m in mvms),
            ),
            "actors": records(
                "actor",
                self.actors,
                firings=(a.firings for a in self.actors),
                period=(a.period for a in self.actors),
                limit=(a.firings if a.limit is None else a.limit for a in self.actors),
                milestone=(a.milestone for a in self.actors),
                depth=(a.depth for a in self.actors),
                path=(a.path for a in self.actors),
                op=(op_id[a.op] for a in self.actors),
                first_input=first_input,
                last_input=last_input,
                first_output=first_output,
                last_output=last_output,
                selector=(-1 if a.selector is None else a.selector for a in self.actors),
            ),
            "inputs": records(
                "input",
                inputs,
                freed=(i.freed for i in inputs),
                stream=(i.stream for i in inputs),
                need=(i.need for i in inputs),
                free=(i.free for i in inputs),
            ),
            "outputs": records(
                "output",
                outputs,
                stream=(o.stream for o in outputs),
                token=(o.token for o in outputs),
                path=(-1 if o.path is None else o.path for o in outputs),
                cast=(o.cast is not None for o in outputs),
                selector=(-1 if o.selector is None else o.selector for o in outputs),
            ),
            "streams": records(
                "stream",
                self.streams,
                capacity=(s.capacity for s in self.streams),
                tokens=(s.tokens for s in self.streams),
                part=(part_id[s.part] for s in self.streams),
                bits=(s.bits for s in self.streams),
                place=range(self.links, first_resource),
                tile=(-1 if s.tile is None else s.tile for s in self.streams),
            ),
            **energy,
            **self._freeze_casts(charges),
            "table": np.concatenate([np.zeros(0, np.int64), *self.tables]),
            "table_ptr": np.cumsum([0, *(len(t) for t in self.tables)]).astype(np.int64),
            "consumer_ptr": consumer_ptr,
            "consumers": consumers,
            "input_actor": np.array([i.actor for i in inputs], dtype=np.int32),
            "producer_ptr": producer_ptr,
            "producers": np.array([outputs[o].actor for o in producing], dtype=np.int32),
        }


def records(kind: str, rows: Sequence[Any], **columns: Any) -> npt.NDArray[Any]:
    """Return an array of the engine's records, its columns filled."""
    array = np.zeros(len(rows), dtype=record_dtype(kind))
    for name, values in columns.items():
        array[name] = list(values)
    return array


def _actor(row: Input | Output | Cast) -> int:
    return row.actor


def _spans(rows: Sequence[Input | Output | Cast], actors: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    owners = np.array([row.actor for row in rows], dtype=np.int64)
    each = np.arange(actors)
    return np.searchsorted(owners, each, "left"), np.searchsorted(owners, each, "right")


def _csr(owners: Sequence[int], size: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    counts = np.bincount(np.array(owners, dtype=np.int64), minlength=size)
    order = np.argsort(np.array(owners, dtype=np.int64), kind="stable")
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32), order.astype(np.int32)
