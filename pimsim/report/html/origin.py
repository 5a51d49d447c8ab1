"""What a run was made of: the chip with its sources, the trace, and the identity of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pimsim.report.html.pieces import Section, Table, Text, Tree
from pimsim.result.precision import precision_text

if TYPE_CHECKING:
    from pimsim.result.result import Result


def origin(result: Result) -> Section:
    """Return what a run was made of."""
    engine, identity = result.engine, result.identity
    rows = [
        ["version", f"pimsim {identity['pimsim']}, {result.schema}"],
        ["identity of the run (SHA-256)", identity["digest"]],
        ["chip (SHA-256)", identity["chip"]],
        ["trace (SHA-256)", identity["trace"]],
        ["batch", f"{result.batch:,}"],
        ["chips", f"{result.chips:,}"],
        ["precision", precision_text(result.weight_widths, result.input_widths)],
        ["network", f"by {result.network['fidelity']}"],
        ["seed", "none: nothing is drawn at random" if identity["seed"] is None else str(identity["seed"])],
        [
            "simulated",
            f"{engine['firings']:,} firings, {engine['packets']:,} packets, {engine['events']:,} events",
        ],
    ]
    return Section(
        "origin",
        "Configuration and sources",
        [
            Text("The chip as it was simulated; every part states the source of its numbers."),
            Tree({f"chip {result.chip}": result.config}),
            Text("Where the trace comes from."),
            Tree({f"trace {result.model}": result.trace}),
            Table("Identity", ["what", "value"], rows, words=2),
        ],
    )
