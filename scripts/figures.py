"""A digest of every figure of a result, for every shipped chip and trace: two versions that agree print the same table.

    python scripts/figures.py -o before.csv        # in the older version, then in the newer one
    python scripts/figures.py --against before.csv

A row is a run; a column is a group of figures (time, energy, attribution, …), and names what a change moves.
Names of parts count as they are written. `--only` takes the runs whose name contains a text.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import pimsim
from pimsim import presets
from pimsim.errors import PimsimError
from pimsim.trace.bind import bind

GROUPS = {
    "time": ("latency_fs", "first_output_fs", "interval_fs", "interval_batch", "outputs_fs"),
    "work": ("macs", "chips", "weight_bits", "input_bits", "plan", "first_token_fs", "token_fs"),
    "energy": ("energy", "energy_pj", "wear"),
    "area": ("area_um2", "peak", "tops"),
    "bounds": ("bounds", "busiest"),
    "busy": ("utilisation", "resources"),
    "causes": ("attribution", "interval_attribution", "phases"),
    "ops": ("ops",),
    "tiles": ("tiles", "over_time"),
    "network": ("network",),
}
COLUMNS = ["run", "latency_fs", "interval_fs", "energy_aj", *GROUPS]


def runs() -> dict[str, Callable[[], pimsim.Result]]:
    """Return the runs by name: each shipped chip with each trace without symbols, and transformers where they fit."""
    load, trace = pimsim.Chip.load, pimsim.Trace.load
    found: dict[str, Callable[[], pimsim.Result]] = {}
    chips = [name for name in presets.names("configs", ".yaml") if name in OLD_CHIPS]
    for model in presets.names("traces", ".jsonl"):
        symbols = set(trace(model).symbols)
        if not symbols <= {"batch"}:
            continue
        for chip in chips:
            found[f"{chip} {model}"] = lambda c=chip, m=model: pimsim.simulate(load(c), bound(m))
    found["hermes_llm bert_base"] = lambda: pimsim.simulate(
        load("hermes_llm"), bind(trace("bert_base"), {"batch": 1, "seq": 64})
    )
    some = {"requests": 3, "rate": 20000.0, "places": 2}
    write = {"products": "auto"}
    found |= {
        "isaac squeezenet batch 4 packet": lambda: pimsim.simulate(
            load("isaac", {"network.fidelity": "packet"}), trace("squeezenet"), 4
        ),
        "hermes64 resnet18 multicast": lambda: pimsim.simulate(
            load("hermes64", {"network.multicast": True}), bound("resnet18")
        ),
        "hermes_llm gpt2 64 + 8": lambda: pimsim.generate(load("hermes_llm"), trace("gpt2"), 64, 8),
        "hermes_llm gpt2 32 + 4, three": lambda: pimsim.generate(
            load("hermes_llm"), trace("gpt2"), 32, 4, **some
        ),
        "hermes_llm gpt2 32 + 4 auto": lambda: pimsim.generate(
            load("hermes_llm", write), trace("gpt2"), 32, 4
        ),
        "hermes_llm llama_7b 8 reload": lambda: pimsim.simulate(
            load("hermes_llm"), bind(trace("llama_7b"), {"batch": 1, "seq": 8, "kv": 0}), chips=1, reload=True
        ),
    }
    return found


def bound(model: str) -> pimsim.Trace:
    """Return a shipped trace of one image."""
    found = pimsim.Trace.load(model)
    return bind(found, {"batch": 1}) if found.symbols else found


OLD_CHIPS = ("hermes64", "hermes64_4phase", "hermes_llm", "isaac", "puma")


def row_of(name: str) -> dict[str, str]:
    """Run one of them; a run that is refused has its message's digest."""
    try:
        result = runs()[name]()
    except PimsimError as error:
        return {"run": name, "latency_fs": type(error).__name__, "time": digest(str(error).split(":")[0])}
    data = json.loads(result.to_json())
    for planned in data["plan"]:  # words, not figures
        planned.pop("site", None)
        planned.pop("why", None)
    for of_part in data["resources"].values():  # found by name: a figure of the group `bounds`
        data.setdefault("busiest", []).append([of_part.pop(key) for key in ("busiest", "busiest_fs")])
    row = {
        "run": name,
        "latency_fs": str(data["latency_fs"]),
        "interval_fs": str(data["interval_fs"]),
        "energy_aj": str(data["energy"]["total_aj"]),
    }
    for group, keys in GROUPS.items():
        row[group] = digest({key: data.get(key) for key in keys})
    return row


def digest(value: object) -> str:
    """The first twelve digits of SHA-256 over sorted JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def main() -> int:
    """Run all and print or compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", help="write the table here")
    parser.add_argument("--against", help="a table of another version: print what differs")
    parser.add_argument("--only", default="", help="only runs whose name contains this")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    names = [name for name in runs() if options.only in name]
    names.sort(key=lambda name: not any(big in name for big in ("vgg19", "alexnet", "llama")))
    with ProcessPoolExecutor(options.workers) as pool:
        rows = []
        for row in pool.map(row_of, names):
            rows.append(row)
            print(f"{len(rows)}/{len(names)} {row['run']}: {row['latency_fs']}", file=sys.stderr, flush=True)
    rows.sort(key=lambda row: row["run"])
    if options.output:
        with open(options.output, "w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
    if not options.against:
        return 0
    with open(options.against, newline="") as file:
        before = {row["run"]: row for row in csv.DictReader(file)}
    differ = 0
    for row in rows:
        old = before.get(row["run"], {})
        changed = [column for column in COLUMNS if row.get(column, "") != old.get(column, "")]
        if changed:
            differ += 1
            print(f"{row['run']}: {', '.join(changed)}")
    print(f"{len(rows) - differ} of {len(rows)} runs agree in all figures")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
