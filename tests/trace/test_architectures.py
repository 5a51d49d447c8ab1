"""The shipped traces of architectures: counted as others count them, and exported again without a difference."""

from __future__ import annotations

import csv
import importlib.util
import itertools
from pathlib import Path

import pytest

from pimsim.presets import folder, names
from pimsim.trace import Trace
from pimsim.trace.torch.architectures import ARCHITECTURES, export

PUBLISHED = Path(__file__).parent.parent / "published" / "layer_macs.csv"
SHIPPED = sorted(set(ARCHITECTURES) - {"resnet50"})  # that name is the ONNX file's
NEEDS_TORCH = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("torch", "transformers")),
    reason="exporting needs the packages torch and transformers",
)

Products = list[tuple[str, int]]


def published(model: str) -> Products:
    """The matrix products of a model, (static or dynamic, MACs) each, in order."""
    lines = [line for line in PUBLISHED.read_text().splitlines() if not line.startswith("#")]
    rows = [row for row in csv.DictReader(lines) if row["model"] == model]
    return [(row["kind"], int(row["macs"])) for row in rows for _ in range(int(row["times"]))]


def products(trace: Trace) -> Products:
    return [("static" if op.weight else "dynamic", op.macs) for op in trace.ops if op.macs]


def totals(found: Products) -> dict[str, int]:
    return {kind: sum(macs for other, macs in found if other == kind) for kind in ("static", "dynamic")}


@pytest.mark.parametrize(
    ("name", "symbols", "reference"),
    [
        ("bert_base", {"batch": 1, "seq": 128}, "bert_base_s128"),
        ("gpt2", {"batch": 1, "seq": 512, "kv": 0}, "gpt2_prefill512"),
        ("gpt2", {"batch": 1, "seq": 1, "kv": 512}, "gpt2_decode_kv512"),
    ],
)
def test_matrix_products_are_the_published_ones(name: str, symbols: dict[str, int], reference: str) -> None:
    """Each by itself, in order, to the unit: tests/published/layer_macs.csv."""
    bound = Trace.load(name).bind(symbols)
    found, expected = products(bound), published(reference)
    assert totals(found) == totals(expected)
    assert sorted(found) == sorted(expected)
    assert bound.macs == sum(macs for _, macs in expected)


def test_resnet18_but_for_its_classes() -> None:
    """The published table's classifier has 2 classes, the shipped one 1000, from 512 features."""
    found = products(Trace.load("resnet18").bind(batch=1))
    assert sorted(found[:-1]) == sorted(published("resnet18")[:-1])
    assert found[-1] == ("static", 512 * 1000)


@pytest.mark.torch
@NEEDS_TORCH
def test_resnet50_of_torch_and_of_onnx_have_the_same_products() -> None:
    torch_s = products(export("resnet50").bind(batch=1))
    assert sorted(torch_s[:-1]) == sorted(published("resnet50")[:-1])
    assert sorted(torch_s) == sorted(products(Trace.load("resnet50")))


def test_weights_by_formula() -> None:
    layer = 4 * 4096**2 + 3 * 4096 * 11008
    assert Trace.load("llama_7b").weights == 32 * layer + 32000 * 4096
    expert = 3 * 4096 * 14336
    attention = 2 * 4096**2 + 2 * 4096 * 1024
    assert Trace.load("mixtral_8x7b").weights == 32 * (attention + 8 * expert + 8 * 4096) + 32000 * 4096
    assert Trace.load("vit_b16").weights == 12 * 12 * 768**2 + 768 * 3 * 16**2 + 768 * 1000
    decoder = 4 * (8 * 384**2 + 2 * 384 * 1536)
    encoder = 4 * (4 * 384**2 + 2 * 384 * 1536) + 3 * 384 * (80 + 384)
    assert Trace.load("whisper_tiny").weights == encoder + decoder + 51865 * 384


def test_mobilenet_has_its_published_macs() -> None:
    """Sandler et al., MobileNetV2, table 4: 300 M multiply-adds, 3.4 M parameters."""
    bound = Trace.load("mobilenet_v2").bind(batch=1)
    assert round(bound.macs / 1e6) == 301
    assert (
        round(sum(op.params for op in bound.ops) / 1e5) == 35
    )  # with biases that normalizations folded into
    assert not any(op.type == "Pad" for op in bound.ops)


@pytest.mark.parametrize("seq", [1, 16, 128])
def test_mixtral_computes_two_experts_a_token(seq: int) -> None:
    bound = Trace.load("mixtral_8x7b").bind(batch=2, seq=seq, kv=64)
    tokens = 2 * seq
    experts = 32 * tokens * 2 * 3 * 4096 * 14336
    router = 32 * tokens * 4096 * 8
    attention = 32 * tokens * (2 * 4096**2 + 2 * 4096 * 1024 + 2 * (64 + seq) * 4096)
    assert bound.macs == experts + router + attention + tokens * 4096 * 32000


def test_the_cache_grows_by_what_is_new() -> None:
    for name, heads, size, layers in (
        ("gpt2", 12, 64, 12),
        ("llama_7b", 32, 128, 32),
        ("mixtral_8x7b", 8, 128, 32),
    ):
        trace = Trace.load(name)
        caches = [(op, operand) for op in trace.ops for operand in op.inputs if operand.role == "cache"]
        assert len(caches) == 2 * layers
        for op, operand in caches:
            assert op.type == "Concat"
            assert operand.tensor.shape == ("batch", heads, "kv", size)
            assert op.output.shape == ("batch", heads, "kv+seq", size)
        first = trace.bind(batch=1, seq=7, kv=0)
        assert not any(operand.role == "cache" for op in first.ops for operand in op.inputs)


def test_grouped_queries_share_keys_without_moving_them() -> None:
    """Mixtral's 32 query heads read 8 heads of keys, transposed before they are shared."""
    bound = Trace.load("mixtral_8x7b").bind(batch=1, seq=1, kv=15)
    for op in bound.ops:
        if op.type == "Transpose" and op.attributes["perm"] == (0, 1, 3, 2):
            assert op.output.shape == (1, 8, 128, 16)
    expands = [op for op in bound.ops if op.type == "Expand"]
    assert {op.output.shape for op in expands} == {(1, 8, 4, 128, 16), (1, 8, 4, 16, 128)}


def test_all_are_shipped() -> None:
    assert set(SHIPPED) <= set(names("traces", ".jsonl"))
    for name in SHIPPED:
        assert Trace.load(name).header["command"] == f"pimsim trace export {name} -o {name}.jsonl"


@pytest.mark.torch
@NEEDS_TORCH
@pytest.mark.parametrize("name", SHIPPED)
def test_exported_again_there_is_no_difference(name: str, tmp_path: Path) -> None:
    """But for the versions of torch and transformers in the header."""
    export(name, f"pimsim trace export {name} -o {name}.jsonl").save(tmp_path / "again.jsonl")
    again = (tmp_path / "again.jsonl").read_text().splitlines()
    shipped = (folder("traces") / f"{name}.jsonl").read_text().splitlines()
    for number, (line, other) in enumerate(itertools.zip_longest(again[1:], shipped[1:]), start=2):
        assert line == other, f"line {number}"
    made = Trace.load(tmp_path / "again.jsonl")
    assert made.digest == Trace.load(name).digest
    assert {**made.header, "source": {}} == {**Trace.load(name).header, "source": {}}
