"""Statistics of a PyTorch model's data: hooks on its modules, matched by their names with the ops of a trace."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pimsim.errors import TraceError
from pimsim.trace.op import Op
from pimsim.trace.schema import Trace
from pimsim.trace.statistics.attach import How, attach, require_trained

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
    given, and the one with a weight has the module's. Only what agrees in size counts. A normalization that has no op
    is folded into the convolution before it.

    Parameters
    ----------
    trace : Trace
        Whose header says that its weights are trained.
    model : torch.nn.Module
        Real weights; it is put into inference mode.
    inputs : tensor, sequence or mapping
        Arguments of its forward, by position or by name; samples stand along their first dimensions.
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
    from torch.nn.modules.batchnorm import _BatchNorm

    require_trained(trace)
    modules = {name: module for name, module in model.named_modules() if name and not any(module.children())}
    ops = {name: found for name in modules if (found := _ops_of(trace, name))}
    if not ops:
        shown = ", ".join(list(modules)[:3])
        raise TraceError(
            f"no op is called as a module of the model ({shown}, …)",
            where=trace.model,
            mend="is it of another model?",
        )
    given, returned, followed = _run(model, modules, inputs)
    folded = {
        name: follower
        for name, follower in followed.items()
        if name in ops and follower not in ops and isinstance(modules[follower], _BatchNorm)
    }
    for name, follower in folded.items():
        returned[name] = returned[follower]
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
        if (weight := _weight(op, modules[name], modules.get(folded.get(name, "")))) is not None
    }
    unmatched = [op.name for op in trace.ops if op.weight is not None and op.name not in weights]
    return attach(trace, outputs, weights, how, origin, weights_origin), unmatched


def real_model(source: str) -> tuple[torch.nn.Module, object, dict[str, Any]]:
    """Call a factory as `from_factory` does, but for real: with its weights, not on the meta device.

    Parameters
    ----------
    source : str
        ``torch:package.module:factory``.

    Returns
    -------
    model : torch.nn.Module
        With weights.
    inputs : tensor, sequence or mapping
        Arguments of its forward.
    options : dict
        Of `from_torch`.

    Raises
    ------
    TraceError
        If there is none, it fails, or what it returns is something else; if torch is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        message = "running PyTorch models needs the package 'torch'"
        raise TraceError(message, where=source, mend="pip install 'pimsim[torch]'")
    from pimsim.trace.torch.factory import checked, find_factory, said, verbose_hint

    factory = find_factory(source)
    try:
        made = factory()
    except (Exception, SystemExit) as error:  # it is the user's code
        raise TraceError(f"the factory raised {said(error)}", where=source, mend=verbose_hint()) from error
    model, inputs, options = checked(made, source)
    if any(parameter.is_meta for parameter in model.parameters()):
        message = "the model is on the meta device: its weights have no values"
        raise TraceError(message, where=source, mend="let the factory load them")
    return model, inputs, options


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
) -> tuple[dict[str, list[Array]], dict[str, list[Array]], dict[str, str]]:
    """Return what each module was given first and what it returned, one array a call, and which one came next."""
    import torch

    from pimsim.trace.torch.factory import said, verbose_hint

    given: dict[str, list[Array]] = {name: [] for name in modules}
    returned: dict[str, list[Array]] = {name: [] for name in modules}
    followed: dict[str, str] = {}
    makers: dict[
        int, tuple[str, object]
    ] = {}  # by tensor, which is kept so that its number is not given again

    def keep(values: list[Array], value: object) -> None:
        if isinstance(value, torch.Tensor):  # copied: a module may work in place
            real = value.float() if value.is_floating_point() else value
            values.append(real.detach().cpu().clone().numpy())

    def before(name: str) -> Any:
        def hook(_: object, arguments: tuple[object, ...], named: dict[str, object]) -> None:
            first = next(iter([*arguments, *named.values()]), None)
            keep(given[name], first)
            if id(first) in makers:
                followed[makers[id(first)][0]] = name

        return hook

    def after(name: str) -> Any:
        def hook(_: object, arguments: object, output: object) -> None:
            keep(returned[name], output)
            makers[id(output)] = (name, output)

        return hook

    hooks = [m.register_forward_pre_hook(before(name), with_kwargs=True) for name, m in modules.items()]
    hooks += [m.register_forward_hook(after(name)) for name, m in modules.items()]
    model.eval()
    try:
        with torch.inference_mode():
            if isinstance(inputs, Mapping):
                model(**inputs)
            else:
                model(*(inputs if isinstance(inputs, Sequence) else (inputs,)))
    except Exception as error:  # it is the user's code
        message = f"the model raised {said(error)} on its inputs"
        raise TraceError(message, where=type(model).__name__, mend=verbose_hint()) from error
    finally:
        for each in hooks:
            each.remove()
    return given, returned, followed


def _fits(values: list[Array], shape: tuple[int | str, ...]) -> bool:
    """Whether values are those of a tensor of this shape: the first size is free, and so is one that is a symbol."""
    return bool(values) and all(
        len(value.shape) == len(shape)
        and all(
            isinstance(size, str) or size == got for size, got in zip(shape[1:], value.shape[1:], strict=True)
        )
        for value in values
    )


def _weight(op: Op, module: torch.nn.Module, normalization: torch.nn.Module | None) -> Array | None:
    """Return the module's weight as the op has it, a normalization folded in; None if its shape is another one."""
    import torch

    weight = getattr(module, "weight", None)
    if op.weight is None or not isinstance(weight, torch.Tensor):
        return None
    value = weight.detach().double().cpu()
    if normalization is not None:
        state: Any = normalization
        scale = (state.running_var.double() + state.eps).rsqrt().cpu()
        scale = scale if state.weight is None else scale * state.weight.detach().double().cpu()
        value = value * scale.reshape(-1, *[1] * (value.ndim - 1))
    made: Array = value.float().numpy()
    if isinstance(module, torch.nn.Linear) and not op.attributes.get("transB"):
        made = made.T  # a Linear has it outputs by inputs
    return made if made.shape == op.weight.tensor.shape else None
