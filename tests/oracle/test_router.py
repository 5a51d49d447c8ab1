"""Does the compiled network agree with the plain Python router, flit by flit, on random small networks?"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pimsim.chip.router import Router
from pimsim.network.fabric import Fabric, add_tree, add_ways
from pimsim.registry import plugged
from pimsim_core.clock import Clock
from tests.oracle.router import Packet, Routers, merged, way_of

EXAMPLES = int(os.environ.get("PIMSIM_ROUTER_EXAMPLES", "300"))
SHAPES = [
    {"kind": "mesh", "width": 3, "height": 2},
    {"kind": "mesh", "width": 2, "height": 1},
    {"kind": "cmesh", "width": 2, "height": 2, "concentration": 2},
    {"kind": "torus", "width": 4, "height": 3},
    {"kind": "ring", "nodes": 5},
    {"kind": "fattree", "arity": 2, "levels": 3},
    {"kind": "fly", "arity": 2, "stages": 2},
    {"kind": "htree", "levels": 2, "arity": 2},
    {"kind": "crossbar", "nodes": 4},
    {"kind": "bus", "nodes": 3},
    {"kind": "graph", "edges": [[0, 1], [1, 2, 3], [2, 3], [3, 0], [0, 2]]},
    {"kind": "package", "chips": 2, "of": {"kind": "mesh", "width": 2, "height": 2}, "link_cycles": 4},
]


@st.composite
def routers(draw, vcs=1):
    """Router of any pipeline; buffers and virtual channels from scarce to ample."""
    number = st.integers
    return Router(
        vcs=draw(number(vcs, 4)),
        buffer=draw(number(1, 6)),
        rd=draw(number(0, 2)),
        va=draw(number(1, 2)),
        sa=draw(number(1, 2)),
        st=draw(number(0, 2)),
        link=draw(number(0, 3)),
        credit=draw(number(0, 2)),
        speculative=draw(st.booleans()),
    )


@st.composite
def cases(draw):
    """A network and a handful of packets in it."""
    shape = draw(st.sampled_from(SHAPES))
    topology = plugged("topologies")[shape["kind"]].model_validate(shape)
    fabric = Fabric(topology.graph(topology.places), draw(routers(topology.vcs_needed)))
    end = st.integers(0, topology.places - 1)
    packets = draw(
        st.lists(
            st.tuples(st.integers(0, 30), end, end, st.integers(1, 9), st.integers(0, 7)),
            min_size=1,
            max_size=40,
        )
    )
    return fabric, sorted(packets, key=lambda row: row[0])


def run_plain(fabric, packets, trees, limit=20_000):
    model = fabric.router
    names = ("vcs", "buffer", "rd", "va", "sa", "st", "credit", "speculative")
    plain = Routers(fabric.ports, fabric.injection, **{name: getattr(model, name) for name in names})
    for tag, ((created, source, _, size, _), onward) in enumerate(zip(packets, trees, strict=True)):
        plain.inject(source, Packet(tag, onward, size, created))
    now = 0
    while not plain.idle:
        plain.cycle(now)
        now += 1
        assert now < limit, "the plain router does not come to an end"
    return plain


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_every_flit_takes_the_same_channel_in_the_same_cycle(case):
    fabric, packets = case
    ways = [
        fabric.hops(fabric.terminals[source], fabric.terminals[target], choice)
        for _, source, target, _, choice in packets
    ]
    network = fabric.network(record=True)
    first = add_ways(network, ways)
    network.watch(len(packets))
    created, sources, _, sizes, _ = zip(*packets, strict=True)
    network.load(created, sources, range(first, first + len(ways)), sizes)
    Clock(network).run(20_000)
    plain = run_plain(fabric, packets, [way_of(way) for way in ways])
    assert sorted(network.flit_log) == sorted(plain.log), (fabric.router, fabric.topology)
    entered, arrived = network.packet_cycles()
    assert dict(enumerate(entered.tolist())) == plain.entered
    assert dict(enumerate(arrived.tolist())) == {tag: cycle for tag, [(_, cycle)] in plain.arrived.items()}
    assert network.packets_done == len(packets)
    assert network.flit_hops == sum(size * len(way) for size, way in zip(sizes, ways, strict=True))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_every_copy_of_a_packet_that_branches_agrees_too(data):
    shape = data.draw(st.sampled_from(SHAPES))
    topology = plugged("topologies")[shape["kind"]].model_validate(shape)
    fabric = Fabric(topology.graph(topology.places), data.draw(routers(topology.vcs_needed)))
    end = st.integers(0, topology.places - 1)
    row = st.tuples(
        st.integers(0, 20), end, st.sets(end, min_size=1), st.integers(1, fabric.router.buffer), st.just(0)
    )
    packets = sorted(data.draw(st.lists(row, min_size=1, max_size=20)), key=lambda packet: packet[0])
    network = fabric.network(record=True)
    trees, routes = [], []
    for _, source, targets, _, _ in packets:
        ways = [fabric.hops(fabric.terminals[source], fabric.terminals[target]) for target in sorted(targets)]
        trees.append(merged(ways))
        routes.append(add_tree(network, ways))
    network.watch(len(packets))
    created, sources, _, sizes, _ = zip(*packets, strict=True)
    network.load(created, sources, routes, sizes)
    Clock(network).run(20_000)
    plain = run_plain(fabric, packets, trees)
    assert sorted(network.flit_log) == sorted(plain.log), fabric.router
    arrived = network.packet_cycles()[1].tolist()
    assert dict(enumerate(arrived)) == {
        tag: max(cycle for _, cycle in ends) for tag, ends in plain.arrived.items()
    }
    assert all(len(plain.arrived[tag]) == len(targets) for tag, (_, _, targets, _, _) in enumerate(packets))
    assert network.packets_done == len(packets)
