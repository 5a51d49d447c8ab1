"""Does a clock that takes repeating cycles in one stride give what every single cycle gives?

A network that keeps a log is run cycle by cycle; ``test_router.py`` compares that one with the plain Python router.
"""

from __future__ import annotations

import os

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pimsim.chip.router import Router
from pimsim.chip.topology.spec import from_spec
from pimsim.network.fabric import Fabric, add_tree, add_ways
from pimsim.registry import plugged
from pimsim_core.clock import Clock
from tests.oracle.test_router import SHAPES, routers

EXAMPLES = int(os.environ.get("PIMSIM_ROUTER_EXAMPLES", "300")) // 2


@st.composite
def cases(draw):
    """A network and a few packets, some of hundreds of flits, some to several ends at once."""
    shape = draw(st.sampled_from(SHAPES))
    topology = plugged("topologies")[shape["kind"]].model_validate(shape)
    fabric = Fabric(topology.graph(topology.places), draw(routers(topology.vcs_needed)))
    end = st.integers(0, topology.places - 1)
    size = st.one_of(st.integers(1, 9), st.integers(100, 900))
    one = st.tuples(st.integers(0, 500), end, end.map(lambda place: {place}), size, st.integers(0, 7))
    # What branches must fit into a buffer.
    few = st.tuples(
        st.integers(0, 500), end, st.sets(end, min_size=2, max_size=3), st.integers(1, fabric.router.buffer)
    )
    packets = draw(st.lists(st.one_of(one, few.map(lambda row: (*row, 0))), min_size=1, max_size=10))
    return fabric, sorted(packets, key=lambda row: row[0])


def outcome(fabric, packets, record, until=None):
    """When each packet entered and came, what each channel carried, and how many cycles were looked at."""
    network, ends = fabric.network(record=record), fabric.terminals
    routes = [
        add_ways(network, [fabric.hops(ends[source], ends[next(iter(targets))], choice)])
        if len(targets) == 1
        else add_tree(network, [fabric.hops(ends[source], ends[target]) for target in sorted(targets)])
        for _, source, targets, _, choice in packets
    ]
    network.watch(len(packets))
    created, sources, _, sizes, _ = zip(*packets, strict=True)
    network.load(created, sources, routes, sizes)
    clock = Clock(network)
    looked_at = sum(clock.run(stop) for stop in (until or []))
    looked_at += clock.run(10**6)
    assert network.next_event is None
    figures = (*network.packet_cycles(), *network.channel_figures())
    return [each.tolist() for each in figures] + [network.flit_hops, network.last_arrival], looked_at


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases(), st.lists(st.integers(1, 4000), max_size=4))
def test_strides_give_what_single_cycles_give(case, stops):
    fabric, packets = case
    strides, looked_at = outcome(fabric, packets, record=False, until=sorted(stops))
    single, every = outcome(fabric, packets, record=True)
    assert strides == single
    assert looked_at <= every


def test_a_long_packet_costs_no_more_cycles_than_a_short_one():
    fabric = Fabric(from_spec("mesh:4x4").graph(16), Router(vcs=2, buffer=8))
    for rivals in (0, 1, 2):  # that share the last channel, and so take turns on it

        def packets(size, rivals=rivals):
            return [(0, source, {15}, size, 0) for source in (0, 5, 10)[: rivals + 1]]

        cycles = [outcome(fabric, packets(size), record=False)[1] for size in (1000, 100_000)]
        assert cycles[1] < 2 * cycles[0] < 2_000


def test_the_present_lies_behind_a_stride_where_a_run_stops():
    """A packet that is loaded where a run has stopped meets the flits of a long one where they are then."""
    fabric = Fabric(from_spec("mesh:4x1").graph(4), Router(vcs=1, buffer=4))

    def last(record):
        network, ends = fabric.network(record=record), fabric.terminals
        route = add_ways(network, [fabric.hops(ends[0], ends[3], 0)])
        network.load([0], [0], [route], [5000])
        clock = Clock(network)
        clock.run(3001)
        network.watch(2)
        network.load([network.now + 1], [1], [add_ways(network, [fabric.hops(ends[1], ends[3], 0)])], [3])
        clock.run(10**6)
        return network.now, np.concatenate(network.packet_cycles()).tolist()

    assert last(record=False)[1] == last(record=True)[1]


def test_a_tail_in_a_buffer_is_not_taken_for_one_flit_of_many():
    """Packets follow one another on a channel: body flits behind a tail that drains slowly look like its own."""
    fabric = Fabric(from_spec("mesh:3x3").graph(9), Router(vcs=1, buffer=32))
    packets = [(0, source, {8}, size, 0) for source, size in ((4, 764), (4, 668), (6, 526), (6, 496))]
    strides, looked_at = outcome(fabric, packets, record=False)
    single, every = outcome(fabric, packets, record=True)
    assert strides == single
    assert looked_at < every
