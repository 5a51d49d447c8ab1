"""How far the approximate network is from the exact one, on every shipped chip and trace, and what exactness costs.

``python benchmarks/network_fidelity.py`` prints a table in Markdown; ``docs/network-fidelity.md`` is its output. Times
are CPU seconds of the simulation of one inference, without building the machine.
"""

from __future__ import annotations

import sys
import time

import pimsim
from pimsim import presets
from pimsim.errors import MappingError
from pimsim.machine.machine import Machine
from pimsim.result.interval import interval_of, least_interval_fs
from pimsim.run.steady import steady_machine

LIMIT = 0.02  # what would make `packet` the default, on every pair

HEAD = """# By flit and by packet

`python benchmarks/network_fidelity.py` makes this page: every shipped chip with every shipped trace, once with
`network.fidelity: flit` (exact) and once with `packet` (approximate). `packet` would be the default if latency and
interval stayed within 2 % of the exact ones on all of them.

Difference: packet against flit. CPU: seconds to simulate one inference by flit, and how many times that of by packet.
A flit-hop is a flit that leaves a router; hops/s are flit-hops a CPU second.

| chip | trace | latency, us | difference | interval, us | difference | flit-hops | CPU, s | times packet | hops/s |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"""


def run(chip: pimsim.Chip, trace: pimsim.Trace) -> tuple[int, int, float, int]:
    """Return latency and interval in fs, CPU seconds of one inference, and its flit-hops."""
    plan = pimsim.make_plan(chip, trace)
    machine = Machine(plan, 1)
    began = time.process_time()
    machine.run()
    seconds = time.process_time() - began
    interval = interval_of(steady_machine(machine), least_interval_fs(machine)[0])
    hops = machine.network.flit_hops if machine.network is not None else 0
    return machine.host.outputs[-1], interval.fs, seconds, hops


def main() -> None:
    """Print the table, a row as soon as it is known."""
    print(HEAD)
    worst = [0.0, 0.0]
    traces = [name for name in presets.names("traces", ".jsonl") if not pimsim.Trace.load(name).symbols]
    pairs = [(c, t) for c in presets.names("configs", ".yaml") for t in traces]
    for number, (chip, trace) in enumerate(pairs):
        print(f"{number + 1} of {len(pairs)}: {chip}, {trace}", file=sys.stderr)
        try:
            flit, packet = (
                run(pimsim.Chip.load(chip, (f"network.fidelity={how}",)), pimsim.Trace.load(trace))
                for how in ("flit", "packet")
            )
        except MappingError as error:
            print(f"| {chip} | {trace} | does not fit: {error} | | | | | | | |")
            continue
        off = [packet[i] / flit[i] - 1 for i in (0, 1)]
        worst = [max(a, abs(b)) for a, b in zip(worst, off, strict=True)]
        print(
            f"| {chip} | {trace} | {flit[0] / 1e9:,.1f} | {100 * off[0]:+.1f} % | {flit[1] / 1e9:,.1f} | "
            f"{100 * off[1]:+.1f} % | {flit[3]:,} | {flit[2]:.2f} | {flit[2] / packet[2]:.1f} | "
            f"{flit[3] / flit[2] / 1e6:.1f} M |",
            flush=True,
        )
    verdict = "within" if max(worst) <= LIMIT else "not within"
    print(
        f"\nThe largest difference is {100 * worst[0]:.1f} % in latency and {100 * worst[1]:.1f} % in interval: "
        f"{verdict} 2 % on all pairs, so the default is `{'packet' if max(worst) <= LIMIT else 'flit'}`."
    )


if __name__ == "__main__":
    main()
