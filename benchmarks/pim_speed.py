"""How fast a command program of memory that computes is simulated: HBM-PIM's GEMV of 4096 x 4096 on 64 pseudo-channels.

    python benchmarks/pim_speed.py [--repeats 5] [--theirs 20]

CPU seconds of the program alone (made, run and counted) and of the whole process, the median of the repeats, beside
those of Samsung's PIMSimulator (commit b464dde), which simulates values and all channels: `--theirs`, by default the 20
CPU seconds that were measured once. Commands and cycles are those of Samsung's order; its simulator takes 13 166.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def inner() -> None:
    """Run the program in this process and print what it did."""
    from pimsim.dram.hbm_pim import gemv
    from pimsim.dram.load import load_standard
    from pimsim.dram.program import execute

    standard = load_standard("hbm2_pim", order="samsung")
    began = time.process_time()
    run = execute(standard, gemv(standard, 4096, 4096, 64))
    print(json.dumps([run.cycles, sum(run.counts.values()), time.process_time() - began]))


def whole() -> tuple[int, int, float, float]:
    """Run it as a process; return cycles, commands, and CPU seconds of the program and of the process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, __file__, "--inner"]
    text = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cycles, commands, alone = json.loads(text)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cycles, commands, alone, spent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--theirs", type=float, default=20.0, help="CPU seconds of Samsung's simulator")
    parser.add_argument("--inner", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inner:
        inner()
        return
    runs = [whole() for _ in range(given.repeats)]
    cycles, commands = runs[0][:2]
    alone, spent = (statistics.median(run[column] for run in runs) for column in (2, 3))
    print(f"{cycles:,} cycles, {commands:,} commands of one pseudo-channel; the others do the same")
    for words, seconds in (("program", alone), ("process", spent)):
        print(f"{words}  {seconds:.4f} CPU s, {given.theirs / seconds:,.0f} times less than {given.theirs:g}")


if __name__ == "__main__":
    main()
