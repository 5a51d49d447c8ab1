"""Bad input gets one clear message and exit code 2, no traceback, nothing half-written."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..trace.builders import small_rows, write_rows
from .runner import call, small_file, spawn


def trace(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[Path], list[str]]:
    """Return the arguments that run the small trace after a change of its rows."""

    def arguments(folder: Path) -> list[str]:
        rows = small_rows()
        change(rows)
        return ["run", "isaac", str(write_rows(folder / "bad.jsonl", rows))]

    return arguments


def file(name: str, content: bytes, where: str = "trace") -> Callable[[Path], list[str]]:
    """Return the arguments that run a file as a trace or as a chip."""

    def arguments(folder: Path) -> list[str]:
        path = folder / name
        path.write_bytes(content)
        if where == "export":
            return ["trace", "export", str(path), "-o", str(folder / "out.jsonl")]
        return ["run", "isaac", str(path)] if where == "trace" else ["run", str(path), small_file(folder)]

    return arguments


def options(*words: str) -> Callable[[Path], list[str]]:
    """Return the arguments that run the small trace on isaac with options."""
    return lambda folder: ["run", "isaac", small_file(folder), *words]


def words(*all_of_them: str) -> Callable[[Path], list[str]]:
    return lambda folder: list(all_of_them)


def truncated(folder: Path) -> list[str]:
    path = Path(small_file(folder))
    path.write_bytes(path.read_bytes()[:-20])
    return ["run", "isaac", str(path)]


def chip(text: str) -> Callable[[Path], list[str]]:
    return file("chip.yaml", ("extends: isaac\n" + text).encode(), "chip")


CASES: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    # files
    "no chip": (words("run", "isac", "squeezenet"), "'isac'; did you mean 'isaac'"),
    "no trace": (words("run", "isaac", "squezenet"), "'squezenet'; did you mean 'squeezenet'"),
    "no chip file": (words("run", "gone/chip.yaml", "squeezenet"), "gone/chip.yaml: no such file"),
    "no trace file": (words("run", "isaac", "gone/trace.jsonl"), "gone/trace.jsonl: no such file"),
    "a folder": (lambda folder: ["run", "isaac", str(folder)], "is a folder"),
    "a name too long": (words("run", "isaac", "x/" + "y" * 5000), "y: File name too long"),
    "not YAML": (file("chip.yaml", b"notes: [1, 2", "chip"), r"chip.yaml:\d+"),
    "not text": (file("chip.yaml", b"\x7fELF\xd0\x00", "chip"), "not UTF-8|not YAML"),
    "YAML, but a list": (file("chip.yaml", b"- 1\n", "chip"), "found a list"),
    "an empty chip": (file("chip.yaml", b"", "chip"), "empty"),
    "not JSON": (file("t.jsonl", b"{nothing}\n"), r"t.jsonl:1"),
    "a trace that is no text": (file("t.jsonl", b"\x7fELF\xd0\x00"), "t.jsonl:1"),
    "an empty trace": (file("t.jsonl", b""), "t.jsonl.*empty"),
    "a truncated trace": (truncated, r"small.jsonl:7.*(truncated|JSON|cut)"),
    "not ONNX": (file("model.onnx", b"not a model", "export"), "model.onnx"),
    # chips
    "an unknown key": (
        chip("sites: {tile: {core: {adc: {bitz: 8}}}}"),
        "sites.tile.core.adc.bitz.*did you mean 'bits'",
    ),
    "a wrong type": (
        chip("sites: {tile: {count: many}}"),
        "sites.tile.count: found the text 'many', expected a valid integer",
    ),
    "an ADC without bits": (
        chip("sites: {tile: {core: {adc: {bits: 0}}}}"),
        "sites.tile.core.adc.bits: found 0, expected at least 1",
    ),
    "no tiles": (chip("sites: {tile: {count: 0}}"), "sites.tile.count: found 0, expected at least 1"),
    "a negative time": (
        chip("sites: {tile: {core: {array: {read_ns: -1}}}}"),
        "sites.tile.core.array.read_ns: found -1",
    ),
    "an absurd number": (
        chip("sites: {tile: {count: 1000000000000}}"),
        "sites.tile.count: found 1000000000000, expected at most",
    ),
    "a chip of the older schema": (
        chip("core: {adc: {bits: 6}}"),
        "found 'core:' at the top, .*convert it: pimsim chip convert .*chip.yaml -o new.yaml",
    ),
    "a site of no kind": (
        chip("sites: {near: {count: 1}}"),
        "sites.near.kind: found no key 'kind', expected one of",
    ),
    "a site of a kind that is not there": (
        chip("sites: {near: {kind: crosbar}}"),
        "sites.near.kind: found kind 'crosbar'.*did you mean 'crossbar'",
    ),
    "nothing that computes": (chip("sites: {tile: null}"), "sites: .*nothing is left to compute"),
    "an infinite number": (
        chip("sites: {tile: {core: {array: {read_ns: .inf}}}}"),
        "sites.tile.core.array.read_ns: found inf",
    ),
    # a chip on which an op alone would take longer than int64 femtoseconds can count
    "never ending": (
        options("--set", "core.adc.convert_cycles=1000000", "--set", "clocks.adc={period_ns: 1e6}"),
        r"op 'conv'.*firings.*2\.5 hours",
    ),
    # --set
    "--set without =": (options("--set", "core.adc.bits"), "--set core.adc.bits: expected path.to.key=value"),
    "--set nowhere": (
        options("--set", "core.adk.bits=1"),
        "no key 'adk' in sites.tile.core; did you mean 'adc'",
    ),
    "--set below a value": (options("--set", "tile.count.x=1"), "'sites.tile.count' is a value"),
    "--set to nonsense": (options("--set", "tile.count=[1"), "--set tile.count=\\[1"),
    # traces
    "an unknown key in the trace": (
        trace(lambda rows: rows[3].update(typo=1)),
        "bad.jsonl:4: unknown key 'typo'",
    ),
    "a wrong type in the trace": (trace(lambda rows: rows[3].update(type=7)), "bad.jsonl:4"),
    "a dependency that dangles": (
        trace(lambda rows: rows[3]["inputs"][0].update({"from": "gone"})),
        "bad.jsonl:4.*'gone'",
    ),
    "a cycle": (
        trace(lambda rows: rows[3]["inputs"][0].update({"from": "add"})),
        r"bad.jsonl:\d.*(cycle|circle)",
    ),
    "shapes that do not fit": (
        trace(lambda rows: rows[3]["inputs"][0].update(shape=[1, 4, 6, 7])),
        r"bad.jsonl:4.*1[x, ]+4[x, ]+6[x, ]+7",
    ),
    "a size of zero": (trace(lambda rows: rows[1]["outputs"][0].update(shape=[1, 0, 6, 6])), "bad.jsonl:2"),
    "an empty model": (trace(lambda rows: rows.__delitem__(slice(1, None))), "bad.jsonl.*no op"),
    # options
    "no --batch": (options("--batch", "0"), "batch: found 0, expected a whole number from 1 to 1000000"),
    "a negative --batch": (options("--batch", "-1"), "batch: found -1"),
    "a huge --batch": (options("--batch", "9" * 40), "batch: found 9+.*expected a whole number"),
    "a wordy --batch": (options("--batch", "x"), "'x' is not a valid integer"),
    "no --chips": (options("--chips", "0"), "chips: found 0"),
    "no --chips for a plan": (options("--plan", "--chips", "0"), "chips: found 0"),
    "too few --chips": (
        words("run", "isaac", "vgg19", "--chips", "1"),
        r"the weights of 'vgg19' need \d+ arrays, 1 x isaac has 16128 arrays; give --chips \d+ or more",
    ),
    "no bits": (options("--weight-bits", "0"), "weight_bits: found 0"),
    "many bits": (options("--input-bits", "65"), "input_bits: found 65"),
    "no --top": (options("--top", "0"), "--top: found 0"),
    "--plan with -o": (options("--plan", "-o", "r.json"), "-o: --plan does not simulate"),
    "an unknown option": (options("--bach", "2"), "No such option '?--bach"),
    "an unknown command": (words("rum"), "No such command 'rum'"),
    "nothing to run": (words("run"), "Missing argument 'CHIP'"),
    "nothing to run it on": (words("run", "isaac"), "Missing argument 'TRACE'"),
    # the network
    "an unknown fidelity": (options("--network", "exact"), "'exact' is not one of 'flit', 'packet'"),
    "rings of one virtual channel": (
        options("--set", "network.vcs=1", "--set", "network.topology={kind: ring, nodes: 168}"),
        "network.vcs: found 1, expected at least 2",
    ),
    "--plan with --plot": (options("--plan", "--plot", "p.png"), "--plot: --plan does not simulate"),
    "a picture in no folder": (options("--plot", "gone/p.png"), "gone/p.png: cannot be written: .*no folder"),
    "a picture of no format": (options("--plot", "p.xyz"), "p.xyz: found '.xyz', expected one of: .*png"),
    "a picture that is a folder": (
        lambda folder: [*options("--plot", "p.png")(folder), (folder / "p.png").mkdir() or "--json"],
        "p.png: is a folder",
    ),
    # outputs
    "an output in no folder": (options("-o", "gone/r.json"), "gone/r.json: cannot be written: .*no folder"),
    "an output that is a folder": (options("-o", "."), "is a folder, expected a file"),
    "an output below a file": (options("-o", "/dev/null/r.json"), "/dev/null/r.json: cannot be written"),
    "an output that the system refuses": (options("-o", "x" * 250), "cannot be written: File name too long"),
}

IN_A_PROCESS = [
    "no chip",
    "not JSON",
    "no tiles",
    "never ending",
    "too few --chips",
    "a cycle",
    "an unknown option",
]


def complaint(code: int, out: str, err: str, message: str) -> None:
    """One message that says so, exit code 2, no report."""
    assert code == 2
    assert re.search(message, err, re.DOTALL), err
    assert "Traceback" not in err
    assert out == ""
    errors = [line for line in err.splitlines() if line.lower().startswith("error: ")]
    assert len(errors) == 1, err


@pytest.mark.parametrize("name", CASES)
def test_one_message_and_exit_code_2(name, tmp_path, capsys, monkeypatch):
    make, message = CASES[name]
    arguments = make(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = sorted(os.listdir(tmp_path))
    complaint(*call(capsys, monkeypatch, *arguments), message)
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("name", IN_A_PROCESS)
def test_the_same_from_the_shell(name, tmp_path):
    make, message = CASES[name]
    complaint(*spawn(*make(tmp_path)), message)


def test_an_output_that_cannot_be_written_is_told_before_the_simulation(tmp_path, capsys, monkeypatch):
    def fail(*_args, **_kwargs):
        raise AssertionError("simulated")

    monkeypatch.setattr("pimsim.run.simulate.simulate", fail)
    arguments = options("-o", str(tmp_path / "gone" / "r.json"))(tmp_path)
    assert call(capsys, monkeypatch, *arguments).code == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_without_permission(tmp_path, capsys, monkeypatch):
    arguments = options("-o", str(tmp_path / "closed" / "r.json"))(tmp_path)
    (tmp_path / "closed").mkdir(mode=0o500)
    complaint(*call(capsys, monkeypatch, *arguments), "cannot be written: Permission denied")


def test_a_failed_run_leaves_an_older_result_alone(tmp_path, capsys, monkeypatch):
    path = tmp_path / "r.json"
    path.write_text("old")
    call(capsys, monkeypatch, *options("-o", str(path), "--chips", "0")(tmp_path))
    assert path.read_text() == "old"
    assert call(capsys, monkeypatch, *options("-o", str(path))(tmp_path)).code == 0
    assert json.loads(path.read_text())["model"] == "small"


def test_a_run_to_the_end_of_time_says_so(tmp_path, capsys, monkeypatch):
    """1 s a read and 1-bit inputs make 1 s an inference: 11000 of them pass 2^63 fs = 9223 s."""
    slow = ["--set", "core.array.read_ns=1e9", "--input-bits", "1", "--batch", "11000"]
    done = call(capsys, monkeypatch, *options(*slow)(tmp_path))
    assert done.code == 1
    assert re.search(
        r"error: the run is not over at 92\d\d s, and its next event lies beyond 9223 s", done.err
    )
    assert "Traceback" not in done.err


def test_no_arguments_show_the_help():
    done = spawn()
    assert "Usage: pimsim" in done.out + done.err
    assert "run " in done.out + done.err
