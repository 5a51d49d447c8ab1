"""Architectures of `transformers`, tiny, as they come: each exports, and counts what its weights multiply."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the exporter reads PyTorch's models")
pytest.importorskip("transformers", reason="the models come from the package transformers")

from pimsim.trace.torch.load import from_torch  # noqa: E402

from .tiny_transformers import ALL, built  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("name", ALL)
def test_exports(name: str) -> None:
    """No weight of the trace has another form than a parameter of the model, or a part or a turn of one."""
    model, inputs = built(name)
    trace = from_torch(model, inputs, model=name)
    assert not trace.unknown
    if trace.symbols:
        trace = trace.bind()
    assert trace.macs > 0
    parameters: set[Any] = {parameter.numel() for parameter in model.parameters()}
    if name not in (
        "FNetModel",
        "MixtralForCausalLM",
    ):  # matrices of transforms; the parts of stacked experts
        assert all(op.weight.tensor.elements in parameters for op in trace.ops if op.weight), name
