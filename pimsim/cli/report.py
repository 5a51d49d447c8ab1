"""``pimsim report``: saved runs as one HTML page that works offline."""

from __future__ import annotations

from pathlib import Path

import click

from pimsim.errors import ResultError


@click.command("report", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RESULT...")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The page to write.",
)
@click.option("--title", metavar="TEXT", help="Its title (default: what ran on what).")
def command(results: tuple[Path, ...], output: Path, title: str | None) -> None:
    """Write RESULTs, saved by `pimsim run -o`, as one HTML page with charts and all their numbers.

    The page needs no network. Of several results, the first is compared with each of the others.

    \b
      pimsim run isaac resnet50 -o isaac.json
      pimsim run puma resnet50 -o puma.json
      pimsim report isaac.json puma.json -o report.html
    """
    from pimsim.report.html.page import check_report, write_report
    from pimsim.result.result import Result

    check_report(output)
    for path in results:
        if path.exists() and output.exists() and path.samefile(output):
            raise ResultError(
                "is one of the results, which the page would replace",
                where=f"-o {output}",
                mend="give it another name",
            )
    write_report([Result.load(path) for path in results], output, title)
