"""Is any key of a chip file dead? Each one changes a figure of some run, or says in words what it does not affect.

Every value of every preset is changed, one at a time, on a chip cut down to a few tiles. Energies, areas and rates show
in the peak figures at once; what shows only in a run is run: a small CNN, the same with little room and narrow links,
and where the chip has a memory, a small decoder that generates, with its cache in the memory or written into arrays.
"""

from __future__ import annotations

import inspect
import json
import pathlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple, get_args, get_origin

import numpy as np
import pytest
from pydantic import BaseModel

from pimsim import presets
from pimsim.chip import Chip
from pimsim.chip.notes import words_of
from pimsim.chip.parts.array import Array
from pimsim.errors import ConfigError, PimsimError
from pimsim.kinds.crossbar.values import form_of
from pimsim.result.result import Result
from pimsim.run.generate import generate
from pimsim.run.simulate import simulate
from pimsim.trace import Trace
from pimsim.trace.bind import bind
from pimsim.trace.optypes import OP_TYPES
from pimsim.values.arithmetic import Matrix, Piece
from pimsim.values.errors import Effects, known_of
from pimsim.values.wires import effective_fast_us

from ..random_models import Builder
from ..transformers import decoder

Data = dict[str, Any]
Path = tuple[str, ...]

TEXTS = {"schema", "name", "description", "source", "notes"}
SMALL = {
    "tile.count": 4,
    "tile.cores": 2,
    "core.arrays": 4,
    "core.adc.banks": 2,
    "network.topology": {"kind": "mesh", "width": 2, "height": 2},
}
ADDERS = {  # what no preset has: pieces of a flit's energy, and adders in the routers for layers that span tiles
    "tile.count": 8,
    "tile.cores": 1,
    "core.arrays": 2,
    "network.topology": {"kind": "mesh", "width": 4, "height": 2},
    "network.reduction": {"lanes": 4, "latency_cycles": 1},
    "network.energy_per_flit_pj": None,
    "network.buffer_energy_per_flit_pj": 1.0,
    "network.crossbar_energy_per_flit_pj": 1.0,
    "network.link_energy_per_flit_mm_pj": 1.0,
    "network.link_mm": 1.0,
}
TIGHT = {
    "tile.buffer.capacity_kib": 2.0,
    "simd.buffer.capacity_kib": 1.0,
    "network.link_width_bits": 1,
    "network.topology": {"kind": "mesh", "width": 8, "height": 1},
    "network.vcs": 2,
    "network.buffer_flits": 4,
}
WRITTEN = {
    "products": "write",
    "core.array.write_ns": 100.0,
    "core.array.energy_per_cell_write_pj": 1.0,
    "core.array.endurance": 1e6,
}
CACHED = {"tile.buffer.capacity_kib": 2.0, "memory.capacity_gib": 5e-6}
PROCESSORS = {  # blocks fit the buffer of TIGHT, a tile just fits a scratchpad, and the clocks meet: runs settle
    "clocks.core": {"period_ns": 2.0},
    "clocks.memory": {"period_ns": 1.0},
    "tile.count": 3,
    "tile.spares": 2,
    "tile.digital.matrix.rows": 8,
    "tile.digital.matrix.lanes": 64,
    "tile.digital.tensor.count": 2,
    "tile.digital.tensor.scratchpad_kib": 33.0,
}
BESIDE = {"simd.count": 2, "simd.at": ["r1", "r2"]}  # another site in a network of four routers
TWO_CLOCKS = {"core": {"period_ns": 1.6}, "slow": {"period_ns": 4.0}}  # the second one for parts to be given
WITHOUT_VECTOR = {
    name: unit
    for name, unit in Chip.load("isaac").to_dict()["sites"]["tile"]["digital"].items()
    if name != "vector"
}
CHIPS: dict[str, tuple[str, Data]] = {
    **{name: (name, {}) for name in presets.names("configs", ".yaml")},
    "isaac, adders": ("isaac", ADDERS),
    "dadiannao, two clocks": ("dadiannao", {"clocks": TWO_CLOCKS}),
    **{name: (name, PROCESSORS) for name in ("a100", "h100", "l40s", "rtx3090", "tpuv4", "edge_npu")},
    "isaac_simd": ("isaac_simd", {"tile.digital": WITHOUT_VECTOR}),  # so that ops go to the other sites
}
NAMED = {  # a memory that names a standard; its figures stand in no file then
    "memory.standard": "hbm2",
    "memory.bandwidth_gb_per_s": None,
    "memory.latency_ns": None,
    "memory.energy_per_bit_pj": None,
}
CHIPS["hermes_llm, hbm2"] = ("hermes_llm", NAMED)
CHIPS["hermes_llm, by command"] = ("hermes_llm", {**NAMED, "memory.fidelity": "command"})
BESIDE_PIM = {  # products by weights go to the memory that computes, one more would not fit its buffer
    "clocks.core": {"period_ns": 2.0},
    "clocks.memory": {"period_ns": 1.0},
    "tile.count": 1,
    "tile.launcher.launch_ns": 1e5,
    "pim.count": 3,
    "pim.spares": 2,
    "pim.buffer.capacity_kib": 0.5,
    "pim.launcher.launch_ns": 1990.5,
    "pim.buffer.width_bits": 2,
    "pim.memory.achievable": 0.005,  # so that vectors wait for their inputs
}
CHIPS["a100_pim"] = ("a100_pim", BESIDE_PIM)
OWN_PIM = pathlib.Path(__file__).with_name("hbm2_pim_own.yaml")
SHARED = {
    **PROCESSORS,
    "tile.count": 4,
    "tile.share": "tensor",
    "tile.digital.tensor.types": {},
}  # every op on both
CHIPS["a100, shared"] = ("a100", SHARED)
ONLY: dict[str, str | tuple[str, ...]] = {  # of these chips, only these keys
    "hermes_llm, hbm2": "sites.memory.",
    "hermes_llm, by command": "sites.memory.",
    "a100_pim": "sites.pim.",
    "a100, shared": ("sites.tile.links", "sites.tile.share", "sites.tile.digital.tensor.bits"),
}
FIGURES = ("latency_fs", "outputs_fs", "interval_fs", "energy", "area_um2", "chips", "wear", "first_token_fs")
ONLY_WORDS = {"Murmann.force", "Cco.force"}  # and what is published
DECODER, CAUSAL = (
    bind(decoder(1, 4, 32, causal=causal), {"batch": 1, "seq": 6, "kv": 0}) for causal in (False, True)
)


def put(data: Data, path: Path, value: Any) -> Data:
    """A copy of a chip with one value replaced."""
    return {**data, path[0]: value if len(path) == 1 else put(data[path[0]], path[1:], value)}


def chip_with(data: Data, changes: Mapping[str, Any]) -> Data:
    """A chip with all its keys and some other values, those of them that it has the keys for."""
    for key, value in changes.items():
        path = whole(data, tuple(key.split(".")))
        if path:
            data = put(data, path, value)
    return data


def whole(data: Data, path: Path) -> Path:
    """A path below its site, if it is of one; empty where the chip has none such."""
    sites = data["sites"]
    owners = [name for name in sites if path[0] in sites[name]]
    if path[0] in data:
        found = path
    elif path[0] in sites:
        found = ("sites", *path)
    else:
        found = ("sites", owners[0], *path) if owners else ()
    place: Any = data
    for key in found[:-1]:
        place = place.get(key) or {}
    return found if found and found[-1] in place else ()


@cache
def small(name: str) -> Data:
    """A chip with all its keys, cut down."""
    preset, changes = CHIPS[name]
    return chip_with(dumped(Chip.load(preset)), {**SMALL, **BESIDE, **changes})


def dumped(chip: Chip) -> Data:
    return chip.config.model_dump(by_alias=True)


def leaves(data: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all values that are no text; the costs of ops have a test of their own."""
    if isinstance(data, Mapping) and data:
        for key, value in data.items():
            left_out = path[-1:] == ("types",) and value is None  # of a chip that this one extends
            if key not in TEXTS and key not in ("operations", "classes") and not left_out:
                yield from leaves(value, (*path, key))
    else:
        yield path


# -- other values of a key --------------------------------------------------------------------------------------


def field_at(config: BaseModel, path: Path) -> tuple[str, Any]:
    """The class that declares what a path ends in, and its key; and the type that is declared there."""
    place: Any = config
    for key in path[:-1]:
        place = place[key] if isinstance(place, Mapping) else getattr(place, key)
    field = type(place).model_fields[path[-1]]
    own = f"{type(place).__name__}.{path[-1]}"
    declaring = next(each for each in type(place).__mro__ if path[-1] in inspect.get_annotations(each))
    return own if own in ONLY_WORDS else f"{declaring.__name__}.{path[-1]}", field.annotation


def others(value: Any, declared: Any, data: Data, path: Path) -> list[Any]:
    """Other values to try: of the same type, or of the declared one where none is given."""
    key = path[-1]
    if key == "at":
        return [["r3"] * data["sites"][path[1]]["count"]]
    if key == "per":
        return [each for each in ("chip", "core", *data["sites"]) if each != value]
    choices = [
        arg
        for kind in (declared, *get_args(declared))
        if get_origin(kind) is Literal
        for arg in get_args(kind)
    ]
    if choices:
        return [choice for choice in choices if choice != value]
    if key == "clock":
        return [name for name in data["clocks"] if name != value]
    if isinstance(value, bool):
        return [not value]
    if isinstance(
        value, int
    ):  # far away, too: a few cycles more can vanish between two edges of a slower clock
        return [2 * value, value // 2, value + 1, value - 1, value + 100, 1]
    if isinstance(value, float):
        return [2 * value, value / 2] if value else [1.0]
    if key == "standard":
        return ["ddr4_2400", str(OWN_PIM)] if value else []
    if key == "order":
        return ["samsung"]
    if key == "policy":
        return ["page=closed", "controller_cycles=50"]
    if isinstance(value, str):
        return [f"{value}2"]
    kinds = {kind for arg in get_args(declared) for kind in (arg, *get_args(arg))}
    return [1.0, 2.0] if float in kinds else [1, 2] if int in kinds else []


# -- figures -------------------------------------------------------------------------------------------------------


def cnn() -> Trace:
    """Convolutions over more rows than an array has, pooling, a skip, a product and softmax."""
    model = Builder()
    x = model.relu(model.conv(model.input(1, 3, 10, 10), 16, (3, 3), pads=(1, 1, 1, 1)))
    y = model.conv(x, 16, (3, 3), pads=(1, 1, 1, 1))
    z = model.pool(model.sum(x, y), (2, 2), (2, 2))
    z = model.pool(model.relu(model.conv(z, 24, (3, 3))), (3, 3), kind="AveragePool")
    model.softmax(model.gemm(model.flatten(z), 20), 1)
    return model.trace("small")


class Run(NamedTuple):
    """What a chip is put to: what is changed of it before, what runs, and which keys it is for ("" for all)."""

    before: Mapping[str, Any]
    run: Callable[[Chip], Result]
    keys: str = ""


RUNS = (
    Run({}, lambda chip: simulate(chip, cnn(), 3)),
    Run(TIGHT, lambda chip: simulate(chip, cnn(), 3)),
    Run({}, lambda chip: simulate(chip, DECODER)),
    Run(WRITTEN, lambda chip: simulate(chip, DECODER)),
    Run(CACHED, lambda chip: generate(chip, decoder(1, 4, 32), 48, 3, requests=2, places=2), "sites.memory."),
    Run({}, lambda chip: simulate(chip, CAUSAL), "sites.tile.digital."),
)


@cache
def figures(number: int, chip: str) -> str:
    """The figures of a run on a chip in JSON; a refusal is an outcome, too."""
    try:
        result = RUNS[number].run(Chip.from_dict(json.loads(chip)))
    except PimsimError as error:
        return type(error).__name__
    return json.dumps({key: result.data.get(key) for key in FIGURES}, sort_keys=True)


# -- one key at a time ---------------------------------------------------------------------------------------------


def is_piece(declared: Any) -> bool:
    """Whether what may stand there is a piece with keys of its own, or several by name."""
    inner = {
        get_origin(kind) or kind for arg in (declared, *get_args(declared)) for kind in (arg, *get_args(arg))
    }
    return any(isinstance(kind, type) and issubclass(kind, BaseModel | dict) for kind in inner)


def changes_of(path: Path, data: Data, declared: Any) -> Iterator[Data]:
    """The chip with other values of one key; those that the schema refuses are left out."""
    value: Any = data
    for key in path:
        value = value[key]
    for other in others(value, declared, data, path):
        changed = put(data, path, other)
        try:
            Chip.from_dict(changed)
        except ConfigError:
            continue
        yield changed


def unrun(chip: Chip, path: Path) -> Any:
    """What a chip says without a run: its peak; of devices and wires, what writing takes and what values become."""
    if "coding" in path:
        return [
            products_on(site.part_at("core"))
            for site in chip.config.sites.values()
            if site.part_at("core.coding")
        ]
    if "device" not in path and path[-1] != "wire_ohm":
        return chip.peak
    arrays = [site.part_at("core.array") for site in chip.config.sites.values()]
    return [
        (array.programming(chip.config.clocks)[:3], values_of(array)) for array in arrays if array is not None
    ]


def products_on(core: Any) -> list[float]:
    """What a few rows of an array give for an input, a day after they were written if cells drift."""
    random, form, device = np.random.default_rng(1), form_of(core, 4, 4), core.array.device
    codes, inputs = random.integers(-7, 8, (8, 3)), random.integers(0, 16, (20, 8))
    pieces = [Piece(slice(0, 8), slice(0, 3))]
    drift = frozenset({"drift"}) & known_of(device, None)
    effects = Effects(device, drift, 86_400.0, 1, compensated=core.coding.drift_compensation == "global")
    ranges = None
    if form.range == "samples":
        ranges = Matrix(form, codes, pieces, signed=False).calibrated(inputs)
    matrix = Matrix(form, codes, pieces, signed=False, effects=effects, ranges=ranges)
    return [*matrix.multiply(inputs).ravel().tolist(), *matrix.arrays[0].cells.levels.ravel().tolist()]


def values_of(array: Array) -> list[float]:
    """The currents of a row of cells at all their levels, or at four, an hour after programming where cells drift."""
    device = array.device
    target = np.linspace(device.g_min_us or 0.0, device.g_max_us or 1.0, device.levels or 4)
    found = target
    if "programming" in device.models:
        found = device.programmed_us(target, np.ones_like(target))
    if "drift" in device.models:
        found = device.drifted_us(found, target, 3600.0, np.ones_like(target))
    return effective_fast_us(found[None], array.wire_ohm or 0.0).ravel().tolist()


def fate(path: Path, data: Data, declared: Any) -> str:
    """Whether a key is alive or dead, or takes no other value at all."""
    before, changed = unrun(Chip.from_dict(data), path), list(changes_of(path, data, declared))
    if any(unrun(Chip.from_dict(each), path) != before for each in changed):
        return "alive"
    accepted = bool(changed)
    for number, run in enumerate(RUNS):
        if not ".".join(path).startswith(run.keys) or (
            run.before is CACHED and "memory" not in data["sites"]
        ):
            continue
        base = chip_with(data, run.before)
        for each in changes_of(path, base, declared):
            accepted = True
            if figures(number, json.dumps(each)) != figures(number, json.dumps(base)):
                return "alive"
    return "dead" if accepted else "refused"


@cache
def survey(name: str) -> dict[str, tuple[str, str]]:
    """What becomes of each key of a chip, and whose field it is."""
    data, found = small(name), {}
    config = Chip.from_dict(data).config
    for path in leaves(data):
        if not ".".join(path).startswith(ONLY.get(name, "")):
            continue
        where, declared = field_at(config, path)
        if path[-1] == "kind" or is_piece(declared):  # another shape, with keys of its own
            continue
        if path[:2] == ("clocks", "slow"):  # nobody has it yet
            continue
        silent = where in ONLY_WORDS or where.startswith("Published.")
        found[".".join(path)] = ("dead" if silent else fate(path, data, declared), where)
    return found


@pytest.mark.parametrize("name", CHIPS)
def test_every_key_has_an_effect_or_says_in_words_what_it_does_not_affect(name: str) -> None:
    config = Chip.from_dict(small(name)).config
    mute = [
        path
        for path, (state, where) in survey(name).items()
        if state == "dead" and not words_of(config, path.split("."))
        if not (
            where == "Network.fidelity" and small(name)["sites"]["tile"]["spares"]
        )  # packets meet nobody there
    ]
    assert mute == []


def test_every_field_takes_another_value_and_affects_some_figure_of_some_chip() -> None:
    """Words excuse a key of one chip, not a field of all; so a field that falls silent is seen though it has words."""
    states: dict[str, set[str]] = {}
    for name in CHIPS:
        for state, where in survey(name).values():
            states.setdefault(where, set()).add(state)
    lifeless = {where for where, found in states.items() if "alive" not in found}
    assert {where for where in lifeless if not where.startswith("Published.")} == ONLY_WORDS


@pytest.mark.parametrize("name", presets.names("configs", ".yaml"))
def test_the_cost_of_each_op_is_what_its_unit_takes_for_it(name: str) -> None:
    """Runs ask nobody but the unit what an op costs; every run has but a few of the types."""
    config = Chip.load(name).config
    for site in config.working.values():
        for unit in site.digital.values():
            elements = 100.0 * unit.lanes
            slower = unit.model_copy(
                update={
                    "operations": {op: 3 * cost for op, cost in unit.operations.items()},
                    "classes": {sort: 3 * cost for sort, cost in unit.classes.items()},
                }
            )
            for op in (*unit.operations, *(op for op in OP_TYPES if unit.cost_of(op) is not None)):
                before, after = (each.work(op, elements, 1, config.clocks) for each in (unit, slower))
                assert after.held == pytest.approx(3 * before.held, rel=0.02), op
                assert after.actions == pytest.approx(3 * before.actions), op
