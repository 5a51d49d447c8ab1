"""Does each pattern do what its definition (Dally and Towles, 2004, section 3.2) says?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimsim.chip.router import Router
from pimsim.chip.topology.spec import from_spec
from pimsim.errors import ConfigError
from pimsim.network.fabric import Fabric
from pimsim.network.source import Source
from pimsim.network.traffic import order, pattern, sides
from pimsim_core.clock import Clock

SHAPES = [
    "mesh:4x4",
    "mesh:8x8",
    "torus:4x4",
    "ring:16",
    "cmesh:2x2x4",
    "fattree:2,4",
    "fly:4,2",
    "crossbar:16",
]
PERMUTATIONS = ["transpose", "bitcomp", "bitrev", "shuffle", "tornado", "neighbor"]
MANY = 200_000


def targets(text, shape, sources=None, numbers=None, seed=1):
    topology = from_spec(shape)
    sources = np.arange(topology.places) if sources is None else np.asarray(sources)
    numbers = np.zeros_like(sources) if numbers is None else np.asarray(numbers)
    return pattern(text, topology).target(np.random.default_rng(seed), sources, numbers).tolist()


def bits_of(number, count):
    return f"{number:0{count}b}"


# -- permutations ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", PERMUTATIONS)
def test_a_permutation_sends_to_every_terminal_once(name, shape):
    assert sorted(targets(name, shape)) == list(range(from_spec(shape).places))


@pytest.mark.parametrize("name", PERMUTATIONS)
def test_a_permutation_does_not_depend_on_chance_or_on_the_packet(name):
    sources = np.arange(16)
    once = targets(name, "mesh:4x4")
    assert targets(name, "mesh:4x4", sources, sources * 7, seed=2) == once


@pytest.mark.parametrize("shape", SHAPES)
def test_bit_patterns(shape):
    n = from_spec(shape).places
    count = n.bit_length() - 1
    for source in range(n):
        bits = bits_of(source, count)
        opposite = "".join("10"[int(bit)] for bit in bits)
        assert bits_of(targets("bitcomp", shape)[source], count) == opposite
        assert bits_of(targets("bitrev", shape)[source], count) == bits[::-1]
        assert bits_of(targets("shuffle", shape)[source], count) == bits[1:] + bits[0]


@pytest.mark.parametrize("shape", ["mesh:4x4", "mesh:8x8", "mesh:5x5", "torus:3x3", "cmesh:2x2x4", "ring:16"])
def test_transpose_swaps_row_and_column(shape):
    side = round(from_spec(shape).places ** 0.5)
    found = targets("transpose", shape)
    assert all(found[y * side + x] == x * side + y for x in range(side) for y in range(side))


@pytest.mark.parametrize(
    ("shape", "width", "height"),
    [("mesh:8x8", 8, 8), ("mesh:5x3", 5, 3), ("torus:4x6", 4, 6), ("cmesh:3x2x4", 6, 4), ("ring:7", 7, 1)],
)
def test_tornado_and_neighbor_move_along_every_dimension(shape, width, height):
    tornado, neighbor = targets("tornado", shape), targets("neighbor", shape)
    for x in range(width):
        for y in range(height):
            across, down = (x + -(-width // 2) - 1) % width, (y + -(-height // 2) - 1) % height
            assert tornado[y * width + x] == down * width + across
            assert neighbor[y * width + x] == (y + 1) % height * width + (x + 1) % width


@pytest.mark.parametrize(("shape", "arity", "digits"), [("fattree:4,2", 4, 2), ("fly:3,3", 3, 3)])
def test_on_a_tree_or_butterfly_they_move_every_digit(shape, arity, digits):
    def moved(number, step):
        figures = [(number // arity**i % arity + step) % arity for i in range(digits)]
        return sum(figure * arity**i for i, figure in enumerate(figures))

    n = arity**digits
    assert sides(from_spec(shape)) == [arity] * digits
    assert targets("neighbor", shape) == [moved(number, 1) for number in range(n)]
    assert targets("tornado", shape) == [moved(number, -(-arity // 2) - 1) for number in range(n)]


# -- what depends on chance or on the packet -------------------------------------------------------------------


@given(st.integers(2, 40))
def test_alltoall_visits_every_other_terminal_in_turn(n):
    for source in (0, n // 2, n - 1):
        found = targets("alltoall", f"ring:{n}", np.full(2 * (n - 1), source), np.arange(2 * (n - 1)))
        turn = [(source + 1 + i) % n for i in range(n - 1)]
        assert found == turn * 2
        assert source not in found


def chi_square(found, shares):
    """Distance of counts from shares, in standard deviations of chi-square (mean: free, variance: twice that)."""
    counts = np.bincount(found, minlength=len(shares))
    expected = np.asarray(shares) * len(found)
    free = int((expected > 0).sum()) - 1
    assert not counts[expected == 0].any()
    distance = ((counts - expected)[expected > 0] ** 2 / expected[expected > 0]).sum()
    return (distance - free) / (2 * free) ** 0.5


def test_uniform_is_uniform_and_includes_oneself():
    found = targets("uniform", "mesh:4x4", np.full(MANY, 5))
    assert chi_square(found, [1 / 16] * 16) < 5


@pytest.mark.parametrize("text", ["hotspot:5,6,9,10", "hotspot(5,6,9,10)", "hotspot({{5,6,9,10}})"])
def test_a_hotspot_alone_takes_everything_in_equal_shares(text):
    found = targets(text, "mesh:4x4", np.arange(MANY) % 16)
    assert chi_square(found, [(node in (5, 6, 9, 10)) / 4 for node in range(16)]) < 5


def test_a_hotspot_with_a_share_leaves_the_rest_uniform():
    found = targets("hotspot:3,12@0.2", "mesh:4x4", np.arange(MANY) % 16)
    assert chi_square(found, [0.8 / 16 + 0.1 * (node in (3, 12)) for node in range(16)]) < 5


def test_chance_follows_the_seed():
    for text in ("uniform", "hotspot:1,2@0.5"):
        once = targets(text, "mesh:4x4", np.arange(1000) % 16)
        assert targets(text, "mesh:4x4", np.arange(1000) % 16) == once
        assert targets(text, "mesh:4x4", np.arange(1000) % 16, seed=2) != once


# -- which tile is which terminal ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape", ["mesh:3x2", "torus:3x3", "ring:5", "fattree:2,2", "cmesh:3x2x2", "cmesh:2x2x1"]
)
def test_terminals_are_tiles_where_no_square_of_tiles_shares_a_router(shape):
    topology = from_spec(shape)
    assert order(topology).tolist() == list(range(topology.places))


@pytest.mark.parametrize(("width", "height", "side"), [(4, 4, 2), (3, 2, 2), (2, 3, 3)])
def test_on_a_concentrated_mesh_terminals_count_along_the_rows_of_tiles(width, height, side):
    topology = from_spec(f"cmesh:{width}x{height}x{side * side}")
    built = Fabric(topology.graph(topology.places), Router())
    found = order(topology)
    assert sorted(found.tolist()) == list(range(topology.places))
    for terminal, tile in enumerate(found.tolist()):
        x, y = terminal % (side * width), terminal // (side * width)
        # The square of tiles that a terminal lies in is its router's, and its place in it counts along rows again.
        assert built.graph.has_edge(f"r{y // side * width + x // side}", f"t{tile}")
        assert tile % (side * side) == y % side * side + x % side


def test_packets_go_to_the_tiles_that_the_pattern_names():
    topology = from_spec("cmesh:2x2x4")
    built = Fabric(topology.graph(topology.places), Router())
    network = built.network()
    source = Source(built, network, pattern("neighbor", topology), 1, 1)
    source.load(np.zeros(1, dtype=np.int64), np.array([1]))  # (1, 0) to (2, 1): tile 2 of router 1
    Clock(network).run(1000)
    flits = network.channel_figures()[0]
    used = [channel for channel, count in zip(built.channels, flits, strict=True) if count]
    assert sorted(used) == sorted([("t1", "r0"), ("r0", "r1"), ("r1", "t6")])


# -- what makes no sense ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shape", "said"),
    [
        ("unifrom", "mesh:4x4", "unifrom"),
        ("uniform:3", "mesh:4x4", "uniform"),
        ("transpose", "mesh:4x3", "square"),
        ("bitrev", "mesh:3x3", "power of two"),
        ("shuffle", "mesh:3x3", "power of two"),
        ("hotspot", "mesh:4x4", "names no terminal"),
        ("hotspot:", "mesh:4x4", "names no terminal"),
        ("hotspot:16", "mesh:4x4", "terminal 16"),
        ("hotspot:1@0", "mesh:4x4", "share"),
        ("hotspot:1@1.5", "mesh:4x4", "share"),
    ],
)
def test_it_is_refused_with_a_message(text, shape, said):
    with pytest.raises(ConfigError, match=said):
        pattern(text, from_spec(shape))


@pytest.mark.parametrize(
    "text", ["hotspot:5,6@0.5.1", "hotspot:5;6", "hotspot:x,6", "hotspot:1@.", "hotspot:-1"]
)
def test_a_hotspot_that_cannot_be_read_is_refused(text):
    with pytest.raises(ConfigError):
        pattern(text, from_spec("mesh:4x4"))
