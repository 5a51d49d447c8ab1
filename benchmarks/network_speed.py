"""How fast the network is simulated, beside BookSim2: mesh 8x8, uniform traffic, 2 virtual channels of 8 flits.

    python benchmarks/network_speed.py [--booksim PATH] [--repeats 3]

For packets of 1 and 8 flits at 10 % and 50 % of saturation and nearly idle: flits that crossed a router, and cycles,
per CPU second. The two programs take turns, and the median of the repeats counts. Each run is a process of its own,
whose whole CPU time is taken; for pimsim also that of the simulation alone, without the interpreter's start and the
traffic's making. PATH is the program of a BookSim2 checkout (``src/booksim``); without it only pimsim is measured.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SATURATION = {1: 0.295, 8: 0.343}  # of BookSim2, by flits of a packet: docs/network-accuracy.md
# Share of saturation, and cycles of BookSim2 and of pimsim, so that both run for seconds.
LOADS = (
    ("10 %", 0.1, 100_000, 1_000_000),
    ("50 %", 0.5, 30_000, 300_000),
    ("idle", None, 200_000, 20_000_000),
)
IDLE = 0.002
CONFIG = """
topology = mesh; k = 8; n = 2; routing_function = dor; traffic = uniform; use_noc_latency = 0;
num_vcs = 2; vc_buf_size = 8; wait_for_tail_credit = 0;
routing_delay = 1; vc_alloc_delay = 1; sw_alloc_delay = 1; st_final_delay = 1; credit_delay = 0; speculative = 0;
vc_allocator = islip; sw_allocator = islip; alloc_iters = 1;
injection_rate_uses_flits = 1; packet_size = {size}; injection_rate = {rate};
sim_type = throughput; warmup_periods = 1; max_samples = 2; sample_period = {period}; print_activity = 1; seed = {seed};
"""


@dataclass
class Run:
    """What a program did: flits that crossed a router, cycles, and CPU seconds in all and in the simulation."""

    hops: int
    cycles: int
    whole: float
    inner: float

    def speeds(self) -> tuple[float, float, float, float]:
        """Return hops and cycles a CPU second of the process, and of the simulation alone."""
        return (
            self.hops / self.whole,
            self.cycles / self.whole,
            self.hops / self.inner,
            self.cycles / self.inner,
        )


def cpu_of(command: list[str]) -> tuple[str, float]:
    """Run a program and return what it writes, and its CPU seconds; BookSim2's exit status says nothing."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    text = subprocess.run(command, stdout=subprocess.PIPE, errors="replace").stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return text, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def booksim(program: str, size: int, rate: float, cycles: int, seed: int) -> Run:
    """Run BookSim2; it counts the flits that cross each switch itself."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "mesh.cfg"
        config.write_text(CONFIG.format(size=size, rate=rate, period=cycles // 2, seed=seed))
        text, cpu = cpu_of([program, str(config)])
    hops, counting = 0, False
    for line in text.splitlines():
        if "Monitor:" in line:
            counting = "switchMonitor:" in line
        elif counting and "->" in line:
            hops += sum(int(count) for count in re.findall(r"\d+:(\d+)", line.partition("]")[2]))
    found = re.search(r"Time taken is (\d+) cycles", text)
    if not hops or not found:
        raise SystemExit(f"{program} gave no figures:\n{text[-500:]}")
    return Run(hops, int(found[1]), cpu, cpu)


def pimsim(size: int, rate: float, cycles: int, seed: int) -> Run:
    """Run this file as a process of its own that simulates the load."""
    command = [sys.executable, __file__, "--child", *map(str, (size, rate, cycles, seed))]
    text, cpu = cpu_of(command)
    return Run(whole=cpu, **json.loads(text))


def child(size: int, rate: float, cycles: int, seed: int) -> None:
    """Offer a load for so many cycles, wait for the last packet, and write what that took."""
    from pimsim.chip.router import Router
    from pimsim.chip.topology.spec import from_spec
    from pimsim.network.fabric import Fabric
    from pimsim.network.source import Source
    from pimsim.network.traffic import pattern
    from pimsim_core.clock import Clock

    topology = from_spec("mesh:8x8")
    fabric = Fabric(topology.graph(topology.places), Router(vcs=2, buffer=8))
    network = fabric.network()
    source = Source(fabric, network, pattern("uniform", topology), size, seed)
    source.bernoulli(0, cycles, rate)
    start = time.process_time()
    Clock(network).run(10 * cycles, source.count)
    inner = time.process_time() - start
    print(json.dumps({"hops": network.flit_hops, "cycles": network.last_arrival + 1, "inner": inner}))


def compare(program: str | None, size: int, load: tuple[str, float | None, int, int], repeats: int) -> None:
    """Measure one load and print its line."""
    name, share, their_cycles, cycles = load
    rate = round(share * SATURATION[size], 4) if share else IDLE
    ours, theirs = [], []
    for seed in range(1, repeats + 1):
        if program:
            theirs.append(booksim(program, size, rate, their_cycles, seed).speeds())
        ours.append(pimsim(size, rate, cycles, seed).speeds())
    mine = [statistics.median(values) for values in zip(*ours, strict=True)]
    cells = [f"{size}", name, f"{rate:g}", *(f"{value / 1000:,.0f}" for value in mine)]
    if theirs:
        base = [statistics.median(values) for values in zip(*theirs, strict=True)]
        cells += [f"{value / 1000:,.0f}" for value in base[:2]]
        cells += [f"{value / other:.1f}" for value, other in zip(mine, base, strict=True)]
    print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--booksim", metavar="PATH", help="program of a BookSim2 checkout")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        size, rate, cycles, seed = asked.child
        child(int(size), float(rate), int(cycles), int(seed))
        return
    print(
        f"Thousands per CPU second, median of {asked.repeats}: flits that crossed a router (hops) and cycles."
    )
    heading = ["L", "load", "rate", "pimsim hops", "cycles", "alone: hops", "cycles"]
    if asked.booksim:
        heading += ["BookSim2 hops", "cycles", "times: hops", "cycles", "alone: hops", "cycles"]
    print("| " + " | ".join(heading) + " |")
    print("|" + "---:|" * len(heading))
    for size in SATURATION:
        for load in LOADS:
            compare(asked.booksim, size, load, asked.repeats)


if __name__ == "__main__":
    main()
