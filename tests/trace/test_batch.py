"""Which symbolic dimension is 1 unless it is bound: one that is named like a batch, or that ops take for one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from pimsim.chip import Chip
from pimsim.errors import TraceError
from pimsim.mapping.mapper import make_plan
from pimsim.report.terminal import headline
from pimsim.run.experiment import Experiment
from pimsim.run.simulate import simulate
from pimsim.trace import Trace
from pimsim.trace.batch import is_batch
from pimsim.trace.onnx.export import from_onnx
from tests.mapping.test_shared_weights import agree
from tests.random_models import small_chip

from .builders import model, zeros

make = helper.make_node
BATCHES = "batch N n B bs bsz batch_size BatchSize batch-size batchsize decoder_batch Batch_0"
OTHERS = "seq tokens T L time sequence_length batch*seq batch_seq num_boxes unk__12 s0 nodes"


@pytest.mark.parametrize("name", BATCHES.split())
def test_names_of_a_batch(name: str) -> None:
    assert is_batch(name, first=True)


@pytest.mark.parametrize("name", OTHERS.split())
def test_names_of_other_things(name: str) -> None:
    assert not is_batch(name, first=True)


def relu(path: Path, shape: list[Any]) -> Path:
    return model(path, [make("Relu", ["x"], ["y"])], {"x": shape}, {"y": None})


@pytest.mark.parametrize("shape", [["seq"], ["seq", 8], ["time", "batch", 8], [None, 8], ["?", 8], ["N?", 8]])
def test_what_is_not_named_like_one_stays_a_symbol(tmp_path: Path, shape: list[Any]) -> None:
    first = shape[0] if shape[0] not in (None, "?") else "x[0]"
    trace = from_onnx(relu(tmp_path / "m.onnx", shape))
    assert trace.symbols == ("N" if first == "N?" else first,)
    trace = from_onnx(relu(tmp_path / "m.onnx", shape), bindings={first: 7})
    assert trace.ops[0].output.shape[0] == 7


# -- first dimensions that nobody named ----------------------------------------------------------------------

GENERATED = ["?", None, "unk__12", "DynamicDimension.0", "p2o.DynamicDimension.0", "s6", "x_dynamic_axes_1"]


def convolved(path: Path, shape: list[Any], *before: Any) -> Path:
    """A convolution of what nodes make c of x: rows of 3 by 8."""
    nodes = [*before, make("Conv", ["c" if before else "x", "w"], ["y"])]
    arrays = {"w": zeros(4, 3, 3), "rows": np.array([-1, 3, 8])}
    return model(path, nodes, {"x": shape}, {"y": None}, arrays)


@pytest.mark.parametrize("name", GENERATED)
def test_what_a_convolution_takes_one_after_another_is_a_batch(tmp_path: Path, name: str | None) -> None:
    trace = from_onnx(convolved(tmp_path / "m.onnx", [name, 3, 8]))
    assert trace.ops[0].output.shape == (1, 3, 8)
    called = "x[0]" if name in (None, "?") else str(name)
    assert trace.header["defaults"] == [called]
    assert trace.header["notes"] == [f"symbolic dimension '{called}' of 'x' bound to 1 by default"]
    assert (
        from_onnx(convolved(tmp_path / "m.onnx", [name, 3, 8]), bindings={called: 5}).macs == 5 * trace.macs
    )


@pytest.mark.parametrize(
    ("shape", "before"),
    [
        (["?", 8, 3], [make("Transpose", ["x"], ["c"], perm=[0, 2, 1])]),
        (["?", 24], [make("Reshape", ["x", "rows"], ["c"])]),
        (["?", 2, 12], [make("Neg", ["x"], ["n"]), make("Reshape", ["n", "rows"], ["c"])]),
    ],
    ids=["channels last", "flat", "by another op"],
)
def test_it_is_known_again_behind_what_lays_it_out(tmp_path: Path, shape: list[Any], before: Any) -> None:
    assert from_onnx(convolved(tmp_path / "m.onnx", shape, *before)).header["defaults"] == ["x[0]"]


@pytest.mark.parametrize(
    ("shape", "before", "asked"),
    [
        (["frames", 3, 8], [], "frames"),
        (["?", 1, 3], [make("Transpose", ["x"], ["c"], perm=[1, 2, 0])], "x[0]"),
    ],
    ids=["named", "positions"],
)
def test_what_is_named_or_lies_along_the_convolution_is_no_batch(
    tmp_path: Path, shape: list[Any], before: Any, asked: str
) -> None:
    assert from_onnx(convolved(tmp_path / "m.onnx", shape, *before)).symbols == (asked,)


def test_what_the_model_has_one_size_of_is_asked_for(tmp_path: Path) -> None:
    turned = make("Transpose", ["x"], ["c"], perm=[1, 0, 2])
    with pytest.raises(TraceError, match=r"without a value: x\[0\]: with sizes that were tried, .*; say"):
        from_onnx(convolved(tmp_path / "m.onnx", ["?", 1, 8], turned))


@pytest.mark.parametrize("layout", [0, 1])
def test_the_batch_of_a_recurrent_layer(tmp_path: Path, layout: int) -> None:
    """Its layout says which axis that is: the first, or the second behind time."""
    cell = make("LSTM", ["x", "w", "r"], ["", "y"], hidden_size=4, layout=layout)
    arrays = {"w": zeros(1, 16, 8), "r": zeros(1, 16, 4)}
    made = model(tmp_path / "m.onnx", [cell], {"x": ["?", 6, 8]}, {"y": None}, arrays)
    if layout:
        assert from_onnx(made).header["defaults"] == ["x[0]"]
    else:
        with pytest.raises(TraceError, match=r"value: x\[0\]: which ops there are depends on that; say"):
            from_onnx(made)


def test_time_before_batch_keeps_its_meaning(tmp_path: Path) -> None:
    trace = from_onnx(relu(tmp_path / "m.onnx", ["time", "batch", 8]), bindings={"time": 5})
    assert trace.ops[0].output.shape == (5, 1, 8)
    assert trace.header["symbols"] == {"time": 5, "batch": 1}
    assert trace.header["defaults"] == ["batch"]


def test_a_letter_tells_only_in_the_first_place(tmp_path: Path) -> None:
    assert from_onnx(relu(tmp_path / "m.onnx", ["B", "N", 8])).symbols == ("N",)


def test_two_question_marks_are_two_symbols(tmp_path: Path) -> None:
    path = relu(tmp_path / "m.onnx", ["?", 3, "?", "?"])
    assert from_onnx(path).symbols == ("x[0]", "x[2]", "x[3]")
    trace = from_onnx(path, bindings={"x[0]": 1, "x[2]": 4, "x[3]": 6})
    assert trace.ops[0].output.shape == (1, 3, 4, 6)


def test_the_run_says_what_was_bound(tmp_path: Path) -> None:
    trace = from_onnx(relu(tmp_path / "m.onnx", ["batch", "seq", 8]), bindings={"seq": 4})
    result = simulate(small_chip(), trace)
    assert "with batch=1 by default, seq=4\n" in headline(result)


# -- symbols of a trace --------------------------------------------------------------------------------------


def test_a_shipped_cnn_runs_without_a_binding() -> None:
    trace = Trace.load("resnet18")
    experiment = Experiment(Chip.load("isaac"), trace)
    assert experiment.trace.header["symbols"] == {"batch": 1}
    assert experiment.trace.header["defaults"] == ["batch"]
    assert experiment.digest == Experiment(Chip.load("isaac"), trace.bind(batch=1)).digest
    assert (
        make_plan(Chip.load("isaac"), trace).arrays
        == make_plan(Chip.load("isaac"), trace.bind(batch=1)).arrays
    )


def test_other_symbols_are_still_asked_for() -> None:
    with pytest.raises(TraceError, match="symbols without a value: seq; say --bind seq=N"):
        simulate(Chip.load("hermes_llm"), Trace.load("bert_base"))


def test_what_is_bound_is_left_as_it_is() -> None:
    experiment = Experiment(Chip.load("isaac"), Trace.load("resnet18").bind(batch=2))
    assert experiment.trace.header["symbols"] == {"batch": 2}
    assert "defaults" not in experiment.trace.header


# -- further outputs of an op --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "shapes", "outputs"),
    [
        (make("Split", ["x"], ["a", "b"], axis=1), {"a": [4, 8], "b": [4, 8]}, ["b"]),
        (make("Split", ["x"], ["a", "b"], axis=1), {"a": [4, 8], "b": [4, 8]}, ["a", "b"]),
        (make("Split", ["x"], ["a", "b"], axis=0), {"a": [2, 16], "b": [2, 16]}, ["a", "b"]),
    ],
    ids=["the second", "both", "along positions"],
)
def test_they_can_be_the_models(
    tmp_path: Path, node: Any, shapes: dict[str, Any], outputs: list[str]
) -> None:
    trace = from_onnx(
        model(tmp_path / "m.onnx", [node], {"x": [4, 16]}, {name: shapes[name] for name in outputs}, opset=13)
    )
    assert len(trace.outputs) == len(outputs)
    assert [trace.by_name[name].output.shape for name in trace.outputs] == [tuple(shapes[n]) for n in outputs]
    agree(make_plan(small_chip(), trace), 2)
