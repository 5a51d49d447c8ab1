"""ExternalLinks: what joins a chip to others and to its host."""

from __future__ import annotations

from pimsim.chip.parts.port import Port


class ExternalLinks(Port):
    """The links that leave the chip; one instance is one link, its bandwidth that of each direction."""
