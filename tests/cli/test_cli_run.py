"""``pimsim run``: what it prints, where, what it writes, how it ends when it is interrupted."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import pimsim

from .runner import PROGRAM, call, small_file, spawn

KEYS = {  # of pimsim-result/1, as the description of the format lists them
    *("schema", "identity", "chips", "latency_fs", "interval_fs", "first_output_fs", "macs", "energy_pj"),
    *("area_um2", "peak", "bounds", "attribution", "plan", "engine"),
}
INNER_KEYS = {
    "energy_pj": {"total", "by_part"},
    "area_um2": {"total", "by_part"},
    "peak": {"tops", "watts"},
    "bounds": {"resource_fs", "dependence_fs"},
    "engine": {"firings", "events"},
}
ROW_KEYS = {
    "attribution": {"cause", "part", "op", "fs"},
    "plan": {"op", "arrays", "replicas", "firings", "tiles"},
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_file(tmp_path_factory.mktemp("trace"))


@pytest.fixture
def run(capsys, monkeypatch, small):
    """Run the small trace on a chip, in this process."""
    return lambda *options, chip="isaac": call(capsys, monkeypatch, "run", chip, small, *options)


def test_report_goes_to_stdout_and_fits_80_columns(run):
    done = run()
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(
        "small on isaac\n1 inference, 16-bit weights, 16-bit inputs, 1 chip (chosen automatically)"
    )
    assert max(map(len, done.out.splitlines())) <= 80
    assert "\x1b" not in done.out


@pytest.mark.parametrize("name", ["r.json", "r.json.gz"])
def test_json_on_stdout_in_the_file_and_from_python_are_the_same(run, small, tmp_path, name):
    path = tmp_path / name
    done = run("--json", "--batch", "3", "-o", str(path))
    raw = path.read_bytes()
    result = pimsim.simulate(pimsim.Chip.load("isaac"), pimsim.Trace.load(small), batch=3)
    assert done.out == (gzip.decompress(raw) if name.endswith(".gz") else raw).decode() == result.to_json()
    assert pimsim.Result.load(path) == result
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_json_has_the_keys_of_the_format(run):
    data = json.loads(run("--json").out)
    assert data["schema"] == "pimsim-result/1"
    assert set(data) >= KEYS
    for key, inner in INNER_KEYS.items():
        assert set(data[key]) >= inner, key
    for key, columns in ROW_KEYS.items():
        assert data[key]
        assert all(set(row) >= columns for row in data[key]), key


def test_options_reach_the_simulation(run):
    options = [
        "--chips",
        "2",
        "--weight-bits",
        "8",
        "--input-bits",
        "4",
        "--batch",
        "2",
        "--set",
        "core.adc.bits=7",
    ]
    data = json.loads(run("--json", *options).out)
    found = (
        data["chips"],
        data["weight_bits"],
        data["input_bits"],
        data["batch"],
        data["config"]["sites"]["tile"]["core"]["adc"]["bits"],
    )
    assert found == (2, 8, 4, 2, 7)
    assert "2 chips (as asked for)" in run("--chips", "2").out


def test_the_chips_warnings_go_to_stderr(run):
    done = run("--json", "--set", "network.buffer_flits=1")
    assert done.code == 0
    assert done.err.startswith(
        "warning: network.buffer_flits: 1 flits are fewer than the 5 of the credit loop"
    )
    assert done.err.count("\n") == 1
    json.loads(done.out)


def test_a_slow_adc_is_a_warning_only(run):
    done = run("--set", "core.adc.convert_cycles=1000000")
    assert done.code == 0
    assert "warning: sites.tile.core.adc.convert_cycles: one phase takes 100 ms" in done.err


def test_plan_shows_rows_and_does_not_simulate(run, small, monkeypatch):
    def fail(*_args, **_kwargs):
        raise AssertionError("simulated")

    monkeypatch.setattr("pimsim.run.simulate.simulate", fail)
    done = run("--plan")
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80
    plan = pimsim.make_plan(pimsim.Chip.load("isaac"), pimsim.Trace.load(small))
    row = next(line.split() for line in done.out.splitlines() if line.startswith("conv "))
    conv = next(op for op in plan.ops if op.node.name == "conv")
    assert row[:4] == ["conv", "Conv", "arrays", str(conv.arrays)]
    assert json.loads(run("--plan", "--json").out) == plan.rows()


def test_top_limits_the_rows_and_verbose_gives_all(run):
    assert "other ops" in run("--top", "1").out
    verbose = run("--top", "1", "--verbose").out
    assert "other ops" not in verbose
    assert "How busy the parts were" in verbose


def test_a_full_disk_behind_the_output_still_leaves_the_report(run):
    done = run("-o", "/dev/full")
    assert done.code == 2
    assert done.err == "error: /dev/full: cannot be written: No space left on device\n"
    assert done.out.startswith("small on isaac")


# -- the network ---------------------------------------------------------------------------------------------


def test_by_packet_the_report_and_the_json_say_approximate(run):
    done = run("--network", "packet")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[2] == "network by packet: approximate"
    data = json.loads(run("--network", "packet", "--json").out)
    assert (data["network"]["fidelity"], data["network"]["approximate"]) == ("packet", True)
    assert data["identity"]["network"] == data["config"]["network"]["fidelity"] == "packet"
    assert any("approximate" in note for note in data["notes"])


def test_by_flit_nothing_is_approximate_and_it_is_the_default(run):
    done = run("--network", "flit")
    assert "approximate" not in done.out
    assert done.out == run().out
    data = json.loads(run("--json").out)
    assert (data["network"]["fidelity"], data["network"]["approximate"]) == ("flit", False)
    assert not any("approximate" in note for note in data["notes"])
    assert data["network"]["links"]


def test_the_option_wins_over_the_chip_and_changes_the_identity(run):
    packet = ("--set", "network.fidelity=packet", "--json")
    as_set, as_flit = (json.loads(run(*packet, *more).out) for more in ([], ["--network", "flit"]))
    assert as_set["network"]["fidelity"] == "packet"
    assert as_flit["network"]["fidelity"] == "flit"
    assert as_set["identity"]["digest"] != as_flit["identity"]["digest"]


def test_plot_draws_the_network_of_every_chip(run, tmp_path):
    for name, options in (
        ("one.png", []),
        ("three.png", ["--chips", "3"]),
        ("rough.png", ["--network", "packet"]),
    ):
        done = run("--plot", str(tmp_path / name), *options)
        assert (done.code, done.err) == (0, "")
        raw = (tmp_path / name).read_bytes()
        assert raw.startswith(b"\x89PNG\r\n\x1a\n")
        assert raw.endswith(b"IEND\xaeB`\x82")
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    "topology",
    [
        "{kind: torus, width: 14, height: 12}",
        "{kind: ring, nodes: 168}",
        "{kind: fattree, arity: 6, levels: 3}",
        "{kind: fly, arity: 6, stages: 3}",
        "{kind: htree, arity: 6, levels: 3}",
        "{kind: bus, nodes: 168}",
        "{kind: crossbar, nodes: 168}",
        "{kind: package, chips: 2, of: {kind: mesh, width: 14, height: 6}}",
        "{kind: graph, edges: [[0, 1], [1, 2], [2, 0]], at: ["
        + ", ".join(str(i % 3) for i in range(168))
        + "]}",
    ],
)
def test_every_topology_runs_and_is_drawn(run, tmp_path, topology):
    path = tmp_path / "links.png"
    done = run("--set", f"network.topology={topology}", "--plot", str(path))
    assert (done.code, done.err) == (0, "")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_plot_and_output_and_json_go_together(run, tmp_path):
    result, picture = tmp_path / "r.json", tmp_path / "p.svg"
    done = run("--plot", str(picture), "-o", str(result), "--json")
    assert done.code == 0
    assert result.read_text() == done.out
    assert picture.read_text().startswith("<?xml")


def test_a_picture_that_fails_leaves_nothing_of_itself_and_all_of_the_result(run, tmp_path, monkeypatch):
    def full(figure, target, **kwargs):
        Path(target).write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    result, picture = tmp_path / "r.json", tmp_path / "p.png"
    done = run("--plot", str(picture), "-o", str(result))
    assert done.code == 2
    assert done.err == f"error: {picture}: cannot be written: No space left on device\n"
    assert done.out.startswith("small on isaac")
    assert [file.name for file in tmp_path.iterdir()] == ["r.json"]
    assert pimsim.Result.load(result).model == "small"


# -- the world around it -------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--json"], [], ["--plan"]], ids=" ".join)
def test_a_full_disk_behind_stdout_is_one_message(small, arguments):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*PROGRAM, "run", "isaac", small, *arguments], stdout=full, stderr=-1, check=False
        )
    assert done.returncode == 2
    assert done.stderr == b"error: standard output: No space left on device\n"


@pytest.mark.parametrize("arguments", [["--json"], [], ["--plan"]], ids=" ".join)
def test_a_broken_pipe_is_silent(small, arguments):
    reading, writing = os.pipe()
    os.close(reading)  # as `| head` leaves it, but with certainty
    done = subprocess.run(
        [*PROGRAM, "run", "isaac", small, *arguments], stdout=writing, stderr=-1, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"COLUMNS": "60"},
        {"NO_COLOR": "1"},
    ],
    ids=lambda environment: next(iter(environment)),
)
def test_the_report_is_the_same_in_odd_surroundings(tmp_path, small, environment):
    odd = tmp_path / "odd.jsonl"
    text = Path(small).read_text().replace('"conv"', '"[b]convé"')
    odd.write_text(text, encoding="utf-8")
    plain, strange = spawn("run", "isaac", str(odd)), spawn("run", "isaac", str(odd), **environment)
    assert strange.code == plain.code == 0
    assert strange.out == (plain.out if "é" in strange.out else plain.out.replace("é", "\\xe9"))
    assert "[b]conv" in strange.out  # brackets in a name are no markup
    assert "\x1b" not in strange.out


def test_json_is_utf8_whatever_the_locale_is(tmp_path, small):
    odd = tmp_path / "odd.jsonl"
    odd.write_text(Path(small).read_text().replace('"conv"', '"convé"'), encoding="utf-8")
    data = json.loads(spawn("run", "isaac", str(odd), "--json", PYTHONIOENCODING="ascii").out)
    assert "convé" in [row["op"] for row in data["plan"]]


def test_the_same_file_from_two_processes_with_different_hash_seeds(tmp_path):
    for seed in "01", "12345":
        done = spawn("run", "isaac", "squeezenet", "-o", str(tmp_path / f"{seed}.json"), PYTHONHASHSEED=seed)
        assert done.code == 0, done.err
    first, second = tmp_path.iterdir()
    assert first.read_bytes() == second.read_bytes()


# -- Ctrl-C and progress -------------------------------------------------------------------------------------


def start(*arguments: str, **kwargs) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*PROGRAM, "run", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs
    )


@pytest.mark.parametrize("delay", [1.0, 1.5, 2.5])
def test_ctrl_c_says_how_far_it_got_and_leaves_nothing(tmp_path, delay):
    process = start("isaac", "squeezenet", "--batch", "10000", "-o", str(tmp_path / "r.json"))
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err.startswith(b"interrupted ")
    assert err.count(b"\n") == 1
    assert b"nothing is written" in err
    assert out == b""
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_the_interval_is_measured_keeps_the_run(tmp_path, small):
    """Latency and energy are those of an undisturbed run; the interval is the mean of the one inference."""
    code = f"""
import os, signal, sys
from unittest import mock
def ctrl_c(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGINT)
with mock.patch("pimsim.machine.machine.Machine.run_full", ctrl_c):
    sys.argv = ["pimsim", "run", "isaac", {small!r}, "-o", {str(tmp_path / "r.json")!r}]
    from pimsim.cli import main
    main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (130, 1)
    assert "interval" in done.stderr
    assert "latency" in done.stdout.lower()
    kept = pimsim.Result.load(tmp_path / "r.json")
    whole = pimsim.simulate(pimsim.Chip.load("isaac"), pimsim.Trace.load(small))
    assert (kept.latency_fs, kept.energy_pj) == (whole.latency_fs, whole.energy_pj)
    assert kept.interval_fs == kept.latency_fs


@pytest.mark.parametrize("stage", ["Chip.load", "make_plan", "chain_fs", "write_whole"])
def test_ctrl_c_at_any_stage_is_one_line(tmp_path, small, stage):
    """The signal comes from inside the stage, and the stage turns it into another exception."""
    home = {
        "Chip.load": "pimsim.chip.Chip.load",
        "make_plan": "pimsim.run.simulate.make_plan",
        "chain_fs": "pimsim.result.freeze.chain_fs",
        "write_whole": "pimsim.result.result.write_whole",
    }[stage]
    code = f"""
import os, pkgutil, signal, sys
from unittest import mock
def ctrl_c(*args, **kwargs):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        raise ValueError("turned into another")
with mock.patch({home!r}, ctrl_c):
    sys.argv = ["pimsim", "run", "isaac", {small!r}, "-o", {str(tmp_path / "r.json")!r}]
    from pimsim.cli import main
    main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 130, done.stderr
    assert done.stderr.startswith("interrupted ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_progress_shows_on_a_terminal_after_two_seconds_and_goes_with_ctrl_c():
    began = time.monotonic()
    terminal, other_end = pty.openpty()
    command = [*PROGRAM, "run", "isaac", "squeezenet", "--batch", "10000"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=other_end)
    os.close(other_end)
    shown, interrupted = b"", False
    with contextlib.suppress(OSError):  # reading fails once the process has closed its end
        while piece := os.read(terminal, 65536):
            shown += piece
            if b"simulated, left" in shown and not interrupted:
                assert time.monotonic() - began > 2
                process.send_signal(signal.SIGINT)
                interrupted = True
    os.close(terminal)
    assert process.wait(timeout=20) == 130
    assert b"of firings," in shown
    last = shown.decode().rstrip().splitlines()[-1]
    assert re.search(r"interrupted at \d+ % of the firings, .* simulated; nothing is written$", last)


def test_progress_is_silent_before(small):
    process = start("isaac", small, stdin=subprocess.DEVNULL)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")


def test_a_run_is_of_one_inference_unless_it_is_said(capsys, monkeypatch):
    """A shipped CNN asks for no symbol, and says on stderr what it took."""
    done = call(capsys, monkeypatch, "run", "isaac", "resnet18", "--plan")
    assert done.code == 0
    assert done.err == "note: batch=1 by default: a run is of one inference\n"
    assert done.out.startswith("Plan of resnet18 on isaac")


ONE_ARRAY = (
    "--set",
    "tile.count=1",
    "--set",
    "tile.cores=1",
    "--set",
    "core.arrays=1",
    "--set",
    "core.adc.banks=1",
)
SMALL = (
    "--set",
    "core.array.rows=32",
    "--set",
    "core.array.columns=32",
    "--set",
    "tile.buffer.capacity_kib=4096",
)


def test_a_chip_far_too_small_says_so_before_it_starts_and_asks(capsys, monkeypatch):
    """An array of 32 x 32 cells holds 128 weights: the CNN on digits needs more than a hundred chips of one."""
    chip = (*ONE_ARRAY, *SMALL, "--set", "network.topology={kind: mesh, width: 1, height: 1}")
    run = ("run", "isaac", "digits_cnn", *chip, "--plan")
    done = call(capsys, monkeypatch, *run)
    assert done.code == 2
    assert done.out == ""
    found = re.search(
        r"(\d+) chips or more are needed.* takes about .*give --chips (\d+) or more, or --yes", done.err
    )
    assert found, done.err
    assert int(found[1]) == int(found[2]) > 100
    told = call(capsys, monkeypatch, *run, "--yes")
    assert told.code == 0, told.err
    assert f"{found[1]} chips (chosen automatically)" in told.out
