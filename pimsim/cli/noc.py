"""``pimsim noc``: a network on its own, latency against load or the time of a batch."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pimsim.cli import INTERRUPTED
from pimsim.cli.output import print_bytes, print_pieces
from pimsim.cli.progress import Progress
from pimsim.errors import ConfigError, ResultError, nearest

if TYPE_CHECKING:
    from pimsim.chip.router import Router
    from pimsim.network.noc import NocResult

STAGES = ("rd", "va", "sa", "st")


@click.command("noc", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("topology")
@click.option(
    "--pattern", default="uniform", metavar="NAME", help="Who sends to whom (default uniform); see below."
)
@click.option("--rate", "rates", metavar="R,R,…", help="Loads to measure, flits a terminal and cycle.")
@click.option(
    "--batch", type=int, metavar="N", help="Instead of loads: N packets a terminal, as fast as it can."
)
@click.option("--packets", type=click.Path(path_type=Path), metavar="CSV", help="Instead: a list of packets.")
@click.option("--packet-size", type=int, default=1, metavar="N", help="Flits of a packet (default 1).")
@click.option("--vcs", type=int, default=2, metavar="N", help="Virtual channels of a link (default 2).")
@click.option("--buffer", "buffer_", type=int, default=8, metavar="N", help="Flits each holds (default 8).")
@click.option(
    "--pipeline", default="rd=1,va=1,sa=1,st=1", metavar="rd=N,…", help="Cycles of the router's stages."
)
@click.option("--link-delay", type=int, default=1, metavar="N", help="Cycles of a link (default 1).")
@click.option("--credit-delay", type=int, default=0, metavar="N", help="Cycles more of a credit (default 0).")
@click.option("--speculative", is_flag=True, help="Heads ask for the switch together with a virtual channel.")
@click.option("--seeds", type=int, default=1, metavar="N", help="Runs of each load (default 1).")
@click.option("--period", type=int, metavar="N", help="Cycles of a measuring period (default: 1500 or more).")
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE", help="Draw latency against load.")
@click.option(
    "--heatmap", type=click.Path(path_type=Path), metavar="FILE", help="Draw the links by their use."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    topology: str,
    pattern: str,
    rates: str | None,
    batch: int | None,
    packets: Path | None,
    packet_size: int,
    vcs: int,
    buffer_: int,
    pipeline: str,
    link_delay: int,
    credit_delay: int,
    speculative: bool,
    seeds: int,
    period: int | None,
    plot: Path | None,
    heatmap: Path | None,
    as_json: bool,
) -> None:
    """Simulate a network on its own, flit by flit.

    TOPOLOGY is mesh:8x8, torus:8x8, cmesh:4x4x4, ring:16, fattree:4,2, fly:4,2, htree:4,2, crossbar:16, bus:8,
    package:2/mesh:4x4, or a file with a link a line.

    \b
      pimsim noc mesh:8x8 --rate 0.05,0.1 --packet-size 8 --seeds 5
      pimsim noc torus:4x4 --pattern bitcomp --batch 100 --json

    Patterns: uniform, transpose, bitcomp, bitrev, shuffle, tornado, neighbor, alltoall; hotspot:5,6 sends all packets
    to these terminals, hotspot:5,6@0.2 a fifth of them, the rest uniformly. A list of packets has the columns cycle,
    source, target and flits.
    """
    from pimsim.chip.router import Router

    router = Router(
        vcs=vcs,
        buffer=buffer_,
        **_stages(pipeline),
        link=link_delay,
        credit=credit_delay,
        speculative=speculative,
    )
    _run(
        topology,
        router,
        {
            "rates": _rates(rates) if rates is not None else [],
            "batch": batch,
            "packets": packets,
            "pattern_name": pattern,
            "packet_size": packet_size,
            "seeds": _at_least_one(seeds),
            "period": period,
        },
        plot,
        heatmap,
        as_json,
    )


def _run(
    topology: str,
    router: Router,
    wanted: dict[str, object],
    plot: Path | None,
    heatmap: Path | None,
    as_json: bool,
) -> None:
    from pimsim.network.noc import noc

    if plot is not None and not wanted["rates"]:
        raise ConfigError("a batch has no curve", where="--plot", mend="use --heatmap, or give --rate")
    for path in (plot, heatmap):
        if path is not None:
            from pimsim.report.network_plot import check_plot

            check_plot(path)
    rates, seeds = wanted["rates"], wanted["seeds"]
    assert isinstance(rates, list)
    assert isinstance(seeds, int)
    total, done = seeds * max(1, len(rates)), 0
    kept: list[NocResult] = []
    with Progress("runs", "before the first load was measured") as progress:

        def tick() -> None:
            nonlocal done
            done += 1
            progress(done, total)

        try:
            result = noc(topology, router=router, on_progress=tick, on_load=kept.append, **wanted)  # type: ignore[arg-type]
        except BaseException:
            if not progress.interrupted:
                raise
            progress.hide()
            stage = progress.stage
            if kept:
                _show(kept[-1], plot, heatmap, as_json)
                came = f"{len(kept[-1].loads)} of {len(rates)} loads were measured"
                stage = stage.replace("nothing is written", came)
            click.echo(f"interrupted {stage}", err=True)
            sys.exit(INTERRUPTED)
        progress.hide()
    _show(result, plot, heatmap, as_json)


def _show(result: NocResult, plot: Path | None, heatmap: Path | None, as_json: bool) -> None:
    """Draw, and print even if that fails, since the run took its time."""
    for warning in result.about["warnings"]:
        click.echo(f"warning: {warning}", err=True)
    failure = None
    try:
        _draw(result, plot, heatmap)
    except ResultError as error:
        failure = error
    if as_json:
        print_bytes(result.to_json().encode())
    else:
        from pimsim.report.network import network_report

        print_pieces(*network_report(result))
    if failure is not None:
        raise failure


def _draw(result: NocResult, plot: Path | None, heatmap: Path | None) -> None:
    if plot is not None:
        from pimsim.report.network_plot import plot_curve

        plot_curve(result, plot)
    if heatmap is not None:
        from pimsim.report.network_plot import plot_links

        use = {(row["from"], row["to"]): row["utilisation"] for row in result.link_rows()}
        about = result.about
        load = f"at {result.loads[-1].rate:g} flits a cycle" if result.loads else "over the batch"
        plot_links(
            result.fabric.graph, use, heatmap, f"{about['topology']['kind']}, {about['pattern']}, {load}"
        )


def _at_least_one(seeds: int) -> int:
    if not 1 <= seeds <= 10_000:
        raise ConfigError(f"found {seeds}, expected a whole number from 1 to 10000", where="--seeds")
    return seeds


def _rates(text: str) -> list[float]:
    rates = []
    for word in text.split(","):
        try:
            rates.append(float(word))
        except ValueError:
            raise ConfigError(
                f"found '{word}', expected numbers of flits a terminal and cycle, such as 0.05,0.1",
                where="--rate",
            ) from None
    return rates


def _stages(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in text.split(","):
        name, equals, value = word.strip().partition("=")
        if name not in STAGES:
            raise ConfigError(f"found '{name}'", where="--pipeline", mend=nearest(name, list(STAGES)))
        if not equals or not re.fullmatch(r"-?\d{1,7}", value):
            raise ConfigError(f"found '{word}', expected {name}=cycles", where="--pipeline")
        found[name] = int(value)
    return found
