"""Where tiles, routers and links are on the chips of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pimsim.report.network_plot import Point, layout

if TYPE_CHECKING:
    from networkx import Graph

    from pimsim.chip.schema import ChipConfig
    from pimsim.result.result import Result

GAP = 1.5
MOST_CHIPS = 4  # that are drawn
COLUMNS = 2
MARGIN = 0.3


@dataclass(frozen=True)
class Places:
    """Places on a plane whose unit is the distance of two routers; y grows downwards.

    Parameters
    ----------
    graph : networkx.Graph
        Of one chip's network.
    of_one : dict of str to Point
        Of the nodes of one chip.
    chips, shown : int
        How many there are, and how many of them are drawn, side by side.
    wide, high : float
        Of all that is drawn.
    """

    graph: Graph[str]
    of_one: dict[str, Point]
    chips: int
    shown: int
    wide: float
    high: float
    step: Point
    side: float

    def at(self, node: str, chip: int) -> Point:
        """Return the place of a node of a chip."""
        x, y = self.of_one[node]
        row, column = divmod(chip, COLUMNS)
        return x + column * self.step[0], y + row * self.step[1]

    def labels(self) -> list[dict[str, Any]]:
        """Return the chips' names and their places, if there are several."""
        corners = [divmod(chip, COLUMNS) for chip in range(self.shown)] if self.chips > 1 else []
        return [
            {"n": f"chip {chip}", "x": column * self.step[0] + MARGIN, "y": row * self.step[1]}
            for chip, (row, column) in enumerate(corners)
        ]

    @property
    def rest(self) -> str:
        """What is not drawn, in words."""
        return "" if self.shown == self.chips else f" The first {self.shown} of {self.chips} chips are drawn."


def places_of(config: ChipConfig, result: Result) -> Places:
    """Return the places of a run's chips."""
    graph = config.graph()
    found = layout(graph)
    left, top = min(x for x, _ in found.values()), max(y for _, y in found.values())
    moved = {node: (x - left + MARGIN, top - y + MARGIN) for node, (x, y) in found.items()}
    wide = max(x for x, _ in moved.values()) + MARGIN
    high = max(y for _, y in moved.values()) + MARGIN
    shown = min(result.chips, MOST_CHIPS)
    columns, rows = min(shown, COLUMNS), -(-shown // COLUMNS)
    step = (wide + GAP - 2 * MARGIN, high + GAP - 2 * MARGIN)
    return Places(
        graph,
        moved,
        result.chips,
        shown,
        wide + (columns - 1) * step[0],
        high + (rows - 1) * step[1],
        step,
        _room(graph, moved),
    )


def _room(graph: Graph[str], places: dict[str, Point]) -> float:
    """Return the side of the squares that fit beside one another around every router."""
    around: dict[str, list[Point]] = {}
    for node, data in graph.nodes(data=True):
        if data["kind"] != "router":
            around.setdefault(next(iter(graph.adj[node])), []).append(places[node])
    gaps = [
        math.dist(a, b)
        for ends in around.values()
        for a, b in zip(ends, ends[1:] + ends[:1], strict=True)
        if a != b
    ]
    return min([0.34, *(0.8 * gap for gap in gaps)])
