"""What all tables of the reports share: 80 columns, plain text, numbers to the right."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

WIDTH = 80
NOT_MODELLED = "not modelled"


def table(*columns: str, left: int = 1, gap: int = 2) -> Table:
    """Return an empty table: its first `left` columns hold words and may fold, the others hold numbers.

    Parameters
    ----------
    *columns : str
        Their headings.
    left : int
        How many columns hold words.
    gap : int
        Spaces between columns, 1 or 2.
    """
    from rich.box import Box
    from rich.table import Table

    rule_below_head = Box("    \n    \n -- \n" + "    \n" * 5, ascii=True)
    made = Table(
        box=rule_below_head, pad_edge=False, padding=(0, gap - 1), collapse_padding=True, show_edge=False
    )
    for position, name in enumerate(columns):
        if position < left:
            made.add_column(name, overflow="fold")
        else:
            made.add_column(name, justify="right", no_wrap=True)
    return made


def plain(text: str) -> Text:
    """Return a name from a file as it stands there: no markup, and nothing that a terminal would obey."""
    from rich.text import Text

    return Text(printable(text))


def printable(text: str) -> str:
    """Return a text without what moves a cursor or changes colours."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def heading(text: str, *, first: bool = False) -> Text:
    """Return a heading, bold where the terminal can do that; a blank line keeps it from what is above."""
    from rich.text import Text

    return Text(text if first else f"\n{text}", style="bold")


def share(part: float) -> str:
    """Write a share of one as a percentage."""
    return f"{100 * part:.1f} %"


def to_plain_text(*pieces: RenderableType, width: int = WIDTH) -> str:
    """Render pieces as plain text of at most so many columns, without escape codes."""
    import io

    from rich.console import Console

    text = io.StringIO()
    console = Console(file=text, width=width, color_system=None, force_terminal=False, _environ={})
    console.print(*pieces, sep="\n")
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())
