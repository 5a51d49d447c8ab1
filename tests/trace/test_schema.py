"""What a trace says of itself, and that a file keeps all of it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import pimsim.trace
from pimsim.errors import TraceError
from pimsim.trace import Op, Operand, Tensor, Trace

from .builders import act, small_rows, small_trace, write_rows


def test_round_trip(tmp_path: Path) -> None:
    trace = small_trace()
    trace.save(tmp_path / "t.jsonl")
    again = Trace.load(tmp_path / "t.jsonl")
    assert again == trace
    assert again.header == trace.header
    assert [op.attributes for op in again.ops] == [op.attributes for op in trace.ops]
    assert again.digest == trace.digest
    again.save(tmp_path / "u.jsonl")
    assert (tmp_path / "u.jsonl").read_bytes() == (tmp_path / "t.jsonl").read_bytes()


def test_graph_properties() -> None:
    trace = small_trace()
    assert trace.outputs == ("concat",)
    assert [(op.name, at) for op, at in trace.consumers["conv"]] == [("relu", 0), ("add", 0)]
    assert [(op.name, at) for op, at in trace.consumers["split"]] == [("concat", 0), ("concat", 1)]
    assert trace.by_name["concat"].deps == ("split",)
    assert trace.by_name["add"].deps == ("conv", "relu")
    assert trace.by_name["conv"].weight == Operand("weight", Tensor((4, 3, 3, 3)))
    assert trace.by_name["relu"].weight is None
    # formula: output elements times channels times kernel
    assert trace.macs == trace.by_name["conv"].macs == (4 * 6 * 6) * 3 * (3 * 3)
    assert trace.weights == 4 * 3 * 3 * 3


def test_macs_by_formula() -> None:
    conv = {"kernel_shape": [3], "strides": [2], "pads": [0, 0], "dilations": [1], "group": 2}
    gemm = {"alpha": 1, "beta": 1, "transA": 1, "transB": 0}
    weight = Operand("weight", Tensor((6, 2, 3)))
    ops = [
        Op("x", "Input", (), (Tensor((5, 4, 9)),)),
        Op("conv", "Conv", (act("x", 5, 4, 9), weight), (Tensor((5, 6, 4)),), conv),
        Op("a", "Input", (), (Tensor((7, 3)),)),
        Op("gemm", "Gemm", (act("a", 7, 3), Operand("weight", Tensor((7, 2)))), (Tensor((3, 2)),), gemm),
        Op("b", "Input", (), (Tensor((8, 1, 3, 5)),)),
        Op("c", "Input", (), (Tensor((2, 5, 4)),)),
        Op("matmul", "MatMul", (act("b", 8, 1, 3, 5), act("c", 2, 5, 4)), (Tensor((8, 2, 3, 4)),)),
    ]
    trace = Trace.from_ops("m", ops)
    assert (
        trace.by_name["conv"].macs == 5 * 4 * 6 * (4 // 2) * 3
    )  # batch, positions, features, channels, kernel
    assert trace.by_name["gemm"].macs == 3 * 7 * 2
    assert trace.by_name["matmul"].macs == 8 * 2 * 3 * 5 * 4
    assert trace.by_name["matmul"].weight is None


def test_order_is_topological_and_stable(tmp_path: Path) -> None:
    rows = small_rows()
    shuffled = [rows[0], *rows[:0:-1]]
    trace = Trace.load(write_rows(tmp_path / "t.jsonl", shuffled))
    assert [op.name for op in trace.ops] == ["x", "conv", "relu", "add", "split", "concat"]


def test_digest_ignores_where_it_comes_from_and_nothing_else(tmp_path: Path) -> None:
    rows = small_rows()
    rows[0] |= {"command": "made by hand", "source": {"file": "a.onnx"}, "notes": ["a note"]}
    assert Trace.load(write_rows(tmp_path / "t.jsonl", rows)).digest == small_trace().digest
    for key, value in (("model", "other"), ("weights", "random"), ("symbols", {"batch": 1})):
        changed = [{**rows[0], key: value}, *rows[1:]]
        assert Trace.load(write_rows(tmp_path / "t.jsonl", changed)).digest != small_trace().digest
    rows[1]["outputs"][0]["dtype"] = rows[2]["inputs"][0]["dtype"] = "float16"
    assert Trace.load(write_rows(tmp_path / "t.jsonl", rows)).digest != small_trace().digest


def test_digest_does_not_depend_on_the_hash_seed() -> None:
    code = "from pimsim.trace import Trace; print(Trace.load('squeezenet').digest)"
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_bits_are_kept(tmp_path: Path) -> None:
    x, w = Tensor((2, 3), "int8", 4), Operand("weight", Tensor((3, 2), "int8", 2))
    ops = [
        Op("x", "Input", (), (x,)),
        Op("mm", "MatMul", (Operand("activation", x, "x"), w), (Tensor((2, 2), "int32", 16),)),
    ]
    Trace.from_ops("quantized", ops).save(tmp_path / "q.jsonl")
    loaded = Trace.load(tmp_path / "q.jsonl").by_name["mm"]
    assert [operand.tensor.bits for operand in loaded.inputs] == [4, 2]
    assert loaded.output.bits == 16


def test_from_ops_names_the_op_and_the_field() -> None:
    ops = [
        Op("x", "Input", (), (Tensor((1, 3)),)),
        Op("r", "Relu", (act("x", 1, 4),), (Tensor((1, 4)),)),
    ]
    with pytest.raises(TraceError, match=r"op 'r': inputs\[0\]\.shape: found 1x4, but 'x' puts out 1x3"):
        Trace.from_ops("m", ops)


def test_from_ops_shows_a_cycle() -> None:
    ops = [
        Op("a", "Relu", (act("b", 2),), (Tensor((2,)),)),
        Op("b", "Relu", (act("a", 2),), (Tensor((2,)),)),
    ]
    with pytest.raises(TraceError, match="the graph has a cycle: a -> b -> a"):
        Trace.from_ops("m", ops)


def test_loading_a_preset_needs_no_heavy_library() -> None:
    heavy = ("numpy", "networkx", "simpy", "onnx", "matplotlib", "pydantic", "rich")
    code = "import sys; from pimsim.trace import Trace; Trace.load('resnet50'); "
    code += f"print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", pimsim.trace.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(pimsim.trace, name).__name__ == name


def test_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(TraceError, match="did you mean 'resnet50'"):
        Trace.load("resnet51")


def test_save_leaves_the_old_file_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(TraceError, match=r"t\.jsonl: cannot be written: No space left on device"):
        small_trace().save(path)
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["t.jsonl"]


def test_save_to_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="No such file or directory"):
        small_trace().save(tmp_path / "no" / "t.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
def test_save_to_a_full_device_does_not_replace_it() -> None:
    with pytest.raises(TraceError, match="No space left"):
        small_trace().save("/dev/full")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)
