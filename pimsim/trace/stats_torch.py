"""Statistics of a PyTorch model's data: hooks on its modules, matched by their names with the ops of a trace."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pimsim.errors import TraceError
from pimsim.trace.attach import How, attach, require_trained
from pimsim.trace.schema import Op, Trace

if TYPE_CHECKING:
    import numpy as np
    import torch

    Array = np.ndarray[Any, Any]


def with_torch_statistics(
    trace: Trace, model: torch.nn.Module, inputs: object, how: How, origin: str, weights_origin: str
) -> tuple[Trace, list[str]]:
    """Run a model on real inputs and put statistics into a trace of it.

    A module's ops are those called as it is (``layer.0.query``), alone or followed by their type, with dots or slashes
    (``/layer.0/query/MatMul``). The last of them puts out what the module returns, the first reads what the module is
    given, and the one with a weight has the module's. Only what agrees in size counts.

    Parameters
    ----------
    trace : Trace
        Whose header says that its weights are trained.
    model : torch.nn.Module
        Real weights; it is put into inference mode.
    inputs : tensor, tuple, dict or list of these
        Arguments of one run, by position or by name; a list holds several runs.
    how : How
        How to quantize.
    origin, weights_origin : str
        Where the inputs and the weights come from.

    Returns
    -------
    trace : Trace
        With statistics.
    unmatched : list of str
        Matrix products with a weight that are no module's.

    Raises
    ------
    TraceError
        If the weights are not trained, the model cannot be run, or none of its modules is in the trace.
    """
    require_trained(trace)
    modules = {name: module for name, module in model.named_modules() if name and not any(module.children())}
    ops = {name: found for name in modules if (found := _ops_of(trace, name))}
    if not ops:
        shown = ", ".join(list(modules)[:3])
        raise TraceError(
            f"no op is called as a module of the model ({shown}, …)",
            where=trace.model,
            mend="is it another model's?",
        )
    given, returned = _run(model, {name: modules[name] for name in ops}, inputs)
    outputs: dict[tuple[str, int], list[Array]] = {}
    for name, found in ops.items():
        last = found[-1]
        if _fits(returned[name], last.output.shape):
            outputs[last.name, 0] = returned[name]
    for name, found in ops.items():
        first = found[0].activations[0] if found[0].activations else None
        if first is not None and _fits(given[name], first.tensor.shape):
            outputs.setdefault((str(first.source), first.index), given[name])
    weights = {
        op.name: weight
        for name, found in ops.items()
        for op in found
        if (weight := _weight(op, modules[name])) is not None
    }
    unmatched = [op.name for op in trace.ops if op.weight is not None and op.name not in weights]
    return attach(trace, outputs, weights, how, origin, weights_origin), unmatched


def load_factory(text: str) -> tuple[torch.nn.Module, object]:
    """Call a factory, given as ``package.module:function``, that returns a model and its inputs.

    Raises
    ------
    TraceError
        If there is none, it fails, or what it returns is something else; if torch is not installed.
    """
    where = f"torch:{text}"
    if importlib.util.find_spec("torch") is None:
        message = "running PyTorch models needs the package 'torch'"
        raise TraceError(message, where=where, mend="pip install 'pimsim[torch]'")
    import torch

    module_name, _, name = text.partition(":")
    if not module_name or not name:
        raise TraceError("expected torch:package.module:factory", where=where)
    try:
        factory = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise TraceError(f"there is no such factory: {error}", where=where) from None
    try:
        made = factory()
    except Exception as error:  # it is the user's code
        message = f"the factory failed with {type(error).__name__}: {_first_line(error)}"
        raise TraceError(message, where=where) from error
    if not (isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], torch.nn.Module)):
        message = f"the factory returned {type(made).__name__}, expected a module and its inputs"
        raise TraceError(message, where=where)
    if any(parameter.is_meta for parameter in made[0].parameters()):
        message = "the model is on the meta device: its weights have no values"
        raise TraceError(message, where=where, mend="let the factory load them")
    return made


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]


def _ops_of(trace: Trace, module: str) -> list[Op]:
    """Return the ops of a module, in the trace's order."""
    found = []
    for op in trace.ops:
        name = op.name.strip("/").replace("/", ".")
        stem, _, kind = name.rpartition(".")
        if name == module or (stem == module and kind.startswith(op.type)):
            found.append(op)
    return found


def _run(
    model: torch.nn.Module, modules: Mapping[str, torch.nn.Module], inputs: object
) -> tuple[dict[str, list[Array]], dict[str, list[Array]]]:
    """Return what each module was given first and what it returned, one array a call."""
    import torch

    given: dict[str, list[Array]] = {name: [] for name in modules}
    returned: dict[str, list[Array]] = {name: [] for name in modules}

    def keep(values: list[Array], value: object) -> None:
        if isinstance(value, torch.Tensor):  # copied: a module may work in place
            real = value.float() if value.is_floating_point() else value
            values.append(real.detach().cpu().clone().numpy())

    def before(name: str) -> Any:
        return lambda _, arguments, named: keep(given[name], next(iter([*arguments, *named.values()]), None))

    def after(name: str) -> Any:
        return lambda _, arguments, output: keep(returned[name], output)

    hooks = [m.register_forward_pre_hook(before(name), with_kwargs=True) for name, m in modules.items()]
    hooks += [m.register_forward_hook(after(name)) for name, m in modules.items()]
    model.eval()
    try:
        with torch.inference_mode():
            for run in inputs if isinstance(inputs, list) else [inputs]:
                if isinstance(run, Mapping):
                    model(**run)
                else:
                    model(*(run if isinstance(run, tuple) else (run,)))
    except Exception as error:  # it is the user's code
        message = f"the model failed with {type(error).__name__}: {_first_line(error)}"
        raise TraceError(message, where="torch") from error
    finally:
        for each in hooks:
            each.remove()
    return given, returned


def _fits(values: list[Array], shape: tuple[int | str, ...]) -> bool:
    """Whether values are those of a tensor of this shape: the first size is free, and so is one that is a symbol."""
    return bool(values) and all(
        len(value.shape) == len(shape)
        and all(
            isinstance(size, str) or size == got for size, got in zip(shape[1:], value.shape[1:], strict=True)
        )
        for value in values
    )


def _weight(op: Op, module: torch.nn.Module) -> Array | None:
    """Return the module's weight as the op has it; None if its shape is another one."""
    import torch

    weight = getattr(module, "weight", None)
    if op.weight is None or not isinstance(weight, torch.Tensor):
        return None
    value: Array = weight.detach().float().cpu().numpy()
    if isinstance(module, torch.nn.Linear) and not op.attributes.get("transB"):
        value = value.T  # a Linear has it outputs by inputs
    return value if value.shape == op.weight.tensor.shape else None
