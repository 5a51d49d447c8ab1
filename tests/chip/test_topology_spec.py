"""Topologies as a user types them, and files with a list of links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pimsim.chip.topology.spec import MOST_TERMINALS, from_spec, specs
from pimsim.errors import ConfigError
from pimsim.registry import plugged


def plain(text: str) -> dict[str, Any]:
    return from_spec(text).model_dump(exclude_none=True)


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("mesh:4x3", {"kind": "mesh", "width": 4, "height": 3}),
        ("mesh:4,3", {"kind": "mesh", "width": 4, "height": 3}),
        ("torus:5x2", {"kind": "torus", "width": 5, "height": 2}),
        ("cmesh:4x2x9", {"kind": "cmesh", "width": 4, "height": 2, "concentration": 9}),
        ("ring:7", {"kind": "ring", "nodes": 7}),
        ("fattree:3,2", {"kind": "fattree", "arity": 3, "levels": 2}),
        ("fly:2,4", {"kind": "fly", "arity": 2, "stages": 4}),
        ("htree:4,3", {"kind": "htree", "arity": 4, "levels": 3}),
        ("crossbar:16", {"kind": "crossbar", "nodes": 16}),
        ("bus:8", {"kind": "bus", "nodes": 8}),
        (
            "package:3/mesh:2x4",
            {
                "kind": "package",
                "chips": 3,
                "of": {"kind": "mesh", "width": 2, "height": 4},
                "gateway": 0,
                "link_cycles": 1,
            },
        ),
    ],
)
def test_a_kind_with_its_numbers(text: str, parameters: dict[str, Any]) -> None:
    assert plain(text) == parameters


def test_every_kind_can_be_typed_and_every_example_is_one() -> None:
    assert set(specs()) | {"graph", "package"} == set(plugged("topologies"))
    for kind, shape in specs().items():
        topology = from_spec(shape.spec)
        assert len(shape.numbers) == len(re.findall(r"\d+", shape.spec)), kind
        assert topology.model_dump()["kind"] == kind
        assert topology.graph(topology.places).number_of_nodes() == topology.places + topology.routers


def test_a_file_has_a_link_a_line_with_remarks_and_delays(tmp_path: Path) -> None:
    path = tmp_path / "links.txt"
    path.write_text("\ufeff# a triangle and a tail\n0 1\n\n1, 2\n  2\t0 5 # slow\n3,2,0\n", encoding="utf-8")
    assert plain(str(path)) == {
        "kind": "graph",
        "edges": [[0, 1], [1, 2], [2, 0, 5], [3, 2, 0]],
        "routing": "updown",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("meesh:4x4", "TOPOLOGY: found 'meesh:4x4', expected .*mesh:8x8, .* or a file; did you mean 'mesh'?"),
        ("fatree:4,2", "did you mean 'fattree'?"),
        (
            "donut:3",
            "expected one of: bus, cmesh, crossbar, fattree, fly, htree, mesh, package, ring, torus$",
        ),
        ("links.txt", "found 'links.txt', .*; name one or give the path of a list of links"),
        ("", "found '', .*; name one or give the path of a list of links"),
        ("mesh", "found 'mesh', expected mesh:widthxheight, whole numbers, such as mesh:8x8"),
        ("mesh:", "found 'mesh:', expected mesh:widthxheight"),
        ("mesh:4", "found 'mesh:4', expected mesh:widthxheight"),
        ("mesh:4x4x4", "found 'mesh:4x4x4', expected mesh:widthxheight"),
        ("mesh:4x-4", "found 'mesh:4x-4', expected mesh:widthxheight"),
        ("mesh:4xfour", "found 'mesh:4xfour', expected mesh:widthxheight"),
        ("mesh:4.5x4", "found 'mesh:4.5x4', expected mesh:widthxheight"),
        ("ring:12345678", "found 'ring:12345678', expected ring:nodes"),
        ("ring:" + "9" * 5000, "found 'ring:9{195}', expected ring:nodes"),
        ("mesh:0x4", "mesh:0x4: width: found 0, expected at least 1"),
        ("mesh:1001x1", "mesh:1001x1: width: found 1001, expected at most 1000"),
        ("fattree:1,2", "fattree:1,2: arity: found 1, expected at least 2"),
        ("fly:2,9", "fly:2,9: stages: found 9, expected at most 8"),
        ("mesh:65x64", f"mesh:65x64: found 4160 terminals, expected at most {MOST_TERMINALS}"),
        ("fattree:64,8", f"found {64**8} terminals, expected at most {MOST_TERMINALS}"),
        ("package:2", "found 'package:2', expected package:chips/topology, such as package:2/mesh:4x4"),
        ("package:x/mesh:2x2", "expected package:chips/topology"),
        ("package:" + "9" * 5000 + "/mesh:2x2", "expected package:chips/topology"),
        ("package:0/mesh:2x2", "package:0/mesh:2x2: chips: found 0, expected at least 1"),
        ("package:2/mesh:0x2", "package:2/mesh:0x2: of.width: found 0, expected at least 1"),
        ("package:2/mash:2x2", "found 'mash:2x2'; did you mean 'mesh'?"),
        ("package:2/mesh:2", "found 'mesh:2', expected mesh:widthxheight"),
        ("package:2/bus:4", "package:2/bus:4: of: found kind 'bus', expected one of: 'mesh', 'cmesh',"),
        ("package:1000/mesh:9x9", "found 81000 terminals, expected at most 4096"),
        ("x" * 5000, "found 'x{200}', expected bus:8, "),
        ("a\0b", "found 'a\0b', expected bus:8, "),
    ],
)
def test_what_names_no_topology_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        from_spec(text)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", ": found no link, expected at least one line with two routers"),
        ("# nothing\n\n", ": found no link, expected at least one line with two routers"),
        ("0 1\n1\n", ":2: found '1', expected two routers and perhaps a delay, whole numbers from 0"),
        ("0 1\n\n# more\n1 2 3 4\n", ":4: found '1 2 3 4', expected two routers and perhaps a delay"),
        ("0 1\n1 -2\n", ":2: found '1 -2', expected two routers"),
        ("a b\n", ":1: found 'a b', expected two routers"),
        ("0 1.5\n", ":1: found '0 1.5', expected two routers"),
        ("0;1\n", ":1: found '0;1', expected two routers"),
        ("0 1234567\n", ":1: found '0 1234567', expected two routers"),
        ("0 1\n1 1\n", r": edges: found \[1, 1\], expected two routers; a link joins a router to another"),
        ("0 1\n2 3\n", ": edges: found 2 parts, expected a connected graph: no link leads from r2 to r0"),
        ("0 2\n", ": edges: found 2 parts, expected a connected graph: no link leads from r1 to r0"),
        ("0 1\n1 0 4\n", r": edges: found \[1, 0, 4\], expected one delay for the link from 1 to 0"),
        ("0 1 999999\n", r": edges\.0\.2: found 999999, expected at most 100000"),
        ("0 999999\n", r": edges\.0\.1: found 999999, expected at most 100000"),
    ],
)
def test_a_file_that_holds_no_network_is_refused(tmp_path: Path, lines: str, message: str) -> None:
    path = tmp_path / "links.txt"
    path.write_text(lines)
    with pytest.raises(ConfigError, match=f"links.txt{message}"):
        from_spec(str(path))


def test_a_file_with_too_many_routers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "links.txt"
    path.write_text("".join(f"{i} {i + 1}\n" for i in range(MOST_TERMINALS)))
    with pytest.raises(ConfigError, match=f"found {MOST_TERMINALS + 1} terminals"):
        from_spec(str(path))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "links.bin"
    path.write_bytes(b"\x7fELF\xd0\x00")
    with pytest.raises(ConfigError, match=r"links\.bin: is not a text file with a link a line"):
        from_spec(str(path))


def test_a_folder_is_no_topology(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name one or give the path of a list of links"):
        from_spec(str(tmp_path))
