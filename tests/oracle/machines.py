"""Small random machines: actors in a random graph, finite streams, shared resources, shared banks, links."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from pimsim.mapping.netlist import Mvm, Netlist, Step

PERIODS = [1, 2, 3, 5, 8]


@st.composite
def machines(draw):
    """Draw a netlist of up to a dozen actors; some of them deadlock, which is part of the question."""
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
            places=draw(number(1, 3)),
            cause="transport",
        )
        for i in range(draw(number(0, 3)))
    ]
    banks = [
        net.add_resource(f"adc{i}", "adc", draw(st.sampled_from(PERIODS))) for i in range(draw(number(0, 2)))
    ]

    def visit(resource):
        period = net.resources[resource].period_fs
        return Step(resource, draw(number(1, 4)) * period, draw(number(1, 4)) * period)

    def route():
        # Links in increasing order, as a deadlock-free routing would visit them; then perhaps a port.
        steps = [visit(link) for link in links if draw(st.booleans())]
        if draw(st.booleans()):
            steps.append(visit(draw(st.sampled_from(plain))))
        return net.add_path(steps) if steps else None

    def work():
        steps = [visit(draw(st.sampled_from(plain))) for _ in range(draw(number(1, 2)))]
        if banks and draw(st.booleans()):
            shared = draw(st.booleans())
            clock = draw(st.sampled_from(PERIODS))
            bank = draw(st.sampled_from(banks))
            if not shared:
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
                shared=shared,
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
