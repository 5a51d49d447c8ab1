"""The network of a chip as a networkx graph: routers, sites, and the ports of links and memories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pimsim.chip.parts import Network
from pimsim.chip.site import Site

if TYPE_CHECKING:
    from networkx import Graph


def graph_of(network: Network, sites: Mapping[str, Site], gateways: int) -> Graph[str]:
    """Return the network of a chip: its sites are ``t0``, ``t1``, …, the ports of external links ``g0``, ``g1``, ….

    The ports of off-chip memories are ``m0``, ``m1``, …. Where routers add, each has a port ``a0``, ``a1``, … to its
    adder.

    Parameters
    ----------
    network : Network
        Its routers.
    sites : mapping of str to Site
        What is at them.
    gateways : int
        Ports of external links.
    """
    topology, routers = network.topology, network.topology.routers
    own = [number for number, node in _numbered(sites) if node is None]
    graph = topology.graph(len(own))
    if own != list(range(len(own))):
        graph = _renamed(graph, own)
    for number, node in _numbered(sites):
        if node is not None:
            topology.attach(graph, f"t{number}", number, at=int(node[1:]))
    if network.reduction is not None:
        for index in range(routers):
            topology.attach(graph, f"a{index}", index, at=index, kind="adder")
    for index in range(gateways):
        topology.attach(graph, f"g{index}", index, at=network.gateway, kind="gateway")
    port = 0
    for site in sites.values():
        for index in range(0 if site.takes_ops else site.count):
            at = index * routers // site.count % routers if site.at is None else int(site.at[index][1:])
            topology.attach(graph, f"m{port}", port, at=at, kind="memory")
            port += 1
    return graph


def _numbered(sites: Mapping[str, Site]) -> Iterator[tuple[int, str | None]]:
    """Yield the numbers of the sites that ops can be done at, and the routers of those that say where they are."""
    number = 0
    for site in sites.values():
        for index in range(site.count if site.takes_ops else 0):
            yield number, None if site.at is None else site.at[index]
            number += 1


def _renamed(graph: Graph[str], numbers: list[int]) -> Graph[str]:
    """Give the sites in a topology's places the numbers that they have on the chip."""
    import networkx

    names = {f"t{place}": f"t{number}" for place, number in enumerate(numbers)}
    attached = {names.get(node, node): at for node, at in graph.graph["attached"].items()}
    graph = networkx.relabel_nodes(graph, names)
    graph.graph["attached"] = attached
    for number in numbers:
        graph.nodes[f"t{number}"]["index"] = number
    return graph
