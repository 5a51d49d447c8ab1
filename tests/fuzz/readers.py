"""The readers, and for each a way to make mutated files and to use whatever it has read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from pimsim import Chip, Result, SavedPlan, Trace, make_plan, presets
from pimsim.analysis.breakdown import VIEWS, breakdown
from pimsim.analysis.compare import compare
from pimsim.dram.load import FOLDER, load_standard, names
from pimsim.dram.memory import memory
from pimsim.dram.policy import Policy
from pimsim.errors import PimsimError, SimulationError
from pimsim.mapping.lowering.lowering import lower
from pimsim.trace.onnx.export import from_onnx
from pimsim.trace.tables.scalesim import from_scalesim

from . import seeds
from .mutate import changed_bytes, changed_tree
from .protobuf import changed_model

Make = Callable[[Random], bytes]


@dataclass(frozen=True)
class Reader:
    """A reader under test.

    Parameters
    ----------
    suffix : str
        What its files end with.
    make : callable
        Returns a mutated file.
    read : callable
        Reads a file and uses all of what was read; any exception but pimsim's own is a fault.
    """

    suffix: str
    make: Make
    read: Callable[[Path], object]


def _dumped(data: Any) -> bytes:
    return json.dumps(data).encode()


@cache
def _tree(raw: bytes) -> Any:
    """Return what a sound file holds; reading YAML takes longer than anything else here."""
    return yaml.safe_load(raw)


def _dumped_yaml(rng: Random, data: Any) -> bytes:
    """Write values as YAML, or as JSON, which is YAML too."""
    return (
        _dumped(data) if rng.random() < 0.5 else yaml.dump(data, allow_unicode=True).encode(errors="replace")
    )


# -- chips ---------------------------------------------------------------------------------------------------


@cache
def _chips() -> list[bytes]:
    return [
        (presets.folder("configs") / f"{name}.yaml").read_bytes()
        for name in presets.names("configs", ".yaml")
    ]


def _make_chip(rng: Random) -> bytes:
    raw = rng.choice(_chips())
    if rng.random() < 0.3:
        return changed_bytes(rng, raw)
    return _dumped_yaml(rng, changed_tree(rng, _tree(raw)))


def _read_chip(path: Path) -> None:
    chip = Chip.load(path)
    assert Chip.from_dict(chip.to_dict()).digest == chip.digest
    assert chip.peak.tops >= 0
    assert all(isinstance(text, str) for text in (*chip.warnings, *chip.notes))


# -- traces --------------------------------------------------------------------------------------------------


def _make_lines(rng: Random, rows: list[Any]) -> bytes:
    lines = [json.dumps(row) for row in rows]
    if rng.random() < 0.3:
        return changed_bytes(rng, "\n".join(lines).encode())
    made = changed_tree(rng, rows)
    made = made if isinstance(made, list) else [made]
    return "".join(json.dumps(row) + "\n" for row in made).encode()


def _make_trace(rng: Random) -> bytes:
    return _make_lines(rng, rng.choice(seeds.traces()))


def _make_statistics(rng: Random) -> bytes:
    rows = json.loads(json.dumps(seeds.observed()))
    tensors = [tensor for row in rows[1:] for side in ("inputs", "outputs") for tensor in row[side]]
    tensor = rng.choice([each for each in tensors if "stats" in each])
    tensor["stats"] = changed_tree(rng, tensor["stats"])
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _read_trace(path: Path) -> None:
    _use_trace(Trace.load(path), path)


def _use_trace(trace: Trace, path: Path) -> None:
    assert trace.macs >= 0
    copy = path.with_name("copy.jsonl")
    trace.save(copy)
    assert Trace.load(copy).digest == trace.digest


# -- models and tables ---------------------------------------------------------------------------------------


def _make_onnx(rng: Random) -> bytes:
    raw = rng.choice(seeds.models())
    return changed_bytes(rng, raw) if rng.random() < 0.2 else changed_model(rng, raw)


def _read_onnx(path: Path) -> None:
    _use_trace(from_onnx(path, allow_unknown=path.stat().st_size % 2 == 0), path)


def _make_table(rng: Random) -> bytes:
    rows = [line.split(",") for line in rng.choice(seeds.TABLES).splitlines()]
    if rng.random() < 0.4:
        return changed_bytes(rng, "\n".join(",".join(row) for row in rows).encode())
    made = changed_tree(rng, rows)
    made = made if isinstance(made, list) else [made]
    lines = (",".join(map(str, row)) if isinstance(row, list) else str(row) for row in made)
    return "\n".join(lines).encode(errors="surrogatepass")


def _read_table(path: Path) -> None:
    padding: Any = "same" if path.stat().st_size % 2 else "none"
    _use_trace(from_scalesim(path, padding=padding), path)


# -- memories ------------------------------------------------------------------------------------------------


@cache
def _memories() -> list[bytes]:
    return [(presets.folder(FOLDER) / f"{name}.yaml").read_bytes() for name in names()]


def _make_memory(rng: Random) -> bytes:
    raw = rng.choice(_memories())
    if rng.random() < 0.3:
        return changed_bytes(rng, raw)
    return _dumped_yaml(rng, changed_tree(rng, _tree(raw)))


def _read_memory(path: Path) -> None:
    """Load a standard and run its channel; that it cannot go on is an outcome, too."""
    standard = load_standard(path)
    for pattern, page in (("random", "open"), ("stream", "timed")):
        try:
            result = memory(standard, pattern=pattern, requests=60, write_share=0.3, policy=Policy(page=page))
        except SimulationError:
            continue
        assert sum(result.figures["bus_cycles"].values()) == standard.buses * result.figures["cycles"]
        result.to_json().encode()


def _make_requests(rng: Random) -> bytes:
    text = rng.choice(
        ("idx,op,bg,bank,row,col\n0,R,0,1,5,3\n1,W,3,2,9,1\n", "cycle,op,address\n0,R,0x40\n7,W,99\n")
    )
    rows = [line.split(",") for line in text.splitlines()]
    if rng.random() < 0.4:
        return changed_bytes(rng, text.encode())
    made = changed_tree(rng, rows)
    made = made if isinstance(made, list) else [made]
    lines = (",".join(map(str, row)) if isinstance(row, list) else str(row) for row in made)
    return "\n".join(lines).encode(errors="surrogatepass")


def _read_requests(path: Path) -> None:
    memory("hbm2", trace=path).to_json().encode()


# -- results -------------------------------------------------------------------------------------------------


def _make_result(rng: Random) -> bytes:
    data = rng.choice(seeds.results())
    if rng.random() < 0.1:
        return changed_bytes(rng, _dumped(data))
    small = {key: data[key] for key in data if key not in ("config", "tiles", "ops", "plan", "over_time")}
    return _dumped({**data, **changed_tree(rng, small)} if rng.random() < 0.5 else changed_tree(rng, data))


def _read_result(path: Path) -> None:
    """Show it, break it down, compare it with a sound one and draw its page, as the commands do.

    Shown in full or in short, and first or second of the two compared, as the file's size has it: the tables take long.
    """
    from pimsim.report.breakdown import breakdown_text
    from pimsim.report.html.page import report_page
    from pimsim.report.terminal import to_text

    result = Result.load(path)
    size = path.stat().st_size
    texts = [to_text(result, verbose=size % 4 < 3), result.to_json()]
    for view in VIEWS:
        found = breakdown(result, view)
        texts += [breakdown_text(found), json.dumps(found.rows, ensure_ascii=False, allow_nan=False)]
    sound = Result(seeds.results()[0])
    texts.append(_compared(*((result, sound) if size % 2 else (sound, result))))
    texts.append(report_page([result]))
    for text in texts:
        text.encode()


def _compared(one: Result, other: Result) -> str:
    try:
        return str(compare(one, other))
    except PimsimError:  # of other work; the result itself can still be shown
        return ""


# -- plans ---------------------------------------------------------------------------------------------------


def _make_plan(rng: Random) -> bytes:
    _, _, data = rng.choice(seeds.plans())
    if rng.random() < 0.1:
        return changed_bytes(rng, _dumped(data))
    return _dumped(
        {**data, "ops": changed_tree(rng, data["ops"])} if rng.random() < 0.8 else changed_tree(rng, data)
    )


def _read_plan(path: Path) -> None:
    """Make the machine of it, on the chip that it is for."""
    saved = SavedPlan.load(path)
    for chip, trace, _ in seeds.plans():
        if chip.digest == saved.content.chip.digest:
            lower(make_plan(chip, trace, mapping=saved), 1)


READERS: dict[str, Reader] = {
    "chip": Reader(".yaml", _make_chip, _read_chip),
    "trace": Reader(".jsonl", _make_trace, _read_trace),
    "statistics": Reader(".jsonl", _make_statistics, _read_trace),
    "onnx": Reader(".onnx", _make_onnx, _read_onnx),
    "table": Reader(".csv", _make_table, _read_table),
    "memory": Reader(".yaml", _make_memory, _read_memory),
    "requests": Reader(".csv", _make_requests, _read_requests),
    "result": Reader(".json", _make_result, _read_result),
    "plan": Reader(".json", _make_plan, _read_plan),
}
