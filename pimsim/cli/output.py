"""What commands print: JSON as bytes, reports as text."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pimsim.trace.model import Model


def print_bytes(raw: bytes) -> None:
    """Print JSON as UTF-8, whatever the locale is."""
    sys.stdout.buffer.write(raw)
    sys.stdout.buffer.flush()


def print_pieces(*pieces: RenderableType, width: int | None = None) -> None:
    """Print pieces of a report, 80 columns wide by default; headings are bold on a terminal that wants them."""
    from pimsim.report.tables import WIDTH, to_plain_text

    width = width or WIDTH
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        click.echo(to_plain_text(*pieces, width=width))
        return
    from rich.console import Console

    Console(width=width, highlight=False, markup=False).print(*pieces, sep="\n")


def say_of_trace(trace: Model) -> None:
    """Say on stderr what a trace leaves out, and what was bound without being asked."""
    from pimsim.trace.unknown import warning

    if trace.unknown:
        click.echo(f"warning: {warning(trace.unknown)}", err=True)
    for name in () if trace.symbols else trace.header.get("defaults", ()):  # or else it will not run
        click.echo(
            f"note: {name}={trace.header['symbols'][name]} by default: a run is of one inference", err=True
        )
