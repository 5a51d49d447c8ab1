"""How fast a DRAM channel is simulated, beside DRAMsim3: DDR4-2400, one rank, reads, streaming and at random.

    python benchmarks/memory_speed.py [--dramsim3 FOLDER] [--repeats 3]

Requests per CPU second. Both have the same timings and cut addresses alike, and are offered the same list, a request a
cycle until the queues are full. The two programs take turns, and the median of the repeats counts. DRAMsim3 runs as
a process of its own, whose whole CPU time is taken; so does pimsim, which also says what its simulation alone
takes. FOLDER is a built checkout of DRAMsim3 (``dramsim3main.out``, ``configs``); without it only pimsim is measured.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

BURST = 64
ROOM = 2**33  # bytes of the channel
COUNTS = {"stream": 400_000, "random": 60_000}  # of DRAMsim3, so that it runs for a second or more
MORE = {"stream": 10, "random": 30}  # times as many for pimsim, likewise
MAPPING = "mapping=[row, rank, bank, bankgroup, column]"  # DRAMsim3's rochrababgco


@dataclass
class Run:
    """Requests served, their cycles, and CPU seconds in all and in the simulation."""

    requests: int
    cycles: int
    whole: float
    inner: float


def addresses(pattern: str, count: int) -> np.ndarray:
    """Return addresses in bytes."""
    if pattern == "stream":
        return np.arange(count, dtype=np.int64) * BURST % ROOM
    return np.random.default_rng(1).integers(0, ROOM // BURST, count) * BURST


def dramsim3(folder: Path, pattern: str) -> Run:
    """Run DRAMsim3 on a trace until nearly all of it is read."""
    count = COUNTS[pattern]
    with tempfile.TemporaryDirectory() as place:
        trace = Path(place) / "trace.txt"
        trace.write_text("".join(f"{address:#x} READ 0\n" for address in addresses(pattern, count).tolist()))
        cycles = int(count * (6.4 if pattern == "stream" else 7.2))  # a little more than it takes
        config = folder / "configs" / "DDR4_8Gb_x8_2400.ini"
        command = [folder / "dramsim3main.out", config, "-c", str(cycles), "-t", trace, "-o", place]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found = json.loads((Path(place) / "dramsim3.json").read_text())
    return Run(sum(each["num_reads_done"] for each in found.values()), cycles, cpu, cpu)


def pimsim_here(pattern: str) -> None:
    """Run pimsim in this process and print what it did."""
    from pimsim.dram.channel import serve
    from pimsim.dram.load import load_standard
    from pimsim.dram.policy import Policy
    from pimsim.dram.requests import Requests, places_of

    standard = load_standard("ddr4_2400", [MAPPING])
    bursts = addresses(pattern, COUNTS[pattern] * MORE[pattern]) // BURST
    requests = Requests(np.zeros(len(bursts), dtype=bool), *places_of(standard, bursts))
    began = time.process_time()
    served = serve(standard, Policy(), requests)
    print(json.dumps([len(requests), served.cycles, time.process_time() - began]))


def pimsim(pattern: str) -> Run:
    """Run pimsim as a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, __file__, "--inner", pattern]
    text = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    count, cycles, inner = json.loads(text)
    whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(count, cycles, whole, inner)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dramsim3", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--inner", choices=list(COUNTS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inner:
        pimsim_here(given.inner)
        return
    print("requests a CPU second, of the process (of the simulation alone); cycles simulated a request")
    for pattern in COUNTS:
        theirs, ours = [], []
        for _ in range(given.repeats):
            if given.dramsim3:
                theirs.append(dramsim3(given.dramsim3, pattern))
            ours.append(pimsim(pattern))
        speed = statistics.median(run.requests / run.whole for run in ours)
        inner = statistics.median(run.requests / run.inner for run in ours)
        pace = ours[0].cycles / ours[0].requests
        print(f"{pattern:8} pimsim   {speed:12,.0f} ({inner:,.0f})  {pace:.3f}")
        if theirs:
            other = statistics.median(run.requests / run.whole for run in theirs)
            pace = theirs[0].cycles / theirs[0].requests
            print(
                f"{pattern:8} DRAMsim3 {other:12,.0f}  {pace:.3f}  pimsim is {speed / other:.1f} times as fast"
            )


if __name__ == "__main__":
    main()
