"""Ring and torus: routers in circles, routed the shorter way on two classes of virtual channels."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pimsim.chip.topology.base import ANY, LOWER, UPPER
from pimsim.chip.topology.mesh import Grid, Sided


class Circles(Grid):
    """A grid whose rows and columns are rings, with one tile a router.

    On a ring a packet that ends at a lower position than it began at uses the upper virtual channels, any other the
    lower ones. A shortest way covers at most half of the ring, so in each class and direction the ways are too short
    to close a circle.
    """

    deadlock_free: ClassVar[str] = "x before y, and within a ring two classes of virtual channels"

    @property
    def vcs_needed(self) -> int:
        """Virtual channels: one for each class."""
        return 2

    def beside(self, place: int, step: int, size: int) -> int | None:
        """Return the place a step up or down a ring of so many places, if there is another."""
        return (place + step) % size if size > 1 else None

    def ways(self, start: int, end: int, size: int) -> list[list[int]]:
        """Return the shortest ways around a ring, both ends included; up first where both are as short."""
        up, down = (end - start) % size, (start - end) % size
        found = []
        if up <= down:
            found.append([(start + i) % size for i in range(up + 1)])
        if down < up or (down == up and size > 2 and down):
            found.append([(start - i) % size for i in range(down + 1)])
        return found

    def classes(self, path: list[str]) -> list[int]:
        """Return which virtual channels each link of a route may use; on a tile's port it may use all."""
        places = [divmod(int(node[1:]), self.shape[0]) if node[0] == "r" else None for node in path]
        inside = [place for place in places if place is not None] or [(0, 0)]
        row = UPPER if inside[0][1] > inside[-1][1] else LOWER
        column = UPPER if inside[0][0] > inside[-1][0] else LOWER
        return [
            ANY if a is None or b is None else row if a[0] == b[0] else column for a, b in pairwise(places)
        ]


class Torus(Circles, Sided):
    """A mesh whose rows and columns are rings, numbered row by row."""

    spec: ClassVar[str] = "torus:8x8"
    numbers: ClassVar[tuple[str, ...]] = ("width", "height")

    kind: Literal["torus"]


class Ring(Circles):
    """A circle of routers with one tile each.

    Parameters
    ----------
    nodes : int
        Routers.
    """

    spec: ClassVar[str] = "ring:16"
    numbers: ClassVar[tuple[str, ...]] = ("nodes",)

    kind: Literal["ring"]
    nodes: Annotated[int, Field(ge=1, le=100_000)]

    @property
    def shape(self) -> tuple[int, int]:
        """Columns and rows: one row."""
        return self.nodes, 1
