"""How near simulated intervals come to what plans predict, and plans to what their chips allow.

    python benchmarks/prediction.py -o prediction.json       # prints a table

All shipped traces on all shipped chips; of symbols, `batch` is 1, `seq` and `kv` are 32 and 0. An interval that one
inference does not show is measured in a batch of eight. What stands in the file already is not run again.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

from pimsim import Chip, Trace, presets, simulate
from pimsim.errors import PimsimError

SYMBOLS = {"batch": 1, "seq": 32, "kv": 0}


def figures(chip: str, trace: Trace) -> dict[str, Any]:
    """Return the figures of a run, or why there is none."""
    try:
        result = simulate(Chip.load(chip), trace)
        if result.prediction["error"] is None:
            result = simulate(Chip.load(chip), trace, 8)
    except PimsimError as error:
        return {"refused": str(error)}
    first = result.prediction["busiest"][0]
    return {
        "interval_fs": result.interval_fs,
        "how": result.interval_how,
        "predicted_fs": result.prediction["interval_fs"],
        "expected_fs": result.prediction["expected_fs"],
        "what": first["what"],
        "error": result.prediction["error"],
        "chip_fs": result.bounds["chip_interval_fs"],
        "chips": result.chips,
    }


def main() -> None:
    """Run all pairs, save their figures and print them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--models", default=",".join(presets.names("traces", ".jsonl")))
    asked = parser.parse_args()
    found: dict[str, Any] = json.loads(asked.output.read_text()) if asked.output.exists() else {}
    for model in asked.models.split(","):
        trace = Trace.load(model)
        trace = trace.bind(**{name: SYMBOLS[name] for name in trace.symbols})
        for chip in presets.names("configs", ".yaml"):
            if asked.only in f"{chip} {model}" and f"{chip} {model}" not in found:
                found[f"{chip} {model}"] = figures(chip, trace)
                asked.output.write_text(json.dumps(found, indent=1))
    table(found)


def table(found: dict[str, Any]) -> None:
    """Print a row a pair, and the geometric means."""
    print(
        "| chip | trace | busiest part, us | | expected, us | interval, us | error | chip's bound, us | plan over it |"
    )
    print("|---|---|---:|---|---:|---:|---:|---:|---:|")
    for pair, row in found.items():
        name = pair.replace(" ", " | ")
        if "refused" in row:
            continue
        error = "" if row["error"] is None else f"{row['error']:+.0%}"
        over = row["predicted_fs"] / row["chip_fs"] if row["chip_fs"] else math.nan
        times = [f"{row[key] / 1e9:.4g}" for key in ("predicted_fs", "expected_fs", "interval_fs", "chip_fs")]
        print(
            f"| {name} | {times[0]} | {row['what']} | {times[1]} | {times[2]} | {error} | {times[3]} | {over:.2f} |"
        )
    errors = [row["error"] for row in found.values() if row.get("error") is not None]
    near = sum(abs(error) <= 0.2 for error in errors)
    mean = math.exp(sum(math.log(1 + error) for error in errors) / len(errors)) if errors else math.nan
    print(f"\n{near} of {len(errors)} within 20 %; interval over expected {mean:.3f}, geometric mean")


if __name__ == "__main__":
    main()
