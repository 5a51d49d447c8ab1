"""Loading: what is merged, what is refused, and how the refusal reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pimsim.chip import Chip
from pimsim.errors import ConfigError

PRESETS = ["hermes64", "hermes64_4phase", "isaac", "puma"]


def refusal(tmp_path: Path, text: str | bytes, *overrides: str) -> str:
    """Return the error of a chip file, with the folder's name taken out."""
    path = tmp_path / "chip.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        Chip.load(path, overrides)
    return str(caught.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "chip.yaml: the file is empty, expected a chip"),
        ("# only a comment\n", "chip.yaml: the file is empty, expected a chip"),
        ("- a\n- b\n", "chip.yaml: found a list at the top, expected keys and values"),
        ("text", "chip.yaml: found a single value at the top, expected keys and values"),
        (b"\xff\xfe", "chip.yaml: not UTF-8 text (byte 0)"),
        ("a: b: c", "chip.yaml:1: not valid YAML: mapping values are not allowed in this context"),
        (
            "name: a\nname: b\n",
            "chip.yaml:2: not valid YAML: found the key 'name' a second time, expected it once",
        ),
        (
            "a: &x 1\nb: *x\n",
            "chip.yaml:2: not valid YAML for a chip: found an alias, expected the value itself",
        ),
        ("[" * 60, "chip.yaml:1: not valid YAML for a chip: found more than 50 levels, expected a chip"),
        (
            "a: !!python/name:os.system 1",
            "chip.yaml:1: not valid YAML for a chip: found the tag tag:yaml.org,2002:python/name:os.system, "
            "expected none",
        ),
        ("5: 6", "chip.yaml:1: not valid YAML: found the key 5, expected text"),
        (
            "extends: isac",
            "chip.yaml: extends: no preset and no file is called 'isac'; did you mean 'isaac'?",
        ),
        ("extends: 3", "chip.yaml: extends: expected the name of a preset or the path of a file"),
    ],
)
def test_refuses_what_is_not_a_chip(tmp_path: Path, text: str | bytes, error: str) -> None:
    assert refusal(tmp_path, text) == error


def test_refuses_absurd_nesting_whether_the_yaml_library_does_or_not(tmp_path: Path) -> None:
    """Newer versions of libyaml give up by themselves before they say that a level begins."""
    assert refusal(tmp_path, "[" * 100_000) in (
        "chip.yaml:1: not valid YAML for a chip: found more than 50 levels, expected a chip",
        "chip.yaml:1: not valid YAML: exceeded maximum nesting depth",
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("sites: {tile: {count: 0}}", "sites.tile.count: found 0, expected at least 1"),
        ("sites: {tile: {count: 1000001}}", "sites.tile.count: found 1000001, expected at most 1000000"),
        ("sites: {tile: {count: true}}", "sites.tile.count: found true, expected a valid integer"),
        ("sites: {tile: {count: '4'}}", "sites.tile.count: found the text '4', expected a valid integer"),
        ("sites: {tile: {count: 4.5}}", "sites.tile.count: found 4.5, expected a valid integer"),
        ("sites: {tile: {count: null}}", "sites.tile.count: found null, expected a valid integer"),
        (
            "sites: {tile: {count: 169}}",
            "sites.tile.count: found 169, expected at most the 168 places that network.topology has, for all sites "
            "without 'at'",
        ),
        ("sites: {tile: {core: {adc: {bits: 0}}}}", "sites.tile.core.adc.bits: found 0, expected at least 1"),
        (
            "sites: {tile: {core: {adc: {bits: 17}}}}",
            "sites.tile.core.adc.bits: found 17, expected at most 16",
        ),
        (
            "sites: {tile: {core: {adc: {banks: 3}}}}",
            "sites.tile.core.adc.banks: found 3, expected a divisor of core.arrays (8)",
        ),
        (
            "sites: {tile: {core: {adc: {clock: adx}}}}",
            "sites.tile.core.adc.clock: found 'adx', expected one of the clocks: array, adc, digital",
        ),
        (
            "sites: {tile: {core: {array: {rows: -128}}}}",
            "sites.tile.core.array.rows: found -128, expected at least 1",
        ),
        (
            "sites: {tile: {core: {array: {read_ns: 0}}}}",
            "sites.tile.core.array.read_ns: found 0, expected at least 0.001",
        ),
        (
            "sites: {tile: {core: {array: {read_ns: .nan}}}}",
            "sites.tile.core.array.read_ns: found nan, expected a finite number",
        ),
        (
            "sites: {tile: {core: {array: {read_ns: .inf}}}}",
            "sites.tile.core.array.read_ns: found inf, expected a finite number",
        ),
        ("sites: {tile: {core: {array: 3}}}", "sites.tile.core.array: found 3, expected keys and values"),
        (
            "sites: {tile: {core: {array: {rowz: 3}}}}",
            "sites.tile.core.array.rowz: found the unknown key 'rowz', expected a known one; did you mean 'rows'?",
        ),
        (
            "sites: {tile: {core: {dac: {area_um2: 0}}}}",
            "sites.tile.core.dac.area_um2: found 0, expected more than 0",
        ),
        (
            "sites: {tile: {buffer: {capacity_kib: -1}}}",
            "sites.tile.buffer.capacity_kib: found -1, expected more than 0",
        ),
        (
            "network: {gateway: 42}",
            "network.gateway: found 42, expected the index of one of the 42 routers, 0 to 41",
        ),
        (
            "network: {topology: {kind: donut}}",
            "network.topology.kind: found kind 'donut', expected one of: bus, cmesh, crossbar, fattree, fly, graph, "
            "htree, mesh, package, ring, torus",
        ),
        (
            "network: {topology: {kind: mesch}}",
            "network.topology.kind: found kind 'mesch', expected one of: bus, cmesh, crossbar, fattree, fly, graph, "
            "htree, mesh, package, ring, torus; did you mean 'mesh'?",
        ),
        (
            "network: {buffer_packets: 4}",
            "network.buffer_packets: found the unknown key 'buffer_packets', expected a known one; did you "
            "mean 'buffer_flits'?",
        ),
        (
            "network: {fidelity: exact}",
            "network.fidelity: found the text 'exact', expected 'flit' or 'packet'",
        ),
        ("network: {vcs: 0}", "network.vcs: found 0, expected at least 1"),
        ("network: {vcs: 65}", "network.vcs: found 65, expected at most 64"),
        ("network: {buffer_flits: 0}", "network.buffer_flits: found 0, expected at least 1"),
        ("network: {route_cycles: -1}", "network.route_cycles: found -1, expected at least 0"),
        ("network: {vc_allocation_cycles: 0}", "network.vc_allocation_cycles: found 0, expected at least 1"),
        (
            "network: {switch_allocation_cycles: 0}",
            "network.switch_allocation_cycles: found 0, expected at least 1",
        ),
        ("network: {traversal_cycles: -1}", "network.traversal_cycles: found -1, expected at least 0"),
        ("network: {link_cycles: -1}", "network.link_cycles: found -1, expected at least 0"),
        ("network: {credit_cycles: 1.5}", "network.credit_cycles: found 1.5, expected a valid integer"),
        ("network: {speculative: 1}", "network.speculative: found 1, expected a valid boolean"),
        (
            "network: {vcs: 1, topology: {kind: torus, width: 14, height: 12}}",
            "network.vcs: found 1, expected at least 2 (x before y, and within a ring two classes of virtual "
            "channels)",
        ),
        (
            "network: {buffer_energy_per_flit_pj: 1.0}",
            "network.buffer_energy_per_flit_pj: found 1.0, expected either energy_per_flit_pj or its pieces, "
            "not both",
        ),
        (
            "network: {energy_per_flit_pj: null, link_energy_per_flit_mm_pj: 1.0}",
            "network.link_mm: found None, expected the length that link_energy_per_flit_mm_pj is for, in "
            "millimetres",
        ),
        (
            "network: {topology: {kind: graph, edges: [[0, 1], [2, 3]]}}",
            "network.topology.edges: found 2 parts, expected a connected graph: no link leads from r2 to r0",
        ),
        (
            "network: {topology: {kind: package, chips: 2, of: {kind: mesh, width: 7, height: 12}, gateway: 84}}",
            "network.topology.gateway: found 84, expected one of the 84 routers of a chip, 0 to 83",
        ),
        (
            "network: {topology: {kind: package, chips: 2, of: {kind: fly, arity: 2, stages: 2}}}",
            "network.topology.of.kind: found kind 'fly', expected one of: 'mesh', 'cmesh', 'torus', 'ring', "
            "'crossbar', 'htree', 'fattree', 'graph'",
        ),
        (
            "network: {topology: {kind: mesh, width: 4}}",
            "network.topology.height: found no key 'height', expected one",
        ),
        (
            "network: {topology: {widht: 4}}",
            "network.topology.widht: found the unknown key 'widht', expected a known one; did you "
            "mean 'width'?",
        ),
        (
            "sites: {tile: {digital: {vector: {operations: {Relu: 1}}}}}",
            "sites.tile.digital.vector.operations.Relu: found 'Relu', expected an op in one unit only "
            "(it is in 'sigmoid' too)",
        ),
        (
            "clocks: {adc: {period_ns: 1}}",
            "clocks.adc: found both of frequency_ghz and period_ns, expected exactly one (in a "
            "file that extends another, set the other one to null)",
        ),
        ("schema: pimsim-chip/3", "schema: found the text 'pimsim-chip/3', expected 'pimsim-chip/2'"),
        (
            "technology: 2",
            "technology: found the unknown key 'technology', expected a known one; did you mean "
            "'technology_nm'?",
        ),
    ],
)
def test_names_file_key_found_and_expected(tmp_path: Path, text: str, error: str) -> None:
    assert refusal(tmp_path, f"extends: isaac\n{text}\n") == f"chip.yaml: {error}"


def test_names_the_file_that_holds_the_fault(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("extends: isaac\nsites: {tile: {count: -1}}\n")
    error = refusal(tmp_path, "extends: base.yaml\nname: mine\n")
    assert error.startswith("base.yaml: sites.tile.count: found -1")


def test_extends_is_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "base.yaml").write_text("extends: isaac\nsites: {tile: {count: 100}}\n")
    (tmp_path / "sub" / "top.yaml").write_text(
        "extends: ../base.yaml\nsites: {tile: {core: {adc: {bits: 6}}}}\n"
    )
    monkeypatch.chdir("/")
    config = Chip.load(tmp_path / "sub" / "top.yaml").config
    assert (config.tiles, config.sites["tile"].core.adc.bits, config.sites["tile"].core.adc.banks) == (
        100,
        6,
        8,
    )


def test_extends_in_a_circle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("extends: chip.yaml\n")
    error = refusal(tmp_path, "extends: other.yaml\n")
    assert "found a circle (chip.yaml -> other.yaml -> chip.yaml), expected an end" in error


def test_another_kind_replaces_the_whole_topology(tmp_path: Path) -> None:
    path = tmp_path / "chip.yaml"
    path.write_text("extends: isaac\nnetwork: {topology: {kind: ring, nodes: 168}}\n")
    assert Chip.load(path).config.network.topology.model_dump() == {"kind": "ring", "nodes": 168}


@pytest.mark.parametrize(
    ("override", "error"),
    [
        ("core.adc.bitz=4", "no key 'bitz' in sites.tile.core.adc; did you mean 'bits'?"),
        ("cor.adc.bits=4", "no key 'cor' in the chip; did you mean 'core'?"),
        ("adc.bits=4", "no key 'adc' in the chip; did you mean 'core.adc'?"),
        ("core.adc.bits.low=4", "'sites.tile.core.adc.bits' is a value, it has no keys"),
        ("core.adc.bits=0", "sites.tile.core.adc.bits: found 0, expected at least 1"),
        ("core.adc.bits", "expected path.to.key=value"),
        ("=4", "expected path.to.key=value"),
    ],
)
def test_refuses_a_wrong_override(override: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Chip.load("isaac", [override])
    assert str(caught.value) == f"--set {override}: {error}"


def test_overrides_are_typed_as_yaml() -> None:
    chip = Chip.load(
        "isaac",
        [
            "sites.tile.core.array.read_ns=2e2",
            "sites.tile.core.array.endurance=1e6",
            "core.sample_hold=null",
            "clocks.adc={period_ns: 1}",
        ],
    )
    core = chip.config.sites["tile"].core
    assert (core.array.read_ns, core.array.endurance, core.sample_hold) == (200.0, 1e6, None)
    assert chip.config.clocks["adc"].period_fs == 1_000_000
    same = Chip.load(
        "isaac", {"core.array.read_ns": 200.0, "core.array.endurance": 1e6, "core.sample_hold": None}
    )
    assert same.config.sites["tile"].core == core


def test_later_overrides_win() -> None:
    assert Chip.load("isaac", ["tile.count=4", "tile.count=8"]).config.tiles == 8


def test_yaml_scalars_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    path = tmp_path / "chip.yaml"
    path.write_text(
        "extends: isaac\ndescription: no\nname: 1:30\nsites: {tile: {count: 010}}\ntechnology_nm: 1e1\n"
    )
    config = Chip.load(path).config
    assert (config.description, config.name, config.tiles, config.technology_nm) == ("no", "1:30", 10, 10.0)


@pytest.mark.parametrize("name", PRESETS)
def test_round_trip_through_json_keeps_chip_and_digest(name: str) -> None:
    chip = Chip.load(name)
    again = Chip.from_dict(json.loads(json.dumps(chip.to_dict())))
    assert again.config == chip.config
    assert again.digest == chip.digest


def test_digest_changes_with_numbers_and_not_with_words() -> None:
    base = Chip.load("isaac")
    assert Chip.load("isaac", ["name=other", "core.adc.source=none", "notes=[]"]).digest == base.digest
    others = [["core.adc.bits=7"], ["network.gateway=3"], ["tile.digital.vector.operations.LRN=9"]]
    assert len({base.digest, *(Chip.load("isaac", change).digest for change in others)}) == 4


@pytest.mark.parametrize(
    ("override", "start"),
    [
        ("clocks.adc={frequency_ghz: 1e-7}", "sites.tile.core.adc.convert_cycles: one phase takes 1.28 s"),
        (
            "network.buffer_flits=1",  # 2 links, traversal, switch and 1 make a loop of 5 cycles
            "network.buffer_flits: 1 flits are fewer than the 5 of the credit loop over links of 1 cycles; a "
            "virtual channel carries at most 0.200 flits a cycle, all 4 of a link 0.800",
        ),
        (
            "network.link_cycles=6",  # 2 * 6 + 3
            "network.buffer_flits: 8 flits are fewer than the 15 of the credit loop over links of 6 cycles; a "
            "virtual channel carries at most 0.533 flits a cycle, all 4 of a link 1.000",
        ),
        (
            "network.credit_cycles=4",
            "network.buffer_flits: 8 flits are fewer than the 9 of the credit loop over links of 1 cycles",
        ),
        ("core.array.read_ns=1e9", "sites.tile.core.array.read_ns: one phase takes 1 s"),
    ],
)
def test_odd_but_legal_values_are_warned_of(override: str, start: str) -> None:
    warnings = Chip.load("isaac", [override]).warnings
    assert len(warnings) == 1
    assert warnings[0].startswith(start)


def test_a_converter_that_loses_bits_is_warned_of() -> None:
    """3 bits are below what the preset's model of converters covers, so it is forced."""
    warnings = Chip.load("isaac", ["core.adc.model.force=true", "core.adc.bits=3"]).warnings
    assert [warning[:55] for warning in warnings] == [
        "sites.tile.core.adc.bits: 8 codes for sums of up to 384"
    ]


def test_an_output_register_that_is_too_small_is_warned_of() -> None:
    """isaac: 8 arrays of 16 outputs of 2 bytes a core, 12 cores a tile."""
    small = ["core.output_register.capacity_bytes=255", "tile.output_register.capacity_bytes=3071"]
    assert Chip.load("isaac", small).warnings == [
        "sites.tile.core.output_register.capacity_bytes: 255 bytes for the 256 bytes of one multiplication's outputs",
        "sites.tile.output_register.capacity_bytes: 3071 bytes for the 3072 bytes of one multiplication's outputs",
    ]


def test_a_buffer_of_the_whole_credit_loop_is_not_warned_of() -> None:
    assert Chip.load("isaac", ["network.buffer_flits=5"]).warnings == []


def test_presets_have_no_warnings() -> None:
    assert [Chip.load(name).warnings for name in PRESETS] == [[]] * len(PRESETS)


@pytest.mark.parametrize("name", ["nope", "no/such.yaml", "a" * 5000, "x\0y", "", "."])
def test_refuses_a_chip_that_is_not_there(name: str) -> None:
    with pytest.raises(ConfigError):
        Chip.load(name)
