"""What is said in words of a chip beside its figures: what models carry, and what overridden keys do not affect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from pimsim.chip import timing
from pimsim.chip.parts.base import NO_EFFECT, Model
from pimsim.chip.schema import ChipConfig


def notes_of(config: ChipConfig, overridden: Sequence[str]) -> list[str]:
    """Return the notes of a chip that do not stand in its file.

    Parameters
    ----------
    config : ChipConfig
        The chip.
    overridden : sequence of str
        The paths of the keys that were overridden.
    """
    adc, paths = config.core.adc, dict.fromkeys(overridden)
    notes = list(adc.notes(config.clocks, config.technology_nm))
    bits = [path for path in paths if path.split(".")[-2:] == ["adc", "bits"]]
    if bits and adc.counting:
        notes.append(adc.counting)
    if notes:  # which say of the bits all that there is to say
        paths = dict.fromkeys(path for path in paths if path not in bits)
    words = ((path, words_of(config, path.split("."))) for path in paths)
    return notes + [f"{path}: {text}." for path, text in words if text]


def outgrown(config: ChipConfig) -> list[str]:
    """Return the output registers that hold less than the outputs of one multiplication of native precision."""
    core, tile = config.core, config.tile
    outputs = core.arrays * core.array.columns // timing.weight_slices(config)
    needed = outputs * config.precision.accumulator_bits / 8
    registers = {"core": (core.output_register, needed), "tile": (tile.output_register, needed * tile.cores)}
    return [
        f"{place}.output_register.capacity_bytes: {register.capacity_bytes} bytes for the {size:.0f} bytes of one "
        "multiplication's outputs"
        for place, (register, size) in registers.items()
        if register is not None and register.capacity_bytes < size
    ]


def words_of(config: BaseModel, path: Sequence[str]) -> str:
    """Return what the field at a path says that it does not affect; nothing if it says nothing."""
    place: Any = config
    for depth, key in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(place, BaseModel):
            name = next((n for n, f in type(place).model_fields.items() if key in (n, f.alias)), None)
            if name is None:
                return ""
            if last:
                return next(_words(place, name), "")
            place = getattr(place, name)
        elif isinstance(place, Mapping) and not last:
            place = place.get(key)
        else:  # a value of a mapping has the words of the field that holds it
            return words_of(config, path[:-1]) if last and isinstance(place, Mapping) else ""
    return ""


def _words(piece: BaseModel, name: str) -> Iterator[str]:
    """Yield the words of a field, and those of its piece."""
    extra = type(piece).model_fields[name].json_schema_extra
    if isinstance(extra, dict) and NO_EFFECT in extra:
        yield str(extra[NO_EFFECT])
    if isinstance(piece, Model) and piece.no_effect:
        yield piece.no_effect
