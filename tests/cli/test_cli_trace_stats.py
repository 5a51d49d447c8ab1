"""``pimsim trace stats``: what it writes, and that bad input gets one message, exit code 2 and nothing written."""

from __future__ import annotations

import importlib.util
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from pimsim.trace import Trace
from pimsim.trace.observed import Statistics

from ..trace.builders import model
from .runner import Done, call

pytest.importorskip("onnxruntime")

X = np.random.default_rng(2).normal(size=(10, 3, 4)).astype(np.float32)
W = np.random.default_rng(3).normal(size=(4, 5)).astype(np.float32)


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Done]:
    """Write a model (x times w) and its inputs, go there, and return what runs ``pimsim trace stats``."""
    monkeypatch.chdir(tmp_path)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")]
    model(tmp_path / "m.onnx", nodes, {"x": ["N", 3, 4]}, {"y": ["N", 3, 5]}, {"w": W})
    np.savez(tmp_path / "d.npz", x=X)
    return lambda *arguments: call(capsys, monkeypatch, "trace", "stats", *arguments)


def test_it_writes_the_trace_with_statistics(run: Callable[..., Done]) -> None:
    done = run("m.onnx", "d.npz", "-o", "t.jsonl", "--bits", "6", "--calibration", "99", "--rows", "4")
    assert done == (0, "t.jsonl: 2 ops, statistics of 2 outputs and 1 weights\n", "")
    trace = Trace.load("t.jsonl")
    how: dict[str, Any] = {"bits": 6, "calibration": 99.0, "rows": 4}
    assert trace.by_name["x"].output.stats == Statistics.of(X, origin="d.npz, 10 samples", **how)
    product = trace.by_name["product"]
    assert product.output.stats is not None
    assert product.output.stats.count == 10 * 3 * 5
    assert product.inputs[1].tensor.stats == Statistics.of(W.T.copy(), origin="weights of m.onnx", **how)
    command = "pimsim trace stats m.onnx d.npz -o t.jsonl --bits 6 --calibration 99 --rows 4"
    assert trace.header["command"] == command
    assert trace.header["symbols"] == {"N": 1}
    assert run(*shlex.split(command)[3:]).code == 0


def test_the_same_data_give_the_same_file(run: Callable[..., Done]) -> None:
    files = []
    for name in ("a", "b"):
        Path(name).mkdir()
        assert run("m.onnx", "d.npz", "-o", f"{name}/t.jsonl", "--origin", "weather in Delft").code == 0
        files.append(Path(name, "t.jsonl").read_text())
    assert files[0] == files[1]
    assert '"origin": "weather in Delft"' in files[0]


def save(**arrays: Any) -> Callable[[], None]:
    return lambda: np.savez("d.npz", **arrays)


def write(name: str, data: bytes) -> Callable[[], object]:
    return lambda: Path(name).write_bytes(data)


def nothing() -> None:
    pass


def cut() -> None:
    whole = Path("d.npz").read_bytes()
    Path("d.npz").write_bytes(whole[: len(whole) // 2])


BAD: dict[str, tuple[Callable[[], object], str, str]] = {
    "no data": (nothing, "m.onnx", "DATA: an ONNX model needs DATA, an .npz file with its inputs"),
    "no model": (nothing, "gone.onnx d.npz", "gone.onnx: cannot be read: No such file or directory"),
    "no model's file": (write("m.onnx", b"hello"), "m.onnx d.npz", "m.onnx: not an ONNX model"),
    "no file": (nothing, "m.onnx gone.npz", "gone.npz: cannot be read: No such file or directory"),
    "text": (write("d.npz", b"1 2 3"), "m.onnx d.npz", "d.npz: not an .npz file of plain arrays"),
    "empty": (write("d.npz", b""), "m.onnx d.npz", "d.npz: not an .npz file of plain arrays"),
    "truncated": (cut, "m.onnx d.npz", "d.npz: not an .npz file of plain arrays"),
    "objects": (save(x=np.array([None, 3])), "m.onnx d.npz", "d.npz: not an .npz file of plain arrays"),
    "one array": (lambda: np.save("e.npy", X), "m.onnx e.npy", "e.npy: holds one array without a name"),
    "a wrong name": (save(X=X), "m.onnx d.npz", "d.npz: the model has no input 'X'; expected one of: x"),
    "no input": (save(), "m.onnx d.npz", "d.npz: the model's input 'x' is missing, found nothing"),
    "one too many": (save(x=X, z=X), "m.onnx d.npz", "d.npz: the model has no input 'z'"),
    "dimensions": (save(x=X[0]), "m.onnx d.npz", "'x' has 2 dimensions, the model takes 3; the first axis"),
    "sizes": (
        save(x=X[:, :, :3]),
        "m.onnx d.npz",
        "a run's 'x' is 1x3x3, but the model takes 1x3x4 (axis 2)",
    ),
    "no samples": (save(x=X[:0]), "m.onnx d.npz", "expected as many samples of every input, one or more"),
    "text for numbers": (
        save(x=X.astype(str)),
        "m.onnx d.npz",
        "'x' is of type <U32, the model takes float32",
    ),
    "not a number": (save(x=X * np.nan), "m.onnx d.npz", "'x' has values that are infinite or not a number"),
    "bits": (nothing, "m.onnx d.npz --bits 1", "--bits: found 1, expected 2 to 16 bits"),
    "calibration": (
        nothing,
        "m.onnx d.npz --calibration min",
        "--calibration: found 'min', expected max or a",
    ),
    "percentile": (
        nothing,
        "m.onnx d.npz --calibration 101",
        "--calibration: found 101.0, expected max or a",
    ),
    "rows": (nothing, "m.onnx d.npz --rows 0", "--rows: found 0, expected a number of rows from 1"),
    "origin": (nothing, "m.onnx d.npz --origin ''", "--origin: expected up to 1000 printable characters"),
    "a trace": (
        nothing,
        "m.onnx d.npz --trace vgg19",
        "--trace: goes with torch:package.module:factory only",
    ),
    "trained": (nothing, "m.onnx d.npz --trained", "--trained: goes with torch:package.module:factory only"),
    "torch and data": (nothing, "torch:a:b d.npz", "DATA: does not go with torch"),
    "torch alone": (nothing, "torch:a:b", "--trained: the weights of torch:a:b may be random ones"),
    "torch and filled weights": (
        nothing,
        "torch:a:b --trace vgg19 --trained",
        "vgg19: the weights are constant",
    ),
    "no factory": (nothing, "torch:a:b --trace digits_cnn", "torch:a:b: there is no module 'a'"),
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.torch] * (case == "no factory")) for case in BAD]
)
def test_bad_input(case: str, run: Callable[..., Done]) -> None:
    change, words, message = BAD[case]
    if case == "no factory":
        pytest.importorskip("torch")
    change()
    done = run(*shlex.split(words), "-o", "out.jsonl")
    assert done.code == 2
    assert done.out == ""
    assert message in done.err
    assert done.err.startswith("error: ")
    assert len(done.err.splitlines()) == 1
    assert not [path for path in Path.cwd().iterdir() if "out.jsonl" in path.name]


def test_filled_weights_are_refused(run: Callable[..., Done], tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Constant", [], ["s"], value=helper.make_tensor("s", 7, [2], [4, 5])),
        helper.make_node("ConstantOfShape", ["s"], ["w"]),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    model(tmp_path / "m.onnx", nodes, {"x": ["N", 3, 4]}, {"y": ["N", 3, 5]})
    done = run("m.onnx", "d.npz", "-o", "t.jsonl")
    assert done.code == 2
    assert "the weights are constant, expected trained ones" in done.err
    assert "nothing that depends on values can be learned" in done.err
    assert not Path("t.jsonl").exists()


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named(
    missing: str, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == missing else real(name, *more)
    )
    done = run("m.onnx", "d.npz", "-o", "t.jsonl")
    assert done.code == 2
    assert "needs the packages 'onnx' and 'onnxruntime'; pip install 'pimsim[stats]'" in done.err
    assert len(done.err.splitlines()) == 1


def test_torch_without_torch_is_named(run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "torch" else real(name, *more)
    )
    done = run("torch:a:b", "--trace", "digits_cnn", "-o", "t.jsonl")
    assert (done.code, "pip install 'pimsim[torch]'" in done.err) == (2, True)


@pytest.mark.torch
def test_an_absent_trace_needs_a_word_that_its_weights_are_trained(
    run: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    (tmp_path / "a_factory.py").write_text(
        "import torch\n"
        "def make():\n"
        "    model = torch.nn.Sequential()\n"
        "    model.add_module('product', torch.nn.Linear(4, 5, bias=False))\n"
        "    return model, torch.ones(1, 3, 4)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert run("m.onnx", "d.npz", "-o", "t.jsonl").code == 0
    trace = Trace.load("t.jsonl")
    ops = [
        replace(
            op,
            inputs=tuple(replace(each, tensor=replace(each.tensor, stats=None)) for each in op.inputs),
            outputs=tuple(replace(each, stats=None) for each in op.outputs),
        )
        for op in trace.ops
    ]
    Trace.from_ops("m", ops, header={"weights": "absent"}).save("a.jsonl")
    refused = run("torch:a_factory:make", "--trace", "a.jsonl", "-o", "b.jsonl")
    assert (refused.code, Path("b.jsonl").exists()) == (2, False)
    assert "the weights are absent" in refused.err
    done = run("torch:a_factory:make", "--trace", "a.jsonl", "--trained", "-o", "b.jsonl")
    assert (done.code, done.out) == (0, "b.jsonl: 2 ops, statistics of 2 outputs and 1 weights\n")
    made = Trace.load("b.jsonl")
    assert made.header["weights"] == "trained"
    assert made.by_name["x"].output.stats.origin == "inputs of torch:a_factory:make"  # type: ignore[union-attr]


@pytest.mark.torch
def test_a_factory_is_exported_and_run(
    run: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exporter calls ops as modules, so that all of them are matched."""
    torch = pytest.importorskip("torch")
    (tmp_path / "another_factory.py").write_text(
        "import torch\n"
        "def make():\n"
        "    torch.manual_seed(1)\n"
        "    fc1, fc2 = torch.nn.Linear(4, 6), torch.nn.Linear(6, 2, bias=False)\n"
        "    model = torch.nn.Sequential()\n"
        "    for name, module in (('fc1', fc1), ('relu', torch.nn.ReLU()), ('fc2', fc2)):\n"
        "        model.add_module(name, module)\n"
        "    return model, torch.randn(7, 4)\n"
        "def breaks():\n"
        "    raise OSError('no such weights')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    done = run("torch:another_factory:make", "--trained", "-o", "t.jsonl", "--origin", "a dream")
    assert (done.code, done.err) == (0, "")
    made = Trace.load("t.jsonl")
    stats = {op.name: op.output.stats for op in made.ops}
    import another_factory

    model, inputs = another_factory.make()
    with torch.inference_mode():
        hidden = model.fc1(inputs)
        for name, values in (("fc1", hidden), ("fc2", model.fc2(hidden.relu()))):
            assert stats[name] == Statistics.of(values.numpy(), origin="a dream"), list(stats)
    weights = {op.name: op.weight.tensor.stats for op in made.ops if op.weight}
    assert weights["fc1"] == Statistics.of(
        model.fc1.weight.detach().numpy(), origin="weights of torch:another_factory:make"
    )
    assert made.header["source"]["factory"] == "another_factory:make"
    assert made.header["weights"] == "trained"
    broken = run("torch:another_factory:breaks", "--trained", "-o", "u.jsonl")
    assert (broken.code, len(broken.err.splitlines())) == (2, 1)
    assert "the factory raised OSError: no such weights" in broken.err
    assert "another_factory.py:10); --verbose shows its traceback" in broken.err
    loud = run("torch:another_factory:breaks", "--trained", "-o", "u.jsonl", "--verbose")
    assert "Traceback (most recent call last)" in loud.err
    assert not Path("u.jsonl").exists()
