"""ATen's layers that a trace has no op for, and ops that move what indices say: MACs by formula, shapes of torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the exporter reads PyTorch's models")
from torch import nn  # noqa: E402

from pimsim.trace import Trace  # noqa: E402
from pimsim.trace.torch.load import from_torch  # noqa: E402

pytestmark = pytest.mark.torch


class Of(nn.Module):
    """A model of a function and some modules."""

    def __init__(self, function: Callable[..., Any], **modules: Any) -> None:
        super().__init__()
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, *inputs: Any) -> Any:
        return self.function(self, *inputs)


def export(function: Callable[..., Any], *shapes: tuple[int, ...], **modules: Any) -> Trace:
    return from_torch(Of(function, **modules), tuple(map(torch.zeros, shapes)))


def types(trace: Trace) -> list[str]:
    return [op.type for op in trace.ops if op.type != "Input"]


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_recurrent_layers(kind: str, gates: int, both: bool) -> None:
    """Two layers, 256 features or 512 of both ways; 100 steps read each matrix once."""
    layer = getattr(nn, kind)(32, 48, num_layers=2, bidirectional=both, batch_first=True)
    trace = export(lambda m, x: m.layer(x)[0], (3, 20, 32), layer=layer)
    ways = 2 if both else 1
    weights = ways * gates * 48 * (32 + 48) + ways * gates * 48 * (48 * ways + 48)
    assert (trace.macs, trace.weights) == (3 * 20 * weights, weights)
    assert trace.by_name[trace.outputs[0]].output.shape == (3, 20, 48 * ways)


@pytest.mark.parametrize(
    ("layer", "shape", "pixels"),
    [
        (nn.ConvTranspose2d(8, 6, 3, stride=2, padding=1, output_padding=1), (1, 8, 5, 7), 35),
        (nn.ConvTranspose2d(8, 6, 2, stride=2, groups=2), (1, 8, 4, 4), 16),
        (nn.ConvTranspose1d(8, 6, 4, stride=2), (1, 8, 9), 9),
        (nn.ConvTranspose3d(8, 6, 2), (1, 8, 2, 3, 4), 24),
    ],
)
def test_transposed_convolutions(layer: Any, shape: tuple[int, ...], pixels: int) -> None:
    trace = export(lambda m, x: m.layer(x), shape, layer=layer)
    assert (trace.macs, trace.weights) == (pixels * layer.weight.numel(), layer.weight.numel())
    expected = layer(torch.zeros(shape)).shape
    assert trace.by_name[trace.outputs[0]].output.shape == tuple(expected)


@pytest.mark.parametrize(
    ("function", "shape", "expected"),
    [
        (
            lambda x: x[torch.arange(2)[:, None], :, torch.arange(3)[None]],
            (2, 5, 4),
            ["Transpose", "GatherND"],
        ),
        (lambda x: x.gather(1, torch.zeros(2, 3, dtype=torch.long)), (2, 5), ["GatherElements"]),
        (lambda x: x.cumsum(1).ne(0), (2, 5), ["CumSum", "Equal", "Not"]),
        (lambda x: x.flip(1), (2, 5), ["Slice"]),
        (lambda x: x.roll(2, 1), (2, 5), ["Split", "Concat"]),
        (lambda x: x.repeat(2, 2), (3, 4), ["Tile"]),
        (lambda x: x.max(1)[0] + x.argmax(1), (2, 5), ["ReduceMax", "ArgMax", "Add"]),
        (lambda x: x.log1p().norm(dim=1), (2, 5), ["Add", "Log", "ReduceL2"]),
        (lambda x: x.unfold(1, 3, 2), (2, 7), ["Gather"]),
        (lambda x: x.clamp(max=float("inf")), (2, 7), ["Clip"]),
        (lambda x: x.sort()[0], (2, 7), ["TopK"]),
        (lambda x: nn.functional.group_norm(x, 2), (1, 4, 3, 3), ["GroupNormalization"]),
        (lambda x: nn.functional.pixel_shuffle(x, 2), (1, 8, 3, 3), ["DepthToSpace"]),
        (lambda x: nn.functional.adaptive_avg_pool2d(x, 3), (1, 4, 5, 5), ["AveragePool"]),
        (lambda x: nn.functional.avg_pool2d(x, 8, ceil_mode=True), (1, 4, 3, 3), ["AveragePool"]),
        (lambda x: x.log_softmax(1), (2, 5), ["LogSoftmax"]),
        (lambda x: nn.functional.softplus(x), (2, 5), ["Softplus"]),
    ],
)
def test_ops(function: Any, shape: tuple[int, ...], expected: list[str]) -> None:
    trace = export(lambda m, x: function(x), shape)
    assert types(trace) == expected
    made = trace.by_name[trace.outputs[0]].output.shape
    assert made == tuple(function(torch.zeros(shape)).shape)


def test_part_of_a_value_that_is_another() -> None:
    def run(m: Any, x: Any) -> Any:
        y = x.exp()
        y[:, 1:3] = x[:, :2] * 2
        return y

    trace = export(run, (2, 5))
    assert types(trace) == ["Exp", "Slice", "Mul", "Slice", "Slice", "Concat"]
    assert trace.by_name[trace.outputs[0]].output.shape == (2, 5)


def test_no_cache_is_handed_out_that_nobody_asked_for() -> None:
    transformers = pytest.importorskip("transformers", reason="the model comes from the package transformers")
    config = transformers.LlamaConfig(
        vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    model = transformers.LlamaForCausalLM(config)
    ids = {"input_ids": torch.zeros(1, 6, dtype=torch.long)}
    ids["attention_mask"] = torch.ones_like(ids["input_ids"])
    trace = from_torch(model, ids)
    assert len(trace.outputs) == 1
    assert config.use_cache, "the model is left as it was"


@pytest.mark.parametrize(
    ("equation", "shape", "weight", "macs"),
    [
        ("ibh,hnd->ibnd", (3, 2, 8), (8, 4, 5), 3 * 2 * 8 * 4 * 5),
        ("...i,ij", (2, 3, 4), (4, 5), 2 * 3 * 4 * 5),
        ("bhqd,khd->bhqk", (2, 4, 5, 8), (6, 4, 8), 2 * 4 * 5 * 6 * 8),
        ("ij->j", (3, 4), None, 0),
    ],
)
def test_sums_by_einstein(
    equation: str, shape: tuple[int, ...], weight: tuple[int, ...] | None, macs: int
) -> None:
    """As many MACs as there are values of all letters together; the shape is torch's."""
    modules = {} if weight is None else {"w": nn.Parameter(torch.zeros(weight))}

    def run(m: Any, x: Any) -> Any:
        return torch.einsum(equation, x, *([m.w] if modules else []))

    trace = export(run, shape, **modules)
    assert trace.macs == macs
    expected = run(Of(run, **modules), torch.zeros(shape)).shape
    assert trace.by_name[trace.outputs[0]].output.shape == tuple(expected)


def test_sums_by_einstein_of_any_size() -> None:
    model = Of(lambda m, x: torch.einsum("bsh,hnd->bsnd", x, m.w), w=nn.Parameter(torch.zeros(8, 4, 5)))
    trace = from_torch(model, (torch.zeros(1, 1, 8),), dynamic={"inputs[0]": {0: "batch", 1: "seq"}})
    assert trace.bind(batch=3, seq=7).macs == 3 * 7 * 8 * 4 * 5
