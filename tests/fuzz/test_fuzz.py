"""Does any reader raise what is not pimsim's, hang, or fill the memory? ``scripts/fuzz.py`` asks the same for long."""

from __future__ import annotations

import os

import pytest

from .loop import Reader, fuzz, made
from .readers import READERS

COUNTS = {"result": 40, "chip": 60, "onnx": 150, "memory": 40, "requests": 60, "plan": 60}
EXAMPLES = int(os.environ.get("PIMSIM_FUZZ_EXAMPLES", "0"))


@pytest.mark.parametrize("name", READERS)
def test_mutated_files_are_read_or_refused(name: str) -> None:
    faults = list(fuzz(name, seed=0, first=0, count=EXAMPLES or COUNTS.get(name, 300)))
    assert not faults, f"{name}, seed 0, number {faults[0].number}: {faults[0].about}"


@pytest.mark.parametrize("name", READERS)
def test_a_number_makes_the_same_file_again(name: str) -> None:
    assert made(name, 5, 7) == made(name, 5, 7)
    assert len({made(name, 5, number) for number in range(5)}) > 1


def faulty(read) -> Reader:
    return Reader(".bin", lambda rng: rng.randbytes(8), read)


def test_the_loop_tells_exceptions_ends_hangs_and_memory_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The 2nd input raises, the 3rd ends its process, the 4th never ends, the 5th wants 1 GB where 0.1 are allowed."""
    deeds = iter(range(6))
    numbers: dict[bytes, int] = {made_of(number): next(deeds) for number in range(6)}

    def read(path):
        number = numbers[path.read_bytes()]
        if number == 1:
            raise ZeroDivisionError("no")
        if number == 2:
            os._exit(7)
        while number == 3:
            pass
        if number == 4:
            bytearray(10**9)

    monkeypatch.setitem(READERS, "faulty", faulty(read))
    found = [(fault.number, fault.what) for fault in fuzz("faulty", 1, 0, 6, seconds=2.0, memory=10**8)]
    assert found == [(1, "ZeroDivisionError: no"), (2, "died"), (3, "hang"), (4, "MemoryError")]


def made_of(number: int) -> bytes:
    from random import Random

    return Random(f"faulty:1:{number}").randbytes(8)
