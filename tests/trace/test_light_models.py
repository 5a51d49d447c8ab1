"""The nine shipped models: counted as others count them, and exported again without a difference."""

from __future__ import annotations

import csv
import shlex
from collections import Counter
from pathlib import Path

import onnx
import pytest

from pimsim.presets import folder, names
from pimsim.trace import Trace
from pimsim.trace.onnx.export import from_onnx

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
PUBLISHED = Path(__file__).parent.parent / "published"


def table(name: str) -> list[dict[str, str]]:
    lines = (PUBLISHED / name).read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


MODELS = {row["model"]: row for row in table("onnx_light_models.csv")}


def test_all_are_shipped() -> None:
    assert set(MODELS) <= set(names("traces", ".jsonl"))


@pytest.mark.parametrize("model", MODELS)
def test_macs_are_the_published_ones(model: str) -> None:
    """Reference: tests/published/onnx_light_models.csv, which gives 0.1 million."""
    assert f"{Trace.load(model).macs / 1e6:.1f}" == MODELS[model]["macs_millions"]


@pytest.mark.parametrize("model", MODELS)
def test_op_counts_are_those_of_the_file(model: str) -> None:
    """Folding takes normalizations and no other op; every weight is known, though all are computed."""
    trace = Trace.load(model)
    found = Counter(op.type for op in trace.ops)
    for type_ in ("Conv", "Gemm", "MaxPool", "AveragePool", "Concat", "Sum", "LRN", "Softmax"):
        assert found[type_] == int(MODELS[model][type_]), type_
    assert all(op.weight is not None for op in trace.ops if op.type in ("Conv", "Gemm"))
    assert trace.header["weights"] == "constant"
    assert [op.output.shape for op in trace.ops if op.type == "Input"] == [(1, 3, 224, 224)]


@pytest.mark.parametrize("model", MODELS)
def test_normalizations_are_folded_where_a_conv_stands_before(model: str) -> None:
    """DenseNet normalizes what Concat and pools put out: those stay, without the scales after them."""
    trace = Trace.load(model)
    for op in trace.ops:
        if op.type == "BatchNormalization":
            assert trace.by_name[op.deps[0]].type in ("Concat", "MaxPool", "AveragePool")
        assert op.type not in ("Mul", "Add", "Dropout", "Unsqueeze")
    if model != "densenet121":
        assert not any(op.type == "BatchNormalization" for op in trace.ops)


def test_resnet50_layer_by_layer() -> None:
    """Reference: another ResNet-50, traced by torch (tests/published/resnet50_conv_macs.csv)."""
    convs = [op for op in Trace.load("resnet50").ops if op.type == "Conv"]
    assert [op.macs for op in convs] == [int(row["macs"]) for row in table("resnet50_conv_macs.csv")]

    found = Counter()
    for op in convs:
        _, channels, height, width = op.inputs[0].tensor.shape
        kernel, stride = op.attributes["kernel_shape"][0], op.attributes["strides"][0]
        found[(channels, height, width, op.output.shape[1], kernel, stride, op.macs)] += 1
    assert found == Counter(tuple(map(int, row.values())) for row in table("resnet50_conv_macs.csv"))


def test_resnet50_total_to_the_unit() -> None:
    """The torch model's convolutions plus the file's classifier: 2048 features to 1000 classes."""
    convs = sum(int(row["macs"]) for row in table("resnet50_conv_macs.csv"))
    assert Trace.load("resnet50").macs == convs + 2048 * 1000


def test_shufflenet_keeps_grouped_and_depthwise_convolutions() -> None:
    groups = Counter(op.attributes["group"] for op in Trace.load("shufflenet").ops if op.type == "Conv")
    assert groups[4] > 0
    depthwise = [
        op for op in Trace.load("shufflenet").ops if op.type == "Conv" and op.attributes["group"] > 4
    ]
    assert len(depthwise) == 16
    assert all(op.attributes["group"] == op.output.shape[1] for op in depthwise)


@pytest.mark.parametrize("model", MODELS)
def test_exported_again_there_is_no_difference(model: str, tmp_path: Path) -> None:
    shipped = Trace.load(model)
    file = MODELS[model]["file"]
    command = shipped.header["command"]
    assert shlex.split(command) == ["pimsim", "trace", "export", file, "-o", f"{model}.jsonl"]
    from_onnx(LIGHT / file, model=model, command=command).save(tmp_path / "again.jsonl")
    shipped_text = (folder("traces") / f"{model}.jsonl").read_text()
    assert (tmp_path / "again.jsonl").read_text() == shipped_text
