"""Causal masks: which products of queries and keys are marked, from ONNX and by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from pimsim.errors import TraceError
from pimsim.trace import Trace
from pimsim.trace.causal import is_causal
from pimsim.trace.onnx.export import from_onnx
from tests.transformers import decoder

from .builders import model

node = helper.make_node
LEAST = np.float32(np.finfo(np.float32).min)
S, D = 6, 4
SIZES = np.array([S, S], dtype=np.int64)


def triangle(rows: int, keys: int) -> Any:
    return np.array([[j <= i + keys - rows for j in range(keys)] for i in range(rows)])


@pytest.mark.parametrize(("rows", "keys"), [(2, 2), (5, 5), (3, 9)])
def test_a_row_keeps_the_keys_up_to_its_own(rows: int, keys: int) -> None:
    kept = triangle(rows, keys)
    hidden = np.where(kept, np.float32(0), LEAST)
    assert is_causal(kept, "true keeps")
    assert is_causal(~kept, "true hides")
    assert is_causal(hidden, "added")
    assert is_causal(np.broadcast_to(hidden, (2, 3, rows, keys)), "added")
    assert is_causal(-hidden, "taken off")
    assert not is_causal(kept, "true hides")
    assert not is_causal(kept[::-1], "true keeps")
    assert not is_causal(np.ones((rows, keys), dtype=bool), "true keeps")
    assert not is_causal(np.zeros((rows, keys), dtype=np.float32), "added")


def attention(path: Path, before: list[Any], masked: Any, **constants: Any) -> dict[str, dict[str, int]]:
    """Export one head over six tokens, whose scores ``s`` become ``m``; return the attributes of its products."""
    nodes = [
        node("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
        node("MatMul", ["q", "kt"], ["raw"], name="scores"),
        node("Mul", ["raw", "scale"], ["s"]),
        *before,
        masked,
        node("Softmax", ["m"], ["p"], axis=-1),
        node("MatMul", ["p", "v"], ["y"], name="context"),
    ]
    inputs = {name: [1, 1, S, D] for name in "qkv"} | {"padding": [1, 1, 1, S]}
    arrays = {"scale": np.float32(0.5), "least": LEAST, "nothing": np.float32(0), "sizes": SIZES, **constants}
    read = {name for each in nodes for name in each.input}
    made = model(
        path / "m.onnx",
        nodes,
        {name: shape for name, shape in inputs.items() if name in read},
        {"y": [1, 1, S, D]},
        {name: value for name, value in arrays.items() if name in read},
    )
    trace = from_onnx(made)
    return {op.name: dict(op.attributes) for op in trace.ops if op.type == "MatMul"}


MARKED = {"scores": {"causal": 1}, "context": {}}
PLAIN = {"scores": {}, "context": {}}
ONES = [node("ConstantOfShape", ["sizes"], ["full"], value=helper.make_tensor("v", 1, [1], [float(LEAST)]))]


def test_added_stored_or_made_by_trilu(tmp_path: Path) -> None:
    stored = np.where(triangle(S, S), np.float32(0), LEAST)[None, None]
    assert attention(tmp_path, [], node("Add", ["s", "mask"], ["m"]), mask=stored) == MARKED
    one = np.array(1, dtype=np.int64)
    made = [*ONES, node("Trilu", ["full", "one"], ["mask"], upper=1)]
    assert attention(tmp_path, made, node("Add", ["mask", "s"], ["m"]), one=one) == MARKED
    assert attention(tmp_path, [], node("Add", ["s", "mask"], ["m"]), mask=0 * stored) == PLAIN
    assert attention(tmp_path, [], node("Add", ["s", "mask"], ["m"]), mask=stored.swapaxes(2, 3)) == PLAIN


def test_chosen_by_a_condition_of_either_sense(tmp_path: Path) -> None:
    kept = triangle(S, S)[None, None]
    assert attention(tmp_path, [], node("Where", ["mask", "s", "least"], ["m"]), mask=kept) == MARKED
    assert attention(tmp_path, [], node("Where", ["mask", "least", "s"], ["m"]), mask=~kept) == MARKED
    assert attention(tmp_path, [], node("Where", ["mask", "least", "s"], ["m"]), mask=kept) == PLAIN


def test_with_padding_that_depends_on_an_input(tmp_path: Path) -> None:
    """What is hidden besides does no harm: a row still waits for no later keys."""
    stored = np.where(triangle(S, S), np.float32(0), LEAST)[None, None]
    both = [node("Add", ["mask", "padding"], ["both"])]
    assert attention(tmp_path, both, node("Add", ["s", "both"], ["m"]), mask=stored) == MARKED
    assert attention(tmp_path, [], node("Add", ["s", "padding"], ["m"])) == PLAIN


def test_scores_that_something_else_reads_are_needed_whole(tmp_path: Path) -> None:
    stored = np.where(triangle(S, S), np.float32(0), LEAST)[None, None]
    other = [node("Add", ["s", "mask"], ["half"])]
    assert attention(tmp_path, other, node("Add", ["s", "half"], ["m"]), mask=stored) == PLAIN


def test_a_large_mask_is_read_too(tmp_path: Path) -> None:
    """Ninety tokens: more elements than constants that are computed for their values."""
    size = 90
    nodes = [
        node("MatMul", ["q", "kt"], ["s"], name="scores"),
        node("Add", ["s", "mask"], ["m"]),
        node("Softmax", ["m"], ["p"], axis=-1),
        node("MatMul", ["p", "v"], ["y"], name="context"),
    ]
    made = model(
        tmp_path / "m.onnx",
        nodes,
        {"q": [1, 1, size, D], "kt": [1, 1, D, size], "v": [1, 1, size, D]},
        {"y": [1, 1, size, D]},
        {"mask": np.where(triangle(size, size), np.float32(0), LEAST)},
    )
    assert next(op for op in from_onnx(made).ops if op.name == "scores").attributes == {"causal": 1}


@pytest.mark.parametrize("name", ["gpt2", "llama_7b", "mixtral_8x7b", "whisper_tiny", "bert_base"])
def test_shipped_traces_say_it_where_it_is_so(name: str) -> None:
    """Of each layer of a decoder its own attention, but not that to what an encoder made."""
    products = [op for op in Trace.load(name).ops if op.type == "MatMul" and len(op.activations) == 2]
    causal = [op for op in products if op.attributes.get("causal")]
    layers = {"gpt2": 12, "llama_7b": 32, "mixtral_8x7b": 32, "whisper_tiny": 4, "bert_base": 0}
    assert len(causal) == layers[name]
    assert all("encoder" not in op.name.split(".")[1] and "encoder_attn" not in op.name for op in causal)


def test_the_attribute_may_be_left_out_and_is_kept(tmp_path: Path) -> None:
    trace = decoder(1, causal=True)
    trace.save(tmp_path / "t.jsonl")
    again = Trace.load(tmp_path / "t.jsonl")
    assert again.ops == trace.ops
    assert [op.name for op in again.ops if op.attributes.get("causal")] == ["h0.attn.scores"]
    bad = (tmp_path / "t.jsonl").read_text().replace('"causal": 1', '"causal": "yes"')
    (tmp_path / "t.jsonl").write_text(bad)
    with pytest.raises(TraceError, match="causal"):
        Trace.load(tmp_path / "t.jsonl")


FUSED = {
    "Attention of opset 23": (("Attention", ""), {"is_causal": 1}, [(1, 2, S, D)] * 3, True),
    "Attention of opset 23, from the first key": (
        ("Attention", ""),
        {"is_causal": 1},
        [(1, 2, S - 1, D), (1, 2, S, D), (1, 2, S, D)],
        False,
    ),
    "Attention of opset 23, unmasked": (("Attention", ""), {}, [(1, 2, S, D)] * 3, False),
    "MultiHeadAttention": (
        ("MultiHeadAttention", "com.microsoft"),
        {"num_heads": 2, "unidirectional": 1},
        [(1, S, 2 * D)] * 3,
        True,
    ),
    "MultiHeadAttention of both directions": (
        ("MultiHeadAttention", "com.microsoft"),
        {"num_heads": 2},
        [(1, S, 2 * D)] * 3,
        False,
    ),
    "GroupQueryAttention": (
        ("GroupQueryAttention", "com.microsoft"),
        {"num_heads": 2, "kv_num_heads": 1},
        [(1, S, 2 * D), (1, S, D), (1, S, D)],
        True,
    ),
}


@pytest.mark.parametrize("name", FUSED)
def test_ops_of_whole_attention_say_it_by_their_attributes(tmp_path: Path, name: str) -> None:
    """Without a cache ONNX counts from the first key: with fewer rows than keys the last row does not use all."""
    (type_, domain), attributes, shapes, causal = FUSED[name]
    operands = dict(zip("qkv", ([*shape] for shape in shapes), strict=True))
    names = ["q", "k", "v"] + ["", "", "lengths", "total"] * (type_ == "GroupQueryAttention")
    constants = {"lengths": np.array([S - 1], np.int32), "total": np.array(S, np.int32)}
    made = model(
        tmp_path / "m.onnx",
        [node(type_, names, ["y"], name="a", domain=domain, **attributes)],
        operands,
        {"y": None},
        {key: value for key, value in constants.items() if key in names},
        opset=23,
    )
    products = [op for op in from_onnx(made).ops if op.type == "MatMul"]
    assert [dict(op.attributes) for op in products] == [{"causal": 1} if causal else {}, {}]
