"""Many mutated files through a reader, in a process of its own with a limit of time and memory."""

from __future__ import annotations

import os
import resource
import struct
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from select import select

from pimsim.errors import PimsimError

from .readers import READERS, Reader

SECONDS = 10.0
MEMORY = 2 * 2**30  # bytes of address space that an input may cost
HEAD = struct.Struct("<qi")  # number of an input, length of the text behind


@dataclass(frozen=True)
class Fault:
    """An input that did what none may.

    Parameters
    ----------
    number : int
        Which one; with the reader and the seed it makes the same file again.
    what : str
        The exception, ``hang`` or ``died``.
    about : str
        Its traceback, or the signal.
    """

    number: int
    what: str
    about: str


def made(reader: str, seed: int, number: int) -> bytes:
    """Return one mutated file, the same each time."""
    return READERS[reader].make(Random(f"{reader}:{seed}:{number}"))


def tried(reader: Reader, raw: bytes, folder: Path) -> str:
    """Read a file.

    Returns
    -------
    str
        Empty if it was read, or refused with a message that can be printed; else the traceback.
    """
    path = folder / f"input{reader.suffix}"
    path.write_bytes(raw)
    try:
        reader.read(path)
    except PimsimError as error:
        try:
            str(error).encode()
        except UnicodeError:
            return traceback.format_exc()
    except Exception:
        return traceback.format_exc()
    return ""


def fuzz(
    name: str, seed: int, first: int, count: int, seconds: float = SECONDS, memory: int = MEMORY
) -> Iterator[Fault]:
    """Yield the faults of a reader among `count` mutated files, from number `first` on.

    A process that hangs or dies is replaced by one that goes on behind the input at fault.
    """
    made(name, seed, 0)  # what all inputs are made from is there before processes part
    while count > 0:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _work(name, seed, first, count, memory, writing)
        os.close(writing)
        last, ended = first - 1, ""
        try:
            while True:
                if not select([reading], [], [], seconds)[0]:
                    ended = "hang"
                    break
                head = _read(reading, HEAD.size)
                if not head:
                    break
                last, length = HEAD.unpack(head)
                if length:
                    about = _read(reading, length).decode(errors="replace")
                    yield Fault(last, about.rstrip().rpartition("\n")[2][:200], about)
        finally:
            os.close(reading)
            if ended or last < first + count - 1:
                os.kill(child, 9) if ended else None
            status = os.waitpid(child, 0)[1]
        if last < first + count - 1:
            yield Fault(last + 1, ended or "died", f"status {os.waitstatus_to_exitcode(status)}")
            last += 1
        first, count = last + 1, first + count - last - 1


def _work(name: str, seed: int, first: int, count: int, memory: int, writing: int) -> None:
    """Read one file after another and tell what came of each; never return."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries talk
    try:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(first, first + count):
                about = tried(READERS[name], made(name, seed, number), Path(folder)).encode(errors="replace")
                os.write(writing, HEAD.pack(number, len(about[:60_000])) + about[:60_000])
    finally:
        os._exit(0)


def _read(reading: int, size: int) -> bytes:
    found = b""
    while len(found) < size and (part := os.read(reading, size - len(found))):
        found += part
    return found
