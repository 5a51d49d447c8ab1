"""What a page is made of: sections of texts, lists, tables, charts and nested facts, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Points:
    """A list of sentences."""

    kind: ClassVar[str] = "points"
    points: list[str]


class Figure(NamedTuple):
    """A figure with its name and what it means."""

    name: str
    value: str
    note: str


@dataclass(frozen=True)
class Figures:
    """Figures in the order of their importance."""

    kind: ClassVar[str] = "figures"
    figures: list[Figure]


@dataclass(frozen=True)
class Table:
    """A table; its first column names the row.

    Parameters
    ----------
    caption : str
        What it shows.
    columns : list of str
        Headings.
    rows : list of list of str
        Cells, each with its unit.
    words : int
        How many columns hold words; the others hold numbers and are set to the right.
    closed : bool
        Folded away until it is asked for.
    """

    kind: ClassVar[str] = "table"
    caption: str
    columns: list[str]
    rows: list[list[str]]
    words: int = 1
    closed: bool = False


class Choice(NamedTuple):
    """One of the values of a chart's signal, and what the reader calls it."""

    value: str
    label: str


@dataclass(frozen=True)
class Chart:
    """A chart and the numbers in it.

    Parameters
    ----------
    name : str
        Unique in its section.
    title : str
        What it shows.
    about : str
        How to read it, in a sentence or two; also what a screen reader says of it.
    spec : dict
        Of Vega-Lite or of Vega.
    table : Table
        The same numbers.
    mode : str
        ``vega-lite`` or ``vega``.
    choices : list of Choice
        Values of the signal ``by`` of a Vega specification.
    wide : bool
        Wants the whole width of the page.
    """

    kind: ClassVar[str] = "chart"
    name: str
    title: str
    about: str
    spec: dict[str, Any]
    table: Table
    mode: str = "vega-lite"
    choices: list[Choice] = field(default_factory=list)
    wide: bool = False


@dataclass(frozen=True)
class Tree:
    """Nested facts, branch by branch to be opened."""

    kind: ClassVar[str] = "tree"
    data: dict[str, Any]


Piece = Text | Points | Figures | Table | Chart | Tree


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Parameters
    ----------
    name : str
        Unique in its report.
    title : str
        Its heading.
    pieces : list of Piece
        What stands in it.
    """

    name: str
    title: str
    pieces: list[Piece]


@dataclass(frozen=True)
class Part:
    """The sections about one result, or about all of them together.

    Parameters
    ----------
    name : str
        Unique in the page.
    title : str
        Its heading.
    sections : list of Section
        In order.
    """

    name: str
    title: str
    sections: list[Section]
