"""Chip: a checked configuration with what follows from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pimsim.chip.load import Overrides, from_mapping, overridden_keys
from pimsim.chip.load import load as load_config
from pimsim.chip.notes import notes_of
from pimsim.chip.peak import Peak, peak
from pimsim.chip.schema import ChipConfig

_TEXTS = ("name", "description", "source", "notes", "published")


class Chip:
    """A chip to simulate.

    Parameters
    ----------
    config : ChipConfig
        Its checked configuration.
    overridden : sequence of str
        Keys that were overridden, of which it is said in words if they do not affect everything.
    """

    def __init__(self, config: ChipConfig, overridden: Sequence[str] = ()) -> None:
        """Wrap a configuration."""
        self.config, self.overridden = config, tuple(overridden)

    def __repr__(self) -> str:
        """Return its name, size and the start of its digest."""
        return f"Chip({self.config.name!r}, {self.config.tiles} tiles, {self.digest[:12]})"

    @classmethod
    def load(cls, name_or_path: str | Path, overrides: Overrides = ()) -> Chip:
        """Load a preset by its name, or a chip file by its path.

        Parameters
        ----------
        name_or_path : str or Path
            ``"isaac"``, ``"my/chip.yaml"``.
        overrides : sequence of str or mapping
            ``["core.adc.bits=6"]`` with YAML values, or ``{"core.adc.bits": 6}``.

        Raises
        ------
        ConfigError
            If the file or an override is wrong: where, what was found, what was expected.
        """
        return cls(load_config(name_or_path, overrides), overridden_keys(overrides))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], overrides: Overrides = ()) -> Chip:
        """Build a chip from what `to_dict` returns, or from a dictionary in the form of a chip file.

        Raises
        ------
        ConfigError
            If the dictionary does not describe a chip.
        """
        return cls(from_mapping(data, overrides), overridden_keys(overrides))

    def to_dict(self) -> dict[str, Any]:
        """Return the whole configuration as plain data, ready for JSON or YAML."""
        return self.config.model_dump(by_alias=True, exclude_none=True)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that can affect a result: all but names, sources and notes."""
        data = {key: value for key, value in self.to_dict().items() if key not in _TEXTS}
        read = {name: found for name, site in self.config.sites.items() if (found := site.read())}
        if read:
            data["read"] = read
        text = json.dumps(_without_sources(data), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def warnings(self) -> list[str]:
        """What is allowed but looks like a mistake, each with its key path."""
        config = self.config
        found = [f"sites.{site.name}.{text}" for site in config.sites.values() for text in site.warnings()]
        shortage = config.network.router.shortage(config.network.link_cycles)
        if shortage is not None:
            found.append(f"network.buffer_flits: {shortage.removeprefix('buffer: ')}")
        return found

    @cached_property
    def notes(self) -> list[str]:
        """What the chip file says of itself, what models carry, and what overridden keys do not affect."""
        return [*self.config.notes, *self.asides]

    @cached_property
    def asides(self) -> list[str]:
        """The notes that do not stand in the chip file: figures that models carry, and overridden keys."""
        return notes_of(self.config, self.overridden)

    @cached_property
    def peak(self) -> Peak:
        """Peak throughput, power, area and weight capacity, in all and by part."""
        return peak(self.config)


def _without_sources(value: Any) -> Any:
    """Drop the sources at every level."""
    if isinstance(value, dict):
        return {
            k: _without_sources(v) for k, v in value.items() if not (k == "source" and isinstance(v, str))
        }
    return value
