"""Architectures of `transformers`, tiny, as they come: each exports, and its weights are parameters of the model."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the exporter reads PyTorch's models")
pytest.importorskip("transformers", reason="the models come from the package transformers")

from pimsim.trace.torch.load import from_torch  # noqa: E402

from .tiny_transformers import ALL, built  # noqa: E402

pytestmark = pytest.mark.torch
# Matrices of transforms; parts of stacked experts; what is computed of tables of positions before the model runs.
COMPUTED = ("FNetModel", "MixtralForCausalLM", "DebertaModel", "XLNetModel")


@pytest.mark.parametrize("name", ALL)
def test_exports(name: str) -> None:
    """No weight of the trace has another size than a parameter of the model."""
    model, inputs = built(name)
    trace = from_torch(
        model, inputs, model=name
    ).bind()  # which draws the tokens of experts, where there are any
    assert not trace.unknown
    assert trace.macs > 0
    parameters: set[Any] = {parameter.numel() for parameter in model.parameters()}
    if name not in COMPUTED:
        assert all(op.weight.tensor.elements in parameters for op in trace.ops if op.weight)
