"""``pimsim memory``: a memory on its own, bandwidth and latency under a pattern, a trace or a load."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pimsim.cli.measured import log_of, show, watched
from pimsim.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pimsim.cli.progress import Progress
    from pimsim.dram.memory import MemoryResult


OF_REQUESTS = (
    "pattern",
    "requests",
    "writes",
    "trace",
    "loads",
    "outstanding",
    "policy_text",
    "seed",
    "plot",
)
OF_PROGRAMS = (
    *(
        "rows",
        "columns",
        "batch",
        "elements",
        "heads",
        "tokens",
        "head_size",
        "at",
        "channels",
        "read_back",
        "apply",
    ),
)


@click.command("memory", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("standard")
@click.option(
    "--pattern", default="stream", metavar="NAME", help="Which addresses (default stream); see below."
)
@click.option("--requests", type=int, default=10_000, metavar="N", help="Bursts to ask for (default 10000).")
@click.option(
    "--writes", type=float, default=0.0, metavar="SHARE", help="Part of them that are writes (default 0)."
)
@click.option("--trace", type=click.Path(path_type=Path), metavar="CSV", help="Instead: a list of requests.")
@click.option("--load", "loads", metavar="L,L,…", help="Shares of the peak to measure the latency at.")
@click.option("--outstanding", type=int, default=0, metavar="N", help="Requests under way at most.")
@click.option("--policy", "policy_text", default="", metavar="KEY=V,…", help="The controller's; see below.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=V", help="Change the standard; repeatable.")
@click.option("--seed", type=int, default=1, metavar="N", help="Of what is drawn (default 1).")
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE", help="Draw latency against load.")
@click.option(
    "--commands", type=click.Path(path_type=Path), metavar="CSV", help="Write every command with its cycle."
)
@click.option("--order", default="standard", metavar="NAME", help="Another order of commands that it states.")
@click.option(
    "--program", metavar="NAME", help="Compute: gemv, add, mul, relu, mad, sum, attention, activation."
)
@click.option("--rows", type=int, metavar="N", help="Outputs of a gemv's matrix.")
@click.option("--columns", type=int, metavar="N", help="Inputs of a gemv's matrix.")
@click.option("--batch", type=int, default=1, metavar="N", help="Vectors of a gemv (default 1).")
@click.option(
    "--elements", type=int, metavar="N", help="Of an operand of add, mul, relu, mad, sum, activation."
)
@click.option("--heads", type=int, metavar="N", help="Heads of an attention, of all requests together.")
@click.option("--tokens", type=int, metavar="N", help="Tokens in the cache of each.")
@click.option("--head-size", type=int, default=128, metavar="N", help="Elements of a head (default 128).")
@click.option("--at", default="bank", metavar="WHERE", help="Attention units: bank, bank_group or buffer.")
@click.option(
    "--channels", type=int, metavar="N", help="That share a program (default 64; attention 16, gddr6_aim 32)."
)
@click.option("--read-back", is_flag=True, help="Read a program's results in the end.")
@click.option("--apply", is_flag=True, help="Apply the activation function to a gemv's outputs (gddr6_aim).")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.pass_context
def command(
    context: click.Context,
    /,
    standard: str,
    pattern: str,
    requests: int,
    writes: float,
    trace: Path | None,
    loads: str | None,
    outstanding: int,
    policy_text: str,
    overrides: tuple[str, ...],
    seed: int,
    plot: Path | None,
    commands: Path | None,
    order: str,
    as_json: bool,
    **sizes: Any,
) -> None:
    """Simulate a channel of a memory on its own, command by command.

    STANDARD is ddr4_2400, ddr5_4800, lpddr5_6400, gddr6, hbm2, hbm2e, hbm3, hbm2_pim, hbm3_attacc, gddr6_aim, or a
    file. A request is a burst.

    \b
      pimsim memory hbm2 --pattern random --requests 100000
      pimsim memory ddr4_2400 --load 0.1,0.3,0.5,0.7,0.9 --pattern random --plot loaded.png
      pimsim memory hbm2 --trace requests.csv --outstanding 1 --json
      pimsim memory ddr4_2400 --policy page=closed,row_hit_cap=4 --set timings.nRCD=16
      pimsim memory hbm2-pim --program gemv --rows 4096 --columns 4096 --order samsung
      pimsim memory gddr6-aim --program gemv --rows 4096 --columns 4096 --apply
      pimsim memory hbm3-attacc --program attention --heads 130 --tokens 2048 --at bank_group

    Patterns: stream, random, stride:N, pingpong (two rows of a bank in turn), copy (reads and writes in turn, half of
    the channel apart). A list of requests has the columns op (R or W) and address, or row, column and the levels of
    the standard; cycle, if they come at their own times. Policy: read_queue, write_queue, write_high, write_low,
    row_hit_cap, page (open, closed, timed), page_timeout, refresh (all_bank, per_bank, none), controller_cycles.
    """
    _check_sides(context)
    if sizes["program"] is not None:
        from pimsim.cli.memory_program import run_program

        return run_program(standard, commands, as_json, order=order, overrides=overrides, **sizes)
    from pimsim.dram.policy import parse_policy

    if plot is not None and loads is None:
        raise ConfigError("found no load, expected some to draw", where="--plot", mend="give --load")
    if commands is not None and loads is not None:
        raise ConfigError("found loads, expected one run", where="--commands", mend="leave out --load")
    _check_files(plot, commands)
    policy = parse_policy(policy_text)
    measured = _loads(loads) if loads is not None else []

    def run(progress: Progress) -> MemoryResult:
        from pimsim.dram.memory import memory

        return memory(
            standard,
            pattern=pattern,
            requests=requests,
            write_share=writes,
            trace=trace,
            loads=measured,
            outstanding=outstanding,
            policy=policy,
            overrides=overrides,
            order=order,
            seed=seed,
            record=commands is not None,
            on_progress=progress,
        )

    result = watched("requests", run)

    def draw() -> None:
        from pimsim.report.memory_plot import plot_loads

        assert plot is not None
        plot_loads(result, plot)

    def report() -> list[RenderableType]:
        from pimsim.report.memory import memory_report

        return memory_report(result)

    drawn = [draw] if plot is not None else []
    show(result, [*drawn, *log_of(result.run, commands)], as_json, report)


def _check_sides(context: click.Context) -> None:
    """Refuse options of requests beside a program, and of a program without one."""
    computes = context.params["program"] is not None
    for name in OF_REQUESTS if computes else OF_PROGRAMS:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            where = next(each.opts[-1] for each in context.command.params if each.name == name)
            found = "a program, which makes its own requests" if computes else "no program"
            raise ConfigError(
                f"found {found}", where=where, mend="leave it out" if computes else "give --program"
            )


def _check_files(plot: Path | None, commands: Path | None) -> None:
    """Refuse files that cannot be written, before anybody waits for them."""
    from pimsim.result.result import check_writable

    if plot is not None:
        from pimsim.report.network_plot import check_plot

        check_plot(plot)
    if commands is not None:
        check_writable(commands)


def _loads(text: str) -> list[float]:
    loads = []
    for word in text.split(","):
        try:
            loads.append(float(word))
        except ValueError:
            raise ConfigError(
                f"found '{word}', expected shares of the peak bandwidth, such as 0.1,0.5,0.9", where="--load"
            ) from None
    return loads
