"""Statistics of PyTorch models: modules matched with ops by their names, and factories that go wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pimsim.errors import TraceError
from pimsim.trace import Op, Operand, Tensor, Trace
from pimsim.trace.observed import Statistics
from pimsim.trace.statistics.attach import How

torch = pytest.importorskip("torch")
nn = torch.nn
pytestmark = pytest.mark.torch

from pimsim.trace.statistics.torch import real_model, with_torch_statistics  # noqa: E402 - needs torch

FACTORIES = """
import torch
from torch import nn

def good():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True)), torch.randn(8, 4)

def fails():
    raise KeyError("no weights here")

def wrong():
    return nn.Linear(2, 2)

def meta():
    return nn.Linear(2, 2, device="meta"), torch.zeros(1, 2)

def picky():
    return nn.Sequential(nn.Linear(4, 4)), torch.randn(8, 5)
"""


class Block(nn.Module):  # type: ignore[misc,name-defined]
    """A Linear under a name with a dot, an activation that works in place, a normalization."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.ModuleDict({"dense": nn.Linear(4, 4), "act": nn.ReLU(inplace=True)})
        self.norm = nn.LayerNorm(4)
        self.drop = nn.Dropout(0.9)

    def forward(self, x: Any) -> Any:
        return self.norm(self.drop(self.layer["act"](self.layer["dense"](x))))


def trace(*, transposed: int = 0, slashes: bool = True, rows: int | str = 1) -> Trace:
    """The block as an exporter of ONNX calls its ops: a product and a sum, or as one Gemm with the module's name."""
    form = Tensor((rows, 4))  # type: ignore[arg-type]
    four = Operand("constant", Tensor((4,)))
    weight = Operand("weight", Tensor((4, 4)))
    ops = [Op("x", "Input", (), (form,))]

    def add(name: str, type_: str, *more: Operand, **attributes: Any) -> None:
        ops.append(Op(name, type_, (Operand("activation", form, ops[-1].name), *more), (form,), attributes))

    if slashes:
        add("/layer.dense/MatMul", "MatMul", weight)
        add("/layer.dense/Add", "Add", four)
    else:
        add("layer.dense", "Gemm", weight, four, alpha=1.0, beta=1.0, transA=0, transB=transposed)
    add("/layer.act/Relu", "Relu")
    add("/norm/LayerNormalization", "LayerNormalization", four, four, axis=1, epsilon=1e-5)
    symbols = {"symbols": {"rows": None}} if rows == "rows" else {}
    return Trace.from_ops("block", ops, header={"weights": "trained", **symbols})


@pytest.fixture
def block() -> Any:
    torch.manual_seed(3)
    return Block()


def of(values: Any, origin: str = "data") -> Statistics:
    return Statistics.of(values.detach().numpy(), origin=origin)


X = torch.randn(64, 4, generator=torch.Generator().manual_seed(1))


def test_modules_are_found_under_an_exporters_names(block: Any) -> None:
    found, unmatched = with_torch_statistics(trace(), block, X, How(), "data", "weights")
    with torch.inference_mode():
        dense = torch.nn.functional.linear(X, block.layer["dense"].weight, block.layer["dense"].bias)
    assert unmatched == []
    stats = {op.name: op.output.stats for op in found.ops}
    assert stats["x"] == of(X)
    assert stats["/layer.dense/MatMul"] is None  # without the bias: no module's
    assert stats["/layer.dense/Add"] == of(dense)  # and not what the activation has made of it in place
    assert stats["/layer.act/Relu"] == of(dense.relu())
    assert stats["/norm/LayerNormalization"] == of(block.norm(dense.relu()))
    weight = found.by_name["/layer.dense/MatMul"].inputs[1].tensor.stats
    assert weight == of(block.layer["dense"].weight, "weights")


@pytest.mark.parametrize("transposed", [0, 1])
def test_weights_are_as_the_op_has_them(block: Any, transposed: int) -> None:
    given = trace(transposed=transposed, slashes=False)
    found, _ = with_torch_statistics(given, block, X, How(rows=4), "data", "weights")
    weight = found.by_name["layer.dense"].inputs[1].tensor.stats
    expected = Statistics.of(block.layer["dense"].weight.detach().numpy(), origin="weights", rows=4)
    assert weight == expected  # slices take the inputs of an output either way


@pytest.mark.parametrize("inputs", [X, (X,), [X], {"x": X}], ids=["tensor", "tuple", "list", "dict"])
def test_symbols_and_kinds_of_inputs(block: Any, inputs: object) -> None:
    found, _ = with_torch_statistics(trace(rows="rows"), block, inputs, How(), "data", "w")
    assert found.by_name["x"].output.stats == of(X)


def test_a_folded_normalization_is_in_the_weight_and_in_the_output() -> None:
    """It has no op of its own; a second one does, for a sum is between it and its convolution."""
    torch.manual_seed(2)

    class Net(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
            self.relu, self.last = nn.ReLU(inplace=True), nn.BatchNorm2d(4)

        def forward(self, x: Any) -> Any:
            y = self.relu(self.bn(self.conv(x)))
            return self.last(y + y.mean())

    net = Net()
    for module in (net.bn, net.last):
        for values in (module.weight.data, module.bias.data, module.running_mean):
            values.normal_()
        module.running_var.uniform_(0.5, 2)
    images = torch.randn(5, 3, 6, 6)
    from pimsim.trace.torch.load import from_torch

    net.eval()
    exported = from_torch(net, images)
    exported = Trace.from_ops("net", exported.ops, exported.outputs, {"weights": "trained"})
    found, unmatched = with_torch_statistics(exported, net, images, How(), "data", "weights")
    assert unmatched == []
    with torch.inference_mode():
        expected = net.bn(net.conv(images)).movedim(1, -1)
        fused = nn.utils.fusion.fuse_conv_bn_eval(net.conv, net.bn)
        whole = net(images).movedim(1, -1)
    (conv,) = (op for op in found.ops if op.type == "Conv")
    assert conv.output.stats == of(expected.contiguous())
    stats = conv.inputs[1].tensor.stats
    assert stats is not None
    assert stats.histogram == of(fused.weight, "weights").histogram
    (last,) = (op for op in found.ops if op.type == "BatchNormalization")
    assert last.output.stats == of(whole.contiguous())


def test_what_matches_no_module_is_said(block: Any) -> None:
    form = Tensor((1, 4))
    ops = [*trace().ops]
    last = Operand("activation", form, ops[-1].name)
    ops.append(Op("head", "MatMul", (last, Operand("weight", Tensor((4, 4)))), (form,)))
    given = Trace.from_ops("block", ops, header={"weights": "trained"})
    assert with_torch_statistics(given, block, X, How(), "data", "weights")[1] == ["head"]
    with pytest.raises(TraceError, match=r"block: no op is called as a module of the model \(0, …\)"):
        with_torch_statistics(given, nn.Sequential(nn.Linear(4, 4)), X, How(), "data", "weights")


def test_untrained_weights_are_refused(block: Any) -> None:
    random = Trace.from_ops("block", trace().ops, header={"weights": "random"})
    with pytest.raises(TraceError, match="the weights are random"):
        with_torch_statistics(random, block, X, How(), "data", "weights")


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some_factories.py").write_text(FACTORIES)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("some_factories", None)


@pytest.mark.usefixtures("factories")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("some_factories", "say torch:package.module:factory"),
        ("some_factories:nothing", "the module 'some_factories' has no 'nothing'"),
        ("no_such_package.at_all:f", "there is no module 'no_such_package.at_all'"),
        (
            "some_factories:fails",
            r"the factory raised KeyError: 'no weights here' \(.*some_factories.py:10\)",
        ),
        ("some_factories:wrong", "the factory returned a Linear, expected a pair: the model and its inputs"),
        ("some_factories:meta", "on the meta device: its weights have no values"),
    ],
)
def test_factories_that_go_wrong(text: str, message: str) -> None:
    with pytest.raises(TraceError, match=message):
        real_model(f"torch:{text}")


@pytest.mark.usefixtures("factories")
def test_a_model_that_fails() -> None:
    model, inputs, _ = real_model("torch:some_factories:picky")
    form = Tensor((1, 4))
    weight = Operand("weight", Tensor((4, 4)))
    ops = [
        Op("x", "Input", (), (form,)),
        Op("0", "MatMul", (Operand("activation", form, "x"), weight), (form,)),
    ]
    given = Trace.from_ops("m", ops, header={"weights": "trained"})
    with pytest.raises(TraceError, match="Sequential: the model raised RuntimeError"):
        with_torch_statistics(given, model, inputs, How(), "data", "weights")
    assert not model[0]._forward_hooks
    assert np.isfinite(inputs.numpy()).all()
