"""From a PyTorch model to a trace."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pimsim.errors import TraceError
from pimsim.trace.canonical import canonical
from pimsim.trace.causal import mark
from pimsim.trace.experts import row_symbols
from pimsim.trace.fold import drop_unread, fold_scales
from pimsim.trace.identity import only_shared
from pimsim.trace.schema import Trace
from pimsim.trace.unknown import pass_unknown

if TYPE_CHECKING:
    import torch

    from pimsim.trace.torch.export import Dynamic


def from_torch(
    module: torch.nn.Module,
    inputs: object,
    /,
    *,
    dynamic: Dynamic | None = None,
    caches: Sequence[str] = (),
    routing: Mapping[str, Any] | None = None,
    allow_unknown: bool = False,
    model: str | None = None,
    source: Mapping[str, str] | None = None,
    command: str = "",
    notes: Sequence[str] = (),
) -> Trace:
    """Export a PyTorch model as a trace.

    The model is run by ``torch.export`` on tensors without data, so one on the ``meta`` device exports without its
    weights being there. What depends on no input is a constant. Views vanish, casts too; normalizations fold into the
    convolution before them. Attention is taken apart into its matrix products and the softmax between them.

    Parameters
    ----------
    module : torch.nn.Module
        The model.
    inputs : tensor, sequence or mapping
        Arguments of its forward; only their shapes and types matter.
    dynamic : mapping, optional
        By argument: axis to the name of its symbol, ``{"ids": {0: "batch", 1: "seq"}}``. For an argument that is a
        list of tensors, the axes of each.
    caches : sequence of str
        Arguments that hold keys and values of the tokens before.
    routing : mapping, optional
        From what distribution the tokens of a mixture of experts are drawn: ``distribution``, ``exponent``, ``seed``
        (see `pimsim.trace.routing`); uniform by default.
    allow_unknown : bool
        Make ops that a trace does not know DataMovement instead of refusing them; those that compute are refused all
        the same.
    model : str, optional
        The trace's name; by default the class's.
    source, command, notes
        Kept in the header, with the version of torch.

    Raises
    ------
    TraceError
        If torch is not there; if the model does not export (names its line); if it has unknown ops (lists them all).
    """
    if importlib.util.find_spec("torch") is None:
        raise TraceError(
            "exporting PyTorch models needs the package 'torch'", mend="pip install 'pimsim[torch]'"
        )
    import torch

    from pimsim.trace.torch.caches import without_caches
    from pimsim.trace.torch.export import Exported
    from pimsim.trace.torch.graph import Builder
    from pimsim.trace.torch.moe import explicit_experts
    from pimsim.trace.torch.naming import finished
    from pimsim.trace.torch.ops import HANDLERS

    name = model or type(module).__name__
    with explicit_experts(module), without_caches(module):
        exported = Exported(module, inputs, dynamic or {}, name)
    builder = Builder(exported, HANDLERS, caches)
    outputs = builder.run()
    if builder.unknown:
        exported.take_apart()
        builder = Builder(exported, HANDLERS, caches)
        outputs = builder.run()
    notes = list(notes)
    notes += pass_unknown(builder.unknown, builder.with_weights, allow_unknown, name)
    if builder.unknown and not outputs:
        raise TraceError("no output is made of ops that a trace knows", where=name)
    numbers = builder.numbers
    ops, outputs = canonical(
        list(builder.ops.values()), outputs, lambda operand: numbers.get(operand.name or "")
    )
    ops, outputs = fold_scales(ops, outputs)
    ops = mark(drop_unread(ops, outputs), builder.masked)
    ops, outputs = finished(ops, outputs, builder.ops, builder.scopes)
    ops = only_shared(ops)
    header: dict[str, Any] = {
        "source": {
            **(source or {"class": type(module).__name__}),
            "torch": torch.__version__.partition("+")[0],
        },
        "command": command,
        "symbols": {symbol: None for axes in (dynamic or {}).values() for symbol in axes.values()},
        "notes": notes,
    }
    if row_symbols(ops):
        first = next(op for op in ops if op.type == "Dispatch").attributes
        header["routing"] = {"experts": first["experts"], "top": first["top"], **(routing or {})}
    return Trace.from_ops(name, ops, outputs, header)
