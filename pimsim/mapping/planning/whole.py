"""Ops that are done as a whole, kernels: the stages that several processors share a model by, and where weights lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.fused import Chain, attention_of, chains_of
from pimsim.mapping.planning.kind import Kind
from pimsim.mapping.planning.package import Package


def stages_of(nodes: Sequence[Node], sites: Sequence[str | None], package: Package) -> dict[int, int]:
    """Return the tile of each kernel: ops in their order, cut into as many stages of equal time as there are sites.

    With one site, or one kernel, there is one stage. Several are a pipeline: an inference gains nothing, a batch does.
    """
    found: dict[int, int] = {}
    for name, kind in package.kinds.items():
        if not kind.whole:
            continue
        own = [n for n, site in enumerate(sites) if site == name and kind.refusal(nodes[n]) == ""]
        times = [kind.service_fs(nodes[n]) * nodes[n].positions for n in own]
        seats, total, before = package.seats_of(name), sum(times), 0.0
        for n, time in zip(own, times, strict=True):
            middle = (before + time / 2) / total
            found[n] = seats[min(len(seats) - 1, int(middle * len(seats)))]
            before += time
    return found


def in_one_kernel(
    nodes: Sequence[Node], sites: Sequence[str | None], kinds: Mapping[str, Kind], input_bits: int
) -> list[Chain]:
    """Return the chains of attention that their sites do in one kernel each.

    Parameters
    ----------
    nodes : sequence of Node
        A data flow, position by position.
    sites, kinds
        Where each op is done, and by what.
    input_bits : int
        Of an activation.
    """
    found = []
    for chain in chains_of(nodes):
        site = sites[chain[0]]
        if site is None or not kinds[site].whole or any(sites[n] != site for n in chain):
            continue
        if kinds[site].in_one([nodes[n] for n in chain], attention_of(nodes, chain), input_bits):
            found.append(chain)
    return found


def bytes_beside(
    programs: Sequence[Sequence[Node]],
    sites: Sequence[str | None],
    kinds: Mapping[str, Kind],
    weight_bits: Sequence[int],
    caches: int,
) -> dict[int, int]:
    """Return the bytes of the weights and caches that kernels read from where their inputs lie.

    Parameters
    ----------
    programs : sequence of sequence of Node
        The data flows; the last one has the largest caches.
    sites, kinds
        Where each op is done, and by what.
    weight_bits : sequence of int
        Of the weights of each op.
    caches : int
        How many sequences have a cache at once.
    """
    found: dict[int, int] = {}
    seen = set[str]()
    for n, (node, site) in enumerate(zip(programs[-1], sites, strict=True)):
        if site is None or node.op is None or not kinds[site].whole:
            continue
        cached = sum(edge.cached * edge.bits for edge in node.edges)
        size = caches * -(-cached // 8)
        weight = node.op.weight
        if weight is not None and (weight.name is None or weight.name not in seen):
            size += -(-weight.tensor.elements * weight_bits[n] // 8)
            seen |= {weight.name} if weight.name is not None else set()
        if size:
            found[n] = size
    return found
