"""Is what is wrong with a plug-in told in one message, exit code 2, and its own error only where it is asked for?"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-P", "-c", "from pimsim.cli import main; main()"]

HALF = """
from typing import Literal
from pimsim.chip.site import Site

class Half(Site):
    kind: Literal["half"] = "half"

    @classmethod
    def behaviour(cls):
        return cls

    def uses(self):
        yield from ()
"""
WARM = """
from typing import Literal
from pimsim.chip.devices import Device

class Warm(Device):
    kind: Literal["{}"] = "{}"
"""
CHECK = ["chip", "check", "isaac"]

CASES = {
    "no module": (
        "",
        ["--plugin", "there_is_none"],
        "ModuleNotFoundError: .*; give a module that Python finds",
    ),
    "its file": ("", ["--plugin", "mine.py"], "; give the module, 'mine', not its file"),
    "fails to import": (
        "import nothing_there",
        ["--plugin", "mine"],
        "No module named 'nothing_there'.*; mend it;",
    ),
    "leaves": ("raise SystemExit(7)", ["--plugin", "mine"], r"cannot be imported \(SystemExit: 7\)"),
    "breaks the contract": (
        HALF,
        ["--plugin", "mine"],
        r"pimsim.kinds: 'half': mine.Half lacks what every one of them must have: clocked \(Yield the parts",
    ),
    "a name that is taken": (
        WARM.format("pcm", "pcm"),
        ["--plugin", "mine"],
        "pimsim.devices: 'pcm' is both pimsim.chip.devices.pcm.Pcm and mine.Warm",
    ),
    "a name twice": (
        WARM.format("warm", "warm") + WARM.format("warm", "warm").replace("Warm", "Hot"),
        ["--plugin", "mine"],
        "pimsim.devices: 'warm' is both mine.Warm and mine.Hot",
    ),
}
NEAR = {
    "sites.tile.kind=crosbar": "found kind 'crosbar', expected one of: .*; did you mean 'crossbar'",
    "core.adc.kind=adcs": "found kind 'adcs', expected one of: adc; did you mean 'adc'",
    "core.array.device=rerm": "found kind 'rerm', expected one of: fefet, .*; did you mean 'reram'",
    "core.array.device=warn": "found kind 'warn', expected one of: .*; did you mean 'warm'",
    "network.topology.kind=meshh": "found kind 'meshh', expected one of: .*; did you mean 'mesh'",
}


def pimsim(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        timeout=120,
    )


def told_once(done: subprocess.CompletedProcess[str]) -> str:
    """The one message, with nothing beside it."""
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_with_a_plug_in_is_one_message(name: str, tmp_path: Path) -> None:
    source, options, message = CASES[name]
    (tmp_path / "mine.py").write_text(source)
    assert re.search(message, told_once(pimsim(tmp_path, *options, *CHECK)))


def test_a_variable_names_a_module_that_fails(tmp_path: Path) -> None:
    message = told_once(pimsim(tmp_path, *CHECK, PIMSIM_PLUGINS="mine"))
    assert message.startswith("error: PIMSIM_PLUGINS: the plug-in 'mine' cannot be imported")


@pytest.mark.parametrize("verbose", [["-v", *CHECK], ["run", "isaac", "digits_cnn", "--plan", "-v"]])
def test_verbose_shows_the_plug_ins_own_error(verbose: list[str], tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def broken():\n    return 1 / 0\n\nbroken()\n")
    done = pimsim(tmp_path, "--plugin", "mine", *verbose)
    first, second, *_ = done.stderr.splitlines()
    assert done.returncode == 2
    assert first.startswith("error: --plugin: the plug-in 'mine' cannot be imported (ZeroDivisionError")
    assert second == "Traceback (most recent call last):"
    assert f'{tmp_path / "mine.py"}", line 2, in broken' in done.stderr
    assert "Traceback" not in pimsim(tmp_path, "--plugin", "mine", *CHECK).stderr


@pytest.mark.parametrize("override", NEAR)
def test_what_does_not_exist_names_what_is_near(override: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(WARM.format("warm", "warm"))
    run = ["--plugin", "mine", "run", "isaac", "digits_cnn", "--set", override]
    assert re.search(NEAR[override], told_once(pimsim(tmp_path, *run)))
