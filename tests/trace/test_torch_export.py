"""PyTorch models as traces: what becomes of their ops, and what is refused."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pimsim.errors import TraceError
from pimsim.trace import Op, Trace, from_torch

from .test_architectures import products, published

torch = pytest.importorskip("torch", reason="exporting needs the package torch")
nn = torch.nn
pytestmark = pytest.mark.torch


def types(trace: Trace) -> list[str]:
    return [op.type for op in trace.ops if op.type != "Input"]


class Of(nn.Module):
    """A model of a function and some modules."""

    def __init__(self, function: Callable[..., Any], **modules: Any) -> None:
        super().__init__()
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, *inputs: Any) -> Any:
        return self.function(self, *inputs)


def export(
    function: Callable[..., Any], *shapes: tuple[int, ...], modules: Any = None, **options: Any
) -> Trace:
    return from_torch(Of(function, **(modules or {})), tuple(map(torch.zeros, shapes)), **options)


def vgg16() -> Any:
    layers: list[Any] = []
    channels = 3
    for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()] if width else [nn.MaxPool2d(2)]
        channels = width or channels
    sizes = (512 * 7 * 7, 4096, 4096, 1000)
    dense = [
        layer for k, n in itertools.pairwise(sizes) for layer in (nn.Linear(k, n), nn.ReLU(), nn.Dropout())
    ]
    return nn.Sequential(*layers, nn.Flatten(), *dense[:-2])


def test_vgg16_layer_by_layer() -> None:
    """Reference: tests/published/layer_macs.csv."""
    with torch.device("meta"):
        trace = from_torch(vgg16(), torch.zeros(1, 3, 224, 224), model="vgg16")
    assert products(trace) == published("vgg16")
    assert Counter(types(trace)) == {"Conv": 13, "Relu": 15, "MaxPool": 5, "Reshape": 1, "Gemm": 3}
    assert trace.header["weights"] == "absent"
    gemm = trace.by_name[trace.outputs[0]]
    assert [operand.role for operand in gemm.inputs] == ["activation", "weight", "constant"]
    assert gemm.inputs[1].tensor.shape == (1000, 4096)


def only_product(trace: Trace) -> Any:
    (op,) = [op for op in trace.ops if op.macs]
    return op


def test_a_weight_is_one_through_views_and_transpositions() -> None:
    """Whatever rearranges a parameter is done before the model runs."""

    def run(m: Any, x: Any) -> Any:
        return x @ m.fc.weight.t().reshape(2, 8, 4).transpose(1, 2).contiguous().float()

    trace = export(run, (2, 5, 4), modules={"fc": nn.Linear(4, 16)})  # a stack of two is a product each
    assert [op.weight.tensor.shape for op in trace.ops if op.weight] == [(4, 8)] * 2
    assert (trace.macs, trace.weights) == (2 * 5 * 4 * 8, 4 * 16)


def test_a_weight_on_the_left_multiplies_the_turned_operand_from_the_right() -> None:
    left = {"w": nn.Parameter(torch.zeros(5, 3))}
    trace = export(lambda m, x: m.w.t() @ x, (5, 4), modules=left)
    assert types(trace) == ["Transpose", "MatMul", "Transpose"]
    op = only_product(trace)
    assert op.inputs[1].role == "weight"
    assert op.inputs[1].tensor.shape == (5, 3)
    assert trace.by_name[trace.outputs[0]].output.shape == (3, 4)


def test_einsum_is_a_product() -> None:
    op = only_product(export(lambda m, x: torch.einsum("bij,bkj->bik", x, x + 1), (2, 5, 4)))
    assert op.macs == 2 * 5 * 5 * 4
    assert op.weight is None


def test_two_activations_have_no_weight() -> None:
    op = only_product(export(lambda m, x: x @ (x + 1).transpose(1, 2), (2, 5, 4)))
    assert op.weight is None
    assert [operand.source for operand in op.inputs] == ["inputs[0]", "Transpose"]


def test_what_depends_on_no_input_is_a_constant() -> None:
    def run(m: Any, x: Any) -> Any:
        table = torch.outer(torch.arange(x.shape[1]), torch.ones(4)).cos()
        return x * table + m.bias.exp().where(m.bias > 0, torch.zeros_like(m.bias))

    trace = export(run, (2, 5, 4), modules={"bias": nn.Parameter(torch.zeros(4))})
    assert types(trace) == ["Mul", "Add"]
    assert trace.ops[1].inputs[1].tensor.shape == (5, 4)


@pytest.mark.parametrize(
    ("function", "shape", "expected"),
    [
        (lambda m, x: x.view(2, 20).view(2, 5, 4).relu(), (2, 5, 4), ["Relu"]),
        (lambda m, x: x[:, :, None].squeeze(2).double().float().contiguous().relu(), (2, 5, 4), ["Relu"]),
        (lambda m, x: x.transpose(1, 2).transpose(1, 2).relu(), (2, 5, 4), ["Relu"]),
        (lambda m, x: x.permute(2, 0, 1).permute(2, 0, 1).relu(), (2, 5, 4), ["Transpose", "Relu"]),
        (lambda m, x: x.reshape(2, 20).relu(), (2, 5, 4), ["Reshape", "Relu"]),
        (lambda m, x: x[:, 1:, ::2].relu(), (2, 5, 4), ["Slice", "Slice", "Relu"]),
        (lambda m, x: x[:, -1].relu(), (2, 5, 4), ["Slice", "Reshape", "Relu"]),
        (lambda m, x: torch.cat(x.chunk(2, 2)[::-1], 2), (2, 5, 4), ["Split", "Concat"]),
        (lambda m, x: torch.stack([x, x + 1], 1), (2, 5), ["Add", "Reshape", "Reshape", "Concat"]),
        (lambda m, x: nn.functional.gelu(x) + nn.functional.silu(x), (2, 5), ["Gelu", "Swish", "Add"]),
        (lambda m, x: nn.functional.pad(x, (1, 2)), (2, 5), ["Pad"]),
        (lambda m, x: x.rsqrt().neg().clamp(0, 1), (2, 5), ["Sqrt", "Reciprocal", "Neg", "Clip"]),
        (lambda m, x: x.softmax(-1).topk(2)[0].sum(-1), (2, 5), ["Softmax", "TopK", "ReduceSum"]),
        (lambda m, x: torch.where(x > 0, x, 0), (2, 5), ["Greater", "Where"]),
        (lambda m, x: x.masked_fill(x == 0, 1.0), (2, 5), ["Equal", "Where"]),
        (lambda m, x: torch.sub(x, x.exp(), alpha=2), (2, 5), ["Exp", "Mul", "Sub"]),
        (lambda m, x: nn.functional.adaptive_avg_pool2d(x, 1), (1, 3, 8, 8), ["GlobalAveragePool"]),
        (lambda m, x: nn.functional.adaptive_avg_pool2d(x, 4), (1, 3, 8, 8), ["AveragePool"]),
        (lambda m, x: nn.functional.avg_pool2d(x, 2), (1, 3, 8, 8), ["AveragePool"]),
        (lambda m, x: x.mean((2, 3)), (1, 3, 8, 8), ["ReduceMean"]),
        (lambda m, x: nn.functional.interpolate(x, scale_factor=2), (1, 3, 8, 8), ["Resize"]),
        (lambda m, x: nn.functional.layer_norm(x, (4,)), (2, 5, 4), ["LayerNormalization"]),
        (lambda m, x: nn.functional.rms_norm(x, (4,)), (2, 5, 4), ["RMSNormalization"]),
    ],
)
def test_ops(function: Any, shape: tuple[int, ...], expected: list[str]) -> None:
    assert types(export(function, shape)) == expected


def test_what_is_changed_in_place_is_read_changed() -> None:
    def plain(m: Any, x: Any) -> Any:
        y = x + 1
        y.mul_(x).relu_()
        return y * 2

    assert types(export(plain, (2, 5))) == ["Add", "Mul", "Relu", "Mul"]

    def through_a_view(m: Any, x: Any) -> Any:
        y = x + 1
        y.view(10).relu_()
        return y * 2

    trace = export(through_a_view, (2, 5))
    relu = next(op for op in trace.ops if op.type == "Relu")
    assert relu.name in {name for name in _upstream(trace, trace.outputs[0])}


def _upstream(trace: Trace, name: str) -> set[str]:
    found = {name}
    for source in trace.by_name[name].deps:
        found |= _upstream(trace, source)
    return found


def test_patterns_are_one_op() -> None:
    def gelu(m: Any, x: Any) -> Any:
        return 0.5 * x * (1.0 + torch.tanh(0.7978845608 * (x + 0.044715 * torch.pow(x, 3.0))))

    def rms(m: Any, x: Any) -> Any:
        return m.scale * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))

    assert types(export(gelu, (2, 5))) == ["Gelu"]
    trace = export(rms, (2, 5), modules={"scale": nn.Parameter(torch.ones(5))})
    assert types(trace) == ["RMSNormalization"]
    assert trace.by_name[trace.outputs[0]].attributes == {"axis": 1, "epsilon": 1e-6}
    near = export(lambda m, x: 0.4 * x * (1.0 + torch.tanh(0.7978845608 * (x + 0.044715 * x**3))), (2, 5))
    assert "Tanh" in types(near)


def test_normalization_and_zero_padding_go_into_the_convolution() -> None:
    layers = {"conv": nn.Conv2d(3, 8, 3, stride=2, bias=False), "norm": nn.BatchNorm2d(8)}
    trace = export(
        lambda m, x: m.norm(m.conv(nn.functional.pad(x, (0, 1, 0, 1)))), (1, 3, 8, 8), modules=layers
    )
    assert types(trace) == ["Conv"]
    conv = trace.by_name["conv"]
    assert conv.attributes["pads"] == (0, 0, 1, 1)
    assert len(conv.inputs) == 3


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_taken_apart(causal: bool) -> None:
    def run(m: Any, q: Any, k: Any, v: Any) -> Any:
        attend = nn.functional.scaled_dot_product_attention
        return attend(q, k, v, is_causal=causal, enable_gqa=True)

    trace = export(run, (2, 8, 5, 16), (2, 2, 7, 16), (2, 2, 7, 16))
    products = [op for op in trace.ops if op.type == "MatMul"]
    assert [op.macs for op in products] == [2 * 8 * 5 * 7 * 16] * 2
    assert all(op.weight is None for op in products)
    assert Counter(types(trace))["Add"] == causal
    assert Counter(types(trace))["Softmax"] == 1
    assert trace.by_name[trace.outputs[0]].output.shape == (2, 8, 5, 16)


def test_rows_that_were_a_stack_stay_one() -> None:
    """GPT-2 flattens tokens around its products; a trace does not."""

    def run(m: Any, x: Any) -> Any:
        flat = torch.addmm(m.bias, x.view(-1, 4), m.weight)
        return flat.view(*x.shape[:-1], 6)

    parameters = {"weight": nn.Parameter(torch.zeros(4, 6)), "bias": nn.Parameter(torch.zeros(6))}
    trace = export(run, (2, 5, 4), modules=parameters)
    assert types(trace) == ["MatMul", "Add"]
    assert trace.ops[1].output.shape == (2, 5, 6)


class Head(nn.Module):
    """Attention with a cache, written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(8, 8) for _ in range(3))

    def forward(self, x: Any, past: Any) -> Any:
        keys, values = torch.cat([past[0], self.k(x)], 1), torch.cat([past[1], self.v(x)], 1)
        return (self.q(x) @ keys.transpose(1, 2)).softmax(-1) @ values


def head(seq: int = 3, kv: int = 4, **options: Any) -> Trace:
    inputs = torch.zeros(1, seq, 8), (torch.zeros(1, kv, 8), torch.zeros(1, kv, 8))
    return from_torch(Head(), inputs, caches=["past"], **options)


SYMBOLS = {"x": {0: "batch", 1: "seq"}, "past": {0: "batch", 1: "kv"}}


@pytest.mark.parametrize(("seq", "kv"), [(1, 1), (1, 7), (5, 2), (4, 4), (6, 10)])
def test_a_symbolic_trace_is_that_of_every_length(seq: int, kv: int) -> None:
    bound = head(dynamic=SYMBOLS, model="head").bind(batch=1, seq=seq, kv=kv)
    exported = head(seq, kv, model="head")
    assert bound.ops == exported.ops
    assert bound.outputs == exported.outputs
    assert [op.attributes for op in bound.ops] == [op.attributes for op in exported.ops]


def _renamed(trace: Trace, names: dict[str, str]) -> list[Op]:
    return [
        replace(
            op,
            name=names[op.name],
            inputs=tuple(replace(each, source=names.get(each.source or "")) for each in op.inputs),
        )
        for op in trace.ops
    ]


def test_gpt2_s_decode_step_is_that_exported_at_its_length() -> None:
    transformers = pytest.importorskip("transformers", reason="GPT-2 comes from the package transformers")
    from pimsim.trace.torch.architectures import _with_cache

    with torch.device("meta"):
        config = transformers.GPT2Config(attn_implementation="eager")
        model = _with_cache(transformers.GPT2LMHeadModel(config))
        past = [tuple(torch.zeros(1, 12, 511, 64) for _ in range(2)) for _ in range(12)]
        inputs = torch.zeros(1, 1, dtype=torch.long), past
    exported = from_torch(model, inputs, caches=["past"], model="gpt2")
    bound = Trace.load("gpt2").bind(batch=1, seq=1, kv=511)
    names = {op.name: f"op{number}" for number, op in enumerate(bound.ops)}  # a view's is that of what it was
    others = {op.name: f"op{number}" for number, op in enumerate(exported.ops)}
    assert [names[name] for name in bound.outputs] == [others[name] for name in exported.outputs]
    for ours, theirs in zip(_renamed(bound, names), _renamed(exported, others), strict=True):
        # That a product is causal says nothing of one row, and cannot be seen in one.
        plain = {name: value for name, value in ours.attributes.items() if name != "causal"}
        assert replace(ours, attributes=plain) == theirs
        assert plain == theirs.attributes


def test_experts_of_other_models() -> None:
    """The experts of Qwen2-MoE, beside one that every token goes to."""
    transformers = pytest.importorskip("transformers", reason="the model comes from the package transformers")
    config = transformers.Qwen2MoeConfig(
        **{"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2},
        **{"vocab_size": 50, "intermediate_size": 48, "moe_intermediate_size": 24, "num_experts": 6},
        **{"num_experts_per_tok": 3, "shared_expert_intermediate_size": 40, "attn_implementation": "eager"},
    )
    with torch.device("meta"):
        model = transformers.Qwen2MoeForCausalLM(config)
    trace = from_torch(
        Of(lambda m, x: m.model(x, use_cache=False).logits, model=model),
        (torch.zeros(1, 4, dtype=torch.long),),
        dynamic={"inputs[0]": {0: "batch", 1: "seq"}},
        routing={"distribution": "zipf", "seed": 3},
    )
    assert trace.header["routing"] == {
        **{"experts": 6, "top": 3, "distribution": "zipf"},
        **{"exponent": 1.0, "seed": 3},
    }
    bound = trace.bind(batch=1, seq=10)
    experts = sum(op.macs for op in bound.ops if "experts." in op.name)
    assert experts == 2 * 10 * 3 * 3 * 32 * 24
    assert config._experts_implementation != "pimsim"


class Wanders(nn.Module):
    def forward(self, x: Any) -> Any:
        if x.sum() > 0:  # the line that a user is told
            return x
        return -x


class Picks(nn.Module):
    def forward(self, x: Any) -> Any:
        return x[x > 0].relu()


class Fails(nn.Module):
    def forward(self, x: Any) -> Any:
        return x @ torch.zeros(3, 3)


def test_control_flow_that_depends_on_data_is_named() -> None:
    here = Path(__file__).read_text().splitlines()
    line = next(number for number, text in enumerate(here, 1) if "the line that a user is told" in text)
    with pytest.raises(TraceError) as caught:
        from_torch(Wanders(), torch.zeros(2, 2))
    assert f"test_torch_export.py:{line}: the model's control flow" in str(caught.value)


def test_a_model_that_does_not_run_is_named_with_its_line() -> None:
    with pytest.raises(TraceError, match=r"Fails: .*test_torch_export\.py:\d+: torch\.export failed: .*"):
        from_torch(Fails(), torch.zeros(2, 2))


def test_sizes_that_depend_on_data_are_refused() -> None:
    with pytest.raises(TraceError, match="Picks"):
        from_torch(Picks(), torch.zeros(2, 2))


def test_unknown_ops_are_all_listed() -> None:
    def run(m: Any, x: Any) -> Any:
        return torch.special.i0(x) + torch.erfinv(x) + torch.erfinv(x * 2) + torch.lgamma(x)

    with pytest.raises(TraceError) as caught:
        export(run, (5, 5))
    assert "erfinv (2), i0 (1), lgamma (1); --allow-unknown" in str(caught.value)
    trace = export(run, (5, 5), allow_unknown=True)
    assert Counter(types(trace))["DataMovement"] == 4
    assert "erfinv (2), i0 (1), lgamma (1)" in trace.header["notes"][0]


@pytest.mark.parametrize(
    ("function", "shape", "name", "mend"),
    [
        (lambda m, x: nn.functional.conv2d(x, x), (4, 4, 5, 5), "(of two activations)", "that compute"),
        (
            lambda m, x: nn.functional.max_pool2d(x, 2, return_indices=True)[1] * 2,
            (1, 4, 6, 6),
            "(output 1)",
            "--allow-unknown",
        ),
    ],
)
def test_what_a_trace_has_no_op_for_is_unknown(
    function: Any, shape: tuple[int, ...], name: str, mend: str
) -> None:
    weight = {"w": nn.Parameter(torch.zeros(4, 2, 3, 3))}
    with pytest.raises(TraceError) as caught:
        export(function, shape, modules=weight)
    assert name in str(caught.value)
    assert mend in str(caught.value)


def test_experts_of_fixed_lengths_are_drawn_when_the_trace_is_bound() -> None:
    transformers = pytest.importorskip("transformers", reason="the model comes from the package transformers")
    config = transformers.MixtralConfig(
        **{"num_hidden_layers": 1, "hidden_size": 16, "num_attention_heads": 2, "num_key_value_heads": 1},
        **{"vocab_size": 50, "intermediate_size": 24, "attn_implementation": "eager"},
    )
    with torch.device("meta"):
        model = transformers.MixtralForCausalLM(config)
    whole = Of(lambda m, x: m.model(x, use_cache=False).logits, model=model)
    trace = from_torch(whole, (torch.zeros(1, 9, dtype=torch.long),))
    assert trace.symbols == ()
    with pytest.raises(TraceError, match=r"trace\.bind\(\) draws the tokens of experts"):
        _ = trace.macs
    bound = trace.bind()
    experts = sum(op.macs for op in bound.ops if "experts." in op.name)
    assert experts == 9 * 2 * 3 * 16 * 24
    assert bound.bind() is bound


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ("x", {}, "found inputs of type str"),
        ((torch.zeros(2, 2),) * 2, {}, "the inputs do not fit the model's forward: too many"),
        ({"y": torch.zeros(2, 2)}, {}, "do not fit the model's forward"),
        (torch.zeros(2, 2), {"dynamic": {"y": {0: "n"}}}, "no argument 'y'.*one of: x"),
        (torch.zeros(2, 2), {"dynamic": {"x": {2: "n"}}}, "axis 2 of 'x', which has 2 dim"),
    ],
)
def test_inputs_that_do_not_fit(inputs: Any, options: Any, message: str) -> None:
    with pytest.raises(TraceError, match=message):
        from_torch(_Named(), inputs, **options)


class _Named(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.relu()


def test_a_size_that_the_model_fixes_is_no_symbol() -> None:
    fixed = Of(lambda m, x: x * int(x.shape[0]))
    with pytest.raises(
        TraceError, match=r"the model fixes 'n' \(inputs\[0\], axis 0\): it works for one size only"
    ):
        from_torch(fixed, (torch.zeros(4, 5),), dynamic={"inputs[0]": {0: "n"}})


def test_strided_windows_keep_their_symbols() -> None:
    """The sizes are those that PyTorch itself computes."""
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.MaxPool2d(3, 2), nn.Conv2d(4, 2, 1), nn.Flatten(2)
    )
    image = torch.zeros(1, 3, 32, 32)
    trace = from_torch(model, (image,), dynamic={"input": {2: "height", 3: "width"}})
    assert trace.symbols == ("height", "width")
    for height, width in itertools.product(range(7, 15), (30, 31, 32, 33)):
        found = trace.bind(height=height, width=width).ops[-1].output.shape
        assert found == model(torch.zeros(1, 3, height, width)).shape


def test_a_size_that_a_trace_cannot_write_is_named() -> None:
    smaller = Of(lambda m, x: x[:, : torch.sym_min(x.shape[1], x.shape[2])])
    with pytest.raises(TraceError, match=r"a size of the model is .*n.*, which a trace cannot write"):
        from_torch(smaller, (torch.zeros(1, 3, 8),), dynamic={"inputs[0]": {1: "n", 2: "m"}})
