"""What every kind, part, device, topology, importer and preset must keep, over the registry: one more is tested, too.

So is one from outside, with the chip files that `PIMSIM_CONTRACT_CHIPS` names, of which each kind needs one.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from pimsim import presets
from pimsim.chip import Chip
from pimsim.chip.devices.spread import MODELS
from pimsim.chip.parts import Part, Sourced
from pimsim.chip.site import Site
from pimsim.chip.topology import Topology
from pimsim.mapping.planning.kind import Kind
from pimsim.registry import find, name_of, plugged

PRESETS = presets.names("configs", ".yaml")
CNN_OPS = [
    "Relu",
    "Sigmoid",
    "Tanh",
    "Clip",
    "LeakyRelu",
    "PRelu",
    "HardSigmoid",
    "HardSwish",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "LRN",
    "Concat",
    "Sum",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "BatchNormalization",
    "LayerNormalization",
    "Softmax",
    "Reshape",
    "Flatten",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Slice",
    "Split",
    "Gather",
    "Pad",
    "ReduceMean",
    "Pow",
    "Sqrt",
    "Erf",
    "Exp",
    "Accumulate",
    "DataMovement",
]


UNITS = {
    "_us": "microsiemens|microseconds",
    "_ohm": "ohm",
    "_um2": "square micrometres",
    "_mw": "milliwatts",
    "_pj": "picojoules",
    "_ns": "nanoseconds",
    "_kib": "KiB",
    "_gib": "GiB",
    "_gb_per_s": "GB/s",
    "_mm": "millimetres",
    "_bits": "[Bb]its",
    "_bytes": "bytes",
    "_cycles": "[Cc]ycles",
}
"""What a field's description names, by how the field's name ends."""


def pieces(model: BaseModel, path: str = "") -> Iterator[tuple[str, BaseModel]]:
    """Walk over a chip and all that it is made of."""
    yield path, model
    for name in type(model).model_fields:
        value = getattr(model, name)
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for key, item in inner:
            if isinstance(item, BaseModel):
                yield from pieces(item, ".".join(filter(None, (path, name, key))))


def heirs(base: type) -> list[type]:
    """Return the classes of pimsim that extend another, in all generations."""
    found = [each for heir in base.__subclasses__() for each in (heir, *heirs(heir))]
    return [each for each in dict.fromkeys(found) if each.__module__.startswith("pimsim.")]


def descriptions(thing: type) -> dict[str, str]:
    """Return what the docstrings of a class and its bases say of each parameter, by its name."""
    found: dict[str, str] = {}
    for base in thing.__mro__:
        for names, text in re.findall(
            r"^ {4}(\w[\w, ]*)(?: : .*)?\n((?: {8}.*\n?)+)", base.__doc__ or "", re.M
        ):
            for name in names.split(", "):
                found.setdefault(name, text)
    return found


def digital() -> Chip:
    """ISAAC with digital tiles, which no preset has, beside its own."""
    data = Chip.load("isaac").to_dict()
    own = data["sites"]["tile"]
    banks = {key: value for key, value in own["buffer"].items() if key != "ports"} | {"banks": 2}
    unit = {**own["digital"]["vector"], "operations": {"Conv": 1, "Gemm": 1}}
    shared = {key: own[key] for key in ("buffer", "bus", "output_register")}
    data["sites"]["tile"]["count"] = 4
    data["sites"]["near"] = {
        "kind": "digital",
        "count": 2,
        "weights_in": banks,
        "digital": {"mac": unit},
        **shared,
    }
    return Chip.from_dict(data)


def below(site: Site, path: str) -> str:
    """Return the path below a site of what results call a part of it."""
    return "" if path == site.name else path.removeprefix(f"{site.name}.")


plugged("kinds")  # so that all are imported
OUTSIDE = [path for path in os.environ.get("PIMSIM_CONTRACT_CHIPS", "").split(os.pathsep) if path]
CHIPS = {**{name: Chip.load(name) for name in [*PRESETS, *OUTSIDE]}, "digital": digital()}
SITES = {f"{name}-{key}": site for name, chip in CHIPS.items() for key, site in chip.config.sites.items()}
IN_CHIPS = {
    f"{name}-{path}": piece
    for name, chip in CHIPS.items()
    for path, piece in pieces(chip.config)
    if isinstance(piece, Part)
}
PARTS = {
    f"{part.__module__}.{part.__qualname__}": part
    for part in [*heirs(Part), *plugged("parts").values(), *map(type, IN_CHIPS.values())]
}


# -- parts -------------------------------------------------------------------------------------------------------------


def test_the_parts_of_the_registry_are_called_as_a_chip_file_calls_them() -> None:
    assert set(plugged("parts").values()) <= set(PARTS.values())
    for name, part in plugged("parts").items():
        assert "kind" not in part.model_fields or name_of(part) == name


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_a_part_is_strict_frozen_and_documented(part: type[Part]) -> None:
    assert {"source", "area_um2", "static_power_mw"} <= set(part.model_fields)
    assert part.model_config["strict"]
    assert part.model_config["frozen"]
    assert part.model_config["extra"] == "forbid"
    assert part.action in ("", *part.model_fields)


@pytest.mark.parametrize(
    "thing",
    [
        *PARTS.values(),
        *(each for group in ("kinds", "devices", "topologies") for each in plugged(group).values()),
    ],
    ids=lambda thing: f"{thing.__module__}.{thing.__name__}",
)
def test_every_field_is_described_with_its_unit(thing: type[BaseModel]) -> None:
    said = descriptions(thing)
    for field in thing.model_fields:
        if field in ("kind", "source"):
            continue
        assert field in said, f"{field} is not in the docstring"
        unit = next((words for end, words in UNITS.items() if field.endswith(end)), "")
        assert re.search(unit, said[field]), f"{field}: the docstring does not name its unit"


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("bad", [True, "1", -1, float("nan"), float("inf"), 1e300, [], {}])
def test_no_number_of_a_part_accepts_nonsense(part: type[Part], bad: object) -> None:
    numbers = [
        key
        for key, field in part.model_fields.items()
        if key.endswith(("_um2", "_mw", "_pj", "_ns", "_bits", "_bytes", "_kib", "_cycles"))
        or key in ("bits", "count", "rows", "columns", "banks", "lanes", "ports", "adcs_per_bank")
    ]
    assert numbers
    with pytest.raises(ValidationError) as caught:
        part.model_validate(dict.fromkeys(numbers, bad))
    refused = {error["loc"][0] for error in caught.value.errors() if error["type"] != "missing"}
    assert refused == set(numbers)


@pytest.mark.parametrize("part", IN_CHIPS.values(), ids=IN_CHIPS)
def test_a_changed_part_is_one_that_a_chip_file_may_say(part: Part) -> None:
    """What-if takes a part twice, faster, larger: the fields are its own, and the values of it are allowed."""
    for change in (part.doubled(), part.enlarged(), part.faster(2), part.faster(0)):
        assert set(change) <= set(type(part).model_fields)
        again = type(part).model_validate({**dict(part), **change})
        assert not change or again != part
    for change in (part.doubled(), part.enlarged()):
        assert all(value == 2 * getattr(part, field) for field, value in change.items())


# -- kinds -------------------------------------------------------------------------------------------------------------


def test_every_kind_has_a_site_to_be_tested_by() -> None:
    assert {site.kind for site in SITES.values()} == set(plugged("kinds"))


@pytest.mark.parametrize("name", plugged("kinds"))
def test_a_kind_is_whole(name: str) -> None:
    """What it is called, what it can answer, and, where ops can be done there, that its behaviour can, too."""
    kind = plugged("kinds")[name]
    assert issubclass(kind, Site)
    assert (kind.plugs, name_of(kind)) == ("kinds", name)
    assert not kind.__abstractmethods__
    assert kind.model_config["strict"]
    assert kind.model_config["frozen"]
    assert kind.model_config["extra"] == "forbid"
    if kind.takes_ops:
        behaviour = kind.behaviour()
        assert issubclass(behaviour, Kind)
        assert not behaviour.__abstractmethods__
    else:
        with pytest.raises(TypeError, match="no ops"):
            kind.behaviour()


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_a_site_uses_every_part_that_it_has_once(site: Site) -> None:
    used = [below(site, use.path) for use in site.uses() if use.part.action or use.path != site.name]
    owned = [path for path, piece in pieces(site) if isinstance(piece, Part)]
    assert sorted(used) == sorted(owned)


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_a_site_names_the_clocks_of_all_parts_that_have_one(site: Site) -> None:
    named = dict(site.clocked())
    clocked = {path: piece.clock for path, piece in pieces(site) if hasattr(piece, "clock")}
    assert named == clocked
    assert set(named.values()) <= set(site.clocks)


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_a_part_of_a_site_can_be_taken_twice_by_what_results_call_it(site: Site) -> None:
    for use in site.uses():
        path = below(site, use.path)
        if path:
            assert type(site.part_at(path)) is type(
                use.part
            )  # one that follows a model is another than in the file
            for key, value in site.doubled_part(path).items():
                assert value == 2 * site.part_at(key), key


@pytest.mark.parametrize("name", CHIPS)
def test_the_peak_is_what_the_parts_say_that_they_do(name: str) -> None:
    """Instances and rates are the sites' own; power is static power and energy times rate; nothing is counted twice."""
    chip = CHIPS[name]
    rows = {row.part: row for row in chip.peak.rows}
    assert len(rows) == len(chip.peak.rows)
    for site in chip.config.sites.values():
        for use in site.uses():
            row, part = rows[use.path], use.part
            assert row.count == use.instances >= 1
            assert use.per_second > 0
            energy = part.action_pj
            assert row.dynamic_mw == (
                None if energy is None else pytest.approx(energy * use.per_second / 1e9)
            )
            static = part.static_power_mw
            assert row.static_mw == (None if static is None else pytest.approx(static * use.instances))
    assert chip.peak.weights == sum(
        s.weights(chip.config.precision.weight_bits) for s in chip.config.sites.values()
    )
    assert chip.peak.watts == pytest.approx(sum(row.power_mw or 0 for row in rows.values()) / 1000)


@pytest.mark.parametrize("name", CHIPS)
def test_what_results_call_a_part_leads_back_to_the_chip_file(name: str) -> None:
    config = CHIPS[name].config
    in_file = dict(pieces(config))
    for site in config.sites.values():
        for use in site.uses():
            if use.path != site.name:  # of the site itself, static power
                assert type(in_file[config.path_of(use.path)]) is type(use.part)


# -- devices -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", plugged("devices"))
def test_a_device_is_whole(name: str) -> None:
    """Each figure has its source, with DOI, publication or reason; what is not known is None, and words say so."""
    device = plugged("devices")[name]
    assert (device.plugs, name_of(device)) == ("devices", name)
    assert device.model_config["strict"]
    assert device.model_config["extra"] == "forbid"
    plain = device()
    assert plain.kind == name
    assert len(plain.source) > 20
    assert plain.energy_per_cell_write_pj is None or "pJ" in plain.source
    assert plain.row_write_ns is None or re.search(r"\b(ns|us|ms)\b", plain.source)
    assert plain.endurance is None or "Endurance" in plain.source
    assert plain.retention
    for spread in device.spreads.values():
        ranged = spread.g_max_us is not None or spread.levels is not None
        assert not ranged or len(spread.source) > 10
        assert set(spread.missing) <= set(MODELS)
        assert all(spread.missing.values())
    assert set(plain.models) | set(plain.not_modelled) == set(MODELS)


# -- topologies and importers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", plugged("topologies"))
def test_a_topology_is_whole(name: str) -> None:
    """Its graph and routes are tested in test_topology.py."""
    topology = plugged("topologies")[name]
    assert issubclass(topology, Topology)
    assert (topology.plugs, name_of(topology)) == ("topologies", name)
    assert not topology.__abstractmethods__
    assert topology.deadlock_free
    assert bool(topology.spec) == bool(topology.numbers)
    assert topology.spec.startswith(f"{name}:" if topology.spec else "")
    assert set(topology.numbers) <= set(topology.model_fields)


@pytest.mark.parametrize("name", plugged("importers"))
def test_an_importer_takes_what_the_command_line_gives(name: str) -> None:
    importer: Any = find("importers", name)
    first, *others = inspect.signature(importer).parameters.values()
    assert first.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert {"model", "command"} <= {each.name for each in others}
    assert all(each.kind is inspect.Parameter.KEYWORD_ONLY for each in others)
    assert "Raises" in (importer.__doc__ or "")


# -- presets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_every_piece_with_a_number_says_where_it_comes_from(preset: str) -> None:
    for path, piece in pieces(Chip.load(preset).config):
        if not isinstance(piece, Sourced):
            continue
        numbers = [value for key, value in piece if isinstance(value, int | float)]
        if numbers:
            assert len(piece.source) > 20, path


@pytest.mark.parametrize("preset", PRESETS)
def test_energy_and_area_that_a_source_does_not_mention_are_not_given(preset: str) -> None:
    """A part that holds an energy or an area shows the arithmetic: its source has a unit of each."""
    for path, piece in pieces(Chip.load(preset).config):
        if not isinstance(piece, Part):
            continue
        for key, value in piece:
            if key.startswith("energy_per") and value is not None:
                assert "pJ" in piece.source, f"{path}.{key}"
            if key == "area_um2" and value is not None:
                assert "mm2" in piece.source or "um2" in piece.source, f"{path}.{key}"


@pytest.mark.parametrize("preset", PRESETS)
def test_every_op_of_the_nine_cnns_has_one_digital_unit(preset: str) -> None:
    tile = Chip.load(preset).config.sites["tile"]
    for op in CNN_OPS:
        assert tile.unit_of(op) is not None, op
        assert sum(op in unit.operations for unit in tile.digital.values()) <= 1, op


@pytest.mark.parametrize(
    "preset",
    [each for each in PRESETS if "crossbar" in (site.kind for site in CHIPS[each].config.sites.values())],
)
def test_digital_units_keep_up_with_the_tiles_arrays(preset: str) -> None:
    """Rates for one element an output: activation and accumulation are as fast as the arrays put out."""
    config = Chip.load(preset).config
    tile = config.sites["tile"]
    outputs_per_fs = tile.arrays * tile.core.array.columns // tile.weight_slices() / tile.mvm_period_fs()
    for op in ("Relu", "Accumulate", "Add", "BatchNormalization"):
        unit = tile.digital[str(tile.unit_of(op))]
        cost = unit.cost_of(op)
        assert cost is not None
        rate = unit.count * unit.lanes / cost / config.clocks[unit.clock].period_fs
        assert rate >= outputs_per_fs, op
