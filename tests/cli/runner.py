"""The command line, in this process and in one of its own, and a model that it runs in milliseconds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from pimsim.cli import main

from ..trace.builders import small_trace

PROGRAM = [sys.executable, "-c", "from pimsim.cli import main; main()"]


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Done:
    """Run the command line in this process."""
    monkeypatch.setattr(sys, "argv", ["pimsim", *arguments])
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    captured = capsys.readouterr()
    return Done(code, captured.out, captured.err)


def spawn(*arguments: str, **environment: str) -> Done:
    """Run the command line in a process of its own."""
    done = subprocess.run(
        [*PROGRAM, *arguments],
        capture_output=True,
        check=False,
        env={**os.environ, **environment},
        timeout=120,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def small_file(folder: Path) -> str:
    """Write the small trace to a folder and return its path."""
    path = folder / "small.jsonl"
    small_trace().save(path)
    return str(path)
