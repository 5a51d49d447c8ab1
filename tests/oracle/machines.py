"""Small random machines: actors in a random graph, finite streams, shared resources, shared banks, links."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from pimsim.chip.router import Router
from pimsim.netlist.freeze import freeze
from pimsim.netlist.memory import memory_ports
from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import Mvm, NetworkRows, Step
from pimsim.network.fabric import Fabric
from pimsim.registry import plugged
from pimsim_core.engine import Engine

PERIODS = [1, 2, 3, 5, 8]
SHAPES = [
    {"kind": "mesh", "width": 2, "height": 2},
    {"kind": "cmesh", "width": 2, "height": 1, "concentration": 2},
    {"kind": "ring", "nodes": 5},
]


def engine_of(net):
    """The compiled engine of a netlist, with its network, keeping a log."""
    return Engine(
        freeze(net),
        len(net.parts),
        len(net.ops),
        record=True,
        network=net.build_network(),
        network_period=net.network.period_fs if net.network is not None else 1,
        tiles=net.tiles,
        energy_parts=len(net.energy_parts),
        memory=memory_ports(net),
    )


@st.composite
def machines(draw, shared=True):
    """Draw a netlist of up to a dozen actors; some of them deadlock, which is part of the question.

    Without `shared`, no two actors or packets of different actors use the same resource, there is no network, and
    every resource has one server (of two, the one that is free first counts: either could be the cause).
    """
    net = Netlist()
    number = st.integers
    plain = [
        net.add_resource(
            f"r{i}",
            draw(st.sampled_from(["bus", "unit"])),
            draw(st.sampled_from(PERIODS)),
            servers=draw(number(1, 2)),
        )
        for i in range(draw(number(1, 4)))
    ]
    links = [
        net.add_resource(
            f"link{i}",
            "link",
            draw(st.sampled_from(PERIODS)),
            cause="transport",
        )
        for i in range(draw(number(0, 3)))
    ]
    banks = [
        net.add_resource(f"adc{i}", "adc", draw(st.sampled_from(PERIODS))) for i in range(draw(number(0, 2)))
    ]

    fabric = None
    if shared and draw(st.booleans()):
        shape = draw(st.sampled_from(SHAPES))
        topology = plugged("topologies")[shape["kind"]].model_validate(shape)
        router = Router(
            vcs=draw(number(2, 3)),
            buffer=draw(number(1, 5)),
            rd=draw(number(0, 1)),
            st=draw(number(0, 1)),
            link=draw(number(0, 2)),
            speculative=draw(st.booleans()),
        )
        fabric = Fabric(topology.graph(topology.places), router)
        net.network = NetworkRows(fabric, draw(number(1, 2)), draw(st.sampled_from(PERIODS)), True)
        entrances = {}

    def through():
        """A packet of a few flits from one terminal of a copy of the network to another."""
        terminals, channels = len(fabric.terminals), len(fabric.channels)
        copy = draw(number(0, net.network.copies - 1))
        source, target = draw(number(0, terminals - 1)), draw(number(0, terminals - 1))
        hops = fabric.hops(fabric.terminals[source], fabric.terminals[target], draw(number(0, 1)))
        start, flits, period = copy * terminals + source, draw(number(1, 7)), net.network.period_fs
        if start not in entrances:
            entrance = copy * channels + fabric.injection[source]
            entrances[start] = net.add_resource(
                f"entrance{start}", "network", period, link=entrance, cause="transport"
            )
        route = net.add_route(tuple((copy * channels + channel, vcs) for channel, vcs in hops))
        latency = fabric.zero_load(hops, flits) * period
        return Step(entrances[start], flits * period, latency, None, route, start, flits)

    def visit(resource):
        period = net.resources[resource].period_fs
        return Step(resource, draw(number(1, 4)) * period, draw(number(1, 4)) * period)

    def some_plain():
        if shared:
            return draw(st.sampled_from(plain))
        return net.add_resource("own unit", "unit", draw(st.sampled_from(PERIODS)))

    def own(link):
        row = net.resources[link]
        return net.add_resource("own link", "link", row.period_fs, cause="transport")

    def route():
        # Some links, perhaps the network, then perhaps a port.
        steps = [visit(link if shared else own(link)) for link in links if draw(st.booleans())]
        if fabric is not None and draw(st.booleans()):
            steps.append(through())
        if draw(st.booleans()):
            steps.append(visit(some_plain()))
        return net.add_path(steps) if steps else None

    def work():
        steps = [visit(some_plain()) for _ in range(draw(number(1, 2)))]
        if banks and draw(st.booleans()):
            with_others = shared and draw(st.booleans())
            clock = draw(st.sampled_from(PERIODS))
            bank = draw(st.sampled_from(banks))
            if not with_others:
                bank = net.add_resource("own adc", "adc", draw(st.sampled_from(PERIODS)))
            period = net.resources[bank].period_fs
            array = net.add_resource("array", "array", clock)
            mvm = Mvm(
                phases=draw(number(1, 5)),
                setup=draw(number(0, 2)) * clock,
                read=draw(number(1, 4)) * clock,
                convert=draw(number(1, 4)) * period,
                tail=draw(number(1, 3)),
                bank=bank,
                shared=with_others,
            )
            steps.insert(draw(number(0, len(steps))), Step(array, 0, 0, mvm))
        return net.add_path(steps)

    inferences = draw(number(1, 3))
    ops = []  # (actors, positions)
    for i in range(draw(number(2, 5))):
        positions = draw(number(1, 6))
        replicas = draw(number(1, min(3, positions)))
        actors = [
            net.add_actor(
                f"op{i}.{r}",
                f"op{i}",
                work(),
                len(range(r, positions, replicas)) * inferences,
                period=len(range(r, positions, replicas)),
                depth=draw(number(1, 3)),
                milestone=draw(number(0, 2)),
            )
            for r in range(replicas)
        ]
        ops.append((actors, positions))
    for consumer in range(1, len(ops)):
        for producer in draw(st.sets(number(0, consumer - 1), min_size=1, max_size=2)):
            connect(draw, net, ops[producer], ops[consumer], route)
    return net


def connect(draw, net, producer, consumer, route):
    """A stream on which some positions of the producer put a token, in order."""
    makers, made = producer
    takers, taken = consumer
    emits = draw(st.lists(st.booleans(), min_size=made, max_size=made))
    emits[draw(st.integers(0, made - 1))] = True
    tokens = sum(emits)
    ranks = np.where(emits, np.cumsum(emits) - 1, -1)
    need = np.sort(draw(st.lists(st.integers(0, tokens), min_size=taken, max_size=taken)))
    need[-1] = tokens
    # Nothing below the next need is used again.
    low = np.minimum.accumulate(np.r_[need[1:], tokens][::-1])[::-1]
    low = np.array([draw(st.integers(0, int(x))) for x in low])
    low = np.maximum.accumulate(low)
    stream = net.add_stream("s", draw(st.integers(1, tokens + 3)), tokens)
    for r, maker in enumerate(makers):  # positions are dealt out to the replicas
        net.add_output(maker, stream, net.add_table(ranks[r :: len(makers)]), route())
    for r, taker in enumerate(takers):
        own = slice(r, None, len(takers))
        net.add_input(
            taker, stream, net.add_table(need[own]), net.add_table(low[own]), draw(st.integers(0, 1))
        )
