"""Every command of a run as a CSV file."""

from __future__ import annotations

import csv
import os
from contextlib import suppress
from pathlib import Path

from pimsim.dram.channel import Served
from pimsim.dram.program import Executed
from pimsim.dram.tables import bank_paths
from pimsim.errors import ResultError


def write_log(served: Served | Executed, path: Path) -> None:
    """Write a row for each command: its cycle, its name, and where it goes; levels below that are empty.

    Parameters
    ----------
    served : Served or Executed
        A run that kept its commands.
    path : path
        Where to; the file appears whole or not at all.

    Raises
    ------
    ResultError
        If it cannot be written.
    """
    standard = served.standard
    nest, commands, paths = standard.nest, list(standard.commands), bank_paths(standard)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["cycle", "command", *standard.levels])
            for cycle, number, bank in served.log.tolist():
                name = commands[number]
                depth = nest.index(standard.commands[name].level)
                place = [
                    int(paths[bank, level]) % standard.levels[nest[level]] if level <= depth else ""
                    for level in range(1, len(nest))
                ]
                writer.writerow([cycle, name, *place])
        os.replace(temporary, path)
    except OSError as error:
        raise ResultError(f"cannot be written: {error.strerror}", where=str(path)) from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
