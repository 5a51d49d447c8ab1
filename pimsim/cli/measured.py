"""What commands that measure a memory share: a run that tells how far it is, and what is made of its result."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import click

from pimsim.cli import INTERRUPTED
from pimsim.cli.output import print_bytes, print_pieces
from pimsim.cli.progress import Progress
from pimsim.errors import ResultError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pimsim.dram.channel import Served
    from pimsim.dram.program import Executed

Made = TypeVar("Made")


class Measured(Protocol):
    """A result that can be printed as JSON."""

    def to_json(self) -> str:
        """Return everything as JSON."""


def watched(
    unit: str, run: Callable[[Progress], Made], stage: str = "before the first command was sent"
) -> Made:
    """Run something that is handed its progress, which counts so many of a unit; Ctrl-C says how far it was."""
    with Progress(unit, stage) as progress:
        try:
            return run(progress)
        except BaseException:
            if not progress.interrupted:
                raise
            progress.hide()
            click.echo(f"interrupted {progress.stage}", err=True)
            sys.exit(INTERRUPTED)


def show(
    result: Measured,
    files: Sequence[Callable[[], None]],
    as_json: bool,
    report: Callable[[], Sequence[RenderableType]],
) -> None:
    """Write files, and print even if that fails, since the run took its time."""
    failure = None
    try:
        for write in files:
            write()
    except ResultError as error:
        failure = error
    if as_json:
        print_bytes(result.to_json().encode())
    else:
        print_pieces(*report())
    if failure is not None:
        raise failure


def log_of(run: Served | Executed | None, commands: Path | None) -> list[Callable[[], None]]:
    """Return what writes the commands of a run, if they are asked for."""
    if commands is None or run is None:
        return []

    def write() -> None:
        from pimsim.dram.log import write_log

        write_log(run, commands)

    return [write]
