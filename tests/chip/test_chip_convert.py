"""``pimsim chip convert``: an old chip file becomes a new one, text for text; and what it says of others."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from pimsim.chip import Chip
from pimsim.chip.convert import convert
from pimsim.cli import cli
from pimsim.errors import ConfigError

OLD = """\
# Mine, in the old form.
schema: pimsim-chip/1
extends: isaac
name: mine  # kept

# All on the chip.
tiles: 12

tile:
  source: "somewhere: 4 cores a tile"
  cores: 4  # not 12
  buffer:
    # twice as much
    capacity_kib: 128

# Who multiplies two activations.
products: write

core:
  adc: {banks: 4}   # two arrays share one

  array:
    write_ns: 100

network:
  topology: {kind: ring, nodes: 12}

# Off the chip.
memory:
  source: "assumed"
  ports: 2  # channels
  bandwidth_gb_per_s: 10
  latency_ns: 40
  capacity_gib: 4

notes: []
"""

NEW = """\
# Mine, in the old form.
schema: pimsim-chip/2
extends: isaac
name: mine  # kept

sites:
  tile:
    # All on the chip.
    count: 12
    source: "somewhere: 4 cores a tile"
    cores: 4  # not 12
    buffer:
      # twice as much
      capacity_kib: 128
    # Who multiplies two activations.
    products: write
    core:
      adc: {banks: 4}   # two arrays share one

      array:
        write_ns: 100
  # Off the chip.
  memory:
    kind: memory
    source: "assumed"
    count: 2  # channels
    bandwidth_gb_per_s: 10
    latency_ns: 40
    capacity_gib: 4


network:
  topology: {kind: ring, nodes: 12}

notes: []
"""


def test_every_line_comment_and_number_stays() -> None:
    assert convert(OLD, "old.yaml") == NEW


def test_what_comes_out_loads_and_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text(NEW)
    config = Chip.load(tmp_path / "new.yaml").config
    tile = config.sites["tile"]
    assert (tile.count, tile.cores, tile.products, tile.core.adc.banks) == (12, 4, "write", 4)
    assert (tile.buffer.capacity_kib, tile.core.array.write_ns) == (128, 100)
    assert (config.memory.count, config.memory.capacity_gib) == (2, 4)


def test_a_whole_chip_gets_the_kind_that_it_is(tmp_path: Path) -> None:
    """An old file that extends nothing is a machine of arrays; the new one must say so."""
    data = Chip.load("hermes_llm").to_dict()
    sites = data.pop("sites")
    old = {**data, "schema": "pimsim-chip/1", "tiles": sites["tile"].pop("count")}
    old["core"], old["products"] = sites["tile"].pop("core"), sites["tile"].pop("products")
    assert sites["tile"].pop("kind") == "crossbar"
    assert sites["memory"].pop("kind") == "memory"
    old["tile"], old["memory"] = sites["tile"], {"ports": sites["memory"].pop("count"), **sites["memory"]}
    path = tmp_path / "new.yaml"
    path.write_text(convert(yaml.safe_dump(old, sort_keys=False), "old.yaml"))
    assert Chip.load(path).digest == Chip.load("hermes_llm").digest


@pytest.mark.parametrize(
    ("old", "sites"),
    [
        ("tiles: 4\n", {"tile": {"count": 4}}),
        ("memory: null\n", {"memory": None}),
        ("core: {}\n", None),
        ("core:\n  adc:\n    bits: 6\n", {"tile": {"core": {"adc": {"bits": 6}}}}),
        ("products: digital\ntiles: 3\n", {"tile": {"count": 3, "products": "digital"}}),
    ],
)
def test_a_file_that_extends_another_says_only_what_differs(old: str, sites: object) -> None:
    text = f"extends: isaac\n{old}"
    if sites is None:
        with pytest.raises(
            ConfigError, match="found braces, expected a key a line; write its keys below one"
        ):
            convert(text, "old.yaml")
    else:
        assert yaml.safe_load(convert(text, "old.yaml")) == {"extends": "isaac", "sites": sites}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("extends: isaac\nname: new\n", "found no old chip file: it has no 'tiles:', 'tile:', 'core:',"),
        ("- a\n", "found no old chip file"),
        ("tiles: [\n", "old.yaml:2: not valid YAML"),
        ("core: 3\n", "old.yaml: core: found 3, expected keys and values"),
        ("memory: {ports: 2}\n", "old.yaml: memory: found braces, expected a key a line"),
    ],
)
def test_what_cannot_be_converted_says_why(text: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        convert(text, "old.yaml")
    assert error in str(caught.value)


def test_data_that_is_no_file_is_told_of_a_file() -> None:
    with pytest.raises(ConfigError, match=r"^<dict>: .* pimsim chip convert OLD\.yaml -o new.yaml$"):
        Chip.from_dict({"extends": "isaac", "tiles": 4})


def test_the_command_writes_a_file_that_is_checked(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(OLD)
    shown = CliRunner().invoke(cli, ["chip", "convert", str(old)])
    assert (shown.exit_code, shown.stdout) == (0, NEW)
    done = CliRunner().invoke(cli, ["chip", "convert", str(old), "-o", str(new)])
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"{new}: ok, mine\n")
    assert new.read_text() == NEW
    again = CliRunner().invoke(cli, ["chip", "convert", str(new)])
    assert isinstance(again.exception, ConfigError)
    missing = CliRunner().invoke(cli, ["chip", "convert", str(tmp_path / "none.yaml")])
    assert isinstance(missing.exception, ConfigError)
    assert "none.yaml: cannot be read" in str(missing.exception)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("extends: isaac\ntiles: 4\n", "'tiles:' at the top"),
        ("extends: isaac\ncore: {adc: {bits: 6}}\n", "'core:' at the top"),
        ("extends: isaac\nschema: pimsim-chip/1\n", "schema pimsim-chip/1"),
    ],
)
def test_an_old_file_is_told_how_it_is_converted(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "old.yaml"
    path.write_text(text)
    message = (
        f"{path}: found {found}, expected it under 'sites:': the file is of an older version; "
        f"convert it: pimsim chip convert {path} -o new.yaml"
    )
    (tmp_path / "top.yaml").write_text("extends: old.yaml\n")
    for each in (path, tmp_path / "top.yaml"):  # the file at fault is named, not the one that extends it
        with pytest.raises(ConfigError) as caught:
            Chip.load(each)
        assert str(caught.value) == message
