"""``pimsim chip``: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pimsim.chip import Chip


def pimsim(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = "from pimsim.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )


def test_list_names_every_preset_on_a_line() -> None:
    done = pimsim("chip", "list")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "a100",
        "a100_pim",
        "dadiannao",
        "edge_npu",
        "h100",
        "hermes64",
        "hermes64_4phase",
        "hermes_llm",
        "isaac",
        "isaac_simd",
        "l40s",
        "puma",
        "rtx3090",
        "tpuv4",
    ]


@pytest.mark.parametrize("preset", ["hermes64", "hermes64_4phase", "isaac", "puma", "tpuv4"])
def test_show_fits_80_columns_and_names_every_part_and_note(preset: str) -> None:
    done = pimsim("chip", "show", preset)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    chip = Chip.load(preset)
    for row in chip.peak.rows:
        assert f" {row.part} " in done.stdout
    words = " ".join(done.stdout.split())
    for note in chip.config.notes:
        assert note in words


def test_show_says_what_becomes_of_values() -> None:
    done = pimsim(
        "chip", "show", "isaac", "--set", "core.array.device.model=wan", "--set", "core.array.wire_ohm=1"
    )
    words = " ".join(done.stdout.split())
    assert (
        "core.array: values of reram of the model wan, 1 to 40 uS: programming error and drift modelled"
        in words
    )
    assert "core.array: read noise not modelled: AIHWKit's authors found no data" in words
    assert "core.array: IR drop modelled: 1 ohm of wire" in words


def test_a_model_of_another_device_is_refused_in_one_line() -> None:
    done = pimsim("chip", "check", "isaac", "--set", "core.array.device.model=hermes")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "core.array.device.model: found the text 'hermes', expected 'neurram', 'wan', 'milo', 'cmo', 'isaac'"
        in done.stderr
    )
    assert len(done.stderr.splitlines()) == 1


def test_show_puts_published_figures_beside_computed_ones() -> None:
    lines = pimsim("chip", "show", "puma").stdout.splitlines()
    assert next(line for line in lines if "power (W)" in line).split()[2:] == ["63.68", "62.5", "+1.88", "%"]


def test_show_says_not_modelled_in_words() -> None:
    lines = pimsim("chip", "show", "hermes64").stdout.splitlines()
    row = next(line for line in lines if "tile.buffer" in line)
    assert row.split() == ["tile.buffer", "64", "not", "modelled", "not", "modelled"]


def test_show_json_is_alone_on_stdout_and_takes_overrides() -> None:
    done = pimsim("chip", "show", "isaac", "--json", "--set", "network.buffer_flits=1")
    data = json.loads(done.stdout)
    assert "warning: network.buffer_flits" in done.stderr
    assert data["peak"]["tops"] == pytest.approx(41.288, rel=1e-4)
    assert data["config"]["network"]["buffer_flits"] == 1
    vector = next(part for part in data["parts"] if part["part"] == "tile.digital.vector")
    assert vector["dynamic_mw"] is None
    assert Chip.from_dict(data["config"]).digest == data["digest"]


def test_check_accepts_a_chip_and_warns_on_stderr(tmp_path: Path) -> None:
    path = tmp_path / "slow.yaml"
    path.write_text("extends: isaac\nsites: {tile: {core: {adc: {convert_cycles: 100000}}}}\n")
    done = pimsim("chip", "check", str(path))
    assert done.returncode == 0
    assert done.stdout == f"{path}: ok, isaac: 168 tile (crossbar, 2016 cores, 16128 arrays)\n"
    assert done.stderr == (
        "warning: sites.tile.core.adc.convert_cycles: one phase takes 10 ms, more than 1 ms\n"
    )


@pytest.mark.parametrize("arguments", [["check", "{}"], ["show", "{}"], ["show", "{}", "--json"]])
def test_a_wrong_chip_is_one_line_and_exit_code_2(tmp_path: Path, arguments: list[str]) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("extends: isaac\nsites: {tile: {count: 0}}\n")
    done = pimsim("chip", *(argument.format(path) for argument in arguments))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"error: {path}: sites.tile.count: found 0, expected at least 1\n"


def test_a_wrong_override_names_the_nearest_key() -> None:
    done = pimsim("chip", "show", "isaac", "--set", "core.adc.bitz=4")
    assert (done.returncode, done.stderr) == (
        2,
        "error: --set core.adc.bitz=4: no key 'bitz' in sites.tile.core.adc; did you mean 'bits'?\n",
    )


def test_check_imports_no_heavy_library() -> None:
    program = (
        "import sys\n"
        "from pimsim.cli import cli\n"
        "cli(['chip', 'check', 'isaac'], standalone_mode=False)\n"
        "print(sorted({'numpy', 'networkx', 'simpy', 'matplotlib', 'rich'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.splitlines()[-1], done.stderr) == ("[]", "")
