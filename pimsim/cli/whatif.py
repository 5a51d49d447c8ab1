"""``pimsim whatif``: simulate changes to a chip, and rank what they win."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from pimsim.cli import INTERRUPTED, options
from pimsim.cli.output import print_bytes, print_pieces, say_of_trace
from pimsim.cli.progress import Progress
from pimsim.errors import ConfigError

if TYPE_CHECKING:
    from pimsim.mapping.planning.options import Effort


@click.command("whatif", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("chip")
@click.argument("trace")
@click.option(
    "--bind", "binds", multiple=True, metavar="NAME=N", help="Give a symbol of the trace its value."
)
@click.option("--batch", type=int, default=1, metavar="N", help="Inferences, one after another (default 1).")
@click.option("--chips", type=int, metavar="N", help="How many chips; without it, as few as hold the model.")
@options.effort
@click.option("--yes", "many", is_flag=True, help="Take hundreds of chips, if it needs so many.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a value first: path.to.key=value.",
)
@click.option(
    "--set-grid",
    "settings",
    multiple=True,
    metavar="KEY=V1,V2,...",
    help="Try these values instead of every part; several: all combinations.",
)
@click.option(
    "--part",
    "parts",
    multiple=True,
    metavar="PART",
    help="Only this part, as the report names it; may be repeated.",
)
@click.option("--jobs", type=int, metavar="N", help="Processes; without it, as many as there are cores.")
@click.option("--top", type=int, metavar="N", help="Rows; without it, all.")
@click.option("--csv", "as_csv", is_flag=True, help="Print all rows as CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print all rows as JSON.")
def command(
    chip: str,
    trace: str,
    binds: tuple[str, ...],
    batch: int,
    chips: int | None,
    many: bool,
    effort: Effort,
    overrides: tuple[str, ...],
    settings: tuple[str, ...],
    parts: tuple[str, ...],
    jobs: int | None,
    top: int | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Say what TRACE would take on CHIP if each part were faster, or if there were more of it.

    Each change is simulated, not estimated from the breakdown. Ctrl-C keeps what is done.

    \b
      pimsim whatif isaac resnet50
      pimsim whatif isaac resnet50 --set-grid core.adc.adcs_per_bank=1,2,4
    """
    for name, value in (("--top", top), ("--jobs", jobs)):
        if value is not None and value < 1:
            raise ConfigError(f"found {value}, expected a whole number from 1", where=name)
    if parts and settings:
        raise ConfigError("does not go with --set-grid, which names its own changes", where="--part")
    if as_csv and as_json:
        raise ConfigError("does not go with --json", where="--csv")
    from pimsim.analysis.whatif import whatif
    from pimsim.chip import Chip
    from pimsim.run.experiment import Experiment
    from pimsim.run.options import Options
    from pimsim.trace import Trace
    from pimsim.trace.bind import bind_text

    with Progress("runs", "before the first run was done; nothing is written") as progress:
        try:
            experiment = Experiment(
                Chip.load(chip, overrides),
                bind_text(Trace.load(trace), binds, partial=True),
                Options(batch=batch, chips=chips, many=many, effort=effort),
            )
            say_of_trace(experiment.trace)
            result = whatif(
                experiment, settings=settings, parts=parts or None, jobs=jobs, on_progress=progress
            )
        except BaseException:
            if not progress.interrupted:
                raise
            progress.hide()
            click.echo(f"interrupted {progress.stage}", err=True)
            sys.exit(INTERRUPTED)
    if as_csv:
        from pimsim.report.csv_text import to_csv

        print_bytes(to_csv(result.to_rows()))
    elif as_json:
        print_bytes(json.dumps(result.to_dict(), indent=1, ensure_ascii=False).encode() + b"\n")
    else:
        from pimsim.report.whatif import whatif_report

        print_pieces(*whatif_report(result, top))
    if result.missing:
        sys.exit(INTERRUPTED)
