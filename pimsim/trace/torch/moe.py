"""Mixtures of experts for torch.export: each expert's matrices by themselves, between a dispatch and a combine.

Libraries hide all experts of a layer in one op (``grouped_mm``) or loop over those that were hit, which depends on
data. While a model is exported, the experts of `transformers` run the function here instead. How many tokens an expert
is given is a size that nobody knows: the exporter makes it a symbol of the trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_NAME = "pimsim"


@cache
def _define() -> Any:
    """Tell torch of the two ops, once; they have shapes and no values."""
    import torch

    library = torch.library.Library("pimsim", "DEF")
    library.define("dispatch(Tensor hidden, Tensor chosen, int layer, int expert, int experts) -> Tensor")
    library.define("combine(Tensor gates, Tensor[] rows, int layer, int experts) -> Tensor")

    def dispatch(hidden: torch.Tensor, chosen: torch.Tensor, layer: int, expert: int, experts: int) -> Any:
        rows = torch.library.get_ctx().new_dynamic_size(min=2)
        return hidden.new_empty((rows, hidden.shape[-1]))

    def combine(gates: torch.Tensor, rows: list[torch.Tensor], layer: int, experts: int) -> Any:
        return rows[0].new_empty((*gates.shape[:-1], rows[0].shape[-1]))

    torch.library.register_fake("pimsim::dispatch", dispatch, lib=library)
    torch.library.register_fake("pimsim::combine", combine, lib=library)
    return library


@contextmanager
def explicit_experts(module: torch.nn.Module) -> Iterator[None]:
    """Make the experts of a model run as ops of their own, as long as the context lasts."""
    found = [
        each for each in module.modules() if hasattr(type(each), "_apply_gate") and hasattr(each, "config")
    ]
    if not found:
        yield
        return
    from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

    _define()
    layers = {id(each): layer for layer, each in enumerate(found)}

    def forward(experts: Any, hidden: Any, chosen: Any, gates: Any) -> Any:
        return _experts(experts, hidden, chosen, gates, layers[id(experts)])

    ALL_EXPERTS_FUNCTIONS.register(_NAME, forward)
    configs = {id(each.config): each.config for each in found}
    before = {key: getattr(config, "_experts_implementation", None) for key, config in configs.items()}
    try:
        for config in configs.values():
            config._experts_implementation = _NAME
        yield
    finally:
        for key, config in configs.items():
            config._experts_implementation = before[key]


def _experts(module: Any, hidden: Any, chosen: Any, gates: Any, layer: int) -> Any:
    """What the experts of a layer do, expert by expert."""
    import torch

    ops = torch.ops.pimsim
    count: int = module.down_proj.shape[0]
    outs = []
    for expert in range(count):
        rows = ops.dispatch(hidden, chosen, layer, expert, count)
        if module.has_gate:
            rows = _gated(module, rows, expert)
        else:
            rows = module.act_fn(_linear(module, "up_proj", rows, expert))
        rows = _linear(module, "down_proj", rows, expert)
        outs.append(module.post_expert_norm(rows) if module.has_post_expert_norm else rows)
    return ops.combine(gates, outs, layer, count)


def _gated(module: Any, rows: Any, expert: int) -> Any:
    from transformers.integrations.moe import _default_apply_gate

    plain = type(module)._apply_gate is _default_apply_gate and module.is_concatenated
    if not plain or module.has_bias or module.is_transposed:
        return module._apply_gate(_linear(module, "gate_up_proj", rows, expert))
    import torch

    gate, up = module.gate_up_proj[expert].chunk(2, dim=0)
    linear = torch.nn.functional.linear
    return module.act_fn(linear(rows, gate)) * linear(rows, up)


def _linear(module: Any, name: str, rows: Any, expert: int) -> Any:
    import torch

    weight = getattr(module, name)[expert]
    bias = getattr(module, f"{name}_bias")[expert] if module.has_bias else None
    return torch.nn.functional.linear(rows, weight.t() if module.is_transposed else weight, bias)
