"""Does each item get its outcome, does an error keep its message, and is what is done by Ctrl-C kept?"""

from __future__ import annotations

import os
import signal
import time
from functools import partial

import pytest

from pimsim.errors import ConfigError
from pimsim.run.pool import run_each


def square(offset: int, number: int) -> tuple[int, int]:
    return number * number + offset, os.getpid()


def refuse(number: int) -> int:
    if number == 2:
        raise ConfigError("is two", where="number", mend="take three")
    return number


def linger(number: int) -> int:
    time.sleep(0 if number < 2 else 60)
    return number


def hear(number: int) -> bool:
    return signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


def test_each_item_has_its_outcome_by_number_and_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    found = run_each(
        partial(square, 7), range(10), jobs=2, on_progress=lambda done, total: told.append((done, total))
    )
    assert {number: outcome for number, (outcome, _) in found.items()} == {n: n * n + 7 for n in range(10)}
    assert os.getpid() not in {process for _, process in found.values()}
    assert told == [(n, 10) for n in range(1, 11)]
    assert run_each(partial(square, 0), []) == {}


def test_an_error_arrives_as_it_was_raised() -> None:
    with pytest.raises(ConfigError) as caught:
        run_each(refuse, range(4), jobs=2)
    assert str(caught.value) == "number: is two; take three"


def test_an_interruption_keeps_what_is_done_and_waits_for_nobody() -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    began = time.monotonic()
    assert run_each(linger, range(5), jobs=2, on_progress=interrupt) == {0: 0, 1: 1}
    assert time.monotonic() - began < 30


def test_the_processes_do_not_hear_ctrl_c() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert not any(run_each(hear, range(4), jobs=2).values())
    assert signal.getsignal(signal.SIGINT) is before
