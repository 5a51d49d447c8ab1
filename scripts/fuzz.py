"""Mutated files through each reader: each is read, or refused with a message of pimsim's own.

    python scripts/fuzz.py                                    # 1000 of each reader
    python scripts/fuzz.py --reader chip --count 100000 --seed 1
    python scripts/fuzz.py --reader chip --seed 1 --first 4711 --count 1 --keep DIR

An input may take 10 s and 2 GB; a reader that takes more, ends, or raises anything else is at fault. Printed are the
number of each input at fault, which makes the same file again with the reader and the seed, and how many there were of
each kind. The exit code is 1 if there was one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fuzz.loop import fuzz, made
from tests.fuzz.readers import READERS


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--reader", choices=READERS, action="append", help="which; repeatable; all by default"
    )
    parser.add_argument("--count", type=int, default=1000, help="inputs of each reader (default 1000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first input (default 0)")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="write the inputs at fault, and their tracebacks"
    )
    asked = parser.parse_args()
    faults = 0
    for name in asked.reader or READERS:
        faults += run(name, asked.seed, asked.first, asked.count, asked.keep)
    return 1 if faults else 0


def run(name: str, seed: int, first: int, count: int, keep: Path | None) -> int:
    """Put inputs through a reader, print what came of it, and return how many were at fault."""
    begun, kinds = time.monotonic(), Counter[str]()
    for fault in fuzz(name, seed, first, count):
        kinds[fault.what] += 1
        if kinds[fault.what] == 1:
            print(f"{name} --seed {seed} --first {fault.number}: {fault.what}", flush=True)
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            target = keep / f"{name}-{seed}-{fault.number}{READERS[name].suffix}"
            target.write_bytes(made(name, seed, fault.number))
            target.with_suffix(".txt").write_text(fault.about)
    took = time.monotonic() - begun
    print(
        f"{name}: seed {seed}, inputs {first} to {first + count - 1}: {sum(kinds.values())} at fault, {took:.0f} s"
    )
    for what, times in kinds.most_common():
        print(f"  {times} x {what}")
    return sum(kinds.values())


if __name__ == "__main__":
    sys.exit(main())
