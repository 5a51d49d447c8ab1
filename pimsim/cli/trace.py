"""``pimsim trace``: export a model as a trace, show a trace."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from pimsim.errors import ConfigError

if TYPE_CHECKING:
    from pimsim.trace import Op, Trace


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
        bindings=dict(_binding(bind) for bind in binds),
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


def _binding(text: str) -> tuple[str, int]:
    name, _, value = text.rpartition("=")
    if not name or not (value.isascii() and value.isdigit() and len(value) < 12):
        raise ConfigError(
            f"found '{text}', expected NAME=N", where="--bind", mend="for example --bind batch=1"
        )
    return name, int(value)


@command.command()
@click.argument("trace")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def show(trace: str, as_json: bool) -> None:
    """Check a TRACE (a preset's name or a file) and show its ops.

    MACs are multiply-accumulates of one inference; weights are the elements of the matrices they multiply
    with; params are weights, biases and all other constants.
    """
    from pimsim.trace import Trace

    loaded = Trace.load(trace)
    if as_json:
        click.echo(json.dumps(_summary(loaded), indent=1))
    else:
        _print(loaded)


def _row(op: Op) -> dict[str, Any]:
    return {
        "name": op.name,
        "type": op.type,
        "reads": list(op.deps),
        "output": list(op.output.shape),
        "macs": op.macs,
        "weights": op.weight.tensor.elements if op.weight else 0,
        "params": op.params,
    }


def _summary(trace: Trace) -> dict[str, Any]:
    return {
        "model": trace.model,
        "digest": trace.digest,
        **trace.header,
        "outputs": list(trace.outputs),
        "ops": [_row(op) for op in trace.ops],
        "totals": {
            "ops": len(trace.ops),
            "macs": trace.macs,
            "weights": trace.weights,
            "params": sum(op.params for op in trace.ops),
        },
    }


def _print(trace: Trace) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from pimsim.trace.shapes import dims

    table = Table(box=None, padding=(0, 1, 0, 0), show_footer=True)
    totals = _summary(trace)["totals"]
    table.add_column("op", f"{totals['ops']} ops", overflow="fold", min_width=8)
    table.add_column("type", overflow="fold", min_width=10)
    table.add_column("output", overflow="fold", min_width=10)
    for name in ("macs", "weights", "params"):
        header = {"macs": "MACs"}.get(name, name)
        table.add_column(header, str(totals[name]), justify="right", no_wrap=True)
    for op in trace.ops:
        row = _row(op)
        counts = [str(row[name] or "-") for name in ("macs", "weights", "params")]
        table.add_row(Text(op.name), Text(op.type), dims(op.output.shape), *counts)
    console = Console(highlight=False)
    about = trace.header
    origin = about["source"].get("file", "unknown")
    console.print(Text(f"{trace.model}: from {origin}, weights {about['weights']}"))
    for note in about["notes"]:
        console.print(Text(f"note: {note}"))
    console.print(table)
