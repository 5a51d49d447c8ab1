"""Are the values of a trace taken whole, and refused with one message where they do not fit?"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pimsim import Trace
from pimsim.errors import TraceError
from pimsim.presets import folder
from pimsim.values.sidecar import Sidecar
from tests.random_models import Builder

DIGITS = folder("traces") / "digits_cnn.jsonl"


def arrays() -> dict[str, Any]:
    with np.load(DIGITS.with_suffix(".npz")) as file:
        return dict(file)


def test_all_of_it() -> None:
    values = Sidecar.beside(Trace.load("digits_cnn"), DIGITS)
    assert values.samples == 360
    assert values.inputs["image"].shape == (360, 1, 8, 8)
    assert values.constants["conv2", 1].shape == (64, 32, 3, 3)
    assert values.constants["fc", 2].shape == (10,)
    assert values.labels is not None
    assert set(values.labels) == set(range(10))


def test_a_trace_without_one() -> None:
    trace = Trace.load("resnet18")
    with pytest.raises(TraceError, match=r"r\.jsonl: has no values: it names no sidecar.*--values"):
        Sidecar.beside(trace, Path("r.jsonl"))


def test_the_values_of_another_model(tmp_path: Path) -> None:
    shutil.copy(DIGITS, tmp_path)
    np.savez(tmp_path / "digits_cnn.npz", **{**arrays(), "labels": np.zeros(360, np.int64)})
    trace = Trace.load(tmp_path / "digits_cnn.jsonl")
    with pytest.raises(TraceError, match=r"digits_cnn\.npz: its SHA-256 is .*the values of another model"):
        Sidecar.beside(trace, tmp_path / "digits_cnn.jsonl")
    values = Sidecar.load(trace, tmp_path / "digits_cnn.npz")
    assert values.labels is not None
    assert not values.labels.any()


def without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda found: found.pop(name)


def put(name: str, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    return lambda found: found.update({name: change(found[name])})


WRONG: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (
        without("conv1.weight"),
        r"has no values of operand 1 of op 'conv1' \(Conv\); name an array 'conv1\.weight'",
    ),
    (without("images"), "has no samples of the input 'image'; name an array 'image'"),
    (put("fc.weight", lambda each: each.T), "'fc.weight' is 256x10, the trace has 10x256"),
    (put("fc.bias", lambda each: each * np.nan), "'fc.bias' has values that are infinite or not a number"),
    (put("fc.bias", lambda each: each.astype(str)), "'fc.bias' is of type <U.*, expected numbers"),
    (put("images", lambda each: each[:, 0]), "'images' is 360x8x8, the trace has 360x1x8x8"),
    (put("images", lambda each: each[:0]), "expected as many samples of every input, one or more"),
    (
        put("labels", lambda each: each[:5]),
        "'labels' is 5 of uint8, expected 360 whole numbers, one a sample",
    ),
    (put("fc.weight", lambda each: each.astype(object)), "not an .npz file of plain arrays"),
]


@pytest.mark.parametrize(("change", "message"), WRONG, ids=[message[:24] for _, message in WRONG])
def test_what_does_not_fit(tmp_path: Path, change: Callable[[Any], None], message: str) -> None:
    found = arrays()
    change(found)
    np.savez(tmp_path / "v.npz", **found)
    with pytest.raises(TraceError, match=message) as caught:
        Sidecar.load(Trace.load("digits_cnn"), tmp_path / "v.npz")
    assert str(caught.value).startswith(str(tmp_path / "v.npz"))


def test_what_is_no_such_file(tmp_path: Path) -> None:
    (tmp_path / "v.npz").write_bytes(b"x")
    with pytest.raises(
        TraceError, match="Python objects, which are never loaded, or is no zip file; write it"
    ):
        Sidecar.load(Trace.load("digits_cnn"), tmp_path / "v.npz")
    (tmp_path / "v.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(TraceError, match=r"not an \.npz file of plain arrays"):
        Sidecar.load(Trace.load("digits_cnn"), tmp_path / "v.npz")
    with pytest.raises(TraceError, match="cannot be read"):
        Sidecar.load(Trace.load("digits_cnn"), tmp_path / "none.npz")


def test_inputs_by_name_and_constants_by_number(tmp_path: Path) -> None:
    model = Builder()
    a, b = model.input(1, 3, 4, 4), model.input(1, 3, 4, 4)
    trace = model.trace(outputs=[model.sum(model.conv(a, 2, (1, 1)), model.conv(b, 2, (1, 1)))])
    convs = [op for op in trace.ops if op.type == "Conv"]
    inputs = [op.name for op in trace.ops if op.type == "Input"]
    found = {
        f"{op.name}.{number}": np.ones(op.inputs[number].tensor.shape) for op in convs for number in (1,)
    }
    found |= {name: np.ones((2, 3, 4, 4)) for name in inputs}
    np.savez(tmp_path / "v.npz", **found)
    values = Sidecar.load(trace, tmp_path / "v.npz")
    assert set(values.inputs) == set(inputs)
    assert values.labels is None
    found[inputs[1]] = np.ones((3, 3, 4, 4))
    np.savez(tmp_path / "v.npz", **found)
    with pytest.raises(TraceError, match=r"with 2, .* with 3"):
        Sidecar.load(trace, tmp_path / "v.npz")
