"""``pimsim memory … --program``: a command program on a memory that computes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from pimsim.cli import INTERRUPTED
from pimsim.cli.output import print_bytes, print_pieces
from pimsim.cli.progress import Progress
from pimsim.errors import ResultError


def run_program(standard: str, commands: Path | None, as_json: bool, **asked: Any) -> None:
    """Run a program, write its commands if they are asked for, and print its figures.

    Parameters
    ----------
    standard : str
        The memory.
    commands : path, optional
        Where its commands go.
    as_json : bool
        Print JSON.
    asked
        The arguments of `pimsim.dram.compute.memory_program`.
    """
    if commands is not None:
        from pimsim.result.result import check_writable

        check_writable(commands)
    with Progress("columns", "before the first command was sent") as progress:
        from pimsim.dram.compute import memory_program

        try:
            result = memory_program(standard, record=commands is not None, on_progress=progress, **asked)
        except BaseException:
            if not progress.interrupted:
                raise
            progress.hide()
            click.echo(f"interrupted {progress.stage}", err=True)
            sys.exit(INTERRUPTED)
    failure = None
    if commands is not None:
        from pimsim.dram.log import write_log

        try:
            write_log(result.run, commands)
        except ResultError as error:
            failure = error
    if as_json:
        print_bytes(result.to_json().encode())
    else:
        from pimsim.report.memory_program import program_report

        print_pieces(*program_report(result))
    if failure is not None:
        raise failure
