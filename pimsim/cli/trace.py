"""``pimsim trace``: export or import a model as a trace; what else is done with traces has files of its own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Literal

import click

from pimsim.cli import trace_show, trace_stats
from pimsim.errors import ConfigError


@click.group()
def command() -> None:
    """Export, check and show traces."""


@command.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The trace to write.")
@click.option("--allow-unknown", is_flag=True, help="Treat ops that are not known as data movement.")
@click.option("--bind", "binds", multiple=True, metavar="NAME=N", help="Give a symbolic dimension its size.")
def export(model: Path, output: Path, allow_unknown: bool, binds: tuple[str, ...]) -> None:
    """Export an ONNX MODEL as a trace.

    The trace is called as its file, without the ending.
    """
    from pimsim.trace.onnx import from_onnx

    words = ["pimsim", "trace", "export", model.name, "-o", output.name]
    words += ["--allow-unknown"] if allow_unknown else []
    words += [word for bind in binds for word in ("--bind", bind)]
    trace = from_onnx(
        model,
        allow_unknown=allow_unknown,
        bindings=dict(binding(bind) for bind in binds),
        model=output.name.removesuffix(".jsonl"),
        command=shlex.join(words),
    )
    trace.save(output)
    for note in trace.header["notes"]:
        click.echo(f"note: {note}", err=True)
    click.echo(f"{output}: {len(trace.ops)} ops, {trace.macs:,} MACs, {trace.weights:,} weights")


@command.command("import")
@click.argument("topology", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The trace to write.")
@click.option(
    "--padding",
    type=click.Choice(["none", "same"]),
    default="none",
    help="The file has none; 'same' pads to ceil(input / stride) outputs, and says what that is in MACs.",
)
def import_(topology: Path, output: Path, padding: Literal["none", "same"]) -> None:
    """Import a SCALE-Sim TOPOLOGY (CSV, convolutions or matrix products) as a trace.

    The trace is called as its file, without the ending.
    """
    from pimsim.trace.scalesim import from_scalesim

    words = ["pimsim", "trace", "import", topology.name, "-o", output.name]
    words += ["--padding", padding] if padding != "none" else []
    trace = from_scalesim(
        topology,
        padding=padding,
        model=output.name.removesuffix(".jsonl"),
        command=shlex.join(words),
    )
    trace.save(output)
    for note in trace.header["notes"]:
        click.echo(f"note: {note}", err=True)
    click.echo(f"{output}: {len(trace.ops)} ops, {trace.macs:,} MACs, {trace.weights:,} weights")


def binding(text: str) -> tuple[str, int]:
    """Read ``NAME=N``."""
    name, _, value = text.rpartition("=")
    if not name or not (value.isascii() and value.isdigit() and len(value) < 12):
        raise ConfigError(
            f"found '{text}', expected NAME=N", where="--bind", mend="for example --bind batch=1"
        )
    return name, int(value)


command.add_command(trace_show.command)
command.add_command(trace_stats.command)
