"""The command line and ``import pimsim`` start fast: nothing heavy is imported before it is used."""

from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest

from pimsim.cli import cli

HEAVY = [
    "jinja2",
    "joblib",
    "matplotlib",
    "networkx",
    "numpy",
    "onnx",
    "pandas",
    "pydantic",
    "rich",
    "simpy",
    "torch",
]
HEAVY += ["vl_convert", "yaml"]

REPORT = """
import json, sys
try:
    {body}
except SystemExit as end:
    assert not end.code, end.code
print("\\n" + json.dumps(sorted(sys.modules)))
"""


def modules_after(body):
    """The modules that a fresh interpreter has imported after running `body`, and what it printed."""
    code = REPORT.format(body=body)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *printed, modules = done.stdout.splitlines()
    return set(json.loads(modules)), "\n".join(printed)


def run_command(*arguments):
    return modules_after(f"sys.argv = {['pimsim', *arguments]}; from pimsim.cli import main; main()")


def below(group, path):
    """The paths of a command and of all commands below it, as on the command line."""
    yield path
    if isinstance(group, click.Group):
        for name, command in group.commands.items():
            yield from below(command, [*path, name])


def test_the_probe_sees_an_import():
    assert "numpy" in modules_after("import numpy")[0]


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"]], ids=" ".join)
def test_the_command_line_imports_nothing_heavy(arguments):
    modules, printed = run_command(*arguments)
    assert "pimsim" in printed
    assert not modules & set(HEAVY)


def test_help_lists_the_commands():
    _, printed = run_command("--help")
    for name in cli.list_commands(None):
        assert f"\n  {name} " in printed


def test_importing_the_package_imports_nothing_heavy():
    modules, _ = modules_after("import pimsim; dir(pimsim)")
    assert "pimsim" in modules
    assert not modules & {*HEAVY, "click", "pimsim.chip"}


@pytest.mark.parametrize("name", cli.list_commands(None))
def test_help_of_each_command_works_and_imports_nothing_heavy(name):
    for path in below(cli.get_command(None, name), [name]):
        modules, printed = run_command(*path, "--help")
        assert printed.lstrip().startswith(f"Usage: pimsim {' '.join(path)}")
        assert not modules & set(HEAVY), path
