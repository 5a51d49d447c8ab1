"""How far a run is: shown on a terminal after two seconds, and told when it is interrupted."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from pimsim.units import format_time

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

PATIENCE_S = 2.0
REFRESH_S = 0.1


class Progress:
    """Takes note of how far a run is, and shows it on stderr if that is a terminal.

    Use it as a context and hand it to ``simulate(on_progress=…)``.
    """

    def __init__(self) -> None:
        """Take the time."""
        self.stage = "while reading the chip and the trace; nothing is written"
        self._began = self._shown = time.monotonic()
        self._is_terminal = sys.stderr.isatty()
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Progress:
        """Begin; nothing is shown yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def __call__(self, done: int, total: int, now_fs: int) -> None:
        """Note the firings done, the firings in all, and the simulated time."""
        now = time.monotonic()
        simulated = f"{format_time(now_fs)} simulated"
        self.stage = f"at {100 * done / max(1, total):.0f} % of the firings, {simulated}; nothing is written"
        if not self._is_terminal or now - self._began < PATIENCE_S or now - self._shown < REFRESH_S:
            return
        self._shown = now
        if self._bar is None:
            self._bar, self._task = _open()
        assert self._task is not None
        self._bar.update(self._task, completed=done, total=total, simulated=simulated)


def _open() -> tuple[Bar, TaskID]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("simulating"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("of firings, {task.fields[simulated]}, left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bar.start()
    return bar, bar.add_task("", total=None, simulated="")
