"""How far a run is: shown on a terminal after two seconds, and told when Ctrl-C ends it."""

from __future__ import annotations

import signal
import sys
import time
from typing import TYPE_CHECKING, NoReturn

from pimsim.units import format_time

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

PATIENCE_S = 2.0
REFRESH_S = 0.1


class Progress:
    """Notes how far a run is, shows it on stderr if that is a terminal, and notes Ctrl-C.

    Use it as a context and hand it to ``simulate(on_progress=…)``. Ctrl-C raises `KeyboardInterrupt` as ever; but
    what is under way may turn that into another exception (NumPy does, where it parses a buffer's format) or
    lose it, so it is noted as well.

    Parameters
    ----------
    unit : str
        What is counted.
    stage : str
        Where the run is before anything has been counted, in words.

    Attributes
    ----------
    stage : str
        Where the run is, in words.
    interrupted : bool
        Whether Ctrl-C was pressed.
    """

    def __init__(self, unit: str, stage: str) -> None:
        """Take the time."""
        self.unit, self.stage = unit, stage
        self.interrupted = False
        self._began = self._shown = time.monotonic()
        self._is_terminal = sys.stderr.isatty()
        self._bar: tuple[Bar, TaskID] | None = None
        self._is_listening = False

    def __enter__(self) -> Progress:
        """Listen to Ctrl-C, unless somebody else does or it is ignored; nothing is shown yet."""
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._interrupt)
            self._is_listening = True
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away and stop listening."""
        if self._is_listening:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self.hide()

    def hide(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar[0].stop()
            self._bar = None

    def _interrupt(self, *_: object) -> NoReturn:
        self.interrupted = True
        raise KeyboardInterrupt

    def __call__(self, done: int, total: int, now_fs: int | None = None) -> None:
        """Note how many are done, how many there are in all, and the simulated time if it is known."""
        if self.interrupted:
            raise KeyboardInterrupt
        now = time.monotonic()
        simulated = "" if now_fs is None else f", {format_time(now_fs)} simulated"
        self.stage = (
            f"at {100 * done / max(1, total):.0f} % of the {self.unit}{simulated}; nothing is written"
        )
        if not self._is_terminal or now - self._began < PATIENCE_S or now - self._shown < REFRESH_S:
            return
        self._shown = now
        if self._bar is None:
            self._bar = _open(self.unit, done, total, simulated)
        bar, task = self._bar
        bar.update(task, completed=done, total=total, simulated=simulated)


def _open(unit: str, done: int, total: int, simulated: str) -> tuple[Bar, TaskID]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    bar = Progress(
        BarColumn(),
        TaskProgressColumn(),
        TextColumn(f"of {unit}{{task.fields[simulated]}}, left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task("", completed=done, total=total, simulated=simulated)
    bar.start()
    return bar, task
