"""What-if on isaac x ResNet-50, all parts, against the cost of that many runs divided by the cores.

    python benchmarks/whatif.py

The cost of a run is that of each change, planned and simulated by itself in this process, one after another. They are
not alike: a faster network has fewer cycles to look at, a wider one fewer flits.
"""

from __future__ import annotations

import os
import time

import pimsim
from pimsim.analysis.changes import changes_of
from pimsim.analysis.whatif import _used_parts
from pimsim.errors import MappingError
from pimsim.machine.machine import Machine


def main() -> None:
    chip, trace = pimsim.Chip.load("isaac"), pimsim.Trace.load("resnet50")
    began = time.perf_counter()
    found = pimsim.whatif(chip, trace)
    together = time.perf_counter() - began
    plan = pimsim.make_plan(chip, trace)
    changes = [None, *changes_of(chip, _used_parts(plan))]
    began = time.perf_counter()
    for change in changes:
        try:
            changed = chip if change is None else change.applied_to(chip)
            same = change is not None and change.same_plan
            Machine(plan.retimed(changed) if same else pimsim.make_plan(changed, trace), 1).run()
        except MappingError:
            pass
    alone = time.perf_counter() - began
    cores = os.cpu_count() or 1
    print(found)
    print(f"{len(changes)} runs: {alone:.1f} s one after another, {alone / cores:.1f} s on {cores} cores")
    print(f"what-if: {together:.1f} s, {together * cores / alone:.3f} of that")


if __name__ == "__main__":
    main()
