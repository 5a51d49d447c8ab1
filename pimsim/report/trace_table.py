"""A trace as a table: what each op computes, reads and writes, and what its data are like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pimsim.errors import TraceError
from pimsim.report.tables import plain, printable, share, table
from pimsim.trace.identity import distinct
from pimsim.trace.observed_file import to_row
from pimsim.trace.optypes import OP_TYPES
from pimsim.trace.tensor import dims
from pimsim.trace.unknown import warning
from pimsim.units import format_si

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pimsim.trace import Op, Trace

LEAST_NAME = 16
"""Columns are left out, in the order of `_DROPPED`, until an op's name has so many letters a line."""

_COLUMNS = (
    "op",
    "type",
    "output",
    "MACs",
    "operands",
    "weights",
    "activations",
    "MACs/elem",
    "zeros",
    "ones",
)
_DROPPED = ("MACs/elem", "activations", "operands", "weights")
_MEANINGS = {
    "operands": "operands: static multiplies with a weight, dynamic two activations.",
    "activations": "activations: elements of activations read and written.",
    "MACs/elem": "MACs/elem: MACs by elements moved: operands read and outputs written, each once. 1 MAC = 2 ops.",
    "zeros": "zeros, ones: of the output's codes, the share that is 0, and the share of their bits (two's complement)"
    " that is 1.",
}


def rows_of(trace: Trace) -> list[dict[str, Any]]:
    """Return one row an op; a figure that depends on a symbol without a value is None."""
    return [_row(op) for op in trace.ops]


def totals_of(trace: Trace, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the sums over all ops, static and dynamic MACs apart; None if one of the figures is.

    A weight or constant that several ops read counts once.
    """
    made: dict[str, Any] = {"ops": len(rows)}
    made["macs"] = _sum(row["macs"] for row in rows)
    for kind in ("static", "dynamic"):
        made[f"{kind}_macs"] = _sum(row["macs"] for row in rows if row["operands"] == kind)
    made["weights"] = _known(lambda: trace.weights)
    made["params"] = _known(lambda: distinct(trace.ops, ("weight", "constant")))
    made["activations"] = _sum(row["activations"] for row in rows)
    made["moved"] = _sum(row["moved"] for row in rows)
    made["intensity"] = _ratio(made["macs"], made["moved"])
    return made


def _row(op: Op) -> dict[str, Any]:
    operands = [operand.tensor for operand in op.inputs if operand.role in ("activation", "cache")]
    params = _known(lambda: op.params)
    activations = _known(lambda: sum(tensor.elements for tensor in (*operands, *op.outputs)))
    moved = _known(lambda: _moved(op))
    weight = op.weight
    product = bool(OP_TYPES[op.type].weight_at)
    macs = _known(lambda: op.macs) if product else 0
    stats = op.output.stats
    return {
        "name": op.name,
        "type": op.type,
        "reads": list(op.deps),
        "output": list(op.output.shape),
        "operands": ("static" if weight else "dynamic") if product else None,
        "macs": macs,
        "weights": _known(lambda: weight.tensor.elements) if weight else 0,
        "weight_name": weight.name if weight else None,
        "params": params,
        "activations": activations,
        "moved": moved,
        "intensity": _ratio(macs, moved),
        "stats": to_row(stats) if stats else None,
        "weight_stats": to_row(weight.tensor.stats) if weight and weight.tensor.stats else None,
    }


def _known(figure: Callable[[], int]) -> int | None:
    try:
        return figure()
    except TraceError:  # it depends on a symbol without a value
        return None


def _sum(figures: Iterator[int | None]) -> int | None:
    found = list(figures)
    return None if None in found else sum(figure for figure in found if figure is not None)


def _moved(op: Op) -> int:
    """Return the elements read and written: all operands, all outputs; of a Gather's table only what it picks."""
    read = sum(each.tensor.elements for each in op.inputs)
    if op.type == "Gather":
        read = op.output.elements + sum(each.tensor.elements for each in op.inputs[1:])
    return read + sum(tensor.elements for tensor in op.outputs)


def _ratio(macs: int | None, moved: int | None) -> float | None:
    if macs == 0:
        return 0.0
    return None if macs is None or not moved else macs / moved


def trace_report(trace: Trace, width: int) -> Iterator[RenderableType]:
    """Yield the pieces of the table of a trace, for rich to print in so many columns."""
    rows = rows_of(trace)
    about = trace.header
    sources = (about["source"].get(key) for key in ("file", "architecture", "factory", "class"))
    origin = next((str(source) for source in sources if source), "unknown")
    yield plain(f"{trace.model}: from {origin}, weights {about['weights']}")
    if trace.unknown:
        yield plain(f"warning: {warning(trace.unknown)}")
    for note in about["notes"]:
        yield plain(f"note: {note}")
    if trace.symbols:
        binds = " ".join(f"--bind {printable(name)}=N" for name in trace.symbols)
        yield plain(f"note: '?' depends on symbols without a value; say {binds}")
    for origin in dict.fromkeys(row["stats"]["origin"] for row in rows if row["stats"]):
        yield plain(f"data: {origin}")
    totals = totals_of(trace, rows)
    cells = [_cells(row) for row in rows]
    foot = _foot(totals)
    columns = [
        name for name in _COLUMNS if name not in ("zeros", "ones") or any(row["stats"] for row in rows)
    ]
    columns, dropped = _fit(columns, [*cells, foot], width)
    room = width - sum(_width(name, [*cells, foot]) + 2 for name in columns[1:])
    made = table(*columns, left=3)
    made.columns[0].max_width = max(room, 8)
    for row in cells:
        made.add_row(*(plain(row[name]) for name in columns))
    made.add_section()
    made.add_row(*(plain(foot[name]) for name in columns), style="bold")
    yield made
    yield plain(
        f"MACs: {_exact(totals['macs'])}, of them {_exact(totals['static_macs'])} static and "
        f"{_exact(totals['dynamic_macs'])} dynamic; weights: {_exact(totals['weights'])}"
    )
    readers = Counter(row["weight_name"] for row in rows if row["weight_name"] is not None)
    shared = [count for count in readers.values() if count > 1]
    if shared:
        yield plain(
            f"Counted once: {len(shared)} weight{'s' if len(shared) > 1 else ''} that {sum(shared)} ops read."
        )
    for name, meaning in _MEANINGS.items():
        if name in columns:
            yield plain(meaning)
    if dropped:
        yield plain(
            f"Not shown in {width} columns: {', '.join(dropped)}. A wider terminal or --json shows them."
        )


def _cells(row: dict[str, Any]) -> dict[str, str]:
    stats = row["stats"]
    return {
        "op": row["name"],
        "type": row["type"],
        "output": dims(tuple(row["output"])),
        "operands": row["operands"] or "",
        "MACs": _si(row["macs"]),
        "weights": _si(row["weights"]),
        "activations": _si(row["activations"]),
        "MACs/elem": _intensity(row["intensity"]),
        "zeros": share(stats["zeros"]) if stats else "",
        "ones": share(stats["bit_density"]) if stats else "",
    }


def _foot(totals: dict[str, Any]) -> dict[str, str]:
    return {
        **dict.fromkeys(_COLUMNS, ""),
        "op": f"{totals['ops']} ops",
        "MACs": _si(totals["macs"]),
        "weights": _si(totals["weights"]),
        "activations": _si(totals["activations"]),
        "MACs/elem": _intensity(totals["intensity"]),
    }


def _fit(columns: list[str], rows: list[dict[str, str]], width: int) -> tuple[list[str], list[str]]:
    """Leave out columns until the names have room; return those kept and those left out."""
    needed = min(LEAST_NAME, _width("op", rows))
    dropped: list[str] = []
    for name in _DROPPED:
        if sum(_width(each, rows) + 2 for each in columns[1:]) + needed <= width:
            break
        columns = [each for each in columns if each != name]
        dropped.append(name)
    return columns, dropped


def _width(name: str, rows: list[dict[str, str]]) -> int:
    return max(len(name), *(len(row[name]) for row in rows))


def _si(figure: int | None) -> str:
    if figure is None:
        return "?"
    return format_si(figure, "").rstrip() if figure else ""


def _intensity(figure: float | None) -> str:
    if figure is None:
        return "?"
    return f"{figure:.4g}" if figure else ""


def _exact(figure: int | None) -> str:
    return "?" if figure is None else f"{figure:,}"
