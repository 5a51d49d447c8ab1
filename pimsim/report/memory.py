"""A memory on its own as a terminal report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pimsim.report.tables import NOT_MODELLED, heading, plain, share, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pimsim.dram.memory import MemoryResult


def memory_report(result: MemoryResult) -> list[RenderableType]:
    """Return the pieces of a report: the memory, the policy, then the run or the loads."""
    pieces = _head(result.about)
    return pieces + (_loads(result.rows) if result.run is None else _run(result.figures))


def _head(about: dict[str, Any]) -> list[RenderableType]:
    standard, policy = about["standard"], about["policy"]
    levels = " x ".join(f"{count} {name}" for name, count in standard["levels"].items())
    what = f"trace {about['trace']}" if "trace" in about else f"pattern {about['pattern']}"
    if about.get("write_share"):
        what += f", {share(about['write_share'])} writes"
    what += f", at most {about['outstanding']} outstanding" if about["outstanding"] else ""
    cap = (
        f"at most {policy['row_hit_cap']} row hits before an older request"
        if policy["row_hit_cap"]
        else "no cap"
    )
    page = f"{policy['page']} page" + (
        f" after {policy['page_timeout']} cycles" if policy["page"] == "timed" else ""
    )
    return [
        heading(f"{standard['name']}: a channel of {levels}", first=True),
        plain(
            f"{standard['clock_mhz']:g} MHz, {standard['rows']} rows of {standard['columns']} bursts of "
            f"{standard['burst_bytes']} bytes, peak {standard['peak_gb_per_s']:.4g} GB/s"
        ),
        *([plain(f"changed: {', '.join(about['overrides'])}")] if about["overrides"] else []),
        plain(what),
        plain(
            f"policy: {policy['scheduler']}, {cap}, {page}; {policy['read_queue']} reads and "
            f"{policy['write_queue']} writes wait at most, writes served from {policy['write_high']} down to "
            f"{policy['write_low']}; refresh: {policy['refresh']}; {policy['controller_cycles']} cycles through the "
            f"controller; address: {' '.join(about['mapping'])}"
        ),
    ]


def _run(found: dict[str, Any]) -> list[RenderableType]:
    rows = table("what", "value", "unit")
    rows.add_row(
        "requests", f"{found['requests']:,}", f"{found['reads']:,} reads, {found['writes']:,} writes"
    )
    rows.add_row("time", f"{found['cycles']:,}", f"cycles, {found['time_ns']:,.1f} ns")
    rows.add_row("bandwidth", _number(found["bandwidth_gb_per_s"], ".4g"), "GB/s on the data bus")
    rows.add_row("  of the peak", "-" if found["peak_share"] is None else share(found["peak_share"]), "")
    rows.add_row("row hit rate", "-" if found["row_hit_rate"] is None else share(found["row_hit_rate"]), "")
    pieces: list[RenderableType] = [rows, *_bus(found["bus_cycles"])]
    pieces += [heading("Latency, ns"), _latency(found)]
    outcomes = table("requests that were", "number")
    for name, count in found["outcomes"].items():
        outcomes.add_row(name, f"{count:,}")
    commands = table("command", "number")
    for name, count in found["commands"].items():
        commands.add_row(name, f"{count:,}")
    pieces += [heading("Rows"), outcomes, heading("Commands"), commands, heading("Energy")]
    return pieces + _energy(found["energy_pj"])


def _bus(found: dict[str, int] | None) -> list[RenderableType]:
    if found is None:
        return [plain("where the data bus's time went: not kept of so many requests (record=True keeps it)")]
    from pimsim.dram.bus import CAUSES

    total = sum(found.values())
    rows = table("the data bus", "cycles", "share")
    for name, cycles in found.items():
        if cycles:
            rows.add_row(f"{name.replace('_', ' ')}: {CAUSES[name]}", f"{cycles:,}", share(cycles / total))
    return [
        heading("Where the data bus's time went"),
        rows,
        plain(f"They sum to {total:,} cycles, exactly all."),
    ]


def _latency(found: dict[str, Any]) -> RenderableType:
    rows = table("", "mean", "min", "p50", "p95", "p99", "max")
    for name, key in (("reads", "latency_ns"), ("writes", "write_latency_ns")):
        if found[key] is not None:
            each = found[key]
            rows.add_row(name, *(f"{each[x]:,.1f}" for x in ("mean", "min", "p50", "p95", "p99", "max")))
    return rows


def _energy(found: dict[str, Any] | str) -> list[RenderableType]:
    if isinstance(found, str):
        return [plain(f"{NOT_MODELLED}: the standard's file has no sourced currents")]
    rows = table("part", "pJ", "share")
    for name, value in found["by_part"].items():
        rows.add_row(name.replace("_", " "), f"{value:,.0f}", share(value / found["total"]) if value else "-")
    rows.add_row("total", f"{found['total']:,.0f}", "")
    pieces: list[RenderableType] = [
        rows,
        plain(f"{_number(found['per_bit'], '.4g')} pJ a bit on the data bus"),
    ]
    return [*pieces, plain(f"{NOT_MODELLED}: {'; '.join(found['not_modelled'])}")]


def _loads(found: list[dict[str, Any]]) -> list[RenderableType]:
    rows = table("load", "GB/s", "of peak", "mean ns", "p50", "p95", "p99", "row hits", "status", left=0)
    for row in found:
        latency = row["latency_ns"] or row["write_latency_ns"]
        cells = [f"{latency[name]:,.1f}" for name in ("mean", "p50", "p95", "p99")] if latency else ["-"] * 4
        rows.add_row(
            f"{row['load']:g}",
            f"{row['bandwidth_gb_per_s']:.4g}",
            share(row["peak_share"]),
            *cells,
            share(row["row_hit_rate"] or 0.0),
            row["status"],
        )
    note = (
        "Load: share of the peak bandwidth that is asked for, at random times. Latency of reads (of writes, if there "
        "is none), from when a request is made; saturated: the memory does not keep up, so it has none."
    )
    return [heading("Latency against load"), rows, plain(note)]


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
