"""Which inputs do not fit one buffer, and how several hold them; what fits none is refused."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from pimsim.chip import ChipConfig
from pimsim.errors import MappingError
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.heads import Group, slices_of
from pimsim.mapping.flow.stores import STORE
from pimsim.mapping.planning.assign import Choice
from pimsim.mapping.planning.dealing import Deal, deal
from pimsim.mapping.planning.kind import Kind
from pimsim.mapping.planning.package import Package
from pimsim.mapping.planning.ports import own_token
from pimsim.mapping.planning.tiling import Tiling


def crowded(
    nodes: Sequence[Node],
    tilings: Sequence[Tiling | None],
    sites: Sequence[str | None],
    least: Sequence[Sequence[int]],
    kinds: Mapping[str, Kind],
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
    part : int
        Of a buffer: 1 is all of it.
    """
    found = set()
    for n, (node, tiling, site) in enumerate(zip(nodes, tilings, sites, strict=True)):
        if tiling is None or site is None or len(node.edges) != 1:
            continue
        (edge,), kind = node.edges, kinds[site]
        share = tiling.share(tiling.blocks[: kind.slots], unrolled=edge.unrolled)
        if least[n][0] * edge.features * share * edge.bits / 8 > kind.site.store.capacity_bytes / part:
            alone = edge.need[-1] <= 1 or edge.reads >= least[n][0] * edge.features
            if not edge.unrolled and not alone:
                found.add(n)
    return found


def deals_of(
    nodes: Sequence[Node],
    choices: Sequence[Choice],
    groups: Sequence[Group],
    least: Sequence[Sequence[int]],
    package: Package,
    part: int,
    tried: dict[tuple[int, int], int],
) -> dict[int, Deal]:
    """Return how ops on digital units whose inputs do not fit one buffer are dealt out to several.

    Parameters
    ----------
    nodes, choices, groups, least, package
        The ops, where they are done, and what they must have room for.
    part : int
        Inputs that need more than such a part of a buffer are shared out.
    tried : dict of (op, part) to int
        Into how many buffers of so small a part each was dealt out in vain; changed.

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
        if (
            site is None
            or node.on_arrays
            or n in sliced
            or node.right is not None
            or package.kinds[site].whole
        ):
            continue
        if node.tokens != node.positions:  # it reduces over positions
            continue
        capacity = package.kinds[site].site.store.capacity_bytes
        sizes = [-(-edge.features * edge.bits // 8) for edge in node.edges]
        held = sum(places * size for places, size in zip(least[n], sizes, strict=True))
        simple = node.type != STORE and part == 1 and all(own_token(edge) for edge in node.edges)
        if simple or (held <= capacity / part and node.type != STORE):
            continue  # copies share what each of them reads alone out anyway
        tokens = [nodes[edge.source].tokens for edge in node.edges]
        seats = len(package.seats_of(site))
        for share in (2 * part, 1):
            before = tried.get((n, share), 0)
            dealt = deal(node, tokens, least[n], sizes, capacity / share, seats, before)
            if dealt is not None:
                found[n] = dealt
                break
            tried[n, share] = max(before, seats)
    return found


def spread_of(
    programs: Sequence[Sequence[Node]],
    members: Iterable[int],
    least: Sequence[Sequence[Sequence[int]]],
    slices: int,
    piece: float,
    caches: int = 1,
    *,
    held: bool = True,
) -> dict[tuple[int, int], int]:
    """Return the inputs of products, and of ops around them, that take more than a piece: into how many they go.

    Parameters
    ----------
    programs : sequence of sequence of Node
        The data flows.
    members : iterable of int
        Numbers of the ops.
    least : sequence of sequence of sequence of int
        For each program, op and input: tokens that wait at once.
    slices : int
        Of heads that the ops are cut into.
    piece : float
        Bytes.
    caches : int
        How many sequences have a cache at once.
    held : bool
        Whether right matrices count, too.
    """
    found: dict[tuple[int, int], int] = {}
    for n in members:
        for number in range(len(programs[0][n].edges)):
            size = 0.0
            for nodes, places in zip(programs, least, strict=True):
                edge = nodes[n].edges[number]
                if held or not edge.held:
                    elements = places[n][number] * edge.features + caches * edge.cached
                    size = max(size, elements / slices * edge.bits / 8)
            if size > piece:
                found[n, number] = math.ceil(size / piece)
    return found


def block_of(nodes: Iterable[Node], slices: int, room: float) -> tuple[int, int]:
    """Return for how many rows of a product a piece of its right matrix is fetched once, and the bytes of these rows.

    Parameters
    ----------
    nodes : iterable of Node
        The product, in each program.
    slices : int
        Of heads.
    room : float
        Bytes that the rows of the left matrix, or what comes of them, may take.
    """
    rows, width = 1, 1
    for node in nodes:
        if node.right is not None:
            rows = max(rows, node.right.rows)
            left = max(edge.features * edge.bits for edge in node.edges if not edge.held)
            width = max(width, math.ceil(max(left, node.features * node.bits) / slices / 8))
    rows = max(1, min(rows, int(room // width)))
    return rows, rows * width


def check_buffers(
    kinds: Mapping[str, Kind],
    nodes: list[Node],
    choices: Sequence[Choice],
    tilings: Sequence[Tiling | None],
    least: list[list[int]],
    groups: Sequence[Group],
    config: ChipConfig,
    alone: bool,
) -> None:
    """Refuse a model with an op whose inputs do not fit even an empty tile.

    With `alone`, no other program has the same places, so ops may be dealt out to as many tiles as hold their inputs.
    """
    together = {n for group in groups for n in group.members}
    together |= {n for n, node in enumerate(nodes) if node.right is not None}
    for number, (node, tiling, places) in enumerate(zip(nodes, tilings, least, strict=True)):
        name = choices[number].site
        if name is None:
            continue
        kind, capacity = kinds[name], kinds[name].site.store.capacity_kib * 1024
        need = 0.0
        if tiling is None and (number in together or (node.tokens == node.positions and alone)):
            continue  # it is dealt out, or its inputs are spread
        for n, edge in zip(places, node.edges, strict=True):
            share = 1.0
            if tiling is not None:
                share = tiling.share(tiling.blocks[: kind.slots], unrolled=edge.unrolled)
            dealt = tiling is None and all(own_token(each) for each in node.edges)  # copies share it out
            need += (min(n, 2) if dealt else n) * edge.features * share * edge.bits / 8
        if need > capacity:
            raise MappingError(
                f"its inputs need {need / 1024:.1f} KiB of buffer in one tile, "
                f"{config.name} has {capacity / 1024:g} KiB",
                where=f"op '{node.name}' ({node.type})",
                mend=f"give --set {name}.buffer.capacity_kib={2 ** math.ceil(math.log2(need / 1024))}, "
                "fewer --input-bits or a smaller input",
            )
