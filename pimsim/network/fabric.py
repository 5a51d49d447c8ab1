"""From a networkx graph to the numbers of `pimsim_core.network.Network`: channels, ports, routes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pimsim.chip.router import Router
from pimsim.chip.topology import Topology
from pimsim.errors import ConfigError
from pimsim.network.limits import check_buffers
from pimsim_core.network import Network

if TYPE_CHECKING:
    from networkx import Graph


Ints = npt.NDArray[np.int64]
MOST_CHOICES = 64


class Fabric:
    """A graph of routers and terminals as channels with ports.

    Parameters
    ----------
    graph : networkx.Graph or networkx.DiGraph
        As `Topology.graph` returns it. Nodes that are not routers are terminals; an edge may have ``cycles``.
    router : Router
        How its routers are built.

    Attributes
    ----------
    routers, terminals : list of str
        Nodes, in the order of their numbers.
    channels : list of (str, str)
        From node, to node.
    ports : list of (int, int, int, int, int)
        Of each channel: source and target router (-1: a terminal), delay, and port number at the source and target.
    terminal_number : dict of str to int
        The place of each terminal in `terminals`.
    injection : list of int
        The channel on which each terminal sends.

    Raises
    ------
    ConfigError
        If the topology needs more virtual channels than the routers have.
    """

    def __init__(self, graph: Graph[str], router: Router) -> None:
        self.graph, self.router = graph, router
        self.topology: Topology = graph.graph["topology"]
        if router.vcs < self.topology.vcs_needed:
            raise ConfigError(
                f"found {router.vcs}, expected at least {self.topology.vcs_needed}: "
                f"{self.topology.deadlock_free}",
                where="vcs",
                mend="more virtual channels, or a mesh instead of circles",
            )
        self.routers = [node for node, data in graph.nodes(data=True) if data["kind"] == "router"]
        self.terminals = [node for node, data in graph.nodes(data=True) if data["kind"] != "router"]
        self.channels: list[tuple[str, str]] = []
        self.ports: list[tuple[int, int, int, int, int]] = []
        number = {node: index for index, node in enumerate(self.routers)}
        number.update(dict.fromkeys(self.terminals, -1))
        outputs: dict[str, dict[str, int]] = {}
        inputs: dict[str, dict[str, int]] = {}
        for node in self.routers:
            beside = self.topology.neighbours(graph, node)
            outputs[node] = {other: i for i, other in enumerate(n for n in beside if graph.has_edge(node, n))}
            inputs[node] = {other: i for i, other in enumerate(n for n in beside if graph.has_edge(n, node))}

        def add(source: str, target: str) -> None:
            edge = graph.edges[source, target]
            delay = edge.get("cycles", router.link) if edge["kind"] == "link" else 1
            out_port = outputs[source][target] if source in outputs else 0
            in_port = inputs[target][source] if target in inputs else 0
            self.channels.append((source, target))
            self.ports.append((number[source], number[target], delay, out_port, in_port))

        for node in self.routers:
            for other in outputs[node]:
                add(node, other)
        for node in self.terminals:
            for other in graph.adj[node]:
                add(node, other)
        self.index = {channel: i for i, channel in enumerate(self.channels)}
        self.terminal_number = {node: i for i, node in enumerate(self.terminals)}
        self.injection = [self.index[node, next(iter(graph.adj[node]))] for node in self.terminals]

    def network(self, copies: int = 1, *, tracking: bool = False, record: bool = False) -> Network:
        """Return so many unconnected copies of this fabric as one compiled network without routes.

        Channel ``c`` of copy ``i`` is number ``i * len(channels) + c``; routers and terminals count likewise.
        """
        check_buffers(copies * len(self.ports), self.router.vcs, self.router.buffer)
        ports = np.array(self.ports, dtype=np.int64).reshape(-1, 5)
        every = np.concatenate([ports] * copies)
        shift = np.repeat(np.arange(copies) * len(self.routers), len(ports))
        for column in (0, 1):
            every[:, column] += np.where(every[:, column] >= 0, shift, 0)
        names = ("source", "target", "delay", "out_port", "in_port")
        injection = [c + i * len(ports) for i in range(copies) for c in self.injection]
        model = self.router
        return Network(
            copies * len(self.routers),
            {name: every[:, column] for column, name in enumerate(names)},
            injection,
            vcs=model.vcs,
            buffer=model.buffer,
            rd=model.rd,
            va=model.va,
            sa=model.sa,
            st=model.st,
            credit=model.credit,
            speculative=model.speculative,
            tracking=tracking,
            record=record,
        )

    def hops(self, source: str, target: str, choice: int = 0) -> list[tuple[int, int]]:
        """Return the channels that a route takes behind its injection, each with its class of virtual channels.

        A packet to oneself goes to the terminal's router and back.
        """
        path = self.topology.route(self.graph, source, target, choice)
        if len(path) == 1:
            path = [source, next(iter(self.graph.adj[source])), source]
        classes = self.topology.classes(path)
        return [(self.index[edge], vcs) for edge, vcs in zip(pairwise(path), classes, strict=True)][1:]

    def head_cycles(self, hops: Sequence[tuple[int, int]]) -> list[int]:
        """Return the cycles a head takes for its injection and for each hop behind it, if nothing is in its way."""
        per_hop = self.router.per_hop()
        return [2, *(per_hop + self.ports[channel][2] for channel, _ in hops)]

    def zero_load(self, hops: Sequence[tuple[int, int]], flits: int) -> int:
        """Return the cycles from a packet's creation to its tail's arrival if nothing is in its way."""
        return sum(self.head_cycles(hops)) + flits - 1

    def warnings(self) -> list[str]:
        """Say which buffers are smaller than the credit loop of their link."""
        delays = sorted({delay for source, target, delay, _, _ in self.ports if source >= 0 and target >= 0})
        return [text for delay in delays if (text := self.router.shortage(delay)) is not None]


class Routes:
    """Routes between the terminals of a network, those of a pair added when it is first asked for.

    Parameters
    ----------
    fabric : Fabric
        What they lead through.
    network : pimsim_core.network.Network
        Where they go.
    rng : numpy.random.Generator
        Picks where several are as good, for each packet anew; of more than `MOST_CHOICES`, so many drawn once.
    """

    def __init__(self, fabric: Fabric, network: Network, rng: np.random.Generator) -> None:
        self.fabric, self.network, self.rng = fabric, network, rng
        pairs = len(fabric.terminals) ** 2
        self._first = np.full(pairs, -1, dtype=np.int32)
        self._count = np.zeros(pairs, dtype=np.int32)
        self._routers = np.zeros(pairs, dtype=np.int32)
        self._several = False

    def between(self, sources: Ints, targets: Ints) -> tuple[Ints, Ints]:
        """Return a route for each packet, and the routers that it crosses.

        Parameters
        ----------
        sources, targets : numpy.ndarray of int64, shape (packets,)
            Terminals by number.
        """
        pairs = sources * len(self.fabric.terminals) + targets
        new = np.unique(pairs[self._first[pairs] < 0])
        if len(new):
            self._add(new.tolist())
        numbers = self._first[pairs].astype(np.int64)
        if self._several:
            numbers += self.rng.integers(0, self._count[pairs])
        return numbers, self._routers[pairs].astype(np.int64)

    def _add(self, pairs: list[int]) -> None:
        topology, graph, terminals = self.fabric.topology, self.fabric.graph, self.fabric.terminals
        ways: list[list[tuple[int, int]]] = []
        first = []
        for pair in pairs:
            source, target = (terminals[end] for end in divmod(pair, len(terminals)))
            choices: Sequence[int] = range(topology.choices(graph, source, target))
            if len(choices) > MOST_CHOICES:
                choices = self.rng.integers(0, len(choices), MOST_CHOICES).tolist()
            found = [self.fabric.hops(source, target, choice) for choice in choices]
            first.append(len(ways))
            ways += found
            self._count[pair], self._routers[pair] = len(found), len(found[0])
        self._several = self._several or len(ways) > len(pairs)
        self._first[pairs] = add_ways(self.network, ways) + np.array(first)


def add_ways(network: Network, ways: Sequence[Sequence[tuple[int, int]]]) -> int:
    """Add routes without branches and return the number of the first; ends that they share are kept once."""
    known: dict[tuple[int, int, int], int] = {}
    first = []
    for way in ways:
        hop = -1
        for channel, vcs in reversed(way):
            hop = known.setdefault((channel, vcs, hop), len(known))
        first.append(hop)
    rows = np.array(list(known), dtype=np.int64).reshape(-1, 3)
    nothing, one = np.full(len(rows), -1), np.ones(len(ways), dtype=np.int64)
    return network.add_routes(rows[:, 0], rows[:, 1], rows[:, 2], nothing, first, one)


def tree_rows(ways: Sequence[Sequence[tuple[int, int]]]) -> tuple[list[list[int]], list[int]]:
    """Merge ways from one terminal where they agree, so that a packet crosses what they share once.

    Parameters
    ----------
    ways : sequence of sequence of (channel, class)
        Each to another terminal.

    Returns
    -------
    list of [channel, class, child, sibling]
        The hops, counted from 0, as `Network.add_routes` takes them; the first hop of the route is the last
        of those that no other hop leads to.
    list of int
        The last hop of each way.
    """
    rows: list[list[int]] = []
    root, last = -1, []
    for way in ways:
        parent = -1
        for channel, vcs in way:
            first = root if parent < 0 else rows[parent][2]
            hop = first
            while hop >= 0 and rows[hop][:2] != [channel, vcs]:
                hop = rows[hop][3]
            if hop < 0:
                hop = len(rows)
                rows.append([channel, vcs, -1, first])
                if parent < 0:
                    root = hop
                else:
                    rows[parent][2] = hop
            parent = hop
        last.append(parent)
    return rows, last


def add_tree(network: Network, ways: Sequence[Sequence[tuple[int, int]]]) -> int:
    """Add a route that branches where the ways part, and return its number; see `tree_rows`."""
    rows, _ = tree_rows(ways)
    table = np.array(rows, dtype=np.int64)
    led_to = {row[2] for row in rows} | {row[3] for row in rows}
    root = next(hop for hop in range(len(rows)) if hop not in led_to)
    return network.add_routes(table[:, 0], table[:, 1], table[:, 2], table[:, 3], [root], [len(ways)])
