"""A command program on a memory that computes, as a terminal report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pimsim.report.tables import NOT_MODELLED, heading, plain, share, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pimsim.dram.compute import ProgramResult


def program_report(result: ProgramResult) -> list[RenderableType]:
    """Return the pieces of a report: what was asked for, what it took, its gaps and its commands."""
    found = result.to_dict()
    return [
        *_head(found),
        _figures(found),
        *_gaps(found),
        heading("Commands"),
        _commands(found),
        *_left(found),
    ]


def _head(found: dict[str, Any]) -> list[RenderableType]:
    standard = found["standard"]
    sizes = ", ".join(
        f"{name.replace('_', ' ')} {found[name]:,}"
        for name in ("rows", "columns", "batch", "elements", "heads", "tokens", "head_size")
        if name in found
    )
    sizes += f", units at the {found['at'].replace('_', ' ')}" if "at" in found else ""
    back = "; results are read in the end" if found["read_back"] else ""
    back += "; the activation function is applied" if found.get("apply") else ""
    return [
        heading(f"{standard['name']}: {found['program']}, {sizes}", first=True),
        plain(
            f"{found['channels']} channels in lock step, one of them simulated, at "
            f"{standard['clock_mhz']:g} MHz; order of commands: {found['order']}{back}"
        ),
        *([plain(f"changed: {', '.join(found['overrides'])}")] if found["overrides"] else []),
    ]


def _figures(found: dict[str, Any]) -> RenderableType:
    rows = table("what", "value", "unit")
    rows.add_row("time", f"{found['cycles']:,}", f"cycles, {found['time_ns']:,.1f} ns")
    rows.add_row(
        "computing", f"{found['first_compute']:,} to {found['last_compute']:,}", "first to last column"
    )
    rows.add_row("achieved", f"{found['gops']:,.4g}", "1e9 operations/s (1 MAC = 2)")
    rows.add_row("peak", f"{found['peak_gops']:,.4g}", "likewise, a column as soon as may be")
    rows.add_row("  of the peak", share(found["peak_share"]), "")
    if found["plain_cycles"] is None:
        rows.add_row("data bus", "too many", "requests to compare with")
    else:
        rows.add_row("data bus", f"{found['plain_cycles']:,}", "cycles to move the operands and results")
        rows.add_row("  times as long", f"{found['speedup']:.3g}", "")
    return rows


def _gaps(found: dict[str, Any]) -> list[RenderableType]:
    rows = table("cycles to the next column that computes", "number", "cycles in all")
    for gap, count in found["gaps"].items():
        rows.add_row(gap, f"{count:,}", f"{int(gap) * count:,}")
    return [heading("Gaps"), rows]


def _commands(found: dict[str, Any]) -> RenderableType:
    rows = table("command", "number")
    for name, count in found["commands"].items():
        if count:
            rows.add_row(name, f"{count:,}")
    return rows


def _left(found: dict[str, Any]) -> list[RenderableType]:
    energy = found["energy_pj"]
    if isinstance(energy, str):
        return [plain(f"{NOT_MODELLED}: energy; {'; '.join(found['not_modelled'])}")]
    rows = table("part", "pJ", "share")
    for part, value in energy["by_part"].items():
        rows.add_row(part.replace("_", " "), f"{value:,.0f}", share(value / energy["total"]))
    rows.add_row("total", f"{energy['total']:,.0f}", "")
    left = [f"energy of {each}" for each in energy["not_modelled"]] + found["not_modelled"]
    return [heading("Energy, of one channel"), rows, plain(f"{NOT_MODELLED}: {'; '.join(left)}")]
