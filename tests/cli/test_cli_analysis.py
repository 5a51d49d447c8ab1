"""The command line of show, compare, whatif and timelines: what they print, write and refuse."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

import pimsim
from tests.cli.runner import PROGRAM, call
from tests.oracle.test_lowered import small_cnn
from tests.random_models import small_chip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A chip file, a trace file, and results of two chips."""
    folder = tmp_path_factory.mktemp("files")
    paths = {}
    for name, changes in (("a", None), ("b", {"clocks.adc": {"period_ns": 10.0}})):
        chip = small_chip(changes)
        paths[f"{name}.yaml"] = folder / f"{name}.yaml"
        paths[f"{name}.yaml"].write_text(json.dumps(chip.to_dict()))
        paths[name] = folder / f"{name}.json.gz"
        pimsim.simulate(chip, small_cnn(), 3).save(paths[name])
    paths["trace"] = folder / "small.jsonl"
    small_cnn().save(paths["trace"])
    return {key: str(path) for key, path in paths.items()}


@pytest.fixture
def run(capsys, monkeypatch):
    return lambda *arguments: call(capsys, monkeypatch, *arguments)


@pytest.mark.parametrize("by", ["cause", "part", "op", "tile", "phase"])
def test_show_prints_a_table_that_fits_and_gives_all_of_it_as_json_and_csv(run, files, by):
    table = run("show", files["a"], "--by", by, "--top", "3")
    assert table.code == 0
    assert table.err == ""
    assert max(map(len, table.out.splitlines())) <= 80
    rows = json.loads(run("show", files["a"], "--by", by, "--json").out)
    printed = run("show", files["a"], "--by", by, "--csv")
    assert printed.code == 0
    written = list(csv.DictReader(io.StringIO(printed.out)))
    assert len(written) == len(rows) > 0
    assert [row["fs"] for row in written] == [str(row["fs"]) for row in rows] if "fs" in rows[0] else True
    if by in ("cause", "op", "part"):
        assert sum(row["fs"] for row in rows) == pimsim.Result.load(files["a"]).latency_fs


def test_show_without_a_breakdown_is_the_report_of_the_run(run, files):
    assert run("show", files["a"]).out.startswith("small on isaac\nbatch of 3")
    assert json.loads(run("show", files["a"], "--json").out) == pimsim.Result.load(files["a"]).data


def test_show_draws_the_roofline_with_every_op_and_ceiling(run, files, tmp_path):
    target = tmp_path / "roof.svg"
    assert run("show", files["a"], "--roofline", str(target)).code == 0
    drawn = target.read_text()
    for name in ("arrays", "converters", "digital units", "network", "buses", "buffers"):
        assert f"<!-- {name}: " in drawn  # matplotlib notes the text beside its glyphs
    points = [p for p in pimsim.roofline(pimsim.Result.load(files["a"])).points if p["ops_per_byte"]]
    markers = re.findall(r'id="PathCollection_\d+">(.*?)\n  </g>', drawn, re.S)
    assert sum(group.count("<use ") for group in markers) >= len(points)
    refused = run("show", files["a"], "--roofline", str(tmp_path / "roof.txt"))
    assert refused.code == 2
    assert not (tmp_path / "roof.txt").exists()


def test_compare_begins_with_what_matters_and_its_json_closes(run, files):
    text = run("compare", files["a"], files["b"])
    assert text.code == 0
    lines = text.out.splitlines()
    assert lines[0] == "small: isaac (A) against isaac (B)"
    assert "slower than" in lines[1]
    data = json.loads(run("compare", files["a"], files["b"], "--json").out)
    a, b = (pimsim.Result.load(files[name]) for name in "ab")
    assert data["difference_fs"] == b.latency_fs - a.latency_fs
    assert sum(row["fs"] for row in data["contributions"]) == data["difference_fs"]


def test_whatif_ranks_changes_and_its_json_has_them_all(run, files):
    done = run("whatif", files["a.yaml"], files["trace"], "--part", "core.adc", "--part", "network")
    assert done.code == 0, done.err
    assert "What if ..., the best first" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    grid = ("--set-grid", "core.adc.adcs_per_bank=1,2,4", "--json")
    data = json.loads(run("whatif", files["a.yaml"], files["trace"], *grid).out)
    assert [
        row["set"]["core.adc.adcs_per_bank"] for row in sorted(data["changes"], key=lambda r: r["change"])
    ] == [1, 2, 4]
    assert data["missing"] == 0


def test_a_timeline_is_written_and_says_what_is_in_it(run, files, tmp_path):
    target = tmp_path / "t.json.gz"
    done = run("run", files["a.yaml"], files["trace"], "--timeline", str(target))
    assert done.code == 0
    assert f"{target}: small on isaac: " in done.err
    assert "every visit" in done.err
    events = json.loads(gzip.decompress(target.read_bytes()))["traceEvents"]
    assert {event["ph"] for event in events} == {"M", "X", "C", "s", "f"}
    window = run(
        "run", files["a.yaml"], files["trace"], "--timeline", str(target), "--timeline-window", "10us..12us"
    )
    assert window.code == 0
    assert "what reaches into 10 us to 12 us" in window.err


BAD = {
    "not a result": (("show", "{bad}/no.json"), "is not a pimsim result, or is cut short"),
    "another file": (("show", "{bad}/other.json"), "is not a pimsim result: found schema 'else/1'"),
    "newer": (("show", "{bad}/newer.json"), "it was written by a newer pimsim"),
    "truncated": (("show", "{bad}/short.json.gz"), "is not a pimsim result, or is cut short"),
    "without a part": (("show", "{bad}/part.json"), "is not a whole result: it has no 'ops'"),
    "missing": (("show", "{bad}/none.json"), "cannot be read: No such file"),
    "a list": (("compare", "{a}", "{bad}/list.json"), "is not a pimsim result"),
    "one alone": (("compare", "{a}"), "found 1 results, expected two or more"),
    "other model": (("compare", "{a}", "{bad}/model.json"), "different models, 'small' and 'other'"),
    "csv of nothing": (("show", "{a}", "--csv"), "--csv: needs --by"),
    "no rows": (("show", "{a}", "--top", "0"), "--top: found 0, expected a number of rows from 1"),
    "window alone": (
        ("run", "{a.yaml}", "{trace}", "--timeline-window", "1us..2us"),
        "needs --timeline FILE",
    ),
    "window of nonsense": (
        ("run", "{a.yaml}", "{trace}", "--timeline", "t.json", "--timeline-window", "1..2us"),
        "expected a time with its unit (fs, ps, ns, us, ms, s); 100us..250us",
    ),
    "window backwards": (
        ("run", "{a.yaml}", "{trace}", "--timeline", "t.json", "--timeline-window", "2us..1us"),
        "which ends before it begins",
    ),
    "window outside": (
        ("run", "{a.yaml}", "{trace}", "--timeline", "t.json", "--timeline-window", "2s..3s"),
        "--timeline-window: found 2 s to 3 s, expected a time within the run, which ends at",
    ),
    "timeline of no format": (
        ("run", "{a.yaml}", "{trace}", "--timeline", "t.txt"),
        "--timeline: found the name 't.txt', expected one that ends in .json, .json.gz, .pftrace",
    ),
    "one file for two": (
        ("run", "{a.yaml}", "{trace}", "-o", "x.json", "--timeline", "./x.json"),
        "--timeline: 'x.json' is written by -o already",
    ),
    "grid key": (
        ("whatif", "{a.yaml}", "{trace}", "--set-grid", "core.adc.adc_per_bank=1,2"),
        "did you mean 'adcs_per_bank'?",
    ),
    "grid and part": (
        ("whatif", "{a.yaml}", "{trace}", "--set-grid", "tile.cores=1,2", "--part", "network"),
        "--part: does not go with --set-grid",
    ),
    "no jobs": (("whatif", "{a.yaml}", "{trace}", "--jobs", "0"), "--jobs: found 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_message_and_nothing_is_written(run, files, tmp_path, monkeypatch, name):
    data = pimsim.Result.load(files["a"]).data
    raw = gzip.compress(json.dumps(data).encode())
    bad = {
        "no.json": b"not json",
        "other.json": b'{"schema": "else/1"}',
        "newer.json": json.dumps({**data, "schema": "pimsim-result/99"}).encode(),
        "short.json.gz": raw[: len(raw) // 2],
        "part.json": json.dumps({key: value for key, value in data.items() if key != "ops"}).encode(),
        "list.json": b"[]",
        "model.json": json.dumps({**data, "model": "other"}).encode(),
    }
    for each, content in bad.items():
        (tmp_path / each).write_bytes(content)
    arguments, message = BAD[name]
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    names = {"{bad}": str(tmp_path), **{f"{{{key}}}": value for key, value in files.items()}}
    for key, value in names.items():
        arguments = tuple(argument.replace(key, value) for argument in arguments)
    done = run(*arguments)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("error: ") == 1
    assert "Traceback" not in done.err
    assert list(work.iterdir()) == []


def test_an_output_that_exists_is_replaced_only_when_whole(files, tmp_path):
    """The disk of the timeline is full: what stood there still does."""
    target = tmp_path / "t.json"
    target.write_text("before")
    code = (
        "import sys; from unittest import mock; import pimsim.result.result as result\n"
        "with mock.patch('os.fsync', side_effect=OSError(28, 'No space left on device')):\n"
        "    from pimsim.cli import main\n"
        f"    sys.argv = ['pimsim', 'run', {files['a.yaml']!r}, {files['trace']!r}, '--timeline', {str(target)!r}]\n"
        "    main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["t.json"]


def test_ctrl_c_in_whatif_keeps_what_is_done():
    """After the first runs, on a chip and a trace that have dozens of them."""
    command = [*PROGRAM, "whatif", "hermes64", "squeezenet", "--jobs", "1"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    time.sleep(6)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    if out:  # a slow machine may not have got so far
        assert "What if ..., the best first" in out
        assert "interrupted: " in out
