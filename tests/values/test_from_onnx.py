"""Do the values of an ONNX file reach its trace whole: folded, grouped, shared, and seen to give its outputs?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from pimsim import Chip, Sidecar, Trace, accuracy
from pimsim.cli import cli
from pimsim.errors import ConfigError, TraceError
from pimsim.trace.onnx.export import export
from pimsim.trace.statistics.onnx import inputs_of
from pimsim.trace.statistics.samples import Samples
from pimsim.values import from_onnx
from tests.values.test_forward import attention_model

RANDOM = np.random.default_rng(5)


def weight(name: str, *shape: int) -> Any:
    return numpy_helper.from_array(RANDOM.standard_normal(shape).astype(np.float32), name)


def folded_model(batch: int | str = "N") -> Any:
    """Two convolutions, one of them in groups, with a normalization, a factor and a shift folded in; a product."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1"], ["a"], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["a", "gain", "offset", "mean", "variance"], ["n"]),
        node("Relu", ["n"], ["r"]),
        node("Conv", ["r", "w2", "b2"], ["c"], group=2),
        node("Mul", ["c", "factor"], ["c1"]),
        node("Sub", ["c1", "shift"], ["c2"]),
        node("GlobalAveragePool", ["c2"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("MatMul", ["f", "w3"], ["y0"]),
        node("Add", ["y0", "b3"], ["y"]),
    ]
    stored = [
        *(weight(name, 4, 2, 3, 3) for name in ("w1", "w2")),
        *(weight(name, 4) for name in ("gain", "offset", "mean", "b2")),
        numpy_helper.from_array(RANDOM.random(4).astype(np.float32) + 0.5, "variance"),
        *(weight(name, 1, 4, 1, 1) for name in ("factor", "shift")),
        weight("w3", 4, 3),
        weight("b3", 3),
    ]
    graph = helper.make_graph(
        nodes,
        "folded",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 2, 6, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 3])],
        stored,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def stored(tmp_path: Path, model: Any, **arrays: Any) -> tuple[Path, Path]:
    onnx.save(model, tmp_path / "m.onnx")
    np.savez(tmp_path / "d.npz", **arrays)
    return tmp_path / "m.onnx", tmp_path / "d.npz"


def some(*shape: int) -> Any:
    return RANDOM.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("which", ["folded", "transformer"])
def test_a_file_its_samples_and_its_answers_on_a_chip(tmp_path: Path, which: str) -> None:
    """What is written was held against onnxruntime's run of the file; integers of 16 bits answer the same."""
    made = (folded_model(), some(6, 2, 6, 6)) if which == "folded" else (attention_model(), some(6, 6, 8))
    labels = {"labels": np.arange(6) % 3} if which == "folded" else {}
    model, data = stored(tmp_path, made[0], x=made[1], **labels)
    arguments = ["trace", "stats", str(model), str(data), "-o", str(tmp_path / "t.jsonl"), "--values"]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    trace = Trace.load(tmp_path / "t.jsonl")
    values = Sidecar.beside(trace, tmp_path / "t.jsonl")
    assert values.samples == 6
    assert (values.labels is None) == (which == "transformer")
    result = accuracy(Chip.load("isaac", {"core.array.device": "fefet"}), trace, values)
    assert result.times[0]["relative_error"] < 1e-3  # 16 bits, and nothing else
    assert json.loads((tmp_path / "t.jsonl").read_text().splitlines()[0])["source"]["sidecar"] == "t.npz"


def test_values_that_do_not_give_the_outputs_are_not_written(tmp_path: Path, monkeypatch: Any) -> None:
    model, data = stored(tmp_path, folded_model(), x=some(1, 2, 6, 6))
    monkeypatch.setattr(from_onnx, "_shifted", lambda bias, scales, found: bias)
    samples = Samples.load(data, inputs_of(model))
    exported = export(model, bindings=samples.bindings)
    with pytest.raises(TraceError, match=r"m\.onnx: its values do not give its output"):
        from_onnx.write_sidecar(model, exported, data, samples, tmp_path / "t.npz")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["d.npz", "m.onnx"]


def test_what_has_no_values_of_one_sample(tmp_path: Path) -> None:
    model, data = stored(tmp_path, folded_model(batch=2), x=some(4, 2, 6, 6))
    samples = Samples.load(data, inputs_of(model))
    with pytest.raises(TraceError, match="takes 2 samples at once"):
        from_onnx.write_sidecar(model, export(model), data, samples, tmp_path / "t.npz")


def test_values_go_with_a_file(tmp_path: Path) -> None:
    arguments = ["trace", "stats", "torch:m:f", "-o", str(tmp_path / "t.jsonl"), "--values"]
    with pytest.raises(ConfigError, match="--values: goes with an ONNX file only"):
        CliRunner().invoke(cli, arguments, catch_exceptions=False, standalone_mode=False)
