"""Many runs at once, each in a process, through joblib's loky: what is done by Ctrl-C is kept."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def run_each(
    work: Callable[[Item], Outcome],
    items: Sequence[Item],
    *,
    jobs: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[int, Outcome]:
    """Do the same with each of several items, such as experiments, in processes.

    The processes are started afresh, so a script needs no guard around its main part.

    Parameters
    ----------
    work : callable
        What to do with an item. It is sent to each process once, and should hold what the items have in common.
    items : sequence
        They are begun in this order.
    jobs : int, optional
        Processes; by default as many as there are cores.
    on_progress : callable, optional
        Called with the items done and the items in all.

    Returns
    -------
    dict of int to outcome
        By the number of the item, as they were done. A KeyboardInterrupt ends it early: what is done by then is in it.

    Raises
    ------
    Exception
        What `work` raises for any of the items.
    """
    if not items:
        return {}
    from joblib.externals.loky import ProcessPoolExecutor

    processes = min(jobs or os.cpu_count() or 1, len(items))
    pool = ProcessPoolExecutor(processes, initializer=_begin, initargs=(work,))
    found: dict[int, Outcome] = {}
    try:
        with _unheard():
            numbers = {pool.submit(_do, item): number for number, item in enumerate(items)}
        for future in as_completed(numbers):
            found[numbers[future]] = future.result()
            if on_progress is not None:
                on_progress(len(found), len(items))
    except KeyboardInterrupt:
        pass
    finally:
        pool.shutdown(wait=True, kill_workers=True)
    return found


@contextmanager
def _unheard() -> Iterator[None]:
    """Let what is started meanwhile never hear Ctrl-C, which the terminal sends to all: this process decides."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_WORK: list[Callable[[Any], Any]] = []  # of a process of the pool


def _begin(work: Callable[[Any], Any]) -> None:
    _WORK[:] = [work]


def _do(item: Any) -> Any:
    return _WORK[0](item)
