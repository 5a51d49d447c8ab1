"""Many runs at once, each in a process, through joblib's loky: what is done by Ctrl-C is kept."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from warnings import catch_warnings, simplefilter

from pimsim.registry import load_module, named_modules

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

    The processes are started afresh, so a script needs no guard around its main part, and wait a while for more to do.

    Parameters
    ----------
    work : callable
        What to do with an item: a function of a module, or a partial of one. Each process reads it once, so it may
        hold what the items have in common.
    items : sequence
        They are begun in this order.
    jobs : int, optional
        Processes; by default as many as there are cores. With one, this process does it all.
    on_progress : callable, optional
        Called with the items done and the items in all.

    Returns
    -------
    dict of int to outcome
        By the number of the item, as they were done. A KeyboardInterrupt ends it early: what is done by then is in it.

    Raises
    ------
    ConfigError
        If a script registered a plug-in itself, which processes cannot import.
    Exception
        What `work` raises for any of the items.
    """
    if not items:
        return {}
    from joblib import Parallel, delayed

    found: dict[int, Outcome] = {}
    jobs = min(jobs or os.cpu_count() or 1, len(items))
    modules = named_modules() if jobs > 1 else []
    with TemporaryDirectory(prefix="pimsim-") as folder, catch_warnings():
        simplefilter("ignore", UserWarning)  # joblib warns of what is left undone
        path = Path(folder) / "work"
        path.write_bytes(pickle.dumps((modules, pickle.dumps(work))))
        pool = Parallel(
            n_jobs=jobs,
            backend="loky",
            return_as="generator_unordered",
            batch_size=1,
        )
        with _unheard():
            outcomes = pool(delayed(_do)(path, number, item) for number, item in enumerate(items))
        try:
            for number, outcome in outcomes:
                found[number] = outcome
                if on_progress is not None:
                    on_progress(len(found), len(items))
        except KeyboardInterrupt:
            pass
        finally:
            outcomes.close()  # ends the processes if they are at work
    return found


@contextmanager
def _unheard() -> Iterator[None]:
    """Let processes that are started meanwhile never hear Ctrl-C, which the terminal sends to all: this one decides."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say so
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is ignored stays so in a new process
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@cache
def _work(path: Path) -> Callable[[Any], Any]:
    modules, pickled = pickle.loads(path.read_bytes())
    for name in modules:  # what is plugged in here must be there before a chip is read
        load_module(name)
    work: Callable[[Any], Any] = pickle.loads(pickled)
    return work


def _do(path: Path, number: int, item: Any) -> tuple[int, Any]:
    """Do an item's work, in a process that has read once what that is."""
    return number, _work(path)(item)
