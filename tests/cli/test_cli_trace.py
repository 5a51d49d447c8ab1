"""``pimsim trace export`` and ``show``: what stands on stdout and stderr, and the exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from pimsim.trace import Op, Operand, Tensor, Trace

from ..trace.symbolic import attention
from .runner import call

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def pimsim(*args: str | Path, cwd: Path | None = None, columns: int = 80) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).parents[2])
    code = "from pimsim.cli import main; main()"
    env = {
        **os.environ,
        "COLUMNS": str(columns),
        "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]),
    }
    return subprocess.run(
        [sys.executable, "-c", code, "trace", *map(str, args)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=env,
    )


def refused(*args: str | Path) -> str:
    """Run a command that must fail by the user's fault, and return its one message."""
    done = pimsim(*args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


def tiny(path: Path) -> Path:
    """Write a model with a symbolic batch and an op that nobody knows."""
    nodes = [
        helper.make_node("Multinomial", ["x"], ["s"], sample_size=3),
        helper.make_node("Relu", ["s"], ["y"]),
    ]
    x, y = (
        helper.make_tensor_value_info(name, kind, ["N", 3])
        for name, kind in (("x", TensorProto.FLOAT), ("y", TensorProto.INT32))
    )
    made = helper.make_model(
        helper.make_graph(nodes, "g", [x], [y]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    path.write_bytes(made.SerializeToString())
    return path


def test_export_writes_what_is_shipped(tmp_path: Path) -> None:
    done = pimsim("export", LIGHT / "light_squeezenet.onnx", "-o", tmp_path / "squeezenet.jsonl")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "349,151,936 MACs" in done.stdout  # 349.2 million in tests/published/onnx_light_models.csv
    written = (tmp_path / "squeezenet.jsonl").read_text()
    assert written == (Path(__file__).parents[2] / "traces" / "squeezenet.jsonl").read_text()


def test_export_says_what_it_decided(tmp_path: Path) -> None:
    out = tmp_path / "t.jsonl"
    assert "Multinomial (1); --allow-unknown" in refused("export", tiny(tmp_path / "m.onnx"), "-o", out)
    assert not out.exists()
    done = pimsim("export", tmp_path / "m.onnx", "-o", out, "--allow-unknown")
    assert done.returncode == 0
    assert "note: symbolic dimension 'N' of 'x' bound to 1 by default" in done.stderr
    assert "note: unknown ops treated as data movement" in done.stderr
    assert "Multinomial (1)" in done.stderr
    assert Trace.load(out).header["command"] == "pimsim trace export m.onnx -o t.jsonl --allow-unknown"
    assert "unknown ops treated as data movement" in pimsim("show", out).stdout


def test_export_binds(tmp_path: Path) -> None:
    out = tmp_path / "t.jsonl"
    done = pimsim("export", tiny(tmp_path / "m.onnx"), "-o", out, "--allow-unknown", "--bind", "N=4")
    assert done.returncode == 0
    assert Trace.load(out).ops[-1].output.shape == (4, 3)
    for bad in ("N", "N=", "=4", "N=x", "N=-1"):
        assert "--bind: found" in refused("export", tmp_path / "m.onnx", "-o", out, "--bind", bad)
    assert "no symbolic dimension 'M'" in refused("export", tmp_path / "m.onnx", "-o", out, "--bind", "M=4")
    assert "'N' bound to 0" in refused("export", tmp_path / "m.onnx", "-o", out, "--bind", "N=0")


def test_export_refuses_what_is_not_onnx_and_where_it_cannot_write(tmp_path: Path) -> None:
    out = tmp_path / "t.jsonl"
    assert "No such file" in refused("export", tmp_path / "no.onnx", "-o", out)
    (tmp_path / "text.onnx").write_text("hello")
    assert "not an ONNX model" in refused("export", tmp_path / "text.onnx", "-o", out)
    whole = (LIGHT / "light_vgg19.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    assert "not an ONNX model, or a truncated one" in refused("export", tmp_path / "cut.onnx", "-o", out)
    assert not out.exists()
    model = LIGHT / "light_vgg19.onnx"
    assert "cannot be written" in refused("export", model, "-o", tmp_path / "no" / "t.jsonl")
    assert "cannot be written: Is a directory" in refused("export", model, "-o", tmp_path)


def shown(*args: str | Path, columns: int = 80) -> list[str]:
    """Return the lines of a table in a terminal of so many columns."""
    done = pimsim("show", *args, columns=columns)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= columns
    return lines


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
@pytest.mark.parametrize("model", ["densenet121", "vgg19", "resnet50", "minilm", "digits_cnn"])
def test_show_fits_the_terminal(model: str, columns: int) -> None:
    lines = shown(model, columns=columns)
    trace = Trace.load(model)
    head = next(number for number, line in enumerate(lines) if line.startswith("---"))
    foot = next(number for number, line in enumerate(lines) if line.startswith(f"{len(trace.ops)} ops"))
    if model != "minilm" and columns > 60:
        assert foot - head == len(trace.ops) + 2  # an empty line before the totals, and no op takes two
    titles = lines[head - 1].split()
    assert titles[:4] == ["op", "type", "output", "MACs"]
    everything = ["operands", "weights", "activations", "MACs/elem"]
    dropped = [name for name in everything if name not in titles]
    missing = " ".join(lines[foot:]).partition(f"Not shown in {columns} columns: ")[2]
    assert sorted(missing.partition(".")[0].split(", ") if missing else []) == sorted(dropped)
    assert columns < 200 or not dropped
    assert ("zeros" in titles) == (model in ("minilm", "digits_cnn"))
    assert f"MACs: {trace.macs:,}, of them" in " ".join(lines)


def test_show_totals_and_kinds() -> None:
    """MiniLM: one row of each kind, and the totals, in figures worked out by hand."""
    rows = [line.split() for line in shown("minilm", columns=250)]
    find = {row[0]: row for row in rows if row}
    # 384 inputs and outputs of 128 tokens: 128*384*384 MACs on 2*128*384 + 384*384 elements
    query = find["/encoder/layer.0/attention/self/query/MatMul"]
    assert query[1:10] == ["MatMul", "1x128x384", "18.87", "M", "static", "147.5", "k", "98.3", "k"]
    assert float(query[10]) == pytest.approx(128 * 384 * 384 / (2 * 128 * 384 + 384 * 384), rel=1e-3)
    assert query[12] == query[14] == "%"
    scores = find["/encoder/layer.0/attention/self/MatMul"]
    # 12 heads of 32: two matrices of 12*128*32 in, 12*128*128 out
    assert scores[4:6] == ["M", "dynamic"]
    assert float(scores[8]) == pytest.approx(128 * 128 * 384 / (2 * 12 * 128 * 32 + 12 * 128 * 128), rel=1e-3)
    assert "static" not in find["/encoder/layer.0/attention/self/Softmax"]
    text = "\n".join(" ".join(row) for row in rows)
    assert "MACs: 1,434,599,424, of them 1,359,101,952 static and 75,497,472 dynamic" in text
    assert "data: 16 sentences of scripts/make_minilm.py, 212 tokens" in text


def symbolic(path: Path) -> Path:
    attention().save(path)
    return path


def test_show_of_symbols_without_a_value(tmp_path: Path) -> None:
    path = symbolic(tmp_path / "t.jsonl")
    lines = shown(path, columns=100)
    text = "\n".join(lines)
    assert "'?' depends on symbols without a value; say --bind batch=N --bind seq=N --bind kv=N" in text
    assert any(line.split()[:4] == ["scores", "MatMul", "batchxseqxkv+seq", "?"] for line in lines)
    assert "MACs: ?, of them ? static and ? dynamic; weights: 16" in text
    done = pimsim("show", path, "--json")
    assert json.loads(done.stdout)["totals"]["macs"] is None


def test_show_binds(tmp_path: Path) -> None:
    path = symbolic(tmp_path / "t.jsonl")
    done = pimsim("show", path, "--bind", "batch=2", "--bind", "seq=3", "--bind", "kv=5", "--json")
    shown = json.loads(done.stdout)
    # q: 2*3 rows of 4 by 4; scores: 2*3 rows of 4 features by 5+3 keys
    assert shown["totals"]["static_macs"] == 2 * 3 * 4 * 4
    assert shown["totals"]["dynamic_macs"] == 2 * 3 * 4 * 8
    part = json.loads(pimsim("show", path, "--bind", "kv=5", "--bind", "batch=1", "--json").stdout)
    assert part["totals"]["macs"] is None
    assert "sequence" in refused("show", path, "--bind", "sequence=3")
    assert "--bind: found 'seq'" in refused("show", path, "--bind", "seq")


def test_show_csv_has_a_row_an_op() -> None:
    done = pimsim("show", "digits_cnn", "--csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    trace = Trace.load("digits_cnn")
    assert [row["name"] for row in rows] == [op.name for op in trace.ops]
    assert sum(int(row["macs"]) for row in rows) == trace.macs
    assert json.loads(rows[1]["stats"])["count"] == 360 * 32 * 8 * 8
    assert "--csv: does not go with --json" in refused("show", "alexnet", "--csv", "--json")


def test_show_json_is_all_there_is_on_stdout() -> None:
    done = pimsim("show", "alexnet", "--json")
    shown = json.loads(done.stdout)
    assert done.stderr == ""
    assert shown["totals"]["macs"] == sum(row["macs"] for row in shown["ops"])
    # AlexNet's first layer by formula: 54x54 positions of 96 filters of 3x11x11 (this file does not pad it)
    assert shown["ops"][1]["macs"] == 54 * 54 * 96 * 3 * 11 * 11
    assert shown["ops"][1]["weights"] == 96 * 3 * 11 * 11
    assert shown["ops"][1]["params"] == 96 * 3 * 11 * 11 + 96
    assert shown["weights"] == "constant"
    # AlexNet's input has 3x224x224 elements
    assert shown["ops"][1]["activations"] == 3 * 224 * 224 + 96 * 54 * 54
    moved = shown["ops"][1]["activations"] + shown["ops"][1]["params"]
    assert shown["ops"][1]["intensity"] == shown["ops"][1]["macs"] / moved
    assert shown["ops"][1]["operands"] == "static"
    assert shown["ops"][1]["stats"] is None


def test_show_says_what_is_wrong(tmp_path: Path) -> None:
    assert "did you mean 'alexnet'" in refused("show", "alexnat")
    (tmp_path / "t.jsonl").write_text('{"schema": "pimsim-trace/1", "model": "m", "outputs": ["a"]}\n')
    assert f"{tmp_path / 't.jsonl'}:1: the model is empty" in refused("show", tmp_path / "t.jsonl")


def test_show_names_that_look_like_markup(tmp_path: Path) -> None:
    """Names in brackets are names, and long ones are folded, not cut."""
    x = Operand("activation", Tensor((2,)), "x")
    ops = [Op("x", "Input", (), (x.tensor,)), Op("[red]" + "n" * 90, "Relu", (x,), (x.tensor,))]
    Trace.from_ops("[bold]m", ops).save(tmp_path / "t.jsonl")
    done = pimsim("show", tmp_path / "t.jsonl")
    assert "[bold]m" in done.stdout
    assert "[red]" in done.stdout
    assert done.stdout.count("n") >= 90
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_help_imports_nothing_heavy() -> None:
    heavy = ("numpy", "networkx", "simpy", "onnx", "matplotlib", "rich", "pydantic")
    code = (
        "import sys\nfrom pimsim.cli import cli\n"
        "try:\n    cli(['trace', '--help'])\nexcept SystemExit:\n    pass\n"
        f"print([m for m in {heavy} if m in sys.modules], file=sys.stderr)"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert "export" in done.stdout
    assert done.stderr.strip() == "[]"


def test_import_writes_a_trace_of_a_topology(capsys, monkeypatch, tmp_path):
    source, target = tmp_path / "net.csv", tmp_path / "net.jsonl"
    source.write_text("Layer, IH, IW, FH, FW, C, N, S,\none, 8, 8, 3, 3, 2, 4, 1,\n")
    done = call(capsys, monkeypatch, "trace", "import", str(source), "-o", str(target), "--padding", "same")
    assert done.code == 0
    assert "note: The file has no padding" in done.err
    assert done.out == f"{target}: 2 ops, 4,608 MACs, 72 weights\n"
    assert "import net.csv -o net.jsonl --padding same" in target.read_text()


def test_import_of_a_broken_topology_writes_nothing(capsys, monkeypatch, tmp_path):
    source, target = tmp_path / "net.csv", tmp_path / "net.jsonl"
    source.write_text("Layer, M, N, K,\na, 1, x, 2,\n")
    done = call(capsys, monkeypatch, "trace", "import", str(source), "-o", str(target))
    assert (done.code, done.out) == (2, "")
    assert "net.csv:2: column 3: found 'x', expected N" in done.err
    assert not target.exists()
