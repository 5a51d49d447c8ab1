"""``pimsim accuracy``: what a model answers on a chip's arrays, beside time and energy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pimsim.cli import INTERRUPTED, options
from pimsim.cli.measured import show, watched
from pimsim.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pimsim.cli.progress import Progress
    from pimsim.mapping.planning.options import Effort
    from pimsim.run.accuracy import AccuracyResult

UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "y": 31_536_000.0}
"""Seconds of what a time may be given in: second, minute, hour, day, year of 365 days."""


@click.command("accuracy", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("chip")
@click.argument("trace")
@click.option(
    "--values",
    type=click.Path(path_type=Path),
    metavar="NPZ",
    help="Weights and samples; without it, the sidecar that the trace names.",
)
@click.option("--samples", type=int, metavar="N", help="How many samples, the first ones; by default all.")
@click.option(
    "--seeds", type=int, default=1, metavar="N", help="How often what is drawn is drawn anew (default 1)."
)
@click.option("--seed", type=int, default=1, metavar="N", help="The first of the seeds (default 1).")
@click.option(
    "--after",
    default="0s",
    metavar="T,T,…",
    help="Times since the weights were written: 1s,1h,1d,1y (default 0s).",
)
@click.option(
    "--calibrate",
    type=int,
    default=64,
    metavar="N",
    help="Samples that set scales of inputs and ranges of converters (default 64).",
)
@click.option("--causes", is_flag=True, help="Also switch off what costs accuracy, one thing at a time.")
@click.option("--chips", type=int, metavar="N", help="How many chips; without it, as few as hold the model.")
@options.effort
@click.option("--weight-bits", type=int, metavar="N", help="Bits of a weight, if not as trace or chip say.")
@click.option("--input-bits", type=int, metavar="N", help="Bits of an input, if not as trace or chip say.")
@click.option(
    "--bind", "binds", multiple=True, metavar="NAME=N", help="Give a symbol of the trace its value."
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value: path.to.key=value."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the figures as JSON, too.",
)
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="FILE", help="Draw accuracy, and what ops lose."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    chip: str,
    trace: str,
    values: Path | None,
    samples: int | None,
    seeds: int,
    seed: int,
    after: str,
    calibrate: int,
    causes: bool,
    chips: int | None,
    effort: Effort,
    weight_bits: int | None,
    input_bits: int | None,
    binds: tuple[str, ...],
    overrides: tuple[str, ...],
    output: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Compute what TRACE answers on CHIP, with its values: cell by cell, phase by phase, code by code.

    \b
      pimsim accuracy isaac digits_cnn
      pimsim accuracy hermes64 digits_cnn --after 1s,1h,1d,1y --seeds 5 --causes --plot drift.png
      pimsim accuracy isaac digits_cnn --set core.adc.bits=6 --set core.coding.adc_range=samples
    """
    times = _times(after)
    _check_files(output, plot)
    stopped = False

    def run(progress: Progress) -> AccuracyResult:
        from pimsim.chip import Chip
        from pimsim.errors import TraceError
        from pimsim.presets import resolve
        from pimsim.run.accuracy import AccuracyInterrupted, accuracy
        from pimsim.trace import Trace
        from pimsim.trace.bind import bind_text
        from pimsim.values.sidecar import Sidecar

        nonlocal stopped
        loaded = Trace.load(trace)
        if binds or loaded.symbols:
            loaded = bind_text(loaded, binds, partial=True)
        if values is None:
            known = Sidecar.beside(loaded, resolve(trace, "traces", ".jsonl", TraceError))
        else:
            known = Sidecar.load(loaded, values)
        try:
            return accuracy(
                Chip.load(chip, overrides),
                loaded,
                known,
                samples=samples,
                seeds=seeds,
                after_s=times,
                calibrate=calibrate,
                causes=causes,
                seed=seed,
                on_progress=progress,
                chips=chips,
                effort=effort,
                weight_bits=weight_bits,
                input_bits=input_bits,
            )
        except AccuracyInterrupted as interrupted:
            stopped = True
            return interrupted.result

    result = watched("samples", run, "before the first sample was computed")

    def write() -> None:
        from pimsim.result.result import write_whole

        assert output is not None
        write_whole(output, result.to_json().encode())

    def draw() -> None:
        from pimsim.report.accuracy_plot import plot_accuracy

        assert plot is not None
        plot_accuracy(result, plot)

    def report() -> list[RenderableType]:
        from pimsim.report.accuracy import accuracy_report

        return accuracy_report(result)

    files = [write] if output is not None else []
    show(result, [*files, *([draw] if plot is not None else [])], as_json, report)
    if stopped:
        click.echo("interrupted: the figures are those of the runs that were through", err=True)
        sys.exit(INTERRUPTED)


def _times(text: str) -> list[float]:
    """Read times with their units, as seconds."""
    found = []
    for each in text.split(","):
        word = each.strip()
        try:
            found.append(float(word[:-1]) * UNITS_S[word[-1:]])
        except (ValueError, KeyError):
            message = f"found {word!r:.30}, expected a time with its unit (s, m, h, d, y)"
            raise ConfigError(message, where="--after", mend="for example 1s,1h,1d,1y") from None
    return found


def _check_files(output: Path | None, plot: Path | None) -> None:
    """Refuse files that cannot be written, before anybody waits for them."""
    from pimsim.result.result import check_writable

    if output is not None:
        check_writable(output)
    if plot is not None:
        from pimsim.report.network_plot import check_plot

        check_plot(plot)
