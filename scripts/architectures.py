"""Small models of many architectures, by both of PyTorch's exporters, on every preset: what runs, and what differs.

    python scripts/architectures.py                                     # all models, all presets: an hour
    python scripts/architectures.py --model BertModel --chip isaac --chip puma

A line a model, as it is done: its MACs, and how many presets ran it by `torch.export` (t) and by an ONNX file (o), with
the largest difference between the two in latency and in energy. What does not export or run has a line of its own.
Needs what the tests of the marker `torch` need. The exit code is 1 if something did not run.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pimsim
from pimsim import presets
from tests.trace.both_ways import ALL, both

Costs = tuple[int, float]  # fs, pJ


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    chips = presets.names("configs", ".yaml")
    parser.add_argument("--model", choices=ALL, action="append", help="which; repeatable; all by default")
    parser.add_argument("--chip", choices=chips, action="append", help="preset; repeatable; all by default")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    models, failed = asked.model or list(ALL), 0
    for name in models:
        failed += not tried(name, asked.chip or chips)
    print(f"{len(models) - failed} of {len(models)} models run on all of {len(asked.chip or chips)} presets")
    return 1 if failed else 0


def tried(name: str, chips: Sequence[str]) -> bool:
    """Export a model, run it on chips, print what came of it; return whether all went well."""
    begun = time.process_time()
    try:
        with TemporaryDirectory() as folder:
            traces = both(name, Path(folder))
    except Exception as error:  # whatever an exporter raises
        print(f"{name}: does not export: {_first_line(error)}", flush=True)
        return False
    ran: list[dict[str, Costs]] = [{}, {}]
    for way, trace, costs in zip("to", traces, ran, strict=True):
        for chip in chips:
            try:
                result = pimsim.simulate(pimsim.Chip.load(chip), trace)
                costs[chip] = result.latency_fs, result.energy_pj["total"]
            except Exception as error:  # a fault of pimsim is told like a refusal
                print(f"{name} ({way}) on {chip}: {_first_line(error)}", flush=True)
    shared = [(one, ran[1][chip]) for chip, one in ran[0].items() if chip in ran[1]]
    largest = [max((abs(a[i] / b[i] - 1) for a, b in shared), default=0.0) for i in (0, 1)]
    equal = traces[0].macs == traces[1].macs
    print(
        f"{name}: {traces[0].macs:,} MACs{'' if equal else f' (o {traces[1].macs:,})'}, "
        f"t {len(ran[0])}, o {len(ran[1])} of {len(chips)} presets, latency within {largest[0]:.2%}, "
        f"energy within {largest[1]:.2%} ({time.process_time() - begun:.0f} s)",
        flush=True,
    )
    return equal and len(shared) == len(chips)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:300]}"


if __name__ == "__main__":
    sys.exit(main())
