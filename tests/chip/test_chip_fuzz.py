"""Whatever stands in a chip file, the reader answers with a chip or a ConfigError."""

from __future__ import annotations

import copy
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pimsim import presets
from pimsim.chip import Chip
from pimsim.errors import ConfigError

QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PRESETS = {
    name: yaml.safe_load((presets.folder("configs") / f"{name}.yaml").read_text())
    for name in presets.names("configs", ".yaml")
}
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 1, 2**63, 10**400, -(10**400)]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["mesh", "cmesh", "torus", "ring", "htree", "digital", "crossbar", "memory", "r0", "isaac", "nope"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=9), v, max_size=3),
    max_leaves=8,
)


def accept_or_refuse(data: Any) -> None:
    """Build a chip and use it, or see it refused with a message."""
    try:
        chip = Chip.from_dict(data)
    except ConfigError:
        return
    assert Chip.from_dict(chip.to_dict()).digest == chip.digest
    assert chip.peak.tops >= 0
    assert all(isinstance(warning, str) for warning in chip.warnings)


def paths(data: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """List the paths of all keys."""
    found = [path] if path else []
    if isinstance(data, dict):
        for key, value in data.items():
            found += paths(value, (*path, key))
    return found


@st.composite
def mutated_presets(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a preset with one to three keys replaced, removed or added."""
    data = copy.deepcopy(PRESETS[draw(st.sampled_from(sorted(PRESETS)))])
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(paths(data)))
        parent = data
        for key in path[:-1]:
            parent = parent[key]
        action = draw(st.sampled_from(["replace", "remove", "add"]))
        if action == "replace":
            parent[path[-1]] = draw(VALUES)
        elif action == "remove":
            del parent[path[-1]]
        else:
            parent[draw(st.text(max_size=9))] = draw(VALUES)
        if not data:
            break
    return data


@QUIET
@given(mutated_presets())
def test_mutated_presets(data: dict[str, Any]) -> None:
    accept_or_refuse(data)


@QUIET
@given(VALUES)
def test_any_value_as_a_chip(data: Any) -> None:
    accept_or_refuse(data)


@QUIET
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_as_a_file(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "chip.yaml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError):
        Chip.load(path)


@QUIET
@given(st.sampled_from(sorted(PRESETS)), st.data())
def test_a_preset_with_bytes_changed(tmp_path: Path, name: str, data: st.DataObject) -> None:
    raw = bytearray((presets.folder("configs") / f"{name}.yaml").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    path = tmp_path / "chip.yaml"
    path.write_bytes(bytes(raw))
    with suppress(ConfigError):
        Chip.load(path)


KEYS = st.sampled_from(
    [
        *(
            "tiles",
            "tile.count",
            "core.adc.bits",
            "core.adc.kind",
            "core.adc",
            "tile.digital.vector",
            "tile.at",
        ),
        *("sites", "sites.tile", "sites.other", "memory", "network.topology", "clocks", "notes"),
    ]
)


@QUIET
@given(st.lists(st.text(max_size=30) | st.tuples(KEYS, st.text(max_size=20)).map("=".join), max_size=2))
def test_any_overrides(overrides: list[str]) -> None:
    with suppress(ConfigError):
        Chip.load("isaac", overrides)
