"""The shipped CNN on digits: its sidecar replayed in plain numpy, and trained again where that is possible."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pimsim.presets import folder
from pimsim.trace import Op, Trace
from pimsim.trace.observed import Statistics

SIDECAR = folder("traces") / "digits_cnn.npz"
PACKAGES = ("torch", "sklearn")
installed = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in PACKAGES), reason=f"needs {', '.join(PACKAGES)}"
)
Array = np.ndarray[Any, Any]


@cache
def trace() -> Trace:
    return Trace.load("digits_cnn")


@cache
def sidecar() -> dict[str, Array]:
    with np.load(SIDECAR) as file:
        return {name: file[name] for name in file.files}


def windows(x: Array, op: Op) -> Array:
    """Return all windows of an op on images (samples, channels, rows, columns): their pixels last."""
    top, left, bottom, right = op.attributes["pads"]
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    down, across = op.attributes["strides"]
    seen = np.lib.stride_tricks.sliding_window_view(padded, op.attributes["kernel_shape"], axis=(2, 3))
    return seen[:, :, ::down, ::across]


def computed(op: Op, x: Array) -> Array:
    arrays = sidecar()
    if op.type == "Conv":
        product = np.einsum("ncyxij,ocij->noyx", windows(x, op), arrays[f"{op.name}.weight"])
        return product + arrays[f"{op.name}.bias"].reshape(-1, 1, 1)
    if op.type == "Gemm":
        return x @ arrays[f"{op.name}.weight"].T + arrays[f"{op.name}.bias"]
    if op.type == "MaxPool":
        return windows(x, op).max((-2, -1))
    return np.maximum(x, 0) if op.type == "Relu" else x.reshape(len(x), -1)


@cache
def replayed() -> dict[str, Array]:
    """What every op puts out, for all test images."""
    values = {"image": sidecar()["images"]}
    for op in trace().ops[1:]:
        values[op.name] = computed(op, values[str(op.inputs[0].source)].astype(np.float64))
    return values


def test_the_trace_names_its_sidecar_and_its_accuracy() -> None:
    source = trace().header["source"]
    assert source["sidecar"] == SIDECAR.name
    assert source["sidecar_sha256"] == hashlib.sha256(SIDECAR.read_bytes()).hexdigest()
    assert source["accuracy"] == f"{100 * source['test_images_right'] / source['test_images']:.2f} %"
    assert trace().header["weights"] == "trained"
    assert SIDECAR.stat().st_size < 1_500_000


def test_the_sidecar_holds_every_op() -> None:
    names = {f"{op.name}.output" for op in trace().ops if op.type != "Input"}
    names |= {f"{op.name}.{what}" for op in trace().ops if op.weight for what in ("weight", "bias")}
    assert set(sidecar()) == names | {"images", "labels"}
    for op in trace().ops:
        if op.weight:
            assert sidecar()[f"{op.name}.weight"].shape == op.weight.tensor.shape
            assert sidecar()[f"{op.name}.bias"].shape == op.inputs[2].tensor.shape
        if op.type != "Input":
            assert sidecar()[f"{op.name}.output"].shape[1:] == op.output.shape[1:]
    assert sidecar()["images"].shape[1:] == trace().ops[0].output.shape[1:]


@pytest.mark.parametrize("name", [op.name for op in Trace.load("digits_cnn").ops[1:]])
def test_numpy_computes_the_stored_activations(name: str) -> None:
    stored = sidecar()[f"{name}.output"]
    assert len(stored) == 32
    np.testing.assert_allclose(replayed()[name][: len(stored)], stored, rtol=0, atol=2e-5)


def test_numpy_gets_the_stated_accuracy() -> None:
    right = int((replayed()["fc"].argmax(1) == sidecar()["labels"]).sum())
    source = trace().header["source"]
    assert (right, len(sidecar()["labels"])) == (source["test_images_right"], source["test_images"])
    assert right / len(sidecar()["labels"]) >= 0.98


def test_the_statistics_are_those_of_the_data() -> None:
    """To the last value: sums in another order may move one across the edge between two codes."""
    for op in trace().ops:
        values = replayed()[op.name].astype(np.float32)
        values = np.moveaxis(values, 1, -1) if values.ndim == 4 else values
        origin = "the 360 test images of scikit-learn's digits"
        ours, theirs = Statistics.of(values, origin=origin), op.output.stats
        assert theirs is not None
        assert (ours.count, ours.signed, ours.origin) == (theirs.count, theirs.signed, theirs.origin)
        assert ours.per_bit == pytest.approx(theirs.per_bit, abs=1e-4)
        assert ours.zeros == pytest.approx(theirs.zeros, abs=1e-4)
        assert ours.zero_slices == pytest.approx(theirs.zero_slices, abs=1e-3)
        if op.weight:
            weight = Statistics.of(sidecar()[f"{op.name}.weight"], origin="scripts/make_digits_cnn.py")
            assert op.weight.tensor.stats == weight


@pytest.mark.torch
@installed
def test_training_again_is_as_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "scripts")
    sys.modules.pop("make_digits_cnn", None)
    import torch

    threads = torch.get_num_threads()
    try:
        import make_digits_cnn

        out = tmp_path / "digits_cnn.jsonl"
        monkeypatch.setattr(sys, "argv", ["make_digits_cnn.py", "-o", str(out)])
        make_digits_cnn.main()
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(False)
    made = Trace.load(out)
    source = made.header["source"]
    assert source["test_images"] == 360
    assert source["test_images_right"] >= 0.98 * 360
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits_cnn.jsonl", "digits_cnn.npz"]
    assert [op.name for op in made.ops] == [op.name for op in trace().ops]
    assert all(op.output.stats is not None for op in made.ops)
