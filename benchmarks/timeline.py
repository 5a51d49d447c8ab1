"""What recording a timeline costs: ResNet-50 on isaac with and without, in turn, in one process; CPU seconds.

python benchmarks/timeline.py [--runs N]
"""

from __future__ import annotations

import argparse
import statistics
import time

import pimsim
from pimsim.machine.machine import Machine
from pimsim.result.recording import MOST_RECORDS
from pimsim.units import MAX_FS


def run(plan, timeline):
    machine = Machine(plan, 1, timeline=timeline)
    began = time.process_time()
    machine.run()
    return time.process_time() - began, len(machine.engine.records()), machine.record_every


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    plan = pimsim.make_plan(pimsim.Chip.load("isaac"), pimsim.Trace.load("resnet50"))
    without, recording = [], []
    for _ in range(runs):
        without.append(run(plan, None)[0])
        seconds, records, every = run(plan, (0, MAX_FS, MOST_RECORDS))
        recording.append(seconds)
    ratio = statistics.median(b / a for a, b in zip(without, recording, strict=True))
    print(
        f"without a timeline {statistics.median(without):.2f} s, with one {statistics.median(recording):.2f} s"
    )
    print(f"ratio of pairs, median: {ratio:.3f}; {records:,} records, every {every}th firing")


if __name__ == "__main__":
    main()
