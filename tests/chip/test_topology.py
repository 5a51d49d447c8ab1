"""Topologies: one contract for all kinds, over the registry, and what each kind promises beyond it."""

from __future__ import annotations

from itertools import pairwise, product

import networkx
import pytest

from pimsim.chip import Chip
from pimsim.chip.topology import TOPOLOGIES, Topology, route, router, tile

EXAMPLES: dict[str, list[dict[str, int]]] = {
    "mesh": [{"width": 4, "height": 3}, {"width": 1, "height": 1}, {"width": 5, "height": 1}],
    "cmesh": [{"width": 3, "height": 2, "concentration": 4}, {"width": 1, "height": 2, "concentration": 3}],
    "torus": [{"width": 4, "height": 5}, {"width": 2, "height": 3}, {"width": 1, "height": 6}],
    "ring": [{"nodes": 1}, {"nodes": 2}, {"nodes": 3}, {"nodes": 9}],
    "crossbar": [{"nodes": 6}, {"nodes": 1}],
    "bus": [{"nodes": 5}],
    "htree": [{"levels": 2, "arity": 4}, {"levels": 3, "arity": 2}, {"levels": 1, "arity": 3}],
}
CASES = [(kind, parameters) for kind, examples in EXAMPLES.items() for parameters in examples]


def build(kind: str, parameters: dict[str, int]) -> tuple[Topology, networkx.Graph]:
    topology = TOPOLOGIES[kind].model_validate({"kind": kind, **parameters})
    return topology, topology.graph(topology.places)


def all_routes(topology: Topology, graph: networkx.Graph) -> list[list[str]]:
    """Routes between all tiles, and between every tile and every router (a router may be the gateway)."""
    tiles = [tile(i) for i in range(topology.places)]
    routers = [router(i) for i in range(topology.routers)]
    ends = [*product(tiles, tiles), *product(tiles, routers), *product(routers, tiles)]
    return [route(graph, source, target) for source, target in ends]


def test_every_kind_has_an_example() -> None:
    assert set(EXAMPLES) == set(TOPOLOGIES)


@pytest.mark.parametrize(("kind", "parameters"), CASES)
def test_graph_has_what_the_topology_counts(kind: str, parameters: dict[str, int]) -> None:
    topology, graph = build(kind, parameters)
    kinds = [data["kind"] for _, data in graph.nodes(data=True)]
    assert kinds.count("tile") == topology.places
    assert kinds.count("router") == topology.routers
    assert networkx.is_connected(graph)
    for i in range(topology.places):
        assert graph.nodes[tile(i)]["index"] == i
    for i in range(topology.routers):
        assert graph.nodes[router(i)]["index"] == i
    degrees = [graph.degree[router(i)] for i in range(topology.routers)]
    assert max(degrees) == topology.ports
    for a, b, data in graph.edges(data=True):
        both = {graph.nodes[a]["kind"], graph.nodes[b]["kind"]}
        assert data["kind"] == ("link" if both == {"router"} else "port")


@pytest.mark.parametrize(("kind", "parameters"), CASES)
def test_routes_are_simple_paths_over_edges(kind: str, parameters: dict[str, int]) -> None:
    topology, graph = build(kind, parameters)
    for path in all_routes(topology, graph):
        assert all(graph.has_edge(a, b) for a, b in pairwise(path))
        assert len(set(path)) == len(path)
        assert all(graph.nodes[node]["kind"] == "router" for node in path[1:-1])
    for i in range(topology.places):
        assert route(graph, tile(i), tile(i)) == [tile(i)]
        target = tile((i + 1) % topology.places)
        path = route(graph, tile(i), target)
        assert (path[0], path[-1]) == (tile(i), target)


@pytest.mark.parametrize(("kind", "parameters"), CASES)
def test_channel_dependencies_have_no_circle(kind: str, parameters: dict[str, int]) -> None:
    """Dally and Seitz: routes cannot deadlock if the graph of channel-after-channel has no cycle."""
    topology, graph = build(kind, parameters)
    dependencies = networkx.DiGraph()
    for path in all_routes(topology, graph):
        channels = list(pairwise(path))
        dependencies.add_nodes_from(channels)
        dependencies.add_edges_from(pairwise(channels))
    assert networkx.is_directed_acyclic_graph(dependencies)


@pytest.mark.parametrize(
    ("kind", "parameters"), [case for case in CASES if case[0] in ("mesh", "cmesh", "htree")]
)
def test_routes_are_shortest(kind: str, parameters: dict[str, int]) -> None:
    topology, graph = build(kind, parameters)
    shortest = dict(networkx.all_pairs_shortest_path_length(graph))
    for path in all_routes(topology, graph):
        assert len(path) - 1 == shortest[path[0]][path[-1]]


@pytest.mark.parametrize(("kind", "parameters"), CASES)
def test_graph_is_built_the_same_each_time(kind: str, parameters: dict[str, int]) -> None:
    (_, first), (_, second) = build(kind, parameters), build(kind, parameters)
    assert list(first.nodes(data=True)) == list(second.nodes(data=True))
    assert list(first.edges(data=True)) == list(second.edges(data=True))


def test_mesh_goes_along_x_first() -> None:
    _, graph = build("mesh", {"width": 4, "height": 3})
    assert route(graph, "t1", "t10") == ["t1", "r1", "r2", "r6", "r10", "t10"]


def test_ring_takes_the_shorter_way_but_never_through_position_0() -> None:
    _, graph = build("ring", {"nodes": 6})
    assert route(graph, "t0", "t5") == ["t0", "r0", "r5", "t5"]
    assert route(graph, "t4", "t0") == ["t4", "r4", "r5", "r0", "t0"]
    assert route(graph, "t5", "t1") == ["t5", "r5", "r4", "r3", "r2", "r1", "t1"]


def test_bus_transfers_all_cross_one_link() -> None:
    topology, graph = build("bus", {"nodes": 5})
    for a, b in product(range(5), range(5)):
        path = route(graph, tile(a), tile(b))
        assert a == b or path[1:-1] == ["r0", "r1"]
    assert topology.routers == 2


def test_places_may_stay_empty_and_edges_carry_the_links_figures() -> None:
    config = Chip.load("puma").config
    graph = config.network.graph(config.tiles)
    tiles = [node for node, data in graph.nodes(data=True) if data["kind"] == "tile"]
    assert (len(tiles), config.network.topology.places) == (138, 140)
    assert all(data["width_bits"] == 32 and data["cycles"] == 1 for _, _, data in graph.edges(data=True))
