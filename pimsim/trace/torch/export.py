"""A PyTorch model through torch.export: no weight is allocated, sizes stay symbolic, and what fails says where."""

from __future__ import annotations

import inspect
import traceback
import warnings
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pimsim.errors import TraceError
from pimsim.trace.found import closest
from pimsim.trace.symbols import Size, quotient, total

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram
    from torch.fx import Node

Dynamic = Mapping[str, Mapping[int, str]]
"""By argument of the model: axis to symbol; for an argument that is a list of tensors, the axes of each."""

# Sizes that symbols have while a model is exported: torch takes equal sizes for the same, and 0 and 1 for constants.
_EXAMPLES = (6, 10, 14, 22, 26, 34, 38, 46)
# What torch.export is not to take apart: a trace has an op for it, or it is simpler to do so here.
_WHOLE = (
    "linear.default",
    "matmul.default",
    "einsum.default",
    "layer_norm.default",
    "rms_norm.default",
    "silu.default",
    "hardswish.default",
    "hardsigmoid.default",
    "scaled_dot_product_attention.default",
    *("lstm.input", "gru.input", "rnn_tanh.input", "rnn_relu.input"),
    *("group_norm.default", "instance_norm.default", "softplus.default", "mish.default", "prelu.default"),
    *("pixel_shuffle.default", "pixel_unshuffle.default", "im2col.default", "col2im.default"),
    *("grid_sampler_2d.default", "linalg_vector_norm.default", "log_sigmoid_forward.default"),
    *("upsample_nearest1d.vec", "upsample_nearest2d.vec", "upsample_nearest3d.vec", "upsample_linear1d.vec"),
    *("upsample_bilinear2d.vec", "upsample_trilinear3d.vec", "upsample_bicubic2d.vec"),
    *("_adaptive_avg_pool2d.default", "adaptive_avg_pool1d.default", "roll.default"),
)
_STORED_ONCE = 1024  # elements; torch.onnx stores equal initializers of no more than that once
_QUOTIENTS = ("FloorDiv", "CleanDiv")  # what torch calls a size divided by another, rounded down
_DATA_DEPENDENT = (
    "GuardOnDataDependentSymNode",
    "DataDependentOutputException",
    "DynamicOutputShapeException",
    "PendingUnbackedSymbolNotFound",
)


class Exported:
    """A model's graph of ATen ops.

    Parameters
    ----------
    module : torch.nn.Module
        In evaluation mode from here on.
    inputs : tensor, sequence or mapping
        Arguments of its forward, of any values; those of symbolic sizes may have any size there.
    dynamic : mapping
        Which sizes are symbols.
    where : str
        What errors call the model.

    Attributes
    ----------
    program : ExportedProgram
        The graph, as the model calls ATen; `take_apart` makes it one of fewer kinds of ops.
    arguments : dict
        Name of a placeholder to the argument that it stands for (``past[3][0]``), for what is fed to the model.
    held : dict
        Name of a placeholder to the parameter, buffer or constant that it stands for; tied ones have one name.

    Raises
    ------
    TraceError
        If the inputs are not the model's, or it does not export; with the line of the model that is at fault.
    """

    def __init__(self, module: torch.nn.Module, inputs: object, dynamic: Dynamic, where: str) -> None:
        self.where = where
        self.module = module.eval()
        args, kwargs = self._arguments(inputs)
        names = self._names(args, kwargs)
        for name in dynamic:
            if name not in names:
                message = f"the model has no argument '{name}' among its inputs"
                raise TraceError(message, where=where, mend=closest(name, list(names)))
        self._examples = {
            symbol: size
            for symbol, size in zip(
                dict.fromkeys(s for axes in dynamic.values() for s in axes.values()), _EXAMPLES, strict=False
            )
        }
        self._shapes: dict[str, Any] = {}
        device = next((p.device for p in module.parameters()), None)
        made = {name: self._example(name, value, dynamic, device) for name, value in names.items()}
        args = tuple(list(made.values())[: len(args)])
        kwargs = {name: made[name] for name in kwargs}
        self.dynamic = dynamic
        self._paths = _paths(made)
        self.program = self._export(args, kwargs)
        self._read_inputs()

    def _arguments(self, inputs: object) -> tuple[tuple[Any, ...], dict[str, Any]]:
        import torch

        if isinstance(inputs, torch.Tensor):
            return (inputs,), {}
        if isinstance(inputs, Mapping):
            return (), dict(inputs)
        if isinstance(inputs, Sequence) and not isinstance(inputs, str):
            return tuple(inputs), {}
        message = (
            f"found inputs of type {type(inputs).__name__}, expected a tensor, a tuple or a dict of them"
        )
        raise TraceError(message, where=self.where)

    def _names(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments by the names that the model's forward has for them."""
        try:
            bound = inspect.signature(self.module.forward).bind(*args, **kwargs)
        except TypeError as error:
            message = f"the inputs do not fit the model's forward: {error}"
            raise TraceError(message, where=self.where) from None
        names: dict[str, Any] = {}
        self._repeated: dict[str, str] = {}  # inputs[0] -> inputs, of forward(*inputs)
        for name, value in bound.arguments.items():
            kind = bound.signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                each = {f"{name}[{i}]": item for i, item in enumerate(value)}
                names.update(each)
                self._repeated.update(dict.fromkeys(each, name))
            elif kind is inspect.Parameter.VAR_KEYWORD:
                names.update(value)
            else:
                names[name] = value
        return names

    def _example(self, name: str, value: Any, dynamic: Dynamic, device: Any) -> Any:
        """Return an argument with its symbolic axes resized, on the model's device, and note what is dynamic."""
        import torch
        from torch.export import Dim
        from torch.utils import _pytree

        axes = dynamic.get(name, {})

        def example(leaf: Any) -> Any:
            if not isinstance(leaf, torch.Tensor):
                return leaf
            for axis in axes:
                if not 0 <= axis < leaf.dim():
                    message = f"found axis {axis} of '{name}', which has {leaf.dim()} dimensions"
                    raise TraceError(message, where=self.where)
            shape = [
                self._examples[axes[axis]] if axis in axes else size for axis, size in enumerate(leaf.shape)
            ]
            return torch.zeros(shape, dtype=leaf.dtype, device=device or leaf.device)

        made = _pytree.tree_map(example, value)
        auto = {axis: Dim.AUTO for axis in axes}
        self._shapes[name] = _pytree.tree_map(
            lambda leaf: (auto or None) if isinstance(leaf, torch.Tensor) else None, made
        )
        return made

    def _export(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ExportedProgram:
        import torch

        shapes: Any = None
        if self._examples:
            shapes = {name: shape for name, shape in self._shapes.items() if name not in self._repeated}
            for name in self._repeated.values():  # torch wants those of *args under its one name
                rest = [shape for each, shape in self._shapes.items() if self._repeated.get(each) == name]
                shapes[name] = tuple(rest)
        try:
            with _quiet(), torch.no_grad():
                return torch.export.export(self.module, args, kwargs, dynamic_shapes=shapes, strict=False)
        except Exception as error:
            raise self._explain(error) from error

    def take_apart(self) -> None:
        """Let torch write the graph with its core ops, and without any that change a tensor in place.

        It takes twice as long as the export itself, so it is done for models that need it only.
        """
        import torch

        table = torch.export.default_decompositions()
        for name in _WHOLE:
            overload = torch.ops.aten
            for part in name.split("."):
                overload = getattr(overload, part)
            table.pop(overload, None)
        try:
            with _quiet(), torch.no_grad():
                self.program = self.program.run_decompositions(table)
        except Exception as error:
            raise self._explain(error) from error
        self._read_inputs()

    def _explain(self, error: Exception) -> TraceError:
        """Say what is wrong with a model that does not export, and which of its lines."""
        line = _line_of_the_model(error)
        chain: list[BaseException] = []
        cause: BaseException | None = error
        while cause is not None and cause not in chain:
            chain.append(cause)
            cause = cause.__cause__ or cause.__context__
        kinds = {type(each).__name__ for each in chain}
        where = f"{self.where}: {line}" if line else self.where
        if kinds & set(_DATA_DEPENDENT) or "data-dependent" in str(error).lower():
            message = "the model's control flow or a size depends on the values of a tensor, which a trace cannot hold"
            mend = "export the branch that is taken, as a model of its own"
            return TraceError(message, where=where, mend=mend)
        first = next((text for text in str(error).splitlines() if text.strip()), "")[:300]
        message = f"torch.export failed: {type(error).__name__}: {first}"
        return TraceError(message, where=where, mend="does the model run on these inputs?")

    def _read_inputs(self) -> None:
        """Match placeholders with arguments (both stand in the order of the flattened arguments), and symbols."""
        kinds = [spec for spec in self.program.graph_signature.input_specs if spec.kind.name == "USER_INPUT"]
        self.arguments = {
            str(getattr(spec.arg, "name", "")): path for path, spec in zip(self._paths, kinds, strict=False)
        }
        self.held = self._held()
        self.symbols = self._symbols()

    def _held(self) -> dict[str, str]:
        """Return the placeholders of parameters and the like, with the first name that the model has for each.

        Short vectors of equal values have one name, as PyTorch's ONNX exporter stores them once: two normalizations of
        a model that is not trained are the same.
        """
        signature, first = self.program.graph_signature, dict[Hashable, str]()
        owned = (
            *self.module.named_parameters(remove_duplicate=False),
            *self.module.named_buffers(remove_duplicate=False),
        )
        tied = {name: first.setdefault(_key(each), name) for name, each in owned}
        held = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        lifted = signature.inputs_to_lifted_tensor_constants
        return {node: tied.get(name, name) for node, name in held.items()} | dict(lifted)

    def _symbols(self) -> dict[str, str]:
        """Return torch's names of symbolic sizes with those of the trace."""
        found: dict[str, str] = {}
        for node in self.program.graph.nodes:
            path = self.arguments.get(node.name) if node.op == "placeholder" else None
            if path is None:
                continue
            axes = self.dynamic.get(path.partition("[")[0], {}) or self.dynamic.get(path, {})
            shape = getattr(node.meta.get("val"), "shape", ())
            for axis, symbol in axes.items():
                size = shape[axis]
                text = str(size)
                if isinstance(size, int) or not text.isidentifier():
                    message = f"the model fixes '{symbol}' ({path}, axis {axis}): it works for one size only ({text})"
                    mend = "leave it out of the symbols, and give the inputs the size wanted"
                    raise TraceError(message, where=self.where, mend=mend)
                if found.setdefault(text, symbol) != symbol:
                    message = f"the model makes '{symbol}' the same as '{found[text]}'"
                    raise TraceError(message, where=self.where, mend="give both one name")
        return found

    @property
    def nodes(self) -> list[Node]:
        """The nodes of the graph, in order."""
        return list(self.program.graph.nodes)

    def size(self, value: Any) -> int | str:
        """Return one of torch's sizes as a trace holds it.

        Raises
        ------
        TraceError
            If a trace cannot write it (`pimsim.trace.symbols`).
        """
        if isinstance(value, int):
            return value
        return total(self._terms(value.node.expr)).plain()

    def _terms(self, expr: Any) -> list[tuple[tuple[str, ...], int]]:
        if expr.is_Integer:
            return [((), int(expr))]
        if expr.is_Symbol and str(expr) in self.symbols:
            return [((self.symbols[str(expr)],), 1)]
        if expr.is_Add:
            return [term for part in expr.args for term in self._terms(part)]
        if expr.is_Pow and expr.exp.is_Integer and int(expr.exp) > 0:
            return _product([self._terms(expr.base)] * int(expr.exp))
        if expr.is_Mul:
            return _product([self._terms(part) for part in expr.args])
        divisor = expr.args[1] if str(expr.func) in _QUOTIENTS else None
        if divisor is not None and divisor.is_Integer and int(divisor) > 0:
            return list(quotient(total(self._terms(expr.args[0])), int(divisor)).terms)
        text = str(expr)
        for theirs, ours in self.symbols.items():
            text = text.replace(theirs, ours)
        message = f"a size of the model is {text}, which a trace cannot write"
        mend = "leave those sizes out of the symbols: give the inputs the size wanted"
        raise TraceError(message, where=self.where, mend=mend)

    def shape(self, value: Any) -> tuple[int, ...]:
        """Return the shape of a tensor; symbolic sizes are text."""
        return tuple(self.size(size) for size in value.shape)  # type: ignore[misc]


def _key(tensor: torch.Tensor) -> Hashable:
    """Return what is the same of parameters that are one."""
    if tensor.dim() != 1 or not 1 < tensor.numel() <= _STORED_ONCE or tensor.device.type != "cpu":
        return id(tensor)
    return str(tensor.dtype), *tensor.detach().tolist()


def _paths(arguments: Mapping[str, Any]) -> list[str]:
    """Name every leaf of the arguments: ``past[3][0]``."""
    from torch.utils import _pytree

    return [
        f"{name}{''.join(str(key) for key in path)}"
        for name, value in arguments.items()
        for path, _ in _pytree.tree_flatten_with_path(value)[0]
    ]


def _product(factors: Sequence[Sequence[tuple[tuple[str, ...], int]]]) -> list[tuple[tuple[str, ...], int]]:
    result: Size = total([((), 1)])
    for factor in factors:
        result = total(
            ((*left, *right), number * other) for left, number in result.terms for right, other in factor
        )
    return list(result.terms)


def _line_of_the_model(error: BaseException) -> str:
    """Return file and line of the innermost frame that is neither torch's nor ours, over all causes."""
    import torch

    skipped = (Path(torch.__file__).parent, Path(__file__).parent)
    best = ""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        for frame in traceback.extract_tb(cause.__traceback__):
            file = Path(frame.filename)
            if file.is_file() and not any(folder in file.parents for folder in skipped):
                best = best if _library(best) is False and _library(str(file)) else f"{file}:{frame.lineno}"
        cause = cause.__cause__ or cause.__context__
    return best


def _library(place: str) -> bool | None:
    return "site-packages" in place if place else None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's warnings, log lines and listings off the terminal: what goes wrong comes as an exception."""
    import contextlib
    import io
    import logging

    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stderr(io.StringIO()),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
