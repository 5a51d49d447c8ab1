"""What a timeline is made of: groups of tracks and counters, slices, and arrows between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pimsim.units import FS_PER_NS


@dataclass(frozen=True)
class Slice:
    """Something from one time to another, in fs."""

    begin_fs: int
    end_fs: int
    name: str
    args: dict[str, Any]
    number: int
    """Of all slices, so that an arrow can name it."""


@dataclass
class Track:
    """A row of slices that do not overlap."""

    name: str
    slices: list[Slice] = field(default_factory=list)


@dataclass
class Counter:
    """A number over time: its value from each time (fs) on."""

    name: str
    unit: str
    points: list[tuple[int, float]]


@dataclass
class Group:
    """Tracks and counters that belong together: a tile, a network, the critical path."""

    name: str
    tracks: list[Track] = field(default_factory=list)
    counters: list[Counter] = field(default_factory=list)


@dataclass
class Timeline:
    """Groups of tracks, and arrows along the critical path.

    Parameters
    ----------
    title : str
        What ran on what, and what is left out.
    groups : list of Group
        In the order in which they are drawn.
    arrows : list of (int, int)
        Numbers of slices. Viewers draw arrows forward in time: from one that began to one that began later.
    """

    title: str
    groups: list[Group]
    arrows: list[tuple[int, int]]


def nanoseconds(fs: int) -> int:
    """Return the whole nanoseconds below a time."""
    return fs // FS_PER_NS
