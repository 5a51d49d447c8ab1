"""The compiled engine against the plain SimPy twin on the same machine, in one run.

    python benchmarks/engine_against_twin.py [CHIP TRACE]

Both run one inference (default: ResNet-50 on isaac; give another pair for less), with the network by packet: the plain
router takes hours for it by flit. Prints firings a CPU second of each
and the ratio, and checks that the two agree on every start and end.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pimsim
from pimsim.mapping.lowering.lowering import lower
from pimsim.netlist.freeze import freeze
from pimsim_core.engine import Engine
from tests.oracle.twin import Twin


def main() -> int:
    chip, trace = (*sys.argv[1:3], "isaac", "resnet50")[:2] if len(sys.argv) > 2 else ("isaac", "resnet50")
    loaded = pimsim.Chip.load(chip, ("network.fidelity=packet",))
    net = lower(pimsim.make_plan(loaded, pimsim.Trace.load(trace)), 1).net
    arrays = freeze(net)

    def engine(record: bool) -> tuple[Engine, float]:
        fresh = {name: array.copy() for name, array in arrays.items()}
        start = time.process_time()
        machine = Engine(
            fresh,
            len(net.parts),
            len(net.ops),
            record=record,
            tiles=net.tiles,
            energy_parts=len(net.energy_parts),
        )
        while machine.next_time is not None:
            machine.run()
        return machine, time.process_time() - start

    fast, fast_seconds = engine(record=False)
    start = time.process_time()
    twin = Twin(net)
    log = twin.run()
    slow_seconds = time.process_time() - start
    logged, _ = engine(record=True)
    same = sorted(logged.visit_log) == sorted(log)
    firings = fast.firings
    print(
        f"{trace} on {chip}, one inference: {firings} firings, {fast.packets} packets, {fast.events} events"
    )
    print(f"engine {firings / fast_seconds:12,.0f} firings/s  {fast_seconds:8.2f} CPU s")
    print(f"twin   {firings / slow_seconds:12,.0f} firings/s  {slow_seconds:8.2f} CPU s")
    print(f"ratio  {slow_seconds / fast_seconds:12.1f}")
    print(f"the same on every start and end ({len(log)} of them): {'yes' if same else 'NO'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
