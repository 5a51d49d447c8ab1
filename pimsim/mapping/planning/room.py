"""Which inputs do not fit one buffer, and how several hold them; what fits none is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pimsim.chip import ChipConfig
from pimsim.errors import MappingError
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.heads import Group, slices_of
from pimsim.mapping.flow.stores import STORE
from pimsim.mapping.planning.assign import Choice
from pimsim.mapping.planning.copies import own_token
from pimsim.mapping.planning.dealing import Deal, deal
from pimsim.mapping.planning.kind import Kind
from pimsim.mapping.planning.package import Package
from pimsim.mapping.planning.tiling import Tiling


def crowded(
    nodes: Sequence[Node],
    tilings: Sequence[Tiling | None],
    sites: Sequence[str | None],
    least: Sequence[Sequence[int]],
    kinds: Mapping[str, Kind],
    input_bits: int,
    part: int,
) -> set[int]:
    """Return the layers on arrays whose inputs would take more than a part of the buffer beside them.

    Parameters
    ----------
    nodes, tilings, sites
        The ops, their blocks, and where they are done.
    least : sequence of sequence of int
        Tokens of each input without whose places the data flow can deadlock.
    kinds : mapping of str to Kind
        By the name of the sites.
    input_bits : int
        Of an activation.
    part : int
        Of a buffer: 1 is all of it.
    """
    found = set()
    for n, (node, tiling, site) in enumerate(zip(nodes, tilings, sites, strict=True)):
        if tiling is None or site is None or len(node.edges) != 1:
            continue
        (edge,), kind = node.edges, kinds[site]
        share = tiling.share(tiling.blocks[: kind.slots], unrolled=edge.unrolled)
        if least[n][0] * edge.features * share * input_bits / 8 > kind.site.buffer.capacity_bytes / part:
            alone = edge.need[-1] <= 1 or edge.reads >= least[n][0] * edge.features
            if not edge.unrolled and not alone:
                found.add(n)
    return found


def deals_of(
    nodes: Sequence[Node],
    choices: Sequence[Choice],
    groups: Sequence[Group],
    least: Sequence[Sequence[int]],
    input_bits: int,
    package: Package,
    part: int,
) -> dict[int, Deal]:
    """Return how ops on digital units whose inputs do not fit one buffer are dealt out to several.

    Raises
    ------
    MappingError
        If no number of buffers holds an op's inputs.
    """
    sliced = {
        n for g in groups for n in g.members if slices_of(g, len(package.seats_of(str(choices[n].site)))) > 1
    }
    found: dict[int, Deal] = {}
    for n, node in enumerate(nodes):
        site = choices[n].site
        if site is None or node.on_arrays or n in sliced or node.right is not None:
            continue
        if node.tokens != node.positions:  # it reduces over positions
            continue
        capacity = package.kinds[site].site.buffer.capacity_bytes
        sizes = [-(-edge.features * input_bits // 8) for edge in node.edges]
        held = sum(places * size for places, size in zip(least[n], sizes, strict=True))
        simple = node.type != STORE and part == 1 and all(own_token(edge) for edge in node.edges)
        if simple or (held <= capacity / part and node.type != STORE):
            continue  # copies share what each of them reads alone out anyway
        tokens = [nodes[edge.source].tokens for edge in node.edges]
        seats = len(package.seats_of(site))
        dealt = next(
            (
                dealt
                for share in (2 * part, 1)
                if (dealt := deal(node, tokens, least[n], sizes, capacity / share, seats)) is not None
            ),
            None,
        )
        if dealt is not None:
            found[n] = dealt
    return found


def check_buffers(
    kinds: Mapping[str, Kind],
    nodes: list[Node],
    choices: Sequence[Choice],
    tilings: Sequence[Tiling | None],
    least: list[list[int]],
    input_bits: int,
    groups: Sequence[Group],
    config: ChipConfig,
    alone: bool,
) -> None:
    """Refuse a model with an op whose inputs do not fit even an empty tile.

    With `alone`, no other program has the same places, so ops may be dealt out to as many tiles as hold their inputs.
    """
    slices = {n: group.slices for group in groups for n in group.members}
    for number, (node, tiling, places) in enumerate(zip(nodes, tilings, least, strict=True)):
        name = choices[number].site
        if name is None:
            continue
        kind, capacity = kinds[name], kinds[name].site.buffer.capacity_kib * 1024
        need = 0.0
        if tiling is None and node.right is None and node.tokens == node.positions and alone:
            continue  # it is dealt out
        for n, edge in zip(places, node.edges, strict=True):
            share = 1 / slices.get(number, 1)
            if tiling is not None:
                share = tiling.share(tiling.blocks[: kind.slots], unrolled=edge.unrolled)
            if edge.held and (config.memory is not None or kind.product_policy != "digital"):
                continue  # it may lie off the chip, or in arrays
            dealt = tiling is None and all(own_token(each) for each in node.edges)  # copies share it out
            tokens = min(n, 2) if dealt else n + edge.cached / edge.features
            need += tokens * edge.features * share * input_bits / 8
        if need > capacity:
            raise MappingError(
                f"its inputs need {need / 1024:.1f} KiB of buffer in one tile, "
                f"{config.name} has {capacity / 1024:g} KiB",
                where=f"op '{node.name}' ({node.type})",
                mend=f"give --set {name}.buffer.capacity_kib={2 ** int(np.ceil(np.log2(need / 1024)))}, "
                "fewer --input-bits or a smaller input",
            )
