"""What changing the places of tiles wins: latency and interval by effort, for shipped traces on shipped chips.

python benchmarks/seating.py [CHIP:TRACE ...]
"""

from __future__ import annotations

import sys
import time

from pimsim import Chip, Trace, simulate

PAIRS = (
    "isaac:squeezenet",
    "isaac:resnet18",
    "isaac:mobilenet_v2",
    "puma:resnet18",
    "puma:squeezenet",
    "hermes64:squeezenet",
)


def main() -> None:
    """Print a row a pair."""
    print(
        "| chip | trace | latency quick, us | normal | interval quick, us | normal | CPU s quick | normal |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for pair in sys.argv[1:] or PAIRS:
        chip, trace = pair.split(":")
        results, seconds = [], []
        for effort in ("quick", "normal"):
            began = time.process_time()
            results.append(simulate(Chip.load(chip), Trace.load(trace), effort=effort))  # type: ignore[arg-type]
            seconds.append(time.process_time() - began)
        latency = " | ".join(f"{result.latency_fs / 1e9:.0f}" for result in results)
        interval = " | ".join(f"{result.interval_fs / 1e9:.0f}" for result in results)
        print(
            f"| {chip} | {trace} | {latency} | {interval} | " + " | ".join(f"{s:.1f}" for s in seconds) + " |"
        )


if __name__ == "__main__":
    main()
