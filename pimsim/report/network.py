"""The network on its own as a terminal report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pimsim.report.tables import heading, plain, share, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pimsim.network.noc import NocResult

BUSIEST = 5


def network_report(result: NocResult) -> list[RenderableType]:
    """Return the pieces of a report: what was asked, the loads or the batch, the busiest links."""
    about = result.about
    router = about["router"]
    kind = about["topology"]["kind"]
    pieces: list[RenderableType] = [
        heading(f"{kind}: {about['terminals']} terminals, {about['routers']} routers", first=True),
        plain(
            f"{about['pattern']} traffic, "
            + (f"{about['packet_size']} flits a packet, " if about["packet_size"] else "")
            + f"{router['vcs']} virtual channels of {router['buffer']} flits"
        ),
        plain(
            f"pipeline: route {router['rd']}, VC {router['va']}, switch {router['sa']}, traversal {router['st']}, "
            f"link {router['link']}, credit +{router['credit']} cycles"
            + (", speculative" if router["speculative"] else "")
        ),
    ]
    pieces += _batch(result) if result.batch is not None else _loads(result)
    if result.batch is not None or result.loads:
        pieces += _links(result)
    return pieces


def _loads(result: NocResult) -> list[RenderableType]:
    seeds = len(result.about["seeds"])
    rows = table("offered", "latency", "+-95%", "network", "p50", "p95", "p99", "accepted", "status", left=0)
    for row in result.rows:
        cells = [f"{row['rate']:.4g}"]
        if row["status"] == "stable":
            width = row["latency_ci95"]
            cells += [
                f"{row['latency_cycles']:.2f}",
                "-" if width is None else f"{width:.2f}",
                f"{row['network_latency_cycles']:.2f}",
                *(str(row["percentiles"][name]) for name in ("p50", "p95", "p99")),
            ]
        else:
            cells += ["-"] * 6
        rows.add_row(*cells, f"{row['accepted']:.4f}", row["status"])
    note = (
        "Latency in cycles of the network, from a packet's creation to its tail's arrival; network: from its "
        f"head's departure. Rates in flits a terminal and cycle. {seeds} seed{'s' if seeds > 1 else ''}"
        + (": no interval." if seeds < 2 else "; +-95% over their means.")
    )
    pieces: list[RenderableType] = [heading("Latency against load"), rows, plain(note)]
    if any(row["status"] == "unstable" for row in result.rows):
        pieces.append(plain("unstable: the network does not keep up with this load; it has no latency."))
    return pieces


def _batch(result: NocResult) -> list[RenderableType]:
    batch = result.batch
    assert batch is not None
    rows = table("what", "value", "unit")
    spans = batch.makespans
    rows.add_row("completion time", f"{result.makespan_cycles:,}", "cycles, first to last arrival")
    if len(set(spans)) > 1:
        rows.add_row("  over the seeds", f"{min(spans):,} to {max(spans):,}", "cycles")
    rows.add_row("packets", f"{batch.packets:,}", "")
    rows.add_row("flits", f"{batch.flits:,}", "")
    rate = batch.flits / result.makespan_cycles / result.about["terminals"]
    rows.add_row("throughput", f"{rate:.4f}", "flits a terminal and cycle")
    rows.add_row("mean latency", f"{batch.latency_cycles:,.2f}", "cycles, from creation")
    rows.add_row("  in the network", f"{batch.network_latency_cycles:,.2f}", "cycles, from departure")
    return [heading("A fixed batch"), rows]


def _links(result: NocResult) -> list[RenderableType]:
    found: list[dict[str, Any]] = sorted(result.link_rows(), key=lambda row: -row["flits"])[:BUSIEST]
    rows = table("channel", "flits", "in use", "waited a flit")
    for row in found:
        waited = row["waited_cycles"] / max(1, row["flits"])
        rows.add_row(
            f"{row['from']} -> {row['to']}", f"{row['flits']:,}", share(row["utilisation"]), f"{waited:.2f}"
        )
    where = "" if result.batch is not None else f" at {result.loads[-1].rate:g}"
    return [
        heading(f"Busiest channels{where}"),
        rows,
        plain("Waited: cycles that heads waited for the channel beyond the pipeline, by flit."),
    ]
