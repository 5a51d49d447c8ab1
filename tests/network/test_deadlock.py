"""Does everything arrive, whatever the network, its routers and its traffic?

PIMSIM_DEADLOCK_EXAMPLES says how many random runs; buffers are tiny, so that packets stand across several routers.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pimsim.chip.router import Router
from pimsim.chip.topology.ring import Ring
from pimsim.chip.topology.spec import from_spec
from pimsim.errors import SimulationError
from pimsim.network.batch import run_batch
from pimsim.network.fabric import Fabric
from pimsim.network.source import Source
from pimsim.network.traffic import pattern
from pimsim.registry import plugged
from pimsim_core.clock import Clock

EXAMPLES = int(os.environ.get("PIMSIM_DEADLOCK_EXAMPLES", "300"))

NUMBER = st.integers(2, 4)
SPECS = {
    "mesh": st.builds("mesh:{}x{}".format, st.integers(1, 5), NUMBER),
    "torus": st.builds("torus:{}x{}".format, st.integers(1, 6), st.integers(2, 6)),
    "ring": st.builds("ring:{}".format, st.integers(2, 9)),
    "cmesh": st.builds("cmesh:{}x{}x{}".format, st.integers(1, 3), NUMBER, NUMBER),
    "fattree": st.builds("fattree:{},{}".format, st.integers(2, 3), st.integers(1, 3)),
    "fly": st.builds("fly:{},{}".format, st.integers(2, 3), st.integers(1, 3)),
    "htree": st.builds("htree:{},{}".format, NUMBER, st.integers(1, 2)),
    "crossbar": st.builds("crossbar:{}".format, st.integers(1, 9)),
    "bus": st.builds("bus:{}".format, st.integers(1, 9)),
    "package": st.builds(
        "package:{}/{}".format,
        st.integers(1, 3),
        st.sampled_from(["mesh:2x2", "torus:3x3", "ring:5", "cmesh:2x1x2", "fattree:2,2"]),
    ),
}


@st.composite
def free_graphs(draw):
    """A connected graph of a few routers, with circles."""
    n = draw(st.integers(2, 7))
    edges = {(draw(st.integers(0, i - 1)), i) for i in range(1, n)}
    more = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))
    edges |= {(min(pair), max(pair)) for pair in draw(st.lists(more, max_size=5)) if pair[0] != pair[1]}
    return {"kind": "graph", "edges": [list(edge) for edge in sorted(edges)]}


SHAPES = {kind: text.map(from_spec) for kind, text in SPECS.items()}
SHAPES["graph"] = free_graphs().map(plugged("topologies")["graph"].model_validate)


@st.composite
def runs(draw):
    """A network of routers with tiny buffers, and packets longer than those."""
    topology = draw(st.sampled_from(sorted(plugged("topologies"))).flatmap(SHAPES.__getitem__))
    router = Router(
        vcs=draw(st.integers(topology.vcs_needed, 4)),
        buffer=draw(st.integers(1, 3)),
        rd=draw(st.integers(0, 2)),
        va=draw(st.integers(1, 3)),
        sa=draw(st.integers(1, 3)),
        st=draw(st.integers(0, 2)),
        link=draw(st.integers(0, 3)),
        credit=draw(st.integers(0, 2)),
        speculative=draw(st.booleans()),
    )
    text = draw(st.sampled_from(["uniform", "bitcomp", "tornado", "neighbor", "alltoall", "hotspot:0"]))
    return (
        topology,
        router,
        text,
        draw(st.integers(1, 12)),
        draw(st.integers(1, 12)),
        draw(st.integers(0, 999)),
    )


def finish(topology, router, text, packets, size, seed):
    """Let every terminal send packets as fast as it can, and check that all of them arrive."""
    built = Fabric(topology.graph(topology.places), router)
    network = built.network()
    source = Source(built, network, pattern(text, topology), size, seed)
    terminals = len(source.order)
    source.load(np.zeros(terminals * packets, dtype=np.int64), np.tile(np.arange(terminals), packets))
    Clock(network).run(1_000_000)
    assert network.packets_done == terminals * packets, "packets never arrive"
    assert network.next_event is None, "something still moves"
    entered, arrived = network.packet_cycles()
    assert (entered >= 0).all()
    assert (arrived > entered).all()
    flits = network.channel_figures()[0]
    ends = [target < 0 for _, target, *_ in built.ports]
    assert flits[ends].sum() == flits[built.injection].sum() == terminals * packets * size


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(runs())
def test_everything_arrives(run):
    finish(*run)


@pytest.mark.parametrize("shape", ["torus:8x8", "ring:32", "cmesh:4x4x4", "fattree:4,3", "mesh:8x8"])
def test_everything_arrives_in_a_larger_network(shape):
    topology = from_spec(shape)
    for text in ("uniform", "tornado", "bitcomp"):
        finish(topology, Router(vcs=2, buffer=1), text, packets=20, size=6, seed=1)


def test_without_its_classes_of_virtual_channels_a_ring_locks_up_and_that_is_noticed(monkeypatch):
    """The reason for the classes, and proof that the tests above can fail."""
    monkeypatch.setattr(Ring, "classes", lambda self, path: [0] * (len(path) - 1))
    topology = from_spec("ring:8")
    with pytest.raises(AssertionError, match="packets never arrive"):
        finish(topology, Router(vcs=2, buffer=1), "tornado", 50, 8, 1)


def test_a_batch_that_is_stuck_is_an_error_and_no_endless_run(monkeypatch):
    """A ring whose packets may all use every virtual channel closes a circle of waits: nothing moves any more."""
    monkeypatch.setattr(Ring, "classes", lambda self, path: [0] * (len(path) - 1))
    ring = Ring(kind="ring", nodes=8)
    built = Fabric(ring.graph(8), Router(vcs=2, buffer=1))
    with pytest.raises(SimulationError, match="packets never arrive"):
        run_batch(built, pattern("tornado", ring), 50, 8, [1])
