"""What is said in words of a chip beside its figures: what models carry, and what overridden keys do not affect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from pimsim.chip.base import NO_EFFECT, Model
from pimsim.chip.parts.array import Array
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
    told: list[str] = []
    notes: list[str] = []
    for site in config.sites.values():
        for keys, note in site.notes(overridden):
            notes.append(note)
            told += keys  # of these there is no more to say
    for path in dict.fromkeys(overridden):
        words = next(
            filter(None, (words_of(config, each.split(".")) for each in _readings(config, path))), ""
        )
        if words and not any(path.endswith(key) for key in told):
            notes.append(f"{path}: {words}.")
    return notes


def _readings(config: ChipConfig, path: str) -> Iterator[str]:
    """Yield what an override's path may stand for: itself, below ``sites``, or below one of them."""
    yield path
    yield f"sites.{path}"
    yield from (f"sites.{name}.{path}" for name in config.sites)


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


def notes_of_values(config: ChipConfig) -> list[str]:
    """Return what a chip's arrays make of values: what is modelled, what not, and why; of each array once.

    Parameters
    ----------
    config : ChipConfig
        The chip.
    """
    arrays = {
        use.path: use.part
        for site in config.sites.values()
        for use in site.uses()
        if isinstance(use.part, Array)
    }
    return [f"{path}: {note}." for path, array in arrays.items() for note in array.notes()]
