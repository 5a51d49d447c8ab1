"""Does measuring lose, invent or reorder flits, and are its figures what they say they are?"""

from __future__ import annotations

import collections
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.chip.router import Router
from pimsim.chip.topology.spec import from_spec
from pimsim.errors import ConfigError
from pimsim.network.batch import run_batch, run_packets
from pimsim.network.fabric import Fabric, add_ways
from pimsim.network.measure import T_95, half_width, measure
from pimsim.network.source import Source
from pimsim.network.traffic import pattern
from pimsim.network.trial import Trial
from pimsim_core.clock import Clock

SHAPES = [
    "mesh:4x4",
    "torus:4x3",
    "ring:6",
    "cmesh:2x2x4",
    "fattree:2,3",
    "fly:2,3",
    "htree:2,2",
    "crossbar:6",
    "bus:4",
]


def fabric(shape, **router):
    topology = from_spec(shape)
    return Fabric(topology.graph(topology.places), Router(**router))


# -- conservation and order ------------------------------------------------------------------------------------


@st.composite
def traffic(draw):
    """A network and packets of it: created in cycle, source, target, choice of route, flits."""
    built = fabric(
        draw(st.sampled_from(SHAPES)),
        vcs=draw(st.integers(2, 4)),
        buffer=draw(st.integers(1, 5)),
        rd=draw(st.integers(0, 2)),
        sa=draw(st.integers(1, 2)),
        link=draw(st.integers(0, 2)),
        speculative=draw(st.booleans()),
    )
    end = st.integers(0, len(built.terminals) - 1)
    row = st.tuples(st.integers(0, 40), end, end, st.integers(0, 3), st.integers(1, 6))
    return built, sorted(draw(st.lists(row, min_size=1, max_size=60)), key=lambda packet: packet[0])


def sent(built, packets):
    """The network after all packets have arrived, with a log, and the channels of each packet's route."""
    network = built.network(record=True)
    ends = built.terminals
    created, sources, targets, choices, sizes = zip(*packets, strict=True)
    ways = [
        built.hops(ends[a], ends[b], choice) for a, b, choice in zip(sources, targets, choices, strict=True)
    ]
    first = add_ways(network, ways)
    network.watch(len(packets))
    network.load(created, sources, range(first, first + len(ways)), sizes)
    Clock(network).run(100_000)
    return network, [[channel for channel, _ in way] for way in ways]


@settings(max_examples=100, deadline=None)
@given(traffic())
def test_what_goes_in_comes_out_over_its_route_and_nothing_else(case):
    built, packets = case
    network, ways = sent(built, packets)
    assert network.packets_done == network.packets_sent == len(packets)
    assert network.next_event is None
    entered, arrived = network.packet_cycles()
    created = np.array([packet[0] for packet in packets])
    assert (created <= entered).all()
    assert (entered < arrived).all()
    # Every channel carries the flits of the packets whose routes contain it; injection, those of its terminal.
    carried = np.zeros(len(built.channels), dtype=int)
    for (_, source, _, _, size), way in zip(packets, ways, strict=True):
        carried[[built.injection[source], *way]] += size
    assert network.channel_figures()[0].tolist() == carried.tolist()
    # Of each packet, every flit leaves every router on its way once.
    seen = collections.Counter((channel, tag, flit) for _, channel, _, tag, flit in network.flit_log)
    expected = {
        (channel, tag, flit): 1
        for tag, way in enumerate(ways)
        for channel in way
        for flit in range(packets[tag][4])
    }
    assert seen == expected


@settings(max_examples=100, deadline=None)
@given(traffic())
def test_every_virtual_channel_keeps_the_order(case):
    """Packets leave a lane in one piece, flit after flit, and in the order in which they came into it."""
    built, packets = case
    network, ways = sent(built, packets)
    lanes = collections.defaultdict(list)
    left = {}
    for cycle, channel, vc, tag, flit in sorted(network.flit_log):
        lanes[channel, vc].append((cycle, tag, flit))
        left.setdefault((tag, channel), cycle)
    onward = {(tag, a): b for tag, way in enumerate(ways) for a, b in itertools.pairwise(way)}
    for (channel, _), flits in lanes.items():
        cycles = [cycle for cycle, _, _ in flits]
        assert cycles == sorted(set(cycles)), "two flits of a lane in a cycle"
        order = []
        for tag, run in itertools.groupby(flits, key=lambda flit: flit[1]):
            assert [flit for _, _, flit in run] == list(range(packets[tag][4])), "a packet not in one piece"
            order.append(tag)
        further = [left[tag, onward[tag, channel]] for tag in order if (tag, channel) in onward]
        assert further == sorted(further), "a packet overtook another on one virtual channel"


@settings(max_examples=100, deadline=None)
@given(traffic())
def test_with_one_virtual_channel_a_pairs_packets_arrive_in_order(case):
    built, packets = case
    if built.topology.vcs_needed > 1:
        return
    one = Fabric(built.graph, Router(vcs=1, buffer=built.router.buffer, rd=built.router.rd))
    network, _ = sent(one, [(cycle, a, b, 0, size) for cycle, a, b, _, size in packets])
    arrived = network.packet_cycles()[1]
    pairs = collections.defaultdict(list)
    for tag, (_, source, target, _, _) in enumerate(packets):
        pairs[source, target].append(int(arrived[tag]))
    assert all(cycles == sorted(set(cycles)) for cycles in pairs.values())


@pytest.mark.parametrize("shape", SHAPES)
def test_no_source_starves_under_overload(shape):
    """Where every terminal sends to one, whoever waits is served again and again, also those furthest away."""
    built = fabric(shape, vcs=2, buffer=4)
    terminals = len(built.terminals)
    network = built.network()
    source = Source(built, network, pattern("hotspot:0", built.topology), 2, 1)
    each = 400
    source.load(np.zeros(terminals * each, dtype=np.int64), np.tile(np.arange(terminals), each))
    Clock(network).run(terminals * each)  # half of what the one ejection port needs for all
    entered = network.packet_cycles()[0].reshape(each, terminals)
    sent_by = (entered >= 0).sum(axis=0)
    assert sent_by.min() > 0.02 * sent_by.sum() / terminals


# -- the load offered ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "size"), [(0.3, 1), (0.9, 1), (1.0, 1), (0.5, 8), (0.01, 4)])
def test_every_terminal_decides_in_every_cycle(rate, size):
    """Bernoulli: the share of cycles with a packet is rate / size, with its variance, whatever came before."""
    built = fabric("mesh:4x4")
    source = Source(built, built.network(), pattern("uniform", built.topology), size, 1)
    cycles, chance = 100_000, rate / size
    source.bernoulli(0, cycles, rate)
    created = source.created[0]
    trials = cycles * 16
    assert abs(len(created) - trials * chance) <= 5 * math.sqrt(trials * chance * (1 - chance))
    a_cycle = np.bincount(created, minlength=cycles)
    assert len(a_cycle) == cycles
    assert a_cycle.max() <= 16  # at most one a terminal
    variance = 16 * chance * (1 - chance)
    assert a_cycle.var() == pytest.approx(variance, rel=0.05, abs=1e-12)
    together = float(np.corrcoef(a_cycle[:-1], a_cycle[1:])[0, 1]) if variance else 0.0
    assert abs(together) < 5 / math.sqrt(cycles)


def test_what_is_accepted_is_what_is_offered_below_saturation():
    built = fabric("mesh:4x4")
    load = measure(built, pattern("uniform", built.topology), 0.3, 4, range(1, 9), 3000)
    assert load.status == "stable"
    assert load.accepted == pytest.approx(0.3, rel=0.02)
    # Mean of |x1 - x2| over a row of four is (4 - 1/4) / 3.
    assert load.routers == pytest.approx(1 + 2 * (4 - 1 / 4) / 3, rel=0.01)


# -- figures ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loads():
    built = fabric("mesh:4x4")
    rule = pattern("uniform", built.topology)
    return [measure(built, rule, rate, 2, (1, 2, 3)) for rate in (0.01, 0.2, 0.4, 0.9)]


def test_figures_fit_together(loads):
    for load in loads[:3]:
        ranks = load.percentiles
        assert list(ranks) == ["p50", "p95", "p99", "max"]
        assert ranks["p50"] <= ranks["p95"] <= ranks["p99"] <= ranks["max"]
        assert 8 <= load.network_latency_cycles <= load.latency_cycles <= ranks["max"]
        assert load.latency_ci95 > 0
    latencies = [load.latency_cycles for load in loads[:3]]
    assert latencies == sorted(latencies)


def test_percentiles_are_of_all_packets_of_all_seeds():
    built = fabric("ring:6")
    rule = pattern("uniform", built.topology)
    samples = [Trial(built, rule, 0.2, 2, seed, None).run() for seed in (1, 2)]
    latency = np.sort(np.concatenate([sample.latency for sample in samples]))
    load = measure(built, rule, 0.2, 2, (1, 2))
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        # The least value that this share of the packets does not exceed.
        assert load.percentiles[name] == latency[math.ceil(share * len(latency)) - 1]
    assert load.percentiles["max"] == latency[-1]
    assert load.packets == len(latency)
    means = [sample.latency.mean() for sample in samples]
    assert load.latency_cycles == pytest.approx(np.mean(means))
    assert load.latency_ci95 == pytest.approx(half_width(means))


def test_an_unstable_load_has_no_latency(loads):
    load = loads[3]
    assert load.status == "unstable"
    assert load.latency_cycles is None
    assert load.latency_ci95 is None
    assert load.network_latency_cycles is None
    assert load.percentiles == {}
    assert 0.3 < load.accepted < 0.9


def test_one_seed_has_no_interval():
    built = fabric("ring:4")
    load = measure(built, pattern("uniform", built.topology), 0.1, 1, (1,))
    assert load.latency_cycles is not None
    assert load.latency_ci95 is None


def test_a_seed_repeats_itself_and_another_differs():
    built = fabric("fattree:2,3")  # with routes by chance, too
    rule = pattern("uniform", built.topology)
    first, again, other = (measure(built, rule, 0.3, 2, seeds) for seeds in ((1, 2), (1, 2), (3, 4)))
    assert first.row() == again.row()
    assert first.links.flits.tolist() == again.links.flits.tolist()
    assert other.latency_cycles != first.latency_cycles


@pytest.mark.parametrize("rate", [0, -0.1, 1.01, math.nan])
def test_a_rate_out_of_range_is_refused(rate):
    built = fabric("ring:4")
    with pytest.raises(ConfigError):
        measure(built, pattern("uniform", built.topology), rate, 1, (1,))


# -- Student's t -----------------------------------------------------------------------------------------------


def t_distribution(t, free):
    """The share of Student's t within ±t, by Simpson's rule."""
    factor = math.exp(math.lgamma((free + 1) / 2) - math.lgamma(free / 2)) / math.sqrt(free * math.pi)
    x = np.linspace(0, t, 20_001)
    y = factor * (1 + x**2 / free) ** (-(free + 1) / 2)
    weights = np.ones(len(x))
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    return 2 * float((y * weights).sum()) * (x[1] - x[0]) / 3


def test_the_table_of_t_is_students():
    for free, t in enumerate(T_95, 1):
        assert t_distribution(t, free) == pytest.approx(0.95, abs=5e-5)


def test_the_interval_of_known_numbers():
    # Mean 3, standard deviation sqrt(2.5), t(4) = 2.776.
    assert half_width([1, 2, 3, 4, 5]) == pytest.approx(2.776 * math.sqrt(2.5 / 5))
    assert half_width([7.0, 7.0]) == 0
    assert half_width([7.0]) is None


@pytest.mark.parametrize("seeds", [16, 17, 20, 30, 60, 200])
def test_the_interval_of_many_seeds_is_students_too(seeds):
    values = np.arange(seeds) % 2
    t = half_width(values) * math.sqrt(seeds) / float(np.std(values, ddof=1))
    assert t_distribution(t, seeds - 1) == pytest.approx(0.95, abs=1e-3)


# -- batches and lists -----------------------------------------------------------------------------------------


def test_a_batch_is_as_long_as_its_last_packet_and_repeats_itself():
    built = fabric("mesh:4x4")
    rule = pattern("uniform", built.topology)
    batch = run_batch(built, rule, 20, 3, (1, 2, 1))
    assert batch.packets == 20 * 16
    assert batch.flits == 20 * 16 * 3
    assert batch.makespans[0] == batch.makespans[2] != batch.makespans[1]
    assert batch.network_latency_cycles <= batch.latency_cycles < max(batch.makespans)
    assert batch.links.cycles == sum(batch.makespans)
    ejected = [
        flits for flits, (_, target, *_) in zip(batch.links.flits, built.ports, strict=True) if target < 0
    ]
    assert sum(ejected) == 3 * batch.flits  # three seeds


def test_a_list_of_one_packet_takes_the_formula():
    built = fabric("mesh:4x4")
    one = [np.array([value]) for value in (5, 0, 15, 4)]
    batch = run_packets(built, *one)
    # 7 routers of 4 cycles, 6 links, 3, and 3 flits more; created in cycle 5, and both ends are included.
    assert batch.latency_cycles == 7 * 4 + 6 + 3 + 3
    assert batch.makespans == [5 + 40 + 1]
    assert batch.flits == 4
