"""SCALE-Sim topologies: each oddity of the files in use, and what is refused.

The fixtures are written here. SCALE-Sim's own outputs follow its formula, ceil((input - filter + stride) / stride)
(scalesim/topology_utils.py, snapshot of 2025-08-15), from which the expected MACs are computed by hand.
"""

from __future__ import annotations

import math

import pytest

from pimsim.errors import TraceError
from pimsim.trace import Trace
from pimsim.trace.tables.scalesim import from_scalesim

HEAD = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,"
GEMM = "Layer, M, N, K,"


def read(tmp_path, *lines, end="\n", encoding="utf-8", name="net.csv", **options):
    path = tmp_path / name
    path.write_bytes(end.join(lines).encode(encoding))
    return from_scalesim(path, **options)


def types(trace):
    return [op.type for op in trace.ops]


def test_convolutions_follow_one_another(tmp_path):
    trace = read(tmp_path, HEAD, "one, 8, 8, 3, 3, 2, 4, 1,", "two, 6, 6, 1, 1, 4, 8, 1,")
    assert types(trace) == ["Input", "Conv", "Conv"]
    assert trace.ops[1].output.shape == (1, 4, 6, 6)
    assert trace.macs == 6 * 6 * 3 * 3 * 2 * 4 + 6 * 6 * 4 * 8
    assert trace.header["weights"] == "absent"


def test_where_shapes_differ_the_image_is_pooled_padded_or_moved(tmp_path):
    pooled = read(tmp_path, HEAD, "one, 8, 8, 3, 3, 2, 4, 1,", "two, 3, 3, 1, 1, 4, 8, 1,")
    assert types(pooled) == ["Input", "Conv", "MaxPool", "Conv"]
    assert pooled.ops[2].output.shape == (1, 4, 3, 3)
    padded = read(tmp_path, HEAD, "one, 8, 8, 3, 3, 2, 4, 1,", "two, 8, 8, 3, 3, 4, 8, 1,")
    assert types(padded) == ["Input", "Conv", "Conv"]
    assert padded.ops[2].attributes["pads"] == (1, 1, 1, 1)
    assert padded.macs == 6 * 6 * 9 * 8 + 6 * 6 * 9 * 32  # of the sizes in the file
    moved = read(tmp_path, HEAD, "one, 8, 8, 3, 3, 2, 4, 1,", "two, 6, 6, 1, 1, 5, 8, 1,")
    assert types(moved) == ["Input", "Conv", "DataMovement", "Conv"]


def test_a_layer_reads_the_latest_op_of_its_shape(tmp_path):
    """A shortcut beside two layers: its input is the output of the one before those."""
    lines = [
        "a, 8, 8, 1, 1, 2, 4, 1,",
        "b, 8, 8, 1, 1, 4, 6, 2,",
        "c, 8, 8, 1, 1, 4, 6, 2,",
        "d, 5, 5, 1, 1, 6, 2, 1,",
    ]
    trace = read(tmp_path, HEAD, *lines)
    assert {op.name: op.deps for op in trace.ops[2:]} == {"b": ("a",), "c": ("a",), "d": ("c",)}
    assert trace.outputs == ("b", "d")


def test_the_last_window_hangs_over_the_end_as_in_scale_sim(tmp_path):
    """(8 - 3 + 2) / 2 = 3.5: four windows."""
    trace = read(tmp_path, HEAD, "one, 8, 8, 3, 3, 1, 1, 2,")
    assert trace.ops[-1].output.shape[2:] == (4, 4)
    assert trace.macs == 16 * 9


def test_padding_same_keeps_the_size_and_says_what_that_costs(tmp_path):
    trace = read(tmp_path, HEAD, "one, 8, 9, 3, 3, 2, 4, 2,", padding="same")
    assert trace.ops[-1].output.shape[2:] == (4, 5)
    same, none = 4 * 5 * 9 * 8, math.ceil(7 / 2) * math.ceil(8 / 2) * 9 * 8
    assert trace.macs == same
    assert f"do {same:,} MACs, without it {none:,}" in trace.header["notes"][0]


def test_matrix_products(tmp_path):
    trace = read(tmp_path, GEMM, "a, 16, 8, 4,", "b, 16, 2, 8,", "c, 5, 6, 7")
    assert types(trace) == ["Input", "Gemm", "Gemm", "DataMovement", "Gemm"]
    assert trace.macs == 16 * 8 * 4 + 16 * 2 * 8 + 5 * 6 * 7


@pytest.mark.parametrize(
    "odd",
    [
        {"end": "\r\n"},
        {"encoding": "utf-8-sig"},
        {"lines": [HEAD.rstrip(","), "one,8,8,3,3,2,4,1"]},
        {"lines": [HEAD.replace(", ", "\t").rstrip(","), "one\t8\t8\t3\t3\t2\t4\t1"]},
        {"lines": [HEAD, "", "  ", "one, 8, 8, 3, 3, 2, 4, 1,", ""]},
        {"lines": [HEAD, "Block A,", "one, 8, 8, 3, 3, 2, 4, 1,", "Block B,,,,,,,,"]},
        {"lines": [HEAD + " Sparsity,", "one, 8, 8, 3, 3, 2, 4, 1, 2:4,"]},
        {"lines": [HEAD.lower().replace("ifmap height", "ifmap h"), "one, 8, 8, 3, 3, 2, 4, 1,"]},
    ],
    ids=[
        "CRLF",
        "byte-order mark",
        "no trailing comma",
        "tabs",
        "blank lines",
        "headings",
        "sparsity",
        "spelling",
    ],
)
def test_what_does_not_matter_is_read_over(tmp_path, odd):
    lines = odd.pop("lines", [HEAD, "one, 8, 8, 3, 3, 2, 4, 1,"])
    trace = read(tmp_path, *lines, **odd)
    assert types(trace) == ["Input", "Conv"]
    assert trace.macs == 6 * 6 * 9 * 8


def test_a_batch_column_counts(tmp_path):
    trace = read(tmp_path, HEAD + "Batch Size,", "one, 8, 8, 3, 3, 2, 4, 1, 5,")
    assert trace.ops[0].output.shape == (5, 2, 8, 8)
    assert trace.macs == 5 * 6 * 6 * 9 * 8


def test_sparsity_is_not_modelled_and_a_depthwise_layer_looks_odd_and_both_are_said(tmp_path):
    trace = read(tmp_path, GEMM + "Sparsity,", "a, 2, 3, 4, 1:2,")
    assert trace.header["notes"] == ["Sparsity is in the file and is not modelled."]
    trace = read(tmp_path, HEAD, "conv_dw_1, 8, 8, 3, 3, 32, 32, 1,", "two, 6, 6, 3, 3, 32, 1, 1,")
    (note,) = trace.header["notes"]
    assert "Looks depthwise" in note
    assert "conv_dw_1, two" in note


def test_equal_names_are_told_apart_and_the_trace_is_whole_again_from_its_file(tmp_path):
    trace = read(tmp_path, GEMM, "a, 4, 4, 4,", "a, 4, 4, 4,", "a, 4, 4, 4,")
    assert [op.name for op in trace.ops] == ["input", "a", "a (2)", "a (3)"]
    trace.save(tmp_path / "t.jsonl")
    assert Trace.load(tmp_path / "t.jsonl").digest == trace.digest


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([HEAD, "one, 8, 8, 3, 3, 2, 4,"], "net.csv:2: column 8: found nothing, expected stride"),
        ([HEAD, "one, 8, B, 3, 3, 2, 4, 1,"], "net.csv:2: column 3: found 'B', expected IFMAP width"),
        ([HEAD, "one, 8, 8, 3, 3, -2, 4, 1,"], "net.csv:2: column 6: found '-2', expected channels"),
        ([HEAD, "one, 8, 8, 3, 3, 2, 0, 1,"], "net.csv:2: column 7: found '0', expected number of filters"),
        ([HEAD, "", "one, 2, 8, 3, 3, 2, 4, 1,"], "net.csv:3: found a filter of 3x3 on an input of 2x8"),
        ([GEMM, "a, 1.5, 2, 3,"], "net.csv:2: column 2: found '1.5', expected M"),
        ([GEMM], "has no layers"),
        ([""], "is empty"),
    ],
)
def test_a_wrong_field_is_named_with_its_line_and_column(tmp_path, lines, message):
    with pytest.raises(TraceError) as error:
        read(tmp_path, *lines)
    assert message in str(error.value)


def test_what_is_not_text_is_refused(tmp_path):
    path = tmp_path / "net.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TraceError, match="is not text in UTF-8"):
        from_scalesim(path)
