"""Topologies: one contract for all kinds, over the registry, and what each kind promises beyond it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise, product
from typing import Any, NamedTuple

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pimsim.chip import Chip
from pimsim.chip.router import Router
from pimsim.chip.topology import Topology, route, router, tile
from pimsim.chip.topology.base import ANY, LOWER, UPPER
from pimsim.chip.topology.deadlock import circle, waits_of
from pimsim.chip.topology.free import FreeGraph
from pimsim.chip.topology.package import Package
from pimsim.errors import ConfigError
from pimsim.network.fabric import Fabric
from pimsim.registry import plugged

HEXAGON = [[0, 1], [1, 3], [3, 5], [5, 4], [4, 2], [2, 0]]  # numbered by distance from router 0
PENTAGON = [[0, 1], [1, 2], [2, 3], [3, 4], [4, 0]]

EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "mesh": [{"width": 4, "height": 3}, {"width": 1, "height": 1}, {"width": 5, "height": 1}],
    "cmesh": [{"width": 3, "height": 2, "concentration": 4}, {"width": 1, "height": 2, "concentration": 3}],
    "torus": [
        *({"width": 4, "height": 5}, {"width": 5, "height": 4}, {"width": 2, "height": 3}),
        *({"width": 1, "height": 6}, {"width": 4, "height": 4}, {"width": 3, "height": 3}),
    ],
    "ring": [{"nodes": 1}, {"nodes": 2}, {"nodes": 3}, {"nodes": 4}, {"nodes": 8}, {"nodes": 9}],
    "crossbar": [{"nodes": 6}, {"nodes": 1}],
    "bus": [{"nodes": 5}, {"nodes": 1}],
    "htree": [{"levels": 2, "arity": 4}, {"levels": 3, "arity": 2}, {"levels": 1, "arity": 3}],
    "fattree": [{"arity": 2, "levels": 3}, {"arity": 3, "levels": 2}, {"arity": 4, "levels": 1}],
    "fly": [{"arity": 2, "stages": 3}, {"arity": 3, "stages": 2}, {"arity": 4, "stages": 1}],
    "graph": [
        *({"edges": []}, {"edges": [[0, 1]], "at": [1, 1, 0]}, {"edges": PENTAGON}, {"edges": HEXAGON}),
        {"edges": [[0, 1], [1, 2], [2, 0], [2, 3, 4], [3, 4, 0]], "at": [4, 0, 0]},
        {"edges": [[0, 1], [1, 2], [0, 3], [3, 4], [4, 5], [1, 4], [2, 5]]},  # a mesh with links as they come
        {"edges": [[0, 1], [0, 2], [2, 3], [2, 4]], "routing": "shortest"},
    ],
    "package": [
        {"chips": 3, "of": {"kind": "mesh", "width": 2, "height": 2}, "gateway": 1, "link_cycles": 7},
        {"chips": 1, "of": {"kind": "mesh", "width": 3, "height": 1}},
        {"chips": 2, "of": {"kind": "cmesh", "width": 2, "height": 1, "concentration": 3}, "gateway": 1},
        {"chips": 3, "of": {"kind": "torus", "width": 3, "height": 4}, "gateway": 5},
        {"chips": 2, "of": {"kind": "ring", "nodes": 6}, "gateway": 4},
        {"chips": 2, "of": {"kind": "crossbar", "nodes": 3}, "link_cycles": 0},
        {"chips": 2, "of": {"kind": "htree", "levels": 2, "arity": 3}, "gateway": 2},
        {"chips": 2, "of": {"kind": "fattree", "arity": 2, "levels": 3}, "gateway": 6},
        {"chips": 3, "of": {"kind": "graph", "edges": HEXAGON}},
    ],
}
CASES = [(kind, parameters) for kind, examples in EXAMPLES.items() for parameters in examples]
IDS = [f"{kind}{number}" for kind, examples in EXAMPLES.items() for number in range(len(examples))]
every_case = pytest.mark.parametrize(("kind", "parameters"), CASES, ids=IDS)


class Way(NamedTuple):
    """A route, from end to end, by one choice."""

    source: str
    target: str
    choice: int
    path: list[str]


def make(kind: str, parameters: dict[str, Any]) -> Topology:
    return plugged("topologies")[kind].model_validate({"kind": kind, **parameters})


def build(kind: str, parameters: dict[str, Any]) -> tuple[Topology, networkx.Graph]:
    topology = make(kind, parameters)
    return topology, topology.graph(topology.places)


def with_gateways(topology: Topology, kind: str = "gateway") -> networkx.Graph:
    """All tiles, and at every router a port of links that leave the chip (any may be the gateway), or of an adder."""
    graph = topology.graph(topology.places)
    for index in range(topology.routers):
        try:
            topology.attach(graph, f"g{index}", index, at=index, kind=kind)
        except ConfigError:  # of a package of fat trees; see test_a_gateway_that_no_route_leads_to_is_refused
            assert topology.of.kind == "fattree"
    return graph


def ends_of(graph: networkx.Graph) -> list[str]:
    return [node for node, kind in graph.nodes(data="kind") if kind != "router"]


def ways(topology: Topology, graph: networkx.Graph) -> Iterator[Way]:
    """All routes, by every choice, between all tiles and gateways."""
    for source, target in product(ends_of(graph), repeat=2):
        if source[0] == target[0] == "g" and source != target and tree_without_way(topology):
            continue
        for choice in range(topology.choices(graph, source, target)):
            yield Way(source, target, choice, topology.route(graph, source, target, choice))


def tree_without_way(topology: Topology) -> bool:
    """Whether some routers of the network have no common ancestor, and so no way from one to the other."""
    inner = topology.of if isinstance(topology, Package) else topology
    return inner.kind == "fattree"


def waits(topology: Topology, graph: networkx.Graph, *, apart: bool = True) -> networkx.DiGraph:
    """Which lane a packet may hold while it waits for which other.

    A lane is a link with a class of virtual channels; on a link that a route may use as it likes it may be in either.
    With `apart=False` the classes share their channels.
    """
    graph_of_lanes = networkx.DiGraph()
    for way in ways(topology, graph):
        lanes = []
        for edge, group in zip(pairwise(way.path), topology.classes(way.path), strict=True):
            groups = (LOWER, UPPER) if group == ANY else (group,)
            lanes.append([(*edge, each if apart else ANY) for each in groups])
        for held, wanted in pairwise(lanes):
            graph_of_lanes.add_edges_from(product(held, wanted))
    return graph_of_lanes


def test_every_kind_has_an_example() -> None:
    assert set(EXAMPLES) == set(plugged("topologies"))


# -- what all kinds promise ----------------------------------------------------------------------------------------


@every_case
def test_graph_has_what_the_topology_counts(kind: str, parameters: dict[str, Any]) -> None:
    topology, graph = build(kind, parameters)
    kinds = [data["kind"] for _, data in graph.nodes(data=True)]
    assert kinds.count("tile") == topology.places
    assert kinds.count("router") == topology.routers
    assert networkx.is_connected(graph.to_undirected())
    for i in range(topology.places):
        assert graph.nodes[tile(i)]["index"] == i
    for i in range(topology.routers):
        assert graph.nodes[router(i)]["index"] == i
    degrees = [graph.degree[router(i)] for i in range(topology.routers)]
    assert max(degrees) == topology.ports or kind == "package"  # of a package every gateway is built alike
    assert max(degrees) <= topology.ports
    for a, b, data in graph.edges(data=True):
        both = {graph.nodes[a]["kind"], graph.nodes[b]["kind"]}
        assert data["kind"] == ("link" if both == {"router"} else "port")


@every_case
@pytest.mark.parametrize("port", ["gateway", "adder"])
def test_routes_are_simple_paths_over_edges(kind: str, parameters: dict[str, Any], port: str) -> None:
    topology = make(kind, parameters)
    if port == "adder" and tree_without_way(topology) and kind == "package":
        return  # adders sit where routes meet, not everywhere
    graph = with_gateways(topology, port)
    for source, target, choice, path in ways(topology, graph):
        assert (path[0], path[-1]) == (source, target)
        assert all(graph.has_edge(a, b) for a, b in pairwise(path))
        inner = path[1:-1]
        assert len(set(inner)) == len(inner)
        assert all(graph.nodes[node]["kind"] == "router" for node in inner)
        assert route(graph, source, target, choice) == path
        if source == target and kind != "fly":  # there the only way to itself is through all stages
            assert path == [source]


@pytest.mark.parametrize(
    ("kind", "parameters"),
    # A butterfly leads in one direction; packages of fat trees have routers that the gateway does not lead to.
    [case for case in CASES if case[0] != "fly" and case[1].get("of", {}).get("kind") != "fattree"],
)
def test_routes_lead_from_and_to_routers_too(kind: str, parameters: dict[str, Any]) -> None:
    topology, graph = build(kind, parameters)
    tiles = [tile(i) for i in range(topology.places)]
    routers = [router(i) for i in range(topology.routers)]
    for source, target in [*product(tiles, routers), *product(routers, tiles)]:
        for choice in range(topology.choices(graph, source, target)):
            path = route(graph, source, target, choice)
            assert (path[0], path[-1]) == (source, target)
            assert all(graph.has_edge(a, b) for a, b in pairwise(path)), path
            assert len(topology.classes(path)) == len(path) - 1
            assert len(set(path)) == len(path)


@every_case
def test_a_choice_picks_one_of_so_many_different_routes(kind: str, parameters: dict[str, Any]) -> None:
    topology, graph = build(kind, parameters)
    for source, target in product(ends_of(graph), repeat=2):
        count = topology.choices(graph, source, target)
        found = [topology.route(graph, source, target, choice) for choice in range(count)]
        assert len({tuple(path) for path in found}) == count
        assert len({len(path) for path in found}) == 1
        for choice in (count, count + 1, 7 * count + count // 2, 10**6 * count):
            assert topology.route(graph, source, target, choice) == found[choice % count]
        assert topology.route(graph, source, target) == found[0]


@every_case
def test_every_link_of_a_route_has_a_class(kind: str, parameters: dict[str, Any]) -> None:
    topology = make(kind, parameters)
    for way in ways(topology, with_gateways(topology)):
        found = topology.classes(way.path)
        assert len(found) == len(way.path) - 1
        assert set(found) <= ({ANY} if topology.vcs_needed == 1 else {ANY, LOWER, UPPER})
        for (a, b), group in zip(pairwise(way.path), found, strict=True):
            assert group == ANY or (a[0], b[0]) == ("r", "r"), "a port has no classes"


@every_case
def test_no_packets_can_wait_for_one_another_in_a_circle(kind: str, parameters: dict[str, Any]) -> None:
    """Dally and Seitz: routes cannot deadlock if the graph of lane-after-lane has no circle."""
    topology = make(kind, parameters)
    assert networkx.is_directed_acyclic_graph(waits(topology, with_gateways(topology)))
    assert circle(topology.graph(topology.places)) is None


@pytest.mark.parametrize("of", [example["of"] for example in EXAMPLES["package"]], ids=lambda of: of["kind"])
def test_no_circle_leads_over_chips_whichever_router_is_the_gateway(of: dict[str, Any]) -> None:
    for gateway in range(make(of["kind"], {k: v for k, v in of.items() if k != "kind"}).routers):
        parameters = {"chips": 2, "of": of, "gateway": gateway}
        if of == {"kind": "graph", "edges": HEXAGON} and gateway == 5:  # far from the root both ways round
            assert "a gateway without a circle of waits" in refusal("package", parameters)
            continue
        topology = make("package", parameters)
        assert networkx.is_directed_acyclic_graph(waits(topology, with_gateways(topology))), gateway


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("ring", {"nodes": 5}),
        ("torus", {"width": 4, "height": 5}),
        ("package", {"chips": 2, "of": {"kind": "ring", "nodes": 8}}),
    ],
)
def test_where_two_channels_are_needed_one_would_deadlock(kind: str, parameters: dict[str, Any]) -> None:
    topology, graph = build(kind, parameters)
    assert topology.vcs_needed == 2
    assert not networkx.is_directed_acyclic_graph(waits(topology, graph, apart=False))
    with pytest.raises(ConfigError, match=r"vcs: found 1, expected at least 2"):
        Fabric(graph, Router(vcs=1))


@every_case
def test_without_classes_one_virtual_channel_does(kind: str, parameters: dict[str, Any]) -> None:
    topology = make(kind, parameters)
    if topology.vcs_needed == 1:
        assert networkx.is_directed_acyclic_graph(waits(topology, with_gateways(topology), apart=False))


@every_case
def test_a_routers_neighbours_are_what_it_is_joined_to(kind: str, parameters: dict[str, Any]) -> None:
    topology = make(kind, parameters)
    graph = with_gateways(topology)
    for node in map(router, range(topology.routers)):
        found = topology.neighbours(graph, node)
        assert len(set(found)) == len(found)
        assert set(found) == {*networkx.all_neighbors(graph, node)}


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (kind, parameters)
        for kind, parameters in CASES
        if kind in ("mesh", "cmesh", "torus", "ring", "crossbar", "htree", "fattree", "fly")
        or parameters.get("routing") == "shortest"
        or (kind == "package" and parameters["of"]["kind"] != "graph")
    ],
)
def test_routes_are_shortest(kind: str, parameters: dict[str, Any]) -> None:
    topology = make(kind, parameters)
    graph = with_gateways(topology)
    shortest = dict(networkx.all_pairs_shortest_path_length(graph))
    for way in ways(topology, graph):
        if way.source != way.target:
            assert len(way.path) - 1 == shortest[way.source][way.target]


@every_case
def test_graph_is_built_the_same_each_time(kind: str, parameters: dict[str, Any]) -> None:
    (_, first), (_, second) = build(kind, parameters), build(kind, parameters)
    assert list(first.nodes(data=True)) == list(second.nodes(data=True))
    assert list(first.edges(data=True)) == list(second.edges(data=True))


@every_case
def test_an_idle_packet_takes_the_sum_of_its_routers_and_links(kind: str, parameters: dict[str, Any]) -> None:
    """3 cycles for the ends, every router's stages, every link's own delay or the network's, and a cycle a flit."""
    topology = make(kind, parameters)
    graph = with_gateways(topology)
    stages = {"vcs": 2, "rd": 2, "va": 3, "sa": 4, "st": 5, "link": 6}
    plain, merged = Fabric(graph, Router(**stages)), Fabric(graph, Router(**stages, speculative=True))
    for source, target, choice, path in ways(topology, graph):
        if source != target:
            routers = [node for node in path if node[0] == "r"]
            rest = 3 + sum(graph.edges[a, b].get("cycles", 6) for a, b in pairwise(routers)) + 9 - 1
            hops = plain.hops(source, target, choice)
            assert plain.zero_load(hops, 9) == rest + len(routers) * (2 + 3 + 4 + 5)
            assert merged.zero_load(hops, 9) == rest + len(routers) * (2 + 4 + 5)


# -- what each kind promises beyond it -----------------------------------------------------------------------------


def test_mesh_goes_along_x_first() -> None:
    _, graph = build("mesh", {"width": 4, "height": 3})
    assert route(graph, "t1", "t10") == ["t1", "r1", "r2", "r6", "r10", "t10"]


def dimension_order(graph: networkx.Graph, source: str, target: str) -> set[tuple[str, ...]]:
    """The shortest paths of a grid that never move along x after y, found among all shortest paths."""
    found = set()
    for path in networkx.all_shortest_paths(graph, source, target):
        nodes = [graph.nodes[node] for node in path if node[0] == "r"]
        moves = ["x" if a["y"] == b["y"] else "y" for a, b in pairwise(nodes)]
        if moves == sorted(moves):
            found.add(tuple(path))
    return found


@pytest.mark.parametrize(
    ("kind", "parameters"), [case for case in CASES if case[0] in ("mesh", "cmesh", "torus", "ring")]
)
def test_a_grids_routes_are_all_shortest_ones_along_x_before_y(kind: str, parameters: dict[str, Any]) -> None:
    topology, graph = build(kind, parameters)
    for source, target in product(ends_of(graph), repeat=2):
        if source == target:
            continue
        count = topology.choices(graph, source, target)
        found = {tuple(topology.route(graph, source, target, choice)) for choice in range(count)}
        assert found == dimension_order(graph, source, target)


def test_a_ring_takes_the_shorter_way_and_either_where_both_are_as_short() -> None:
    topology, graph = build("ring", {"nodes": 6})
    assert route(graph, "t0", "t5") == ["t0", "r0", "r5", "t5"]
    assert route(graph, "t4", "t0") == ["t4", "r4", "r5", "r0", "t0"]
    assert route(graph, "t5", "t1") == ["t5", "r5", "r0", "r1", "t1"]
    assert topology.choices(graph, "t1", "t4") == 2
    assert route(graph, "t1", "t4", 0) == ["t1", "r1", "r2", "r3", "r4", "t4"]
    assert route(graph, "t1", "t4", 1) == ["t1", "r1", "r0", "r5", "r4", "t4"]


def test_a_rings_class_tells_whether_a_packet_ends_below_where_it_began() -> None:
    topology, _ = build("ring", {"nodes": 6})
    assert topology.classes(["t5", "r5", "r0", "r1", "t1"]) == [ANY, UPPER, UPPER, ANY]
    assert topology.classes(["t1", "r1", "r0", "r5", "t5"]) == [ANY, LOWER, LOWER, ANY]
    assert topology.classes(["t2", "r2", "t2"]) == [ANY, ANY]


def test_a_toruss_classes_are_each_dimensions_own() -> None:
    """From (3, 0) to (1, 2) on 4x5: x ends below its beginning, y above."""
    topology, graph = build("torus", {"width": 4, "height": 5})
    path = route(graph, "t3", "t9")
    assert path == ["t3", "r3", "r0", "r1", "r5", "r9", "t9"]
    assert topology.classes(path) == [ANY, UPPER, UPPER, LOWER, LOWER, ANY]


def test_bus_transfers_all_cross_one_link() -> None:
    topology, graph = build("bus", {"nodes": 5})
    for a, b in product(range(5), range(5)):
        path = route(graph, tile(a), tile(b))
        assert a == b or path[1:-1] == ["r0", "r1"]
    assert topology.routers == 2


@pytest.mark.parametrize("parameters", EXAMPLES["fattree"])
def test_a_fat_trees_choices_are_all_its_shortest_ways(parameters: dict[str, Any]) -> None:
    topology, graph = build("fattree", parameters)
    for source, target in product(ends_of(graph), repeat=2):
        if source != target:
            count = topology.choices(graph, source, target)
            found = {tuple(topology.route(graph, source, target, choice)) for choice in range(count)}
            assert found == {tuple(path) for path in networkx.all_shortest_paths(graph, source, target)}


def test_a_fat_tree_has_as_many_links_at_every_level() -> None:
    """arity ** levels of them, so that none is narrower than the tiles' own."""
    _, graph = build("fattree", {"arity": 3, "levels": 3})
    links = [0, 0]
    for a, b, kind in graph.edges(data="kind"):
        if kind == "link":
            upper, lower = sorted(graph.nodes[node]["index"] // 9 for node in (a, b))
            assert lower == upper + 1
            links[upper] += 1
    assert links == [27, 27]


def test_two_routers_at_the_top_of_a_fat_tree_have_no_ancestor() -> None:
    topology, graph = build("fattree", {"arity": 2, "levels": 3})
    for ask in (topology.route, topology.choices):
        with pytest.raises(ValueError, match="no route leads from r0 to r3: they have no common ancestor"):
            ask(graph, "r0", "r3")
    assert route(graph, "r0", "r0") == ["r0"]


@pytest.mark.parametrize("parameters", EXAMPLES["fly"])
def test_a_butterflys_only_way_crosses_every_stage(parameters: dict[str, Any]) -> None:
    topology, graph = build("fly", parameters)
    assert graph.is_directed()
    width = topology.routers // parameters["stages"]
    for source, target in product(ends_of(graph), repeat=2):
        path = route(graph, source, target)
        assert [graph.nodes[node]["index"] // width for node in path[1:-1]] == [*range(parameters["stages"])]
        if source != target:
            alone = graph.subgraph([source, target, *map(router, range(topology.routers))])
            assert list(networkx.all_simple_paths(alone, source, target)) == [path]


def test_a_butterfly_does_not_lead_back() -> None:
    _, graph = build("fly", {"arity": 2, "stages": 3})
    with pytest.raises(ValueError, match="no route leads from r4 to r0: stages are passed in one direction"):
        route(graph, "r4", "r0")


def test_places_may_stay_empty_and_edges_carry_no_figures_but_their_own() -> None:
    config = Chip.load("puma").config
    graph = config.graph()
    tiles = [node for node, data in graph.nodes(data=True) if data["kind"] == "tile"]
    assert (len(tiles), config.network.topology.places) == (138, 140)
    assert all(set(data) == {"kind"} for _, _, data in graph.edges(data=True))


def test_the_external_links_are_ports_of_the_gateway() -> None:
    graph = Chip.load("puma", ["network.gateway=9", "external.count=3"]).config.graph()
    gateways = {
        node: index for node, index in graph.nodes(data="index") if graph.nodes[node]["kind"] == "gateway"
    }
    assert gateways == {"g0": 0, "g1": 1, "g2": 2}
    assert all(list(graph.adj[node]) == ["r9"] for node in gateways)
    assert route(graph, "g1", "t0") == ["g1", "r9", "r8", "r7", "r0", "t0"]


# -- graphs of the user's own --------------------------------------------------------------------------------------


def up_down_lengths(graph: networkx.Graph) -> dict[str, dict[str, int]]:
    """Links of the shortest way that climbs, then descends, between all routers: a layered graph searched by networkx.

    Higher is what is nearer to r0, and of as near ones what has the lower number.
    """
    routers = graph.subgraph(node for node, kind in graph.nodes(data="kind") if kind == "router")
    away = networkx.single_source_shortest_path_length(routers, "r0")
    height = {node: (away[node], graph.nodes[node]["index"]) for node in routers}
    layers = networkx.DiGraph()
    layers.add_nodes_from(product(routers, ("climbing", "descending")))
    for a, b in [*routers.edges, *((b, a) for a, b in routers.edges)]:
        if height[b] < height[a]:
            layers.add_edge((a, "climbing"), (b, "climbing"))
        else:
            layers.add_edge((a, "climbing"), (b, "descending"))
            layers.add_edge((a, "descending"), (b, "descending"))
    lengths = {}
    for node in routers:
        found = networkx.single_source_shortest_path_length(layers, (node, "climbing"))
        lengths[node] = {
            other: min(found.get((other, phase), 10**9) for phase in ("climbing", "descending"))
            for other in routers
        }
    return lengths


@st.composite
def connected_edges(draw: st.DrawFn) -> list[list[int]]:
    """A tree over some routers, and further links."""
    count = draw(st.integers(2, 9))
    edges = [[draw(st.integers(0, i - 1)), i] for i in range(1, count)]
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(
        lambda pair: pair[0] != pair[1]
    )
    edges += [list(pair) for pair in draw(st.lists(pairs, max_size=8))]
    return draw(st.permutations(edges))


@settings(max_examples=100, deadline=None)
@given(connected_edges())
def test_any_graph_is_routed_without_a_circle_on_the_shortest_up_down_ways(edges: list[list[int]]) -> None:
    topology, graph = build("graph", {"edges": edges})
    lengths = up_down_lengths(graph)
    for a, b in product(range(topology.routers), repeat=2):
        assert len(route(graph, router(a), router(b))) - 1 == lengths[router(a)][router(b)]
    assert networkx.is_directed_acyclic_graph(waits(topology, graph))


@settings(max_examples=100, deadline=None)
@given(connected_edges())
def test_shortest_ways_are_the_shortest_or_refused_for_a_real_circle(edges: list[list[int]]) -> None:
    parameters = {"edges": edges, "routing": "shortest"}
    unchecked = FreeGraph.model_construct(kind="graph", at=None, **parameters)
    acyclic = networkx.is_directed_acyclic_graph(waits(unchecked, unchecked.graph(unchecked.places)))
    try:
        _, graph = build("graph", parameters)
    except ValidationError:
        assert not acyclic
        return
    assert acyclic
    shortest = dict(networkx.all_pairs_shortest_path_length(graph))
    for a, b in product(ends_of(graph), repeat=2):
        assert len(route(graph, a, b)) - 1 == shortest[a][b]


@settings(max_examples=50, deadline=None)
@given(connected_edges(), st.integers(0, 8))
def test_a_package_of_graphs_has_no_circle_or_is_refused(edges: list[list[int]], gateway: int) -> None:
    gateway %= 1 + max(map(max, edges))
    of = FreeGraph(kind="graph", edges=edges)
    unchecked = Package.model_construct(kind="package", chips=2, of=of, gateway=gateway, link_cycles=1)
    acyclic = networkx.is_directed_acyclic_graph(waits(unchecked, with_gateways(unchecked)))
    assert acyclic or gateway > 0, "at the root there is none"
    parameters = {"chips": 2, "of": of, "gateway": gateway}
    if acyclic:
        make("package", parameters)
    else:
        assert "a gateway without a circle of waits" in refusal("package", parameters)


def refusal(kind: str, parameters: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        make(kind, parameters)
    return str(caught.value.errors()[0]["msg"])


def test_a_circle_of_five_on_shortest_ways_is_refused_and_the_circle_shown() -> None:
    message = refusal("graph", {"edges": PENTAGON, "routing": "shortest"})
    found = re.fullmatch(
        r"found 'shortest', expected routes without a circle of waits \((.*)\); 'updown' never has one",
        message,
    )
    assert found, message
    links = [link.split("->") for link in found[1].split(" waits for ")]
    assert links[0] == links[-1]
    assert len(links) == 6
    assert all(a[1] == b[0] for a, b in pairwise(links))
    assert all(sorted((int(a[1:]), int(b[1:]))) in map(sorted, PENTAGON) for a, b in links)
    assert make("graph", {"edges": PENTAGON, "routing": "updown"}).places == 5


def test_a_circle_is_found_where_there_is_one() -> None:
    topology = FreeGraph.model_construct(kind="graph", edges=PENTAGON, at=None, routing="shortest")
    graph = topology.graph(5)
    found = circle(graph)
    assert found is not None
    lanes = waits(topology, graph)
    for (a, b, _), (c, d, _) in pairwise([*found, found[0]]):
        assert b == c
        assert lanes.has_edge((a, b, LOWER), (c, d, LOWER))
    assert waits_of(found).split(" waits for ") == [f"{a}->{b}" for a, b, _ in [*found, found[0]]]


def test_a_circle_past_routers_without_tiles_is_refused_too() -> None:
    """The gateway may be at any router, whether it has a tile or not."""
    assert "circle of waits" in refusal("graph", {"edges": PENTAGON, "at": [0, 1], "routing": "shortest"})


def test_a_long_circle_is_shown_in_part() -> None:
    lanes = [(f"r{i}", f"r{(i + 1) % 20}", 0) for i in range(20)]
    assert waits_of(lanes).split(" waits for ")[-3:] == ["r6->r7", "…", "r0->r1"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"edges": [[0, 1], [1, 1]]}, "found [1, 1], expected two routers; a link joins a router to another"),
        (
            {"edges": [[0, 1], [2, 3], [3, 4]]},
            "found 2 parts, expected a connected graph: no link leads from r2 to r0",
        ),
        ({"edges": [[0, 2]]}, "found 2 parts, expected a connected graph: no link leads from r1 to r0"),
        ({"edges": [[0, 1, 3], [1, 0, 5]]}, "found [1, 0, 5], expected one delay for the link from 1 to 0"),
        ({"edges": [[0, 1], [1, 2]], "at": [0, 3]}, "found 3, expected a router that an edge names, 0 to 2"),
    ],
)
def test_what_is_no_network_is_refused(parameters: dict[str, Any], message: str) -> None:
    assert refusal("graph", parameters) == message


@pytest.mark.parametrize(
    "edge", [[0], [0, 1, 2, 3], [0, -1], [0, 1, -1], [0, 1.5], ["0", "1"], [0, True], [0, 200_000]]
)
def test_a_link_is_two_numbers_and_perhaps_a_delay(edge: list[Any]) -> None:
    with pytest.raises(ValidationError):
        make("graph", {"edges": [[0, 1], edge]})


def test_a_link_given_both_ways_round_is_one() -> None:
    topology, graph = build("graph", {"edges": [[0, 1, 3], [1, 0, 3]]})
    assert graph.number_of_edges() == 1 + topology.places
    assert graph.edges["r0", "r1"]["cycles"] == 3


@pytest.mark.parametrize("key", ["edges", "at"])
def test_in_a_chip_the_refusal_names_the_key(key: str) -> None:
    topology = {"kind": "graph", "edges": [[0, 1]], "at": [0] * 168}
    topology[key] = [[0, 0]] if key == "edges" else [7] * 168
    with pytest.raises(
        ConfigError, match=rf"network\.topology\.{key}: found .*7|network\.topology\.{key}: found \[0, 0\]"
    ):
        Chip.load("isaac", {"network.topology": topology})


def test_a_networkx_graph_becomes_routers_with_a_tile_each_in_the_nodes_order() -> None:
    given = networkx.Graph()
    given.add_nodes_from(["d", "a", "c"])
    given.add_edge("a", "c", cycles=4)
    given.add_edge("d", "a")
    topology = FreeGraph.of(given)
    assert topology == make("graph", {"edges": [[0, 1], [1, 2, 4]], "at": [0, 1, 2]})
    graph = topology.graph(3)
    assert route(graph, "t0", "t2") == ["t0", "r0", "r1", "r2", "t2"]
    assert graph.edges["r1", "r2"]["cycles"] == 4
    assert "cycles" not in graph.edges["r0", "r1"]


@pytest.mark.parametrize(
    "given", [networkx.petersen_graph(), networkx.grid_2d_graph(3, 3), networkx.star_graph(4)]
)
def test_known_graphs_are_routed(given: networkx.Graph) -> None:
    topology = FreeGraph.of(given)
    graph = topology.graph(topology.places)
    assert topology.places == topology.routers == len(given)
    links = graph.subgraph(map(router, range(topology.routers)))
    assert networkx.is_isomorphic(links, given)
    assert circle(graph) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (networkx.Graph(), "graph: found a graph without nodes, expected at least one"),
        (networkx.DiGraph([(0, 1)]), "graph: found a directed graph, expected links that lead both ways"),
        (networkx.Graph([(0, 1), (2, 3)]), "graph: found 2 parts, expected a connected graph: "),
        (networkx.Graph([(0, 0), (0, 1)]), r"graph: found \[0, 0\], expected two routers; a link joins"),
        (networkx.empty_graph(3), "graph: found 1, expected a router that an edge names, 0 to 0"),
        (networkx.Graph([(0, 1, {"cycles": 1.5})]), "graph: link 0-1: found 1.5, expected a whole number"),
        (networkx.Graph([(0, 1, {"cycles": "x"})]), "graph: link 0-1: found 'x', expected a whole number"),
        (networkx.Graph([(0, 1, {"cycles": -1})]), "graph: found -1, expected at least 0"),
    ],
    ids=["empty", "directed", "in parts", "self-link", "no links", "half a cycle", "a word", "negative"],
)
def test_a_networkx_graph_that_is_no_network_is_refused(given: networkx.Graph, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FreeGraph.of(given)


def test_a_networkx_graph_whose_shortest_ways_can_deadlock_is_refused() -> None:
    with pytest.raises(
        ConfigError, match="graph: found 'shortest', expected routes without a circle of waits"
    ):
        FreeGraph.of(networkx.cycle_graph(5), routing="shortest")
    assert FreeGraph.of(networkx.cycle_graph(5)).routing == "updown"


# -- packages ------------------------------------------------------------------------------------------------------


def test_chips_of_a_package_are_joined_at_their_gateways_by_slower_links() -> None:
    topology, graph = build("package", EXAMPLES["package"][0])  # 3 chips of 2x2, gateway 1, 7 cycles
    between = {(a, b): data["cycles"] for a, b, data in graph.edges(data=True) if "cycles" in data}
    assert between == {("r1", "r5"): 7, ("r5", "r9"): 7}
    assert route(graph, "t2", "t8") == ["t2", "r2", "r3", "r1", "r5", "r9", "r8", "t8"]
    assert route(graph, "t8", "t2") == ["t8", "r8", "r9", "r5", "r1", "r0", "r2", "t2"]
    assert (topology.places, topology.routers) == (12, 12)


def test_a_chip_in_a_package_is_the_chip_alone() -> None:
    inner = {"kind": "graph", "edges": [[0, 1, 3], [1, 2], [2, 0, 9]], "at": [2, 0]}
    alone, one = build("graph", {key: value for key, value in inner.items() if key != "kind"})
    _, graph = build("package", {"chips": 3, "of": inner, "gateway": 0, "link_cycles": 2})
    assert alone.routers == 3
    for chip in range(3):
        names = {f"r{i}": f"r{i + 3 * chip}" for i in range(3)} | {
            f"t{i}": f"t{i + 2 * chip}" for i in range(2)
        }
        for a, b, data in one.edges(data=True):
            assert graph.edges[names[a], names[b]] == data
        path = route(graph, names["t0"], names["t1"])
        assert path == [names[node] for node in route(one, "t0", "t1")]


def test_a_package_of_one_chip_has_no_links_between() -> None:
    _, graph = build("package", {"chips": 1, "of": {"kind": "mesh", "width": 3, "height": 1}})
    _, alone = build("mesh", {"width": 3, "height": 1})
    assert set(graph.edges) == set(alone.edges)


def test_a_rings_classes_begin_anew_on_each_chip_of_a_package() -> None:
    topology, graph = build("package", {"chips": 2, "of": {"kind": "ring", "nodes": 5}})
    path = route(graph, "t3", "t6")
    assert path == ["t3", "r3", "r4", "r0", "r5", "r6", "t6"]
    assert topology.classes(path) == [ANY, UPPER, UPPER, ANY, LOWER, ANY]
    assert topology.classes(["t7", "r7", "t7"]) == [ANY, ANY]


def test_a_gateway_that_no_route_leads_to_is_refused() -> None:
    """r12 is at the top of the second fat tree, r13 beside it: from one to the other nothing goes up, then down."""
    of = {"kind": "fattree", "arity": 2, "levels": 3}
    topology, graph = build("package", {"chips": 2, "of": of})
    topology.attach(graph, "g0", 0, at=12, kind="gateway")
    with pytest.raises(ConfigError, match=r"network\.gateway: found 13, but no route leads from r0 to r1"):
        topology.attach(graph, "g1", 1, at=13, kind="gateway")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"chips": 2, "of": {"kind": "mesh", "width": 2, "height": 2}, "gateway": 4},
            "found 4, expected one of the 4",
        ),
        (
            {"chips": 2, "of": {"kind": "graph", "edges": HEXAGON}, "gateway": 5},
            "found 5, expected a gateway without a",
        ),
        ({"chips": 2, "of": {"kind": "fly", "arity": 2, "stages": 2}}, "Input tag 'fly' found"),
        ({"chips": 2, "of": {"kind": "package", "chips": 2}}, "Input tag 'package' found"),
        ({"chips": 0, "of": {"kind": "ring", "nodes": 2}}, "Input should be greater than or equal to 1"),
        (
            {"chips": 2, "of": {"kind": "ring", "nodes": 2}, "link_cycles": -1},
            "Input should be greater than or equal",
        ),
    ],
)
def test_what_is_no_package_is_refused(parameters: dict[str, Any], message: str) -> None:
    assert refusal("package", parameters).startswith(message)
