"""``pimsim trace``: export or import a model as a trace; what else is done with traces has files of its own."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from pimsim.cli import trace_show, trace_stats
from pimsim.errors import ConfigError, TraceError, nearest
from pimsim.registry import find

if TYPE_CHECKING:
    from pimsim.trace import Trace

Importer = Callable[..., object]


@click.group()
def command() -> None:
    """Export, check and show traces."""


@command.command()
@click.argument("source")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The trace to write.")
@click.option("--allow-unknown", is_flag=True, help="Treat ops that are not known as data movement.")
@click.option(
    "--bind",
    "binds",
    multiple=True,
    metavar="NAME=N",
    help="Give a symbolic dimension its size; or an input that is one whole number, an If or a Loop its value.",
)
@click.option(
    "--verbose",
    is_flag=True,
    expose_value=False,  # `main` looks for it
    help="Show the traceback of a model that does not export.",
)
def export(source: str, output: Path, allow_unknown: bool, binds: tuple[str, ...]) -> None:
    """Export a model as a trace, called as its file without the ending.

    SOURCE is an ONNX file; or torch:package.module:factory, a function that returns a PyTorch model and its inputs; or
    the name of an architecture, built from its configuration alone: bert_base, gpt2, llama_7b, mixtral_8x7b,
    mobilenet_v2, resnet18, resnet50, vit_b16, whisper_tiny. Symbols that are not bound stay, unless they decide which
    ops there are. Plug-ins may bring other importers, as NAME:what.
    """
    from pimsim.trace.torch.architectures import ARCHITECTURES

    named = source in ARCHITECTURES and not Path(source).exists()
    importer, what = (None, source) if named else _importer(source)
    words = ["pimsim", "trace", "export"]
    words += [source.removesuffix(what) + Path(what).name, "-o", output.name]
    words += ["--allow-unknown"] if allow_unknown else []
    words += [word for bind in binds for word in ("--bind", bind)]
    trace = _exported(importer, what, output, allow_unknown, binds, shlex.join(words))
    trace.save(output)
    for note in trace.header["notes"]:
        click.echo(f"note: {note}", err=True)
    counts = f"{len(trace.ops)} ops, {trace.weights:,} weights"
    if trace.symbols:
        click.echo(f"{output}: {counts}, symbols {', '.join(trace.symbols)}")
    else:
        click.echo(f"{output}: {len(trace.ops)} ops, {trace.macs:,} MACs, {trace.weights:,} weights")


def _importer(source: str) -> tuple[Importer, str]:
    """Return the importer that a source names, an ONNX file's without a name, and what it is given."""
    name, sign, what = source.partition(":")
    if sign and not Path(source).exists():
        try:
            return find("importers", name), what
        except ConfigError as error:
            if error.__cause__ is not None:  # it is offered, but cannot be imported
                raise
    if Path(source).name == source and not Path(source).suffix and not Path(source).exists():
        from pimsim.trace.torch.architectures import ARCHITECTURES

        mend = nearest(source, list(ARCHITECTURES))
        raise TraceError(f"no file and no architecture is called '{source}'", mend=mend)
    return find("importers", "onnx"), source


def _exported(
    importer: Importer | None,
    source: str,
    output: Path,
    allow_unknown: bool,
    binds: tuple[str, ...],
    command: str,
) -> Trace:
    """Return what an importer, or without one an architecture's name, gives; those that can take options do."""
    from pimsim.trace import Trace
    from pimsim.trace.bind import bind_text
    from pimsim.trace.torch.architectures import export as export_architecture

    model = output.name.removesuffix(".jsonl")
    if importer is None:
        return bind_text(export_architecture(source, command, model), binds, partial=True)
    taken = inspect.signature(importer).parameters
    options: dict[str, object] = {"allow_unknown": allow_unknown} if "allow_unknown" in taken else {}
    if "bindings" in taken:
        options["bindings"] = dict(_binding(bind) for bind in binds)
    made = importer(source, model=model, command=command, **options)
    if not isinstance(made, Trace):
        raise TraceError(f"the importer returned a {type(made).__name__}, expected a Trace", where=source)
    return made if "bindings" in taken else bind_text(made, binds, partial=True)


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
    words = ["pimsim", "trace", "import", topology.name, "-o", output.name]
    words += ["--padding", padding] if padding != "none" else []
    trace: Trace = find("importers", "scalesim")(
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


command.add_command(trace_show.command)
command.add_command(trace_stats.command)
