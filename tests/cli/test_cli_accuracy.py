"""``pimsim accuracy``: a table, a file and a picture; one message where something does not fit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from pimsim.cli import cli
from pimsim.errors import PimsimError
from pimsim.presets import folder


def run(*arguments: Any) -> str:
    done = CliRunner().invoke(cli, ["accuracy", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_table_a_file_and_a_picture(tmp_path: Path) -> None:
    where = tmp_path / "a.json", tmp_path / "a.png"
    text = run("hermes64", "digits_cnn", "--samples", 32, "--causes", "-o", where[0], "--plot", where[1])
    assert "digits_cnn on 1 x hermes64: answers" in text
    assert "integers, weights of 8" in text
    assert "converter" in text
    assert max(map(len, text.splitlines())) <= 80
    data = json.loads(where[0].read_text())
    assert data["schema"] == "pimsim-accuracy/1"
    assert where[1].read_bytes().startswith(b"\x89PNG")
    printed = run("hermes64", "digits_cnn", "--samples", 32, "--causes", "--json")
    assert json.loads(printed) == data


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["isaac", "resnet18"], "resnet18.jsonl: has no values: it names no sidecar"),
        (["isaac", "digits_cnn", "--after", "1w"], "--after: found '1w', expected a time with its unit"),
        (["isaac", "digits_cnn", "--after", ""], "--after: found ''"),
        (["isaac", "digits_cnn", "--samples", "999"], "samples: found 999"),
        (["isaac", "digits_cnn", "--values", "none.npz"], "none.npz: cannot be read"),
        (["isaac", "digits_cnn", "--plot", "a.xyz"], "a.xyz"),
        (["isaac", "digits_cnn", "-o", "no/such/folder.json"], "there is no folder"),
        (
            ["isaac", "digits_cnn", "--set", "core.coding.adc_range=[3, 3]"],
            "found the range 3.0 to 3.0 in adc_range, expected the first below the second",
        ),
        (["isaac", "digits_cnn", "--set", "core.coding.weights=ofset"], "core.coding.weights"),
    ],
)
def test_what_does_not_fit(arguments: list[str], message: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PimsimError) as caught:
        CliRunner().invoke(cli, ["accuracy", *arguments], catch_exceptions=False, standalone_mode=False)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2
    assert not list(tmp_path.iterdir())


def test_the_sidecar_is_beside_the_trace(tmp_path: Path, monkeypatch: Any) -> None:
    for ending in ("jsonl", "npz"):
        shutil.copy(folder("traces") / f"digits_cnn.{ending}", tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    text = run("isaac", tmp_path / "digits_cnn.jsonl", "--samples", 4)
    assert "4 samples of digits_cnn.npz, 1 seed of what is drawn" in text


def test_without_labels_answers_are_held_against_floats(tmp_path: Path) -> None:
    with np.load(folder("traces") / "digits_cnn.npz") as file:
        np.savez(tmp_path / "v.npz", **{name: file[name] for name in file.files if name != "labels"})
    text = run("isaac", "digits_cnn", "--values", tmp_path / "v.npz", "--samples", 4)
    assert "top-1" not in text
    assert "cosine" in text
