"""Ways over one chip or several: every hop is a link that exists, and each starts where the last one ended."""

from __future__ import annotations

import itertools

import pytest

from pimsim.mapping.package import EXTERNAL, HOST_TILE, Package
from tests.random_models import changed

TOPOLOGIES = [
    {"kind": "mesh", "width": 3, "height": 2},
    {"kind": "cmesh", "width": 2, "height": 1, "concentration": 3},
    {"kind": "torus", "width": 3, "height": 2},
    {"kind": "ring", "nodes": 6},
    {"kind": "crossbar", "nodes": 6},
    {"kind": "bus", "nodes": 6},
    {"kind": "htree", "levels": 3, "arity": 2},
]
TILES = 6


def package(topology, chips, gateway=0):
    return Package(
        changed("isaac", {"tiles": TILES, "network.topology": topology, "network.gateway": gateway}).config,
        chips,
    )


@pytest.mark.parametrize("topology", TOPOLOGIES, ids=lambda t: t["kind"])
@pytest.mark.parametrize("gateway", [0, "last"])
def test_a_way_goes_from_link_to_link_and_from_chip_to_chip(topology, gateway):
    routers = package(topology, 1).config.network.topology.routers
    gateway = routers - 1 if gateway == "last" else 0
    chips = 3
    pack = package(topology, chips, gateway)
    door = f"r{gateway}"
    for source in range(HOST_TILE, pack.tiles):
        for target in range(HOST_TILE, pack.tiles):
            if source == target:
                continue
            chip, at = (0, door) if source == HOST_TILE else (source // TILES, f"t{source % TILES}")
            for number, (on, start, end) in enumerate(hops := pack.way(source, target)):
                if on < 0:  # the host's own link: first or last
                    assert number in (0, len(hops) - 1)
                    continue
                if end == EXTERNAL:
                    assert at == door, "a chip is left at its gateway only"
                    chip += 1 if start == "right" else -1
                    assert on == (chip - 1 if start == "right" else chip)
                    continue
                assert (on, start) == (chip, at)
                assert pack.graph.has_edge(start, end)
                at = end
            last, goal = (0, door) if target == HOST_TILE else (target // TILES, f"t{target % TILES}")
            assert (chip, at) == (last, goal)
            assert (hops[0][0] == -1) == (source == HOST_TILE)
            assert (hops[-1][0] == -1) == (target == HOST_TILE)


@pytest.mark.parametrize("topology", TOPOLOGIES, ids=lambda t: t["kind"])
def test_the_snake_visits_each_tile_once_chip_by_chip(topology):
    order = package(topology, 2).order()
    assert sorted(order) == list(range(2 * TILES))
    assert max(order[:TILES]) < TILES


def test_neighbours_on_the_snake_are_neighbours_on_the_mesh():
    pack = package({"kind": "mesh", "width": 3, "height": 2}, 1)
    order = pack.order()
    assert all(len(pack.way(a, b)) == 3 for a, b in itertools.pairwise(order))  # in, one link, out


@pytest.mark.parametrize(("links", "bundle"), [(1, 1), (2, 1), (3, 1), (4, 2), (9, 4)])
def test_a_chip_in_the_middle_splits_its_links_between_both_sides(links, bundle):
    assert Package(changed("isaac", {"external.count": links}).config, 3).bundle == bundle
