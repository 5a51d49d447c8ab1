"""Does the network agree with BookSim2 (Jiang et al., ISPASS 2013), and with the formula that BookSim2 bears out?

The tables are in ``booksim/``; ``docs/network-accuracy.md`` compares every row of them.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.chip.router import Router
from pimsim.chip.topology.spec import from_spec
from pimsim.network.fabric import Fabric, Routes
from pimsim.network.measure import measure, run_batch
from pimsim.network.traffic import pattern

from .booksim.tables import accepted, fabric, rows, spec

# -- an idle network: T0 = R (rd + va + sa + st) + (R - 1) link + 3 + (L - 1) -----------------------------------

SHAPES = [
    "mesh:4x4",
    "mesh:5x3",
    "mesh:1x6",
    "torus:4x4",
    "torus:5x3",
    "ring:2",
    "ring:9",
    "cmesh:3x2x4",
    "cmesh:2x3x2",
    "fattree:2,3",
    "fattree:4,2",
    "fattree:3,1",
    "fly:2,3",
]
PIPELINES = [
    {},
    {"rd": 0},
    {"rd": 2},
    {"va": 2},
    {"sa": 2},
    {"st": 0},
    {"st": 2},
    {"link": 3},
    {"credit": 2},
    {"speculative": True},
    {"rd": 0, "speculative": True},
    {"rd": 2, "va": 3, "sa": 2, "st": 2, "link": 2, "speculative": True},
    {"rd": 2, "va": 2, "sa": 3, "st": 3, "link": 4, "credit": 1},
]


def apart(a: int, b: int, size: int, *, around: bool) -> int:
    """Steps between two places of a row, or of a ring."""
    return min((a - b) % size, (b - a) % size) if around else abs(a - b)


def routers_crossed(topology, source: int, target: int) -> int:
    """R, by arithmetic on the terminals' numbers."""
    if topology.kind == "fly":
        return topology.stages
    if topology.kind == "fattree":
        climbed = 0
        while source // topology.arity ** (climbed + 1) != target // topology.arity ** (climbed + 1):
            climbed += 1
        return 2 * climbed + 1
    (width, height), each = topology.shape, topology.tiles_per_router
    (y, x), (v, u) = divmod(source // each, width), divmod(target // each, width)
    around = topology.kind in ("torus", "ring")
    return 1 + apart(x, u, width, around=around) + apart(y, v, height, around=around)


def formula(router: Router, crossed: int, flits: int) -> int:
    allocation = max(router.va, router.sa) if router.speculative else router.va + router.sa
    return crossed * (router.rd + allocation + router.st) + (crossed - 1) * router.link + 3 + flits - 1


def idle_latencies(topology, router: Router, sizes) -> tuple[list[int], list[int]]:
    """Latency of one packet at a time over every route between all terminals, and what the formula says."""
    built = Fabric(topology.graph(topology.places), router)
    network = built.network()
    routes = Routes(built, network)
    ends = range(topology.places)
    ways = [(a, b, c) for a in ends for b in ends for c in range(routes.choices(a, b))]
    packets = [(*way, flits) for way in ways for flits in sizes]
    expected = [formula(router, routers_crossed(topology, a, b), flits) for a, b, _, flits in packets]
    gap = max(expected) + 20  # all credits are back
    created = np.arange(len(packets)) * gap
    network.watch(len(packets))
    numbers = routes.add([packet[:3] for packet in packets])
    network.load(created, [packet[0] for packet in packets], numbers, [packet[3] for packet in packets])
    network.run(len(packets) * gap)
    return (network.packet_cycles()[1] - created).tolist(), expected


@pytest.mark.parametrize("shape", SHAPES)
def test_an_idle_network_takes_what_the_formula_says(shape):
    for pipeline in PIPELINES:
        model = Router(**pipeline)
        # No deeper buffers than the credit loop, from which on a flit can follow in every cycle.
        router = Router(**pipeline, buffer=model.credit_loop(model.link))
        found, expected = idle_latencies(from_spec(shape), router, (1, 2, 7))
        assert found == expected, router


@pytest.mark.parametrize("shape", ["mesh:8x8", "torus:8x8", "cmesh:4x4x4", "ring:32"])
def test_so_does_a_larger_one(shape):
    found, expected = idle_latencies(from_spec(shape), Router(), (1, 8))
    assert found == expected


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["mesh:3x2", "torus:3x4", "ring:5", "cmesh:2x2x4", "fattree:2,2"]),
    st.builds(
        Router,
        vcs=st.integers(2, 4),
        buffer=st.just(32),
        rd=st.integers(0, 4),
        va=st.integers(1, 4),
        sa=st.integers(1, 4),
        st=st.integers(0, 4),
        link=st.integers(1, 5),
        credit=st.integers(0, 3),
        speculative=st.booleans(),
    ),
    st.integers(1, 40),
)
def test_so_does_any_pipeline_and_packet(shape, router, flits):
    found, expected = idle_latencies(from_spec(shape), router, (flits,))
    assert found == expected


@pytest.mark.parametrize("row", rows("zero_load"), ids=lambda row: f"{row['packet_size']} flits")
def test_booksim_bears_the_formula_out(row):
    """Its nearly idle rows hold a few packets that met, which costs up to a quarter of a per cent."""
    router = fabric(row).router
    crossed = float(row["avg_routers_traversed"])
    per_router = router.per_hop() + 1
    expected = crossed * per_router - 1 + 3 + int(row["packet_size"]) - 1
    assert expected <= float(row["avg_packet_latency"]) + 1e-3
    assert float(row["avg_packet_latency"]) == pytest.approx(expected, rel=0.0025)


# -- two nodes, one link ---------------------------------------------------------------------------------------


def tail_credit(row) -> bool:
    """Whether a row waits for the tail's credit before it grants a virtual channel again: pimsim's routers never do."""
    return row["wait_for_tail_credit"] not in ("", "0")


def starved(row) -> bool:
    """Whether a row's sources ran dry: all they offered was accepted, and it was less than the link carries."""
    return row["accepted_flits"] == row["injected_flits"] and float(row["accepted_flits"]) not in (
        1.0,
        *(n / 30 for n in (10, 15, 20, 24)),
    )


def test_placeholder():
    pass
