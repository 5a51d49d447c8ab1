"""``pimsim trace show``: a trace as a table."""

from __future__ import annotations

import json
import shutil

import click

from pimsim.cli.output import print_bytes, print_pieces
from pimsim.errors import ConfigError

NARROWEST = 60


@click.command("show")
@click.argument("trace")
@click.option(
    "--bind", "binds", multiple=True, metavar="NAME=N", help="Give a symbol of the trace its value."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print one row an op as CSV.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print everything as JSON: all figures, all statistics."
)
def command(trace: str, binds: tuple[str, ...], as_csv: bool, as_json: bool) -> None:
    """Check a TRACE (a preset's name or a file) and show its ops.

    MACs are multiply-accumulates of one inference, 1 MAC = 2 ops: static ones multiply with a weight, dynamic ones
    two activations. Weights are the elements of the matrices, params those of weights, biases and all other
    constants; in the totals, what several ops read counts once. Activations are the elements of activations that an
    op reads and writes. MACs/elem is the arithmetic intensity: MACs by elements moved (operands read and outputs
    written, each once; of a table that a Gather picks from, what it picks). With elements of B bits, one is 16/B ops a
    byte. Zeros and ones are shares of the output's codes and of their bits, where the trace has statistics.
    """
    if as_csv and as_json:
        raise ConfigError("does not go with --json", where="--csv")
    from pimsim.report.trace_table import rows_of, totals_of, trace_report
    from pimsim.trace import Trace
    from pimsim.trace.bind import bind_text

    loaded = bind_text(Trace.load(trace), binds, partial=True)
    if as_csv:
        from pimsim.report.csv_text import to_csv

        print_bytes(to_csv(rows_of(loaded)))
        return
    if as_json:
        rows = rows_of(loaded)
        shown = {
            "model": loaded.model,
            "digest": loaded.digest,
            **loaded.header,
            "unknown": loaded.unknown,
            "outputs": list(loaded.outputs),
            "ops": rows,
            "totals": totals_of(loaded, rows),
        }
        print_bytes(json.dumps(shown, indent=1, ensure_ascii=False).encode() + b"\n")
        return
    width = max(shutil.get_terminal_size((100, 24)).columns, NARROWEST)
    print_pieces(*trace_report(loaded, width), width=width)
