"""Graphs of ops for the token game: plain rows, the arrays that the game takes, a machine to run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import Step


class Edge(NamedTuple):
    """An input of an op: the tokens of `source` that each firing needs, and the first still of use."""

    source: int
    need: list[int]
    low: list[int]


class Op(NamedTuple):
    """An op: at which of its firings it puts a token out, and its inputs."""

    emits: list[bool]
    edges: list[Edge]
    look_ahead: int = 0
    eager: bool = False

    @property
    def tokens(self):
        return sum(self.emits)


def plain(firings, *edges, look_ahead=0):
    """An op that puts a token out at each firing."""
    return Op([True] * firings, list(edges), look_ahead)


def pointwise(source, firings):
    """Firing k needs token k and nothing else."""
    return Edge(source, [k + 1 for k in range(firings)], list(range(firings)))


def window(source, height, width, kernel, pad):
    """A sliding window with stride 1: output (y, x) needs the pixels under it, row by row."""
    need, low = [], []
    for y in range(height + 2 * pad - kernel + 1):
        for x in range(width + 2 * pad - kernel + 1):
            rows = [y - pad + i for i in range(kernel) if 0 <= y - pad + i < height]
            columns = [x - pad + i for i in range(kernel) if 0 <= x - pad + i < width]
            low.append(rows[0] * width + columns[0])
            need.append(rows[-1] * width + columns[-1] + 1)
    # A pixel is of use as long as any later output has it under its window.
    return Edge(source, need, [min(low[k:]) for k in range(len(low))])


def arrays(ops):
    """The arguments of `pimsim_core.token_game.play`, without the number of inferences."""
    edges = [edge for op in ops for edge in op.edges]
    emitted = [np.cumsum(op.emits) for op in ops]
    return (
        np.array([len(op.emits) for op in ops], dtype=np.int64),
        np.cumsum([0, *(len(op.edges) for op in ops)]).astype(np.int32),
        np.array([edge.source for edge in edges], dtype=np.int32),
        np.array([ops[edge.source].tokens for edge in edges], dtype=np.int64),
        np.concatenate([np.array(edge.need, dtype=np.int64) for edge in edges]),
        np.concatenate([np.array(edge.low, dtype=np.int64) for edge in edges]),
        np.cumsum([0, *(len(edge.need) for edge in edges[:-1])]).astype(np.int64),
        np.concatenate(emitted).astype(np.int64),
        np.cumsum([0, *(len(each) for each in emitted[:-1])]).astype(np.int64),
        np.array([op.look_ahead for op in ops], dtype=np.int64),
        np.array([op.eager for op in ops], dtype=np.int64),
    )


def machine(ops, places, inferences, *, services, depths=None, replicas=None):
    """The graph as a machine in which every edge is a stream with its own places.

    Firings of op `i` take ``services[i]`` fs on one of two shared units; the firings of an inference are
    dealt out in turn to its replicas, ``depths[i]`` of each replica under way at once.
    """
    net = Netlist()
    units = [net.add_resource(f"unit{i}", "unit", 1) for i in range(2)]
    copies = [min(len(op.emits), replicas[i] if replicas else 1) for i, op in enumerate(ops)]
    actors = []
    for number, op in enumerate(ops):
        path = net.add_path([Step(units[number % 2], services[number], services[number])])
        actors.append([])
        for replica in range(copies[number]):
            period = len(op.emits[replica :: copies[number]])
            depth = depths[number] if depths else 1
            name = f"op{number}.{replica}"
            actors[-1].append(
                net.add_actor(name, f"op{number}", path, period * inferences, period=period, depth=depth)
            )
    found = iter(places)
    for number, op in enumerate(ops):
        for edge in op.edges:
            stream = net.add_stream("edge", int(next(found)), ops[edge.source].tokens)
            _fill(net, stream, ops[edge.source], actors[edge.source])
            _drain(net, stream, edge, ops[edge.source].tokens, actors[number])
    return net


def _fill(net, stream, op, actors):
    """Let the replicas of an op put its tokens on a stream."""
    token = np.where(op.emits, np.cumsum(op.emits) - 1, -1)
    for replica, actor in enumerate(actors):
        net.add_output(actor, stream, net.add_table(token[replica :: len(actors)]))


def _drain(net, stream, edge, tokens, actors):
    """Let the replicas of an op take from a stream; each frees what is below its own next firing's `low`."""
    low = np.array(edge.low)
    for replica, actor in enumerate(actors):
        own = slice(replica, None, len(actors))
        free = np.append(low[own][1:], tokens + low[replica])
        net.add_input(actor, stream, net.add_table(edge.need[own]), net.add_table(free), int(low[replica]))


@st.composite
def graphs(draw):
    """Draw a directed acyclic graph of up to six ops with any number of inputs, sources and outputs."""
    number = st.integers
    ops = []
    for index in range(draw(number(2, 6))):
        firings = draw(number(1, 6))
        emits = draw(st.lists(st.booleans(), min_size=firings, max_size=firings))
        emits[draw(number(0, firings - 1))] = True
        sources = draw(st.lists(number(0, index - 1), max_size=3)) if index else []
        edges = []
        for source in sources:  # the same one twice, too
            tokens = ops[source].tokens
            need = sorted(draw(st.lists(number(0, tokens), min_size=firings, max_size=firings)))
            low = sorted(draw(number(0, n)) for n in need)
            edges.append(Edge(source, need, low))
        ops.append(Op(emits, edges, draw(number(0, 4)), draw(st.booleans()) and bool(edges)))
    if not any(op.edges for op in ops):
        source = ops[0].tokens
        count = len(ops[1].emits)
        ops[1].edges.append(Edge(0, [source] * count, [0] * count))
    return ops
