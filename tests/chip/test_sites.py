"""Sites of a chip: how overrides find them, where they stand, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from pimsim.chip import Chip
from pimsim.errors import ConfigError

MEMORY = {"kind": "memory", "bandwidth_gb_per_s": 10, "latency_ns": 40, "capacity_gib": 4}


def small(*overrides: str, **sites: Any) -> Chip:
    """ISAAC with 4 tiles on a mesh of 3x2, one router a tile, and other sites."""
    mesh = {"topology": {"kind": "mesh", "width": 3, "height": 2}}
    sites = {"tile": {"count": 4}, **sites}
    return Chip.from_dict({"extends": "isaac", "network": mesh, "sites": sites}, overrides)


def two(*overrides: str) -> Chip:
    """Beside those tiles another, called ``wide``, with other arrays."""
    tile = Chip.load("isaac").to_dict()["sites"]["tile"]
    return small(*overrides, wide={**tile, "count": 1})


def refusal(make: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        make(*arguments, **named)
    return str(caught.value)


# -- overrides -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["core.adc.bits", "tile.core.adc.bits", "sites.tile.core.adc.bits"])
def test_an_override_may_leave_out_what_only_one_site_has(path: str) -> None:
    assert Chip.load("isaac", [f"{path}=6"]).config.sites["tile"].core.adc.bits == 6
    assert Chip.load("isaac", {path: 6}).digest == Chip.load("isaac", ["core.adc.bits=6"]).digest


def test_an_override_of_a_key_that_several_sites_have_must_name_one() -> None:
    assert refusal(two, "core.adc.bits=6") == (
        "--set core.adc.bits=6: 'core.adc.bits' may be a key of several sites: tile, wide; "
        "name the site: tile.core.adc.bits"
    )
    config = two("wide.core.adc.bits=6").config
    assert [config.sites[name].core.adc.bits for name in ("tile", "wide")] == [8, 6]


def test_an_override_finds_the_only_site_that_has_the_whole_of_its_path() -> None:
    """Both have a ``source``, a ``count`` and a ``buffer``; only one has a unit of that name."""
    data = two().to_dict()
    units = data["sites"]["wide"]["digital"]
    units["curves"] = units.pop("sigmoid")
    assert Chip.from_dict(data, ["digital.curves.lanes=3"]).config.sites["wide"].digital["curves"].lanes == 3


@pytest.mark.parametrize(
    ("override", "error"),
    [
        ("tile.coar.adc.bits=4", "no key 'coar' in sites.tile; did you mean 'core'?"),
        ("coar.adc.bits=4", "no key 'coar' in the chip; did you mean 'core'?"),
        ("til.count=4", "no key 'til' in the chip; did you mean 'tile'?"),
        ("adc.bits=4", "no key 'adc' in the chip; did you mean 'core.adc'?"),
        ("lanes=4", "no key 'lanes' in the chip; did you mean 'digital.sigmoid.lanes'?"),
        ("tiles=4", "no key 'tiles' in the chip; did you mean 'tile.count'?"),
        ("memory.ports=4", "no key 'ports' in sites.memory; did you mean 'memory.count'?"),
        ("sites.tail.count=4", "no key 'tail' in sites; did you mean 'tile'?"),
    ],
)
def test_an_override_that_finds_nothing_names_what_is_near(override: str, error: str) -> None:
    preset = "hermes_llm" if "memory" in override else "isaac"
    assert refusal(Chip.load, preset, [override]) == f"--set {override}: {error}"


def test_a_site_may_be_added_and_taken_away_by_an_override() -> None:
    with_memory = Chip.load("isaac", {"sites.memory": MEMORY})
    assert with_memory.config.memory.count == 1
    assert Chip.from_dict(with_memory.to_dict(), {"memory": None}).digest == Chip.load("isaac").digest
    assert Chip.load("hermes_llm", ["sites.memory=null"]).config.memory is None


def test_a_site_set_to_null_in_a_file_is_not_there() -> None:
    chip = Chip.from_dict({"extends": "hermes_llm", "sites": {"memory": None}})
    assert list(chip.config.sites) == ["tile"]
    assert chip.digest == Chip.load("hermes_llm", ["sites.memory=null"]).digest


# -- kinds and places ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sites", "error"),
    [
        (
            {"near": {"kind": "crosbar"}},
            "<dict>: sites.near.kind: found kind 'crosbar', expected one of: crossbar, digital, hbm_pim, memory, "
            "processor; did you mean 'crossbar'?",
        ),
        (
            {"near": {"kind": "abacus"}},
            "<dict>: sites.near.kind: found kind 'abacus', expected one of: crossbar, digital, hbm_pim, memory, "
            "processor",
        ),
        (
            {"near": {"kind": 7}},
            "<dict>: sites.near.kind: found kind 7, expected one of: crossbar, digital, hbm_pim, memory, processor",
        ),
        (
            {"near": {"count": 2}},
            "<dict>: sites.near.kind: found no key 'kind', expected one of: crossbar, digital, hbm_pim, memory, "
            "processor",
        ),
        ({"near": 3}, "<dict>: sites.near: found 3, expected keys and values"),
        (
            {"memory": {**MEMORY, "latncy_ns": 3}},
            "<dict>: sites.memory.latncy_ns: found the unknown key 'latncy_ns', expected a known one; "
            "did you mean 'latency_ns'?",
        ),
        (
            {"tile": {"at": ["r0", "r1", "r2"]}},
            "<dict>: sites.tile.at: found ['r0', 'r1', 'r2'], expected a router for each of the 4",
        ),
        (
            {"tile": {"at": ["r0", "r1", "r2", "r6"]}},
            "<dict>: sites.tile.at: found 'r6', expected one of the network's routers, r0 to r5",
        ),
        (
            {"memory": {**MEMORY, "at": ["r9"]}},
            "<dict>: sites.memory.at: found 'r9', expected one of the network's routers, r0 to r5",
        ),
        (
            {"tile": {"count": 7}},
            "<dict>: sites.tile.count: found 7, expected at most the 6 places that network.topology has, "
            "for all sites without 'at'",
        ),
        (
            {"tile": None, "memory": MEMORY},
            "<dict>: sites: found 'memory', expected a site that ops can be done at: nothing is left to compute",
        ),
        (
            {"tile": None},
            "<dict>: sites: found 'none', expected a site that ops can be done at: nothing is left to compute",
        ),
    ],
)
def test_sites_that_cannot_be_are_refused(sites: dict[str, Any], error: str) -> None:
    if sites.get("tile"):
        sites = {**sites, "tile": {"count": 4, **sites["tile"]}}
    assert refusal(small, **sites) == error


def test_a_router_that_is_none_is_refused_before_the_network_is_looked_at() -> None:
    error = refusal(small, tile={"count": 1, "at": ["t0"]})
    assert error.startswith("<dict>: sites.tile.at.0: found the text 't0', expected ")


def test_sites_stand_where_the_file_says_and_the_others_in_the_places_that_are_left() -> None:
    """Numbers go over all names that compute, in the file's order; memories have ports of their own."""
    tile = Chip.load("isaac").to_dict()["sites"]["tile"]
    config = small(
        tile={"count": 2, "at": ["r5", "r5"]},
        wide={**tile, "count": 3},
        memory={**MEMORY, "count": 2, "at": ["r4", "r1"]},
    ).config
    assert [config.tiles_of(name) for name in ("tile", "wide")] == [range(2), range(2, 5)]
    assert [config.site_at(number).name for number in range(config.tiles)] == ["tile"] * 2 + ["wide"] * 3
    graph = config.graph()
    ends = {node: next(iter(graph.adj[node])) for node in graph if node[0] in "tm"}
    assert ends == {
        **{"t0": "r5", "t1": "r5", "t2": "r0", "t3": "r1", "t4": "r2"},
        **{"m0": "r4", "m1": "r1"},
    }
    assert all(graph.nodes[f"t{number}"]["index"] == number for number in range(5))


def test_parts_of_cores_are_called_by_their_site_where_two_have_cores() -> None:
    one, both = Chip.load("isaac"), two()
    assert "core.adc" in {row.part for row in one.peak.rows}
    parts = {row.part: row for row in both.peak.rows}
    assert "core.adc" not in parts
    assert (parts["tile.core.adc"].count, parts["wide.core.adc"].count) == (4 * 12 * 8, 12 * 8)
    assert both.config.path_of("wide.core.adc") == "sites.wide.core.adc"
    assert one.config.path_of("core.adc") == "sites.tile.core.adc"
