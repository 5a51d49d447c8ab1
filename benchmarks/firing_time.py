"""What simulating a firing costs: the constant that a refused model is told its time by (`limits.FIRING_S`).

    python benchmarks/firing_time.py                # all shipped CNNs on three chips
    python benchmarks/firing_time.py squeezenet     # some

Processor time of one inference without that of its plan, by the firings that `limits.firings_of` counts. `FIRING_S` is
about what the chips with many small arrays take, whose runs are the longest; it is to tell minutes from hours.
"""

from __future__ import annotations

import sys
import time

from pimsim import Chip, Trace, make_plan, presets, simulate
from pimsim.mapping.planning.limits import FIRING_S, firings_of
from pimsim.mapping.planning.options import PlanOptions
from pimsim.mapping.planning.planner import flows_of, job_of
from pimsim.trace.bind import bind_batch

CHIPS = ("isaac", "puma", "hermes64")


def measured(chip: Chip, trace: Trace) -> tuple[int, float]:
    """Return the firings that are counted beforehand, and the time a firing, s."""
    trace = bind_batch(trace)
    firings = firings_of(job_of(chip, trace, flows_of(chip, trace, PlanOptions()), PlanOptions(), 1))
    begun = time.process_time()
    make_plan(chip, trace)
    planned = time.process_time()
    simulate(chip, trace)
    return firings, (time.process_time() - planned - (planned - begun)) / firings


def main() -> None:
    """Print a row a pair, and the range."""
    named = sys.argv[1:] or presets.names("traces", ".jsonl")
    traces = [trace for trace in map(Trace.load, named) if set(trace.symbols) <= {"batch"}]
    print("| chip | trace | firings | us a firing |\n|---|---|---|---|")
    found = []
    for chip in map(Chip.load, CHIPS):
        for trace in traces:
            firings, seconds = measured(chip, trace)
            found.append(seconds)
            print(f"| {chip.config.name} | {trace.model} | {firings:,} | {seconds * 1e6:.1f} |", flush=True)
    print(f"\n{min(found) * 1e6:.0f} to {max(found) * 1e6:.0f} us; FIRING_S is {FIRING_S * 1e6:.0f} us")


if __name__ == "__main__":
    main()
