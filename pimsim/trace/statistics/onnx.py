"""Statistics of an ONNX model's data: run by onnxruntime, every value of the trace looked at."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pimsim.errors import TraceError
from pimsim.trace.schema import Trace
from pimsim.trace.statistics.attach import How, attach, require_trained
from pimsim.trace.statistics.samples import Expected

if TYPE_CHECKING:
    import numpy as np
    from onnx import ModelProto

    from pimsim.trace.onnx.export import Exported, Scale

    Array = np.ndarray[Any, Any]


def with_statistics(
    path: str | Path,
    runs: Iterable[Mapping[str, Array]],
    how: How,
    origin: str,
    *,
    bindings: Mapping[str, int] | None = None,
    model: str | None = None,
    command: str = "",
) -> Trace:
    """Export an ONNX model, run it on real inputs and return its trace with statistics of all that was computed.

    All values of all runs are held in memory until the end: a percentile needs them.

    Parameters
    ----------
    path : str or Path
        The ONNX file.
    runs : iterable of mapping of str to array
        The inputs of each run. Sizes that are symbolic in the model may differ from run to run.
    how : How
        How to quantize.
    origin : str
        Where the inputs come from.
    bindings, model, command
        As of `pimsim.trace.onnx.export.from_onnx`; the bindings are the trace's, whatever the runs' sizes are.

    Raises
    ------
    TraceError
        If the model cannot be exported or run, or its weights are not those of a trained model.
    """
    from pimsim.trace.onnx.export import export

    require_runtime(path)
    exported = export(path, bindings=bindings, model=model, command=command)
    require_trained(exported.trace)
    session = Session(Path(path), exported)
    values: dict[str, list[Array]] = {name: [] for name in session.activations}
    constants: dict[str, Array] = {}
    for number, feed in enumerate(runs):
        found = session.run([*values, *session.constants] if number == 0 else list(values), feed)
        constants.update({name: found[name] for name in session.constants if name in found})
        for name in values:
            values[name].append(found[name])
    if not all(values.values()):
        raise TraceError("there are no inputs to run the model on", where=str(path))
    outputs = {key: values[name] for key, name in exported.outputs.items()}
    weights = {
        op: scaled(constants[name], exported.scales.get(op, ()), constants)
        for op, name in exported.weights.items()
    }
    return attach(exported.trace, outputs, weights, how, origin, f"weights of {Path(path).name}")


def inputs_of(path: str | Path) -> list[Expected]:
    """Return the inputs that an ONNX model must be given.

    Raises
    ------
    TraceError
        If the file is no ONNX model, or one of its inputs is no tensor of numbers.
    """
    require_runtime(path)
    from onnx import helper

    from pimsim.trace.onnx.graph import read_model, symbol_of

    graph = read_model(Path(path))[0].graph
    stored = {tensor.name for tensor in graph.initializer}
    found = []
    for value in graph.input:
        if value.name in stored:
            continue
        type_ = value.type.tensor_type
        try:
            dtype = helper.tensor_dtype_to_np_dtype(type_.elem_type).name
        except (KeyError, ValueError):
            raise TraceError(f"the input '{value.name}' is no tensor of numbers", where=str(path)) from None
        shape = tuple(
            dim.dim_value if dim.dim_value > 0 else symbol_of(value.name, axis, dim.dim_param)
            for axis, dim in enumerate(type_.shape.dim)
        )
        found.append(Expected(value.name, shape, dtype))
    return found


def require_runtime(path: str | Path) -> None:
    """Refuse to go on without onnxruntime.

    Raises
    ------
    TraceError
        If it is not installed.
    """
    if importlib.util.find_spec("onnxruntime") is None or importlib.util.find_spec("onnx") is None:
        message = "running ONNX models needs the packages 'onnx' and 'onnxruntime'"
        raise TraceError(message, where=str(path), mend="pip install 'pimsim[stats]'")


class Session:
    """An ONNX model ready to run, all values that its trace has being outputs.

    Parameters
    ----------
    path : Path
        The file.
    exported : Exported
        Its trace.
    everything : bool
        Whether all constants are wanted.

    Attributes
    ----------
    activations, constants : list of str
        Names of the values that ops put out, and of the weights and what scales them, or of all constants.

    Raises
    ------
    TraceError
        If onnxruntime refuses the model.
    """

    def __init__(self, path: Path, exported: Exported, *, everything: bool = False) -> None:
        import onnx
        import onnxruntime

        self._where = str(path)
        self.activations = list(dict.fromkeys(exported.outputs.values()))
        scales = [scale for op in exported.weights for scale in exported.scales.get(op, ())]
        names = [*exported.weights.values(), *(name for scale in scales for name in scale.names)]
        names += exported.constants.values() if everything else ()
        self.constants = list(dict.fromkeys(names))
        options = onnxruntime.SessionOptions()
        # what it would fuse would not be there to look at
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        try:
            model = _whole(path)
            have = {value.name for value in model.graph.output}
            wanted = dict.fromkeys(name for name in [*self.activations, *self.constants] if name not in have)
            model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
            raw = model.SerializeToString()
            self._session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # neither package has a base class of its errors
            raise self._failed("onnxruntime cannot load the model", error) from None

    def run(self, names: Sequence[str], feed: Mapping[str, Array]) -> dict[str, Array]:
        """Run the model once and return some of its values.

        Raises
        ------
        TraceError
            If onnxruntime cannot run it on these inputs.
        """
        try:
            made = self._session.run(list(names), dict(feed))
        except Exception as error:
            raise self._failed("the model cannot be run on these inputs", error) from None
        return dict(zip(names, made, strict=True))

    def _failed(self, message: str, error: Exception) -> TraceError:
        from pimsim.trace.onnx.constants import first_line

        return TraceError(f"{message}: {first_line(error)}", where=self._where)


def _whole(path: Path) -> ModelProto:
    """Read a model with the values of its weights, its functions inlined as the exporter does."""
    import onnx
    from onnx import inliner

    model = onnx.load(str(path))
    return inliner.inline_local_functions(model) if model.functions else model


def scaled(weight: Array, scales: Iterable[Scale], constants: Mapping[str, Array]) -> Array:
    """Return a Conv's weight as it is once the scales are folded into it, one factor an output channel."""
    import numpy as np

    for scale in scales:
        if scale.type in ("Add", "Sub"):
            continue
        factor = np.asarray(constants[scale.factor], np.float64).reshape(-1)
        if scale.type == "Div":
            factor = 1 / factor
        if scale.variance:
            factor = factor / np.sqrt(constants[scale.variance].astype(np.float64) + scale.epsilon)
        weight = weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
    return weight
