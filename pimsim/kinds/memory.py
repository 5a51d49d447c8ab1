"""The kind ``memory``: what lies off the chip and holds what the sites' buffers cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pimsim.chip.base import Count, Positive, Use
from pimsim.chip.parts.port import Port
from pimsim.chip.site import Site


class Memory(Port, Site):
    """Off-chip memory of a chip behind ports at routers of its network; one instance is one port with its channel.

    A port takes one access after another, each for its bytes at the port's bandwidth, reads and writes together; the
    first byte comes after the latency. Banks and rows are not modelled.

    Parameters
    ----------
    count : int
        Ports of a chip, spread evenly over its routers unless ``at`` says where.
    capacity_gib : float
        Of all ports of a chip, in GiB (2^30 bytes).
    """

    takes_ops: ClassVar[bool] = False
    plugs: ClassVar[str] = "kinds"

    kind: Literal["memory"] = "memory"
    count: Count = 1
    capacity_gib: Positive

    @classmethod
    def behaviour(cls) -> type[Any]:
        """No op is done in a memory."""
        raise TypeError("a memory does no ops")

    def clocked(self) -> Iterator[tuple[str, str]]:
        """A port keeps its own time."""
        yield from ()

    def uses(self) -> Iterator[Use]:
        """Every port moves bits all the time."""
        yield Use(self.name, self, self.count, self.per_second())
