"""Ways over one chip or several: every stretch has a route, and each starts where the last one ended."""

from __future__ import annotations

import itertools

import pytest

from pimsim.chip.topology import route
from pimsim.mapping.planning.package import EXTERNAL, HOST_TILE, Package
from tests.random_models import changed

TOPOLOGIES = [
    {"kind": "mesh", "width": 3, "height": 2},
    {"kind": "cmesh", "width": 2, "height": 1, "concentration": 3},
    {"kind": "torus", "width": 3, "height": 2},
    {"kind": "ring", "nodes": 6},
    {"kind": "crossbar", "nodes": 6},
    {"kind": "bus", "nodes": 6},
    {"kind": "htree", "levels": 3, "arity": 2},
    {"kind": "fattree", "arity": 2, "levels": 3},
    {"kind": "fly", "arity": 3, "stages": 2},
    {"kind": "graph", "edges": [[0, 1], [1, 2], [2, 0], [2, 3]], "at": [3, 3, 2, 1, 0, 0]},
    {"kind": "package", "chips": 2, "of": {"kind": "mesh", "width": 3, "height": 1}, "gateway": 1},
]
TILES = 6


def package(topology, chips, gateway=0, links=3):
    changes = {
        "tile.count": TILES,
        "network.topology": topology,
        "network.gateway": gateway,
        "external.count": links,
    }
    return Package(changed("isaac", changes).config, chips)


@pytest.mark.parametrize("topology", TOPOLOGIES, ids=lambda t: t["kind"])
@pytest.mark.parametrize("gateway", [0, "last"])
def test_a_way_goes_from_node_to_node_and_from_chip_to_chip(topology, gateway):
    routers = package(topology, 1).config.network.topology.routers
    pack = package(topology, 3, routers - 1 if gateway == "last" else 0)
    right, left = {"g1", "g2"}, {"g0"}  # of three links, one to the left neighbour and two to the right one
    for source, target in itertools.permutations(range(HOST_TILE, pack.tiles), 2):
        legs = pack.legs(source, target)
        chip = max(0, source) // TILES
        goal = max(0, target) // TILES
        assert len(legs) == 2 * abs(goal - chip) + 1
        entered = left if source == HOST_TILE else {f"t{source % TILES}"}
        for number, (on, start, end) in enumerate(legs):
            if number % 2:
                assert end == EXTERNAL
                assert start == ("right" if goal > chip else "left")
                assert on == min(chip, chip + (1 if goal > chip else -1)), (
                    "a link belongs to the chip at its left"
                )
                chip += 1 if goal > chip else -1
                continue
            assert on == chip
            assert start in entered
            if chip != goal:
                assert end in (right if goal > chip else left)
            else:
                assert end == (f"t{target % TILES}" if target != HOST_TILE else "g0")
            path = route(pack.graph, start, end)
            assert (path[0], path[-1]) == (start, end)
            assert all(pack.graph.has_edge(a, b) for a, b in itertools.pairwise(path))
            entered = left if goal > chip else right
        assert chip == goal


def test_ports_of_external_links_are_dealt_out_in_turn():
    """Of 7 links a chip gives 3 to the side of the host and 4 to the other."""
    pack = package(TOPOLOGIES[0], 3, links=7)
    there = [pack.legs(0, 2 * TILES, port) for port in range(12)]
    assert [legs[0][2] for legs in there] == ["g3", "g4", "g5", "g6"] * 3  # out of chip 0 to the right
    assert [legs[2][1] for legs in there] == ["g0", "g1", "g2"] * 4  # into chip 1 from the left
    back = [pack.legs(2 * TILES, HOST_TILE, port) for port in range(12)]
    assert [legs[0][2] for legs in back] == ["g0", "g1", "g2"] * 4
    assert [legs[2][1] for legs in back] == ["g3", "g4", "g5", "g6"] * 3
    assert [legs[4][2] for legs in back] == ["g0", "g1", "g2"] * 4


def test_the_only_external_link_is_both_sides():
    pack = package(TOPOLOGIES[0], 2, links=1)
    assert pack.legs(HOST_TILE, TILES, 5) == [
        (0, "g0", "g0"),
        (0, "right", EXTERNAL),
        (1, "g0", "t0"),
    ]


@pytest.mark.parametrize("topology", TOPOLOGIES, ids=lambda t: t["kind"])
def test_the_snake_visits_each_tile_once_chip_by_chip(topology):
    order = package(topology, 2).order()
    assert sorted(order) == list(range(2 * TILES))
    assert max(order[:TILES]) < TILES


def test_neighbours_on_the_snake_are_neighbours_on_the_mesh():
    pack = package({"kind": "mesh", "width": 3, "height": 2}, 1)
    order = pack.order()
    for a, b in itertools.pairwise(order):
        assert pack.legs(a, b) == [(0, f"t{a}", f"t{b}")]
        assert len(route(pack.graph, f"t{a}", f"t{b}")) == 4  # a tile, two routers, a tile


@pytest.mark.parametrize(("links", "bundle"), [(1, 1), (2, 1), (3, 1), (4, 2), (9, 4)])
def test_a_chip_in_the_middle_splits_its_links_between_both_sides(links, bundle):
    assert Package(changed("isaac", {"external.count": links}).config, 3).bundle == bundle
