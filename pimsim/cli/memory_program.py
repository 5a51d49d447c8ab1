"""``pimsim memory … --program``: a command program on a memory that computes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pimsim.cli.measured import log_of, show, watched

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pimsim.cli.progress import Progress
    from pimsim.dram.compute import ProgramResult


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

    def run(progress: Progress) -> ProgramResult:
        from pimsim.dram.compute import memory_program

        return memory_program(standard, record=commands is not None, on_progress=progress, **asked)

    result = watched("columns", run)

    def report() -> list[RenderableType]:
        from pimsim.report.memory_program import program_report

        return program_report(result)

    show(result, log_of(result.run, commands), as_json, report)
