"""Changes to a chip that what-if tries: each part twice as fast, infinitely fast, and twice as many of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from pimsim.chip import Chip, ChipConfig
from pimsim.errors import ConfigError

TWICE_AS_FAST, INFINITELY_FAST = "twice as fast", "infinitely fast"
TWICE_AS_MANY, TWICE_AS_LARGE = "twice as many", "twice as large"
INFINITE = 0  # a factor
LEAST_NS = 0.001  # the period of the fastest clock that a chip may have; "infinitely fast" is a clock of 1 ps
FAST_CLOCK = "whatif"

Values = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """What is changed.

    Parameters
    ----------
    part : str
        Which part, or the keys of a grid.
    kind : str
        How, in words.
    values : dict
        Key paths of the chip file and what stands there instead.
    same_plan : bool
        Whether the model stays mapped as it was; or else it is planned anew for the changed chip.
    """

    part: str
    kind: str
    values: Values
    same_plan: bool

    def applied_to(self, chip: Chip) -> Chip:
        """Return the changed chip.

        Raises
        ------
        ConfigError
            If there is no such chip.
        """
        data = chip.to_dict()
        for path, value in self.values.items():
            *folders, name = path.split(".")
            place = data
            for folder in folders:
                place = place.setdefault(folder, {})
            place[name] = value
        return Chip.from_dict(data)


def changes_of(chip: Chip, parts: Sequence[str]) -> list[Change]:
    """Return the changes to try for the parts that a run used.

    Parameters
    ----------
    chip : Chip
        As it is.
    parts : sequence of str
        Parts by their place in the chip file, as a result names them.
    """
    found = []
    for part in parts:
        faster = _faster_of(part)
        for kind, factor in ((TWICE_AS_FAST, 2), (INFINITELY_FAST, INFINITE)):
            values = faster(chip.config, part, factor)
            if values:
                found.append(Change(part, kind, values, same_plan=True))
        found += [Change(part, kind, values, same_plan=False) for kind, values in _more(chip.config, part)]
    return [change for change in found if _exists(change, chip)]


def _exists(change: Change, chip: Chip) -> bool:
    """Whether the changed chip is one: doubling may leave the range of a key."""
    try:
        change.applied_to(chip)
    except ConfigError:
        return False
    return True


def grid(chip: Chip, settings: Sequence[str]) -> list[Change]:
    """Return a change for each combination of ``KEY=V1,V2,…`` settings.

    Raises
    ------
    ConfigError
        If a setting is not of that form, or the chip has no such key or value.
    """
    axes = []
    for text in settings:
        key, equals, values = text.partition("=")
        if not equals or not key.strip() or not values.strip():
            raise ConfigError(
                f"found {text!r:.60}, expected KEY=VALUE,VALUE,…",
                where="--set-grid",
                mend="core.adc.adcs_per_bank=1,2,4",
            )
        try:
            parsed = yaml.safe_load(f"[{values}]")
        except yaml.YAMLError:
            raise ConfigError(
                f"found {values!r:.60}, expected values with commas between", where=f"--set-grid {key}"
            ) from None
        axes.append([(key.strip(), value) for value in parsed])
    found = []
    for point in itertools.product(*axes):
        chosen: Values = dict(point)
        Chip.from_dict(chip.to_dict(), chosen)  # which knows the nearest key to a mistyped one
        shown = ", ".join(f"{key}={value}" for key, value in chosen.items())
        found.append(Change(", ".join(chosen), shown, chosen, same_plan=False))
    return found


# -- faster: the plan stays as it is -------------------------------------------------------------------------


def _faster_of(part: str) -> Callable[[ChipConfig, str, int], Values]:
    special = {"core.array": _faster_array, "external": _faster_port, "memory": _faster_port}
    return special.get(part, _faster_clock)


def _fast(chip: ChipConfig, clock: str, factor: int) -> float:
    """The period of a clock that is so many times as fast, in ns."""
    return LEAST_NS if factor == INFINITE else max(LEAST_NS, chip.clocks[clock].period_fs / factor / 1e6)


def _faster_clock(chip: ChipConfig, part: str, factor: int) -> Values:
    """Give a part a clock of its own."""
    place: Any = chip
    for name in part.split("."):
        place = place.get(name) if isinstance(place, dict) else getattr(place, name, None)
    clock = getattr(place, "clock", None)
    if clock is None:
        return {}
    values: Values = {
        f"clocks.{FAST_CLOCK}": {"period_ns": _fast(chip, clock, factor)},
        f"{part}.clock": FAST_CLOCK,
    }
    return values | _without_model(chip) if part == "core.adc" else values


def _without_model(chip: ChipConfig) -> Values:
    """Keep the converter's energy and area as they are: what-if asks about time, beyond what any model covers."""
    adc = chip.core.adc.resolved(chip.clocks, chip.technology_nm)
    kept = {"model": None, "energy_per_convert_pj": adc.energy_per_convert_pj, "area_um2": adc.area_um2}
    return {f"core.adc.{key}": value for key, value in kept.items()}


def _faster_array(chip: ChipConfig, part: str, factor: int) -> Values:
    array = chip.core.array
    scale = LEAST_NS / array.read_ns if factor == INFINITE else 1 / factor
    return {
        **_faster_clock(chip, part, factor),
        **_without_model(chip),
        f"{part}.read_ns": max(LEAST_NS, array.read_ns * scale),
        f"{part}.setup_ns": array.setup_ns * scale,
    }


def _faster_port(chip: ChipConfig, part: str, factor: int) -> Values:
    port = chip.external if part == "external" else chip.memory
    if port is None:
        return {}
    if factor == INFINITE:
        return {f"{part}.bandwidth_gb_per_s": 1e6, f"{part}.latency_ns": 0.0}
    return {
        f"{part}.bandwidth_gb_per_s": port.bandwidth_gb_per_s * factor,
        f"{part}.latency_ns": port.latency_ns / factor,
    }


# -- more: planned anew --------------------------------------------------------------------------------------


def _more(chip: ChipConfig, part: str) -> Iterator[tuple[str, Values]]:
    """Yield how a part can be doubled."""
    tile, core = chip.tile, chip.core
    doubled: dict[str, tuple[str, float]] = {
        "core.array": ("tile.cores", tile.cores),
        "core.adc": ("core.adc.adcs_per_bank", core.adc.adcs_per_bank),
        "core.output_register": ("tile.in_flight", tile.in_flight),
        "tile.buffer": ("tile.buffer.ports", tile.buffer.ports),
        "tile.bus": ("tile.bus.width_bits", tile.bus.width_bits),
        "network": ("network.link_width_bits", chip.network.link_width_bits),
        "external": ("external.count", chip.external.count),
        **{
            f"tile.digital.{name}": (f"tile.digital.{name}.count", unit.count)
            for name, unit in tile.digital.items()
        },
    }
    if chip.memory is not None:
        doubled["memory"] = ("memory.ports", chip.memory.ports)
    if chip.network.reduction is not None:
        doubled["network.adder"] = ("network.reduction.lanes", chip.network.reduction.lanes)
    if part in doubled:
        path, value = doubled[part]
        yield TWICE_AS_MANY, {path: 2 * value}
    larger = {
        "tile.buffer": ("tile.buffer.capacity_kib", tile.buffer.capacity_kib),
        "network": ("network.buffer_flits", chip.network.buffer_flits),
    }
    if part in larger:
        path, value = larger[part]
        yield TWICE_AS_LARGE, {path: 2 * value}
