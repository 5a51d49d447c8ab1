"""The README shows what really comes out, and its Python runs."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from pimsim.cli import cli

README = Path(__file__).resolve().parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    """The fenced blocks of the README in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S)


def test_the_output_in_the_readme_is_real():
    command, shown = blocks("console")[0].split("\n", 1)
    run = CliRunner().invoke(cli, command.removeprefix("$ pimsim ").split(), terminal_width=80)
    assert run.exit_code == 0
    expected = shown.rstrip().removesuffix("…").rstrip()
    assert run.stdout.startswith(expected)


def test_the_python_in_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec("\n".join(blocks("python")), {})
    assert "squeezenet on hermes64" in capsys.readouterr().out
    assert (tmp_path / "squeezenet.json.gz").is_file()


def test_the_chip_in_the_readme_is_valid(tmp_path):
    import pimsim

    chip = tmp_path / "mine.yaml"
    chip.write_text(blocks("yaml")[0])
    assert pimsim.Chip.load(chip).config.sites["tile"].core.adc.banks == 1
