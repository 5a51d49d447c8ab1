"""``pimsim show``: where the time, energy and area of a saved run went."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pimsim.cli.output import print_bytes, print_pieces
from pimsim.errors import ConfigError


@click.command("show", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("result", type=click.Path(path_type=Path))
@click.option(
    "--by",
    type=click.Choice(["cause", "part", "op", "tile", "phase"]),
    help="Break it down by this; without it, the report of the run.",
)
@click.option("--top", type=int, default=20, metavar="N", help="Rows of each table (default 20).")
@click.option("--csv", "as_csv", is_flag=True, help="Print all rows of the breakdown as CSV.")
@click.option(
    "--roofline",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the ops under the ceilings of the chip (PNG, SVG or PDF).",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print all rows as JSON; without --by, the whole result."
)
def command(
    result: Path, by: str | None, top: int, as_csv: bool, roofline: Path | None, as_json: bool
) -> None:
    """Show a RESULT, written by `pimsim run -o`: its report, or one breakdown in full.

    \b
      pimsim show result.json --by op --top 30
      pimsim show result.json --by tile --csv > tiles.csv
    """
    if top < 1:
        raise ConfigError(f"found {top}, expected a number of rows from 1", where="--top")
    if as_csv and by is None:
        raise ConfigError("needs --by: which breakdown is to be printed?", where="--csv")
    if as_csv and as_json:
        raise ConfigError("does not go with --json", where="--csv")
    from pimsim.result.result import Result

    if roofline is not None:
        from pimsim.report.network_plot import check_plot

        check_plot(roofline)
    loaded = Result.load(result)
    if roofline is not None:
        from pimsim.report.roofline_plot import plot_roofline

        plot_roofline(loaded, roofline)
    if by is None:
        if as_json:
            print_bytes(loaded.to_json().encode())
        else:
            from pimsim.report.terminal import report

            print_pieces(*report(loaded, top))
        return
    from pimsim.analysis.breakdown import breakdown

    view = breakdown(loaded, by)
    if as_csv:
        from pimsim.report.csv_text import to_csv

        print_bytes(to_csv(view.rows))
        return
    if as_json:
        print_bytes(json.dumps(view.rows, indent=1, ensure_ascii=False).encode() + b"\n")
        return
    from pimsim.report.breakdown import breakdown_report
    from pimsim.report.terminal import warnings

    print_pieces(*warnings(loaded), *breakdown_report(view, top))
