"""How a run scales with the batch, and how much of it is Python.

    python benchmarks/scaling.py [CHIP TRACE]

For batches of 8 to 64 (default: ResNet-50 on isaac): CPU seconds to build the machine (load, map, wire) and to run it,
the share of the run outside the compiled engine, peak memory, and the ratios from one batch to its double. Each batch
has a process of its own, so that peak memory is its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


class Timed:
    """The engine, with a stopwatch on the call that does the work."""

    def __init__(self, engine):
        self._engine, self.seconds = engine, 0.0

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def run(self, *args):
        start = time.process_time()
        try:
            return self._engine.run(*args)
        finally:
            self.seconds += time.process_time() - start


def measure(chip: str, trace: str, batch: int) -> dict[str, float]:
    import pimsim
    from pimsim.machine.machine import Machine

    start = time.process_time()
    plan = pimsim.make_plan(pimsim.Chip.load(chip), pimsim.Trace.load(trace))
    machine = Machine(plan, batch)
    built = time.process_time()
    machine.env.engine = timed = Timed(machine.engine)
    machine.run()
    ran = time.process_time()
    return {
        "build": built - start,
        "run": ran - built,
        "python": 1 - timed.seconds / (ran - built),
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "latency": machine.engine.last_end,
        "firings": machine.engine.firings,
        "events": machine.engine.events,
    }


def main() -> None:
    if len(sys.argv) == 4:
        print(json.dumps(measure(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
        return
    chip, trace = sys.argv[1:3] if len(sys.argv) == 3 else ("isaac", "resnet50")
    print(f"{trace} on {chip}; CPU seconds\n")
    print("batch   build     run  x before  Python  peak MB  simulated ms  x before  firings/s  events/s")
    before: dict[str, float] = {}
    for batch in (8, 16, 32, 64):
        command = [sys.executable, __file__, chip, trace, str(batch)]
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        ratios = [f"{row[key] / before[key]:8.2f}" if before else " " * 8 for key in ("run", "latency")]
        print(
            f"{batch:5d} {row['build']:7.2f} {row['run']:7.2f}  {ratios[0]} {row['python']:6.1%} {row['mb']:8.1f} "
            f"{row['latency'] / 1e12:13.3f}  {ratios[1]} {row['firings'] / row['run']:10,.0f} "
            f"{row['events'] / row['run']:9,.0f}"
        )
        before = row


if __name__ == "__main__":
    main()
