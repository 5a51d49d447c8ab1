"""Causal masks in PyTorch models: however they are written, the product of queries and keys is marked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .test_torch_export import Of, from_torch

torch = pytest.importorskip("torch", reason="exporting needs the package torch")
pytestmark = pytest.mark.torch
F = torch.nn.functional
LEAST = torch.finfo(torch.float32).min


def softmax_of(scores: Any, v: Any) -> Any:
    return torch.softmax(scores, dim=-1) @ v


def whole(m: Any, q: Any, k: Any, v: Any) -> Any:
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def given(m: Any, q: Any, k: Any, v: Any) -> Any:
    keep = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril()
    return F.scaled_dot_product_attention(q, k, v, attn_mask=keep)


def filled(m: Any, q: Any, k: Any, v: Any) -> Any:
    scores = q @ k.transpose(-1, -2)
    hide = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).triu(1)
    return softmax_of(scores.masked_fill(hide, float("-inf")), v)


def compared(m: Any, q: Any, k: Any, v: Any) -> Any:
    """By positions, as transformers does it."""
    here = torch.arange(q.shape[-2])[:, None] >= torch.arange(k.shape[-2])[None, :]
    return softmax_of(torch.where(here, q @ k.transpose(-1, -2), LEAST), v)


def added(m: Any, q: Any, k: Any, v: Any) -> Any:
    later = torch.full((q.shape[-2], k.shape[-2]), LEAST).triu(1)
    return softmax_of((q @ k.transpose(-1, -2)) / 2.0 + later[None, None], v)


@pytest.mark.parametrize("function", [whole, given, filled, compared, added], ids=lambda f: f.__name__)
@pytest.mark.parametrize("symbolic", [False, True])
def test_is_marked(function: Callable[..., Any], symbolic: bool) -> None:
    dynamic = {f"inputs[{n}]": {2: "seq"} for n in range(3)} if symbolic else {}
    trace = from_torch(Of(function), tuple(torch.zeros(1, 2, 7, 4) for _ in range(3)), dynamic=dynamic)
    products = [dict(op.attributes) for op in trace.ops if op.type == "MatMul"]
    assert products == [{"causal": 1}, {}]


def both_ways(m: Any, q: Any, k: Any, v: Any) -> Any:
    return F.scaled_dot_product_attention(q, k, v)


def biased(m: Any, q: Any, k: Any, v: Any) -> Any:
    far = torch.arange(q.shape[-2])[:, None] - torch.arange(k.shape[-2])[None, :]
    return softmax_of(q @ k.transpose(-1, -2) - far.abs() * 0.5, v)


def before(m: Any, q: Any, k: Any, v: Any) -> Any:
    """Each row sees what comes after it, and nothing before."""
    hide = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril(-1)
    return softmax_of((q @ k.transpose(-1, -2)).masked_fill(hide, LEAST), v)


@pytest.mark.parametrize("function", [both_ways, biased, before], ids=lambda f: f.__name__)
def test_other_masks_are_not(function: Callable[..., Any]) -> None:
    trace = from_torch(Of(function), tuple(torch.zeros(1, 2, 7, 4) for _ in range(3)))
    assert not any(op.attributes.get("causal") for op in trace.ops)


def test_with_a_mask_of_padding_among_the_inputs() -> None:
    def padded(m: Any, q: Any, k: Any, v: Any, kept: Any) -> Any:
        here = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril()
        return softmax_of((q @ k.transpose(-1, -2)).masked_fill(~(here & (kept > 0)), LEAST), v)

    inputs = (*(torch.zeros(1, 2, 7, 4) for _ in range(3)), torch.zeros(1, 1, 1, 7))
    trace = from_torch(Of(padded), inputs, allow_unknown=True)
    assert [op.attributes.get("causal") for op in trace.ops if op.type == "MatMul"] == [1, None]
