"""What goes through the links of tiles: what copies of an op share, what each takes in whole, what goes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pimsim.mapping.flow.dataflow import Edge, Node
from pimsim.mapping.flow.windows import Window
from pimsim.mapping.planning.stripes import are_striped
from pimsim.mapping.planning.tiling import Block, Tiling


def own_token(edge: Edge) -> bool:
    """Whether each firing needs a token of its own and no other."""
    return bool((edge.need - edge.low == 1).all())


def taken_of(nodes: Sequence[Node], number: int, edge: Edge) -> tuple[float, float]:
    """Return the bits of an input that copies share, and those that each of them takes in."""
    source = nodes[edge.source]
    bits = float(edge.features * source.tokens * edge.bits)
    alone = own_token(edge) or (edge.window is not None and are_striped(nodes[number]))
    return (bits, 0.0) if alone else (0.0, bits)


def given_to(nodes: Sequence[Node], number: int) -> int:
    """Return the bits that a layer takes from the host."""
    given = (nodes[edge.source] for edge in nodes[number].edges)
    return sum(sent_by(source) for source in given if source.type == "Input")


def sent_by(node: Node) -> int:
    """Return the bits that an op puts out in an inference."""
    return node.features * node.tokens * node.bits


def taken_again(nodes: Sequence[Node], number: int) -> float:
    """Return the share of an input that one stripe more takes again: what its window sees beyond, in whole tokens."""
    found = 0.0
    for edge in nodes[number].edges:
        if edge.window is None or not are_striped(nodes[number]):
            continue
        window, columns = edge.window, nodes[number].layout.width
        beyond = int((window.right - window.left).max()) + 1 - window.width / columns
        token = max(
            1.0, window.width * _rows(window) / nodes[edge.source].tokens
        )  # pixels that come together
        found = max(found, (max(0.0, beyond) + token - 1) / window.width)
    return found


def _rows(window: Window) -> int:
    return int(window.bottom.max()) + 1


def taken_by_layer(
    nodes: Sequence[Node], number: int, tilings: Sequence[Tiling | None], per_tile: Sequence[int]
) -> tuple[float, float]:
    """Return likewise what one tile of a layer takes in: of what several share, the largest part."""
    tiling = tilings[number]
    assert tiling is not None
    shared, whole = 0.0, 0.0
    for edge in nodes[number].edges:
        share = max(tiling.share(part, unrolled=edge.unrolled) for part in _parts(tiling, per_tile[number]))
        found = taken_of(nodes, number, edge)
        shared, whole = shared + share * found[0], whole + share * found[1]
    return shared, whole


def _parts(tiling: Tiling, per_tile: int) -> list[tuple[Block, ...]]:
    """Return the blocks of a layer by tile."""
    return [tiling.blocks[first : first + per_tile] for first in range(0, tiling.arrays, per_tile)]


def sent_times(
    nodes: Sequence[Node],
    tilings: Sequence[Tiling | None],
    copies: Mapping[int, int],
    per_tile: Sequence[int],
) -> list[float]:
    """Return how often each token of each op is sent: to each reader, or to each tile of a layer what that reads."""
    times = [0.0] * len(nodes)
    for n, node in enumerate(nodes):
        tiling = tilings[n]
        for edge in node.edges:
            if tiling is None:
                times[edge.source] += 1.0
                continue
            homes = min(copies[n], -(-copies[n] * tiling.arrays // per_tile[n]))
            whole = taken_of(nodes, n, edge)[1] > 0
            each = homes if whole else 1 + taken_again(nodes, n) * (homes - 1)
            times[edge.source] += each * sum(
                tiling.share(part, unrolled=edge.unrolled) for part in _parts(tiling, per_tile[n])
            )
    return times
