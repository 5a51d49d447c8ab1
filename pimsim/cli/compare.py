"""``pimsim compare``: how saved runs of one model differ, and why."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pimsim.cli.output import print_bytes, print_pieces
from pimsim.errors import ConfigError


@click.command("compare", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="A B [C]...")
@click.option("--top", type=int, default=8, metavar="N", help="Rows of each table of movers (default 8).")
@click.option("--csv", "as_csv", is_flag=True, help="Print all contributions to the latency as CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print all differences as JSON.")
def command(results: tuple[Path, ...], top: int, as_csv: bool, as_json: bool) -> None:
    """Compare runs of one model, the first with each of the others.

    Every difference, in latency, interval and energy, is split into contributions that sum to it exactly.

    \b
      pimsim run isaac resnet50 -o isaac.json
      pimsim run puma resnet50 -o puma.json
      pimsim compare isaac.json puma.json
    """
    if top < 1:
        raise ConfigError(f"found {top}, expected a number of rows from 1", where="--top")
    if as_csv and as_json:
        raise ConfigError("does not go with --json", where="--csv")
    from pimsim.analysis.compare import compare
    from pimsim.result.result import Result

    comparison = compare(*(Result.load(path) for path in results))
    if as_csv:
        from pimsim.report.csv_text import to_csv

        print_bytes(
            to_csv([{"a": p.a, "b": p.b, **row} for p in comparison.pairs for row in p.latency.contributions])
        )
        return
    if as_json:
        print_bytes(json.dumps(comparison.to_dict(), indent=1, ensure_ascii=False).encode() + b"\n")
        return
    from pimsim.report.comparison import comparison_report

    print_pieces(*comparison_report(comparison, top))
