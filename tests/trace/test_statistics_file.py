"""Statistics in a file: written and read back, in the digest, refused where they are wrong or mean nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pimsim.errors import TraceError
from pimsim.trace import Trace
from pimsim.trace.observed import Statistics
from pimsim.trace.statistics.attach import How, attach
from pimsim.trace.writer import lines

from .builders import small_trace, write_rows
from .symbolic import attention

STATS = Statistics.of(np.linspace(-1, 2, 300), origin="a test")


def trained(trace: Trace) -> Trace:
    return Trace.from_ops(trace.model, trace.ops, trace.outputs, {**trace.header, "weights": "trained"})


def with_stats() -> Trace:
    rng = np.random.default_rng(0)
    values = {("conv", 0): [rng.normal(size=(1, 4, 6, 6))], ("split", 1): [rng.normal(size=(1, 2, 6, 6))]}
    return attach(
        trained(small_trace()), values, {"conv": rng.normal(size=(4, 3, 3, 3))}, How(), "runs", "weights"
    )


def rows() -> list[Any]:
    return [json.loads(line) for line in lines(with_stats())]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    trace = with_stats()
    trace.save(tmp_path / "t.jsonl")
    again = Trace.load(tmp_path / "t.jsonl")
    assert again == trace
    stats = again.by_name["conv"].output.stats
    assert stats is not None
    assert (stats.count, stats.origin) == (144, "runs")
    assert again.by_name["split"].outputs[0].stats is None
    assert again.by_name["split"].outputs[1].stats is not None
    assert again.by_name["conv"].inputs[1].tensor.stats.origin == "weights"  # type: ignore[union-attr]


def test_they_stand_once_each() -> None:
    text = "\n".join(lines(with_stats()))
    assert text.count('"stats"') == 3  # the Conv's weight and output, and one of two outputs of the Split


def test_they_are_part_of_the_digest() -> None:
    plain, full = trained(small_trace()), with_stats()
    assert plain.digest != full.digest
    conv = full.by_name["conv"]
    other = replace(conv.output.stats, zeros=0.5)  # type: ignore[type-var]
    ops = [replace(op, outputs=(replace(op.output, stats=other),)) if op is conv else op for op in full.ops]
    assert Trace.from_ops(full.model, ops, full.outputs, full.header).digest != full.digest


@pytest.mark.parametrize("weights", ["random", "absent", "constant"])
def test_none_of_weights_that_are_not_trained(weights: str, tmp_path: Path) -> None:
    untrained = Trace.from_ops("m", small_trace().ops, header={"weights": weights})
    with pytest.raises(TraceError, match=f"the weights are {weights}, expected trained ones"):
        attach(untrained, {}, {}, How(), "runs", "weights")
    bad = rows()
    bad[0]["weights"] = weights
    with pytest.raises(TraceError, match=rf"t\.jsonl:3: inputs\[1\]\.stats: .*the weights are {weights}"):
        Trace.load(write_rows(tmp_path / "t.jsonl", bad))
    with pytest.raises(TraceError, match=f"the weights are {weights}"):
        Trace.from_ops("m", with_stats().ops, header={"weights": weights})


def test_none_at_an_operand_that_another_op_computes(tmp_path: Path) -> None:
    bad = rows()
    bad[3]["inputs"][0]["stats"] = bad[2]["outputs"][0]["stats"]
    with pytest.raises(
        TraceError, match=r"t\.jsonl:4: inputs\[0\]\.stats: .*role is activation.*at the output of"
    ):
        Trace.load(write_rows(tmp_path / "t.jsonl", bad))


def test_those_built_in_python_are_checked() -> None:
    full = with_stats()
    for wrong, message in (
        (replace(STATS, count=7), "its bins sum to 300, the count is 7"),
        ("much", "expected statistics"),
    ):
        ops = [replace(op, outputs=tuple(replace(t, stats=wrong) for t in op.outputs)) for op in full.ops]
        with pytest.raises(TraceError, match=message):
            Trace.from_ops(full.model, ops, full.outputs, full.header)


def put(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda stats: stats.update(values)


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "missing": (lambda stats: stats.pop("zeros"), r"stats: key 'zeros' is missing"),
    "unknown": (put(zeross=0.1), r"stats: unknown key 'zeross' \(text\); did you mean 'zeros'"),
    "count": (put(count=0), r"stats\.count: found 0"),
    "a share": (put(zeros=1.5), r"stats\.zeros: found 1\.5 \(number\), expected a share from 0 to 1"),
    "no share": (put(zeros=True), r"stats\.zeros: found true"),
    "minimum": (put(min="low"), r"stats\.min: found 'low'"),
    "order": (put(max=-99.0), r"stats\.max: found -99, below the minimum"),
    "sign": (put(min=0.5, max=1.0), r"stats\.signed: found true, but the minimum is 0\.5"),
    "sign's type": (put(signed=1), r"stats\.signed: found 1"),
    "bits": (put(bits=40), r"stats\.bits: found 40"),
    "number of bits": (put(bits=9), r"stats\.per_bit: found 8 numbers, expected 9"),
    "a bit": (lambda stats: stats["per_bit"].__setitem__(2, -0.1), r"stats\.per_bit\[2\]: found -0\.1"),
    "density": (put(bit_density=0.9), r"stats\.bit_density: found 0\.9, but its bits have"),
    "magnitude": (put(bit_density_signmag=0.9), r"stats\.bit_density_signmag: found 0\.9"),
    "bins": (put(histogram=[1, 2]), r"stats\.histogram: found 2 numbers, expected 16"),
    "a bin": (lambda stats: stats["histogram"].__setitem__(0, 0.5), r"stats\.histogram\[0\]: found 0\.5"),
    "sum": (put(histogram=[1] * 16), r"stats\.histogram: its bins sum to 16, the count is 144"),
    "slices": (put(zero_slices=[]), r"stats\.zero_slices: found \[\]"),
    "calibration": (put(calibration="min"), r"stats\.calibration: found 'min' \(text\), expected 'max' or"),
    "percentile": (put(calibration=0), r"stats\.calibration: found 0"),
    "rows": (put(rows=-1), r"stats\.rows: found -1"),
    "origin": (put(origin=""), r"stats\.origin: found ''"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(fault: str, tmp_path: Path) -> None:
    change, message = FAULTS[fault]
    bad = rows()
    change(bad[2]["outputs"][0]["stats"])
    with pytest.raises(TraceError, match=r"t\.jsonl:3: outputs\[0\]\." + message):
        Trace.load(write_rows(tmp_path / "t.jsonl", bad))


@pytest.mark.parametrize("value", [None, 3, "x", []])
def test_what_is_no_object(value: object, tmp_path: Path) -> None:
    bad = rows()
    bad[2]["outputs"][0]["stats"] = value
    with pytest.raises(TraceError, match=r"t\.jsonl:3: outputs\[0\]\.stats: found .*expected an object"):
        Trace.load(write_rows(tmp_path / "t.jsonl", bad))


def test_binding_keeps_them() -> None:
    """A trace with symbols has them too: they do not depend on how often a model is run on how much."""
    values = {("q", 0): [np.ones((1, 3, 4))]}
    symbolic = attach(attention(weights="trained"), values, {"q": np.eye(4)}, How(), "runs", "weights")
    bound = symbolic.bind(batch=1, seq=3, kv=5).by_name["q"]
    assert bound.output.stats == symbolic.by_name["q"].output.stats
    assert bound.output.stats is not None
    assert bound.inputs[1].tensor.stats is not None


def test_a_tensor_that_is_not_finite_has_none_and_a_note_says_so() -> None:
    values = {("conv", 0): [np.full((1, 4, 6, 6), -np.inf)], ("relu", 0): [np.ones((1, 4, 6, 6))]}
    found = attach(trained(small_trace()), values, {}, How(), "runs", "weights")
    assert found.by_name["conv"].output.stats is None
    assert found.by_name["relu"].output.stats is not None
    assert found.header["notes"] == [
        "no statistics of the output of 'conv': not all of its values are finite"
    ]


def test_slices_take_the_channels_of_a_pixel_and_the_inputs_of_an_output() -> None:
    """Two channels, of which one is zero: no slice of two rows is, though every other value is zero."""
    image = np.zeros((1, 4, 6, 6))
    image[:, ::2] = 1.0
    found = attach(trained(small_trace()), {("relu", 0): [image]}, {}, How(rows=2), "runs", "weights")
    assert found.by_name["relu"].output.stats.zero_slices == 0  # type: ignore[union-attr]
    weight = np.zeros((4, 4))
    weight[0] = 1.0  # the weight of one input: each of the four outputs has one row set of two
    symbolic = attach(attention(weights="trained"), {}, {"q": weight}, How(rows=2), "runs", "weights")
    assert symbolic.by_name["q"].inputs[1].tensor.stats.zero_slices == 0.5  # type: ignore[union-attr]
    rows = attach(attention(weights="trained"), {}, {"q": weight}, How(rows=4), "runs", "weights")
    assert rows.by_name["q"].inputs[1].tensor.stats.zero_slices == 0  # type: ignore[union-attr]
