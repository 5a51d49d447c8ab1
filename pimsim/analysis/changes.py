"""Changes to a chip that what-if tries: each part twice as fast, infinitely fast, and twice as many of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from pimsim.chip import Chip, ChipConfig
from pimsim.chip.parts import Part
from pimsim.chip.parts.array import LEAST_NS
from pimsim.errors import ConfigError

TWICE_AS_FAST, INFINITELY_FAST = "twice as fast", "infinitely fast"
TWICE_AS_MANY, TWICE_AS_LARGE = "twice as many", "twice as large"
INFINITE = 0  # a factor
# "Infinitely fast" is a clock of 1 ps, the fastest that a chip may have.
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
        return Chip.from_dict(chip.to_dict(), self.values)


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
        for kind, factor in ((TWICE_AS_FAST, 2), (INFINITELY_FAST, INFINITE)):
            values = _faster(chip.config, part, factor)
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


# -- what a part can be ---------------------------------------------------------------------------------------


def _part(chip: ChipConfig, label: str) -> tuple[str, Any, Any]:
    """Return where a part stands in the chip file, the part, and the site that it is of, if any."""
    path = chip.path_of(label)
    place: Any = chip
    for key in path.split("."):
        place = place.get(key) if isinstance(place, dict) else getattr(place, key, None)
    keys = path.split(".")
    site = chip.sites[keys[1]] if keys[0] == "sites" else None
    return path, place, site


def _faster(chip: ChipConfig, label: str, factor: int) -> Values:
    """A part with shorter times and, where it has a clock, one of its own."""
    path, part, site = _part(chip, label)
    if not isinstance(part, Part):
        return {}
    if site is not None and part is not site:
        inside = path.split(".", 2)[2]
        values = {
            f"sites.{site.name}.{key}": value for key, value in site.faster_part(inside, factor).items()
        }
    else:
        values = {f"{path}.{key}": value for key, value in part.faster(factor).items()}
    clock = getattr(part, "clock", None)
    if clock is None:
        return values
    period = LEAST_NS if factor == INFINITE else max(LEAST_NS, chip.clocks[clock].period_fs / factor / 1e6)
    return {f"clocks.{FAST_CLOCK}": {"period_ns": period}, f"{path}.clock": FAST_CLOCK, **values}


def _more(chip: ChipConfig, label: str) -> Iterator[tuple[str, Values]]:
    """Yield how a part can be doubled: planned anew."""
    path, part, site = _part(chip, label)
    if label == "network.adder":
        path, part = "network.reduction", chip.network.reduction
    if not isinstance(part, Part):
        return
    if site is not None and part is not site:
        inside = path.split(".", 2)[2]
        doubled = {f"sites.{site.name}.{key}": value for key, value in site.doubled_part(inside).items()}
    else:
        doubled = {f"{path}.{key}": value for key, value in part.doubled().items()}
    if doubled:
        yield TWICE_AS_MANY, doubled
    larger = {f"{path}.{key}": value for key, value in part.enlarged().items()}
    if larger:
        yield TWICE_AS_LARGE, larger
