"""What plans make of shipped traces on shipped chips: latency, interval, energy, and the bound by the busiest resource.

    python benchmarks/plans.py -o before.json                    # in one version
    python benchmarks/plans.py -o after.json --against before.json     # in another: prints a table of both

All traces without symbols but `batch`, on the five chips of the docs. `--only TEXT` takes the pairs whose name has it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pimsim import Chip, Trace, presets, simulate
from pimsim.errors import PimsimError

CHIPS = ("isaac", "puma", "hermes64", "dadiannao", "hermes_llm")


def figures(chip: str, trace: Trace, effort: str) -> dict[str, float | str]:
    """Return the figures of a run, or why there is none."""
    try:
        result = simulate(Chip.load(chip), trace, effort=effort)  # type: ignore[arg-type]
    except PimsimError as error:
        return {"refused": str(error)}
    found = {"latency_fs": result.latency_fs, "interval_fs": result.interval_fs}
    return found | {
        "energy_aj": result.energy_pj["total"],
        "chips": result.chips,
        "bound_fs": result.bounds["interval_fs"],
        "bound": result.bounds["interval_resource"],
    }


def main() -> None:
    """Run all pairs, save their figures, and print them beside others."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--effort", default="quick")
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    found = {}
    for model in presets.names("traces", ".jsonl"):
        trace = Trace.load(model)
        for chip in CHIPS:
            if set(trace.symbols) <= {"batch"} and asked.only in f"{chip} {model}":
                found[f"{chip} {model}"] = figures(chip, trace, asked.effort)
                asked.output.write_text(json.dumps(found, indent=1))
    if asked.against:
        table(json.loads(asked.against.read_text()), found)


def table(before: dict[str, dict[str, float]], after: dict[str, dict[str, float]]) -> None:
    """Print a row a pair: before, after, and their ratio."""
    print(
        "| chip | trace | latency, us | after | ratio | interval, us | after | ratio | busiest resource, us |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for pair, new in after.items():
        old = before.get(pair, {})
        if "refused" in old or "refused" in new or not old:
            print(
                f"| {pair.replace(' ', ' | ')} | {old.get('refused', '')} | {new.get('refused', '')} | | | | | |"
            )
            continue
        cells = []
        for name in ("latency_fs", "interval_fs"):
            cells += [f"{old[name] / 1e9:.4g}", f"{new[name] / 1e9:.4g}", f"{new[name] / old[name]:.2f}"]
        print(f"| {pair.replace(' ', ' | ')} | " + " | ".join(cells) + f" | {new['bound_fs'] / 1e9:.4g} |")


if __name__ == "__main__":
    main()
