"""``pimsim trace stats``: run a real model on real inputs and record what its data are like."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pimsim.errors import ConfigError

if TYPE_CHECKING:
    from pimsim.trace import Trace
    from pimsim.trace.observed import Calibration
    from pimsim.trace.statistics.attach import How


@click.command("stats")
@click.argument("model")
@click.argument("data", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The trace to write.")
@click.option("--bits", type=int, default=8, show_default=True, help="Bits that values are quantized to.")
@click.option(
    "--calibration",
    default="max",
    show_default=True,
    metavar="max|P",
    help="The largest code stands for the largest absolute value, or for this percentile of them (99.9).",
)
@click.option(
    "--rows", type=int, default=128, show_default=True, help="Values of a slice, as rows of an array."
)
@click.option(
    "--origin", help="Where the data come from, kept with the statistics; by default the file's name."
)
@click.option(
    "--trace", "given", metavar="TRACE", help="PyTorch only: give them to this trace, not to a new one."
)
@click.option(
    "--values",
    is_flag=True,
    help="ONNX only: write weights and samples beside the trace, too, for pimsim accuracy; DATA may hold labels.",
)
@click.option("--trained", is_flag=True, help="PyTorch only: the factory's weights are trained; be sure.")
@click.option(
    "--verbose",
    is_flag=True,
    expose_value=False,  # `main` looks for it
    help="Show the traceback of a factory or a model that fails.",
)
def command(
    model: str,
    data: Path | None,
    output: Path,
    bits: int,
    calibration: str,
    rows: int,
    origin: str | None,
    given: str | None,
    values: bool,
    trained: bool,
) -> None:
    """Run MODEL on real inputs and write its trace with statistics of its data.

    MODEL is an ONNX file, exported and run by onnxruntime on DATA, an .npz file: an array for each input by its
    name, the first axis counting samples. Or it is torch:package.module:factory, a function that returns a model with
    trained weights and real inputs; it is exported (or --trace given), and its modules are matched by name with the
    trace's ops.

    \b
      pimsim trace stats model.onnx images.npz -o model.jsonl --calibration 99.9
      pimsim trace stats model.onnx images.npz -o model.jsonl --values
      pimsim trace stats torch:mine.models:bert --trained -o bert.jsonl
    """
    from pimsim.errors import TraceError
    from pimsim.trace.observed import check_how
    from pimsim.trace.statistics.attach import How

    how = How(bits, _calibration(calibration), rows)
    try:
        check_how(how.bits, how.calibration, how.rows)
    except TraceError as error:
        raise ConfigError(error.message, where=f"--{error.where}", mend=error.mend) from None
    if origin is not None and (not origin.strip() or not origin.isprintable() or len(origin) > 1000):
        raise ConfigError("expected up to 1000 printable characters", where="--origin")
    words = ["pimsim", "trace", "stats", model if model.startswith("torch:") else Path(model).name]
    words += [data.name] if data else []
    words += ["-o", output.name, "--bits", str(bits), "--calibration", calibration, "--rows", str(rows)]
    words += ["--origin", origin] if origin else []
    words += ["--trace", Path(given).name] if given else []
    words += ["--values"] if values else []
    words += ["--trained"] if trained else []
    line = shlex.join(words)
    if model.startswith("torch:"):
        if values:
            raise ConfigError("goes with an ONNX file only", where="--values")
        made = _torch(model, data, given, trained, how, origin, output, line)
    else:
        made = _onnx(model, data, given, trained, how, origin, output, line)
        if values:
            assert data is not None
            made = _with_values(made, Path(model), data, output.with_suffix(".npz"))
    made.save(output)
    for note in made.header["notes"]:
        click.echo(f"note: {note}", err=True)
    outputs = sum(tensor.stats is not None for op in made.ops for tensor in op.outputs)
    weights = sum(op.weight is not None and op.weight.tensor.stats is not None for op in made.ops)
    click.echo(f"{output}: {len(made.ops)} ops, statistics of {outputs} outputs and {weights} weights")


def _onnx(
    model: str,
    data: Path | None,
    given: str | None,
    trained: bool,
    how: How,
    origin: str | None,
    output: Path,
    command: str,
) -> Trace:
    from pimsim.trace.statistics.onnx import inputs_of, with_statistics
    from pimsim.trace.statistics.samples import Samples

    if given is not None or trained:
        option = "--trace" if given is not None else "--trained"
        raise ConfigError("goes with torch:package.module:factory only", where=option)
    if data is None:
        raise ConfigError("an ONNX model needs DATA, an .npz file with its inputs", where="DATA")
    samples = Samples.load(data, inputs_of(model))
    plural = "" if samples.count == 1 else "s"
    origin = origin or f"{_printable(data.name)}, {samples.count} sample{plural}"
    name = output.name.removesuffix(".jsonl")
    return with_statistics(
        model, samples, how, origin, bindings=samples.bindings, model=name, command=command
    )


def _with_values(trace: Trace, model: Path, data: Path, target: Path) -> Trace:
    """Write the values of an exported trace, and name them in its header."""
    import hashlib

    from pimsim.trace.onnx.export import export
    from pimsim.trace.statistics.onnx import inputs_of
    from pimsim.trace.statistics.samples import Samples
    from pimsim.values.from_onnx import write_sidecar

    samples = Samples.load(data, inputs_of(model))
    exported = export(model, bindings=samples.bindings)
    write_sidecar(model, exported, data, samples, target)
    named = {"sidecar": target.name, "sidecar_sha256": hashlib.sha256(target.read_bytes()).hexdigest()}
    source = {**(trace.header.get("source") or {}), **named}
    return replace(trace, header={**trace.header, "source": source})


def _torch(
    model: str,
    data: Path | None,
    given: str | None,
    trained: bool,
    how: How,
    origin: str | None,
    output: Path,
    command: str,
) -> Trace:
    from pimsim.trace import Trace
    from pimsim.trace.statistics.attach import require_trained
    from pimsim.trace.statistics.torch import real_model, with_torch_statistics

    if data is not None:
        raise ConfigError("does not go with torch: the factory returns the inputs", where="DATA")
    if given is None and not trained:
        message = f"the weights of {model} may be random ones, of which there are no statistics"
        raise ConfigError(message, where="--trained", mend="say --trained if the factory loads trained ones")
    trace = None if given is None else _trained(Trace.load(given), trained)
    if trace is not None:
        require_trained(trace)
    module, inputs, options = real_model(model)
    if trace is None:
        from pimsim.trace.torch.load import from_torch

        name = output.name.removesuffix(".jsonl")
        source = {"factory": model.removeprefix("torch:")}
        trace = _trained(from_torch(module, inputs, **options, model=name, source=source), trained)
    trace = replace(trace, header={**trace.header, "command": command})
    origin = origin or f"inputs of {model}"
    made, unmatched = with_torch_statistics(trace, module, inputs, how, origin, f"weights of {model}")
    if unmatched:
        shown = ", ".join(unmatched[:5]) + (", …" if len(unmatched) > 5 else "")
        click.echo(f"note: of no module, so without statistics: {shown}", err=True)
    return made


def _trained(trace: Trace, trained: bool) -> Trace:
    """Take the user's word for weights that a trace says nothing of; what it does say stands."""
    if trained and trace.header["weights"] == "absent":
        return replace(trace, header={**trace.header, "weights": "trained"})
    return trace


def _calibration(text: str) -> Calibration:
    if text == "max":
        return "max"
    try:
        return float(text)
    except ValueError:
        message = f"found '{text}', expected max or a percentile above 0, up to 100"
        raise ConfigError(message, where="--calibration", mend="for example 99.9") from None


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "_" for letter in text)
