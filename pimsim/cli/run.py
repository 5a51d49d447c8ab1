"""``pimsim run``: simulate a trace on a chip and report what came out; or show the plan."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pimsim.cli import INTERRUPTED, options
from pimsim.cli.output import print_bytes, print_pieces, say_of_trace
from pimsim.cli.progress import Progress
from pimsim.errors import ConfigError, InterruptedRunError, PimsimError

if TYPE_CHECKING:
    from pimsim.chip import Chip
    from pimsim.mapping.planning.options import Effort
    from pimsim.mapping.saved import SavedPlan
    from pimsim.result.result import Result
    from pimsim.run.experiment import Experiment
    from pimsim.trace import Trace


@click.command("run", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("chip")
@click.argument("trace")
@click.option("--batch", type=int, default=1, metavar="N", help="Inferences, one after another (default 1).")
@click.option(
    "--bind", "binds", multiple=True, metavar="NAME=N", help="Give a symbol of the trace its value."
)
@click.option("--prompt", type=int, metavar="N", help="Tokens of a prompt, which the model is to continue.")
@click.option("--generate", "tokens", type=int, metavar="N", help="Tokens to generate after the prompt.")
@click.option("--requests", type=int, default=1, metavar="N", help="Prompts that come (default 1).")
@click.option("--rate", type=float, metavar="R", help="Prompts a second, at random; without it all at once.")
@click.option("--places", type=int, metavar="N", help="Sequences under way at once; without it, all.")
@click.option(
    "--pace", type=int, metavar="M", help="At most M inferences under way; the host adapts how many."
)
@click.option("--seed", type=int, default=0, metavar="N", help="Of random times and experts (default 0).")
@click.option("--chips", type=int, metavar="N", help="How many chips; without it, as few as hold the model.")
@options.effort
@options.mapper
@options.optimize
@options.budget
@click.option(
    "--mapping",
    type=click.Path(path_type=Path),
    metavar="PLAN",
    help="Run the plan in this file, as pimsim map saves it, with the options that it was made with.",
)
@click.option("--yes", "many", is_flag=True, help="Take hundreds of chips, if it needs so many.")
@click.option("--weight-bits", type=int, metavar="N", help="Bits of a weight, if not as trace or chip say.")
@click.option("--input-bits", type=int, metavar="N", help="Bits of an input, if not as trace or chip say.")
@click.option(
    "--reload",
    is_flag=True,
    help="If the weights exceed all arrays, write them anew from memory in every inference.",
)
@click.option(
    "--cold",
    is_flag=True,
    help="Bring and write the weights first; without it they are there before the run.",
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value: path.to.key=value."
)
@click.option(
    "--network",
    type=click.Choice(["flit", "packet"]),
    help="Every flit through every router, or approximate and faster; without it, as the chip says.",
)
@click.option("--plan", "plan_only", is_flag=True, help="Show the plan; do not simulate.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="RESULT",
    help="Write the result as JSON; gzipped if the name ends in .gz.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the network, its links coloured by load.",
)
@click.option(
    "--timeline",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write what held what, for Perfetto: .json.gz, .json or .pftrace.",
)
@click.option(
    "--timeline-window",
    metavar="FROM..TO",
    help="Only what reaches into this time: 100us..250us. Without it a long run is sampled.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result (with --plan, its rows) as JSON.")
@click.option(
    "--top", type=int, default=10, metavar="N", help="Rows of the tables by op and by part (default 10)."
)
@click.option("-v", "--verbose", is_flag=True, help="All rows, how busy the parts were, and the origin.")
def command(
    chip: str,
    trace: str,
    batch: int,
    binds: tuple[str, ...],
    prompt: int | None,
    tokens: int | None,
    requests: int,
    rate: float | None,
    places: int | None,
    pace: int | None,
    seed: int,
    chips: int | None,
    many: bool,
    effort: Effort,
    mapper: str,
    optimize: str | None,
    budget: int,
    mapping: Path | None,
    weight_bits: int | None,
    input_bits: int | None,
    reload: bool,
    cold: bool,
    overrides: tuple[str, ...],
    network: str | None,
    plan_only: bool,
    output: Path | None,
    plot: Path | None,
    timeline: Path | None,
    timeline_window: str | None,
    as_json: bool,
    top: int,
    verbose: bool,
) -> None:
    """Simulate TRACE on CHIP, cycle by cycle, and report time, energy, area and where the time went.

    CHIP and TRACE are the name of a preset or the path of a file.

    \b
      pimsim run isaac resnet50
      pimsim run hermes_llm gpt2 --prompt 512 --generate 64
      pimsim run hermes_llm bert_base --bind batch=1 --bind seq=128
      pimsim run isaac resnet50 --batch 8 --set core.adc.bits=6 -o result.json.gz
    """
    if top < 1:
        raise ConfigError(f"found {top}, expected a number of rows from 1", where="--top")
    if (prompt is None) != (tokens is None):
        here, other = ("--prompt", "--generate") if tokens is None else ("--generate", "--prompt")
        raise ConfigError(f"needs {other} N, too", where=here)
    if prompt is None and (requests != 1 or rate is not None or places is not None):
        raise ConfigError("--requests, --rate and --places need --prompt and --generate", where="--requests")
    if prompt is not None and (batch != 1 or binds):
        raise ConfigError("does not go with --batch or --bind; see --requests", where="--prompt")
    written: dict[Path, str] = {}
    for option, path in (("-o", output), ("--plot", plot), ("--timeline", timeline)):
        if path is None:
            continue
        if plan_only:
            raise ConfigError("--plan does not simulate, so there is no result to write", where=option)
        if path.resolve() in written and str(path) != os.devnull:
            raise ConfigError(f"'{path}' is written by {written[path.resolve()]} already", where=option)
        written[path.resolve()] = option
    if plot is not None:
        from pimsim.report.network_plot import check_plot

        check_plot(plot)
    window = _window(timeline, timeline_window)
    if network is not None:
        overrides = (*overrides, f"network.fidelity={network}")
    with Progress("firings", "while reading the chip and the trace; nothing is written") as progress:
        try:
            loaded = _load(chip, trace, overrides, output, timeline)
            from pimsim.run.experiment import Experiment
            from pimsim.run.options import Options

            options = Options(
                batch=batch,
                prompt=prompt,
                tokens=tokens,
                requests=requests,
                rate=rate,
                places=places,
                pace=pace,
                seed=seed,
                chips=chips,
                many=many,
                effort=effort,
                mapper=mapper,
                optimize=optimize,
                budget=budget,
                mapping=_given(mapping),
                weight_bits=weight_bits,
                input_bits=input_bits,
                reload=reload,
                cold=cold,
            )
            if prompt is None and (binds or loaded[1].symbols):
                from pimsim.trace.bind import bind_text

                loaded = loaded[0], bind_text(loaded[1], binds, partial=True)
            experiment = Experiment(*loaded, options)
            say_of_trace(experiment.trace)
            progress.stage = "while planning; nothing is written"
            if plan_only:
                _show_plan(experiment, as_json)
                return
            from pimsim.run.simulate import IntervalInterrupted, simulate

            in_time = True
            try:
                result = simulate(experiment, timeline=window, on_progress=progress)
            except IntervalInterrupted as stopped:
                result, in_time = stopped.result, False
            except InterruptedRunError as error:
                if output is not None:
                    from pimsim.result.interrupted import save_interrupted

                    save_interrupted(output, error, experiment.identity)
                raise
            progress.stage = "while writing the result"
            progress.hide()
            _hand_over(result, output, plot, timeline, as_json, top, verbose)
            if not in_time:
                progress.stage = "while the interval was measured; it is the mean of the whole run"
                raise KeyboardInterrupt
        except BaseException:
            if not progress.interrupted:
                raise
            progress.hide()
            click.echo(f"interrupted {progress.stage}", err=True)
            sys.exit(INTERRUPTED)


def _given(path: Path | None) -> SavedPlan | None:
    """Read the plan that is given, if any."""
    if path is None:
        return None
    from pimsim.mapping.saved import SavedPlan

    return SavedPlan.load(path)


def _window(timeline: Path | None, text: str | None) -> tuple[int, int] | None:
    """Return what is to be recorded, in fs; None for nothing."""
    if timeline is None:
        if text is not None:
            raise ConfigError("needs --timeline FILE", where="--timeline-window")
        return None
    from pimsim.report.timeline import check_timeline
    from pimsim.units import MAX_FS, parse_time

    check_timeline(timeline)
    if text is None:
        return 0, MAX_FS
    begin, dots, end = text.partition("..")
    try:
        window = parse_time(begin), parse_time(end)
    except ValueError as error:
        raise ConfigError(
            f"found {text!r:.60}: {error}" if dots else f"found {text!r:.60}, expected FROM..TO",
            where="--timeline-window",
            mend="100us..250us",
        ) from None
    if window[0] >= window[1]:
        raise ConfigError(f"found {text!r:.60}, which ends before it begins", where="--timeline-window")
    return window


def _load(
    chip: str, trace: str, overrides: tuple[str, ...], output: Path | None, timeline: Path | None
) -> tuple[Chip, Trace]:
    """Read the inputs, warn of what is odd, and see that the output can be written before anybody waits."""
    from pimsim.chip import Chip
    from pimsim.trace import Trace

    loaded = Chip.load(chip, overrides), Trace.load(trace)
    from pimsim.result.result import check_writable

    for path in (output, timeline):
        if path is not None:
            check_writable(path)
    for warning in loaded[0].warnings:
        click.echo(f"warning: {warning}", err=True)
    for note in loaded[0].asides if overrides else ():
        click.echo(f"note: {note}", err=True)
    return loaded


def _show_plan(experiment: Experiment, as_json: bool) -> None:
    """Show the plan; of a model that generates, that of the last token, whose cache is the largest."""
    if experiment.options.generates:
        from pimsim.run.generate import programs_of

        plan = programs_of(experiment)[-1].plan
    else:
        from pimsim.mapping.mapper import make_plan

        plan = make_plan(experiment.chip, experiment.trace, experiment.options)
    if as_json:
        print_bytes(json.dumps(plan.rows(), indent=1, ensure_ascii=False).encode() + b"\n")
        return
    from pimsim.mapping.lowering.predicted import predict
    from pimsim.mapping.next_copy import next_copy
    from pimsim.mapping.planning.optimum import chip_bound
    from pimsim.report.plan_table import plan_report
    from pimsim.report.prediction import prediction_report

    print_pieces(*plan_report(plan, experiment.trace.model, experiment.options.chips))
    if not experiment.options.generates:
        prediction = predict(plan)
        more = next_copy(plan, experiment.trace, experiment.options, prediction)
        print_pieces(*prediction_report(prediction, chip_bound(plan), more))


def _hand_over(
    result: Result,
    output: Path | None,
    plot: Path | None,
    timeline: Path | None,
    as_json: bool,
    top: int,
    verbose: bool,
) -> None:
    """Write the file first, since a pipe may break; print even if that fails, since the run took its time."""
    failure: PimsimError | None = None
    try:
        if output is not None:
            result.save(output)
        if plot is not None:
            from pimsim.report.network_plot import plot_chips

            plot_chips(result, plot)
        if timeline is not None:
            from pimsim.report.timeline import write_timeline

            click.echo(f"{timeline}: {write_timeline(result, timeline)}", err=True)
    except PimsimError as error:
        failure = error
    if as_json:
        print_bytes(result.to_json().encode())
    else:
        from pimsim.report.terminal import report

        print_pieces(*report(result, top, verbose))
    if failure is not None:
        raise failure
