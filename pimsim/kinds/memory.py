"""The kind ``memory``: what lies off the chip and holds what the sites' buffers cannot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from pimsim.chip.base import Count, Positive, Text, Use, refuse
from pimsim.chip.parts.port import Port
from pimsim.chip.site import Site
from pimsim.errors import nearest


class Memory(Port, Site):
    """Off-chip memory of a chip behind ports at routers of its network; one instance is one port with its channel.

    A port takes one access after another, each for its bytes at the port's bandwidth, reads and writes together; the
    first byte comes after the latency. Banks and rows are not followed. A port that names a standard has the bandwidth
    and the energy of a stream of reads on one of its channels, refresh and all, and the latency of a lone read.

    Parameters
    ----------
    count : int
        Ports of a chip, spread evenly over its routers unless ``at`` says where.
    capacity_gib : float
        Of all ports of a chip, in GiB (2^30 bytes).
    standard : str, optional
        A standard of ``configs/memory/``, instead of bandwidth, latency and energy.
    bandwidth_gb_per_s : float, optional
        Bandwidth of one port, in GB/s (1e9 bytes a second); None where a standard says it.
    latency_ns : float, optional
        Latency in nanoseconds; likewise.
    """

    takes_ops: ClassVar[bool] = False
    plugs: ClassVar[str] = "kinds"

    kind: Literal["memory"] = "memory"
    count: Count = 1
    capacity_gib: Positive
    standard: Text | None = None
    bandwidth_gb_per_s: Annotated[float, Field(ge=1e-9, le=1e12, allow_inf_nan=False)] | None = None  # type: ignore[assignment]
    latency_ns: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None  # type: ignore[assignment]

    @model_validator(mode="after")
    def _says_it_once(self) -> Memory:
        figures = ("bandwidth_gb_per_s", "latency_ns", "energy_per_bit_pj")
        if self.standard is None:
            for key in figures[:2]:
                if getattr(self, key) is None:
                    raise refuse(key, None, "a number, or the key 'standard'")
            return self
        from pimsim.dram.port import known

        if self.standard not in known():
            raise refuse("standard", self.standard, f"a memory standard; {nearest(self.standard, known())}")
        for key in figures:
            if getattr(self, key) is not None:
                raise refuse(key, getattr(self, key), f"null, since the standard {self.standard} says it")
        return self

    @classmethod
    def behaviour(cls) -> type[Any]:
        """No op is done in a memory."""
        raise TypeError("a memory does no ops")

    @property
    def _measured(self) -> Any:
        from pimsim.dram.port import measured

        assert self.standard is not None
        return measured(self.standard)

    @property
    def rate_gb_per_s(self) -> float:
        """What one port moves, GB/s: as stated, or a stream on a channel of the standard."""
        stated: float | None = self.bandwidth_gb_per_s
        return float(self._measured.stream_gb_per_s) if stated is None else stated

    @property
    def delay_ns(self) -> float:
        """When the first byte is there, ns: as stated, or a lone read's latency."""
        stated: float | None = self.latency_ns
        return float(self._measured.latency_ns) if stated is None else stated

    @property
    def action_pj(self) -> float | None:
        """Energy of a bit, pJ: as stated, or a stream's; None where it is not modelled."""
        energy: float | None = (
            self.energy_per_bit_pj if self.standard is None else self._measured.stream_pj_per_bit
        )
        return energy

    def faster(self, factor: int) -> dict[str, Any]:
        """More bandwidth, less latency; then they are no standard's."""
        return {**super().faster(factor), "standard": None, "energy_per_bit_pj": self.action_pj}

    def notes(self, overridden: Sequence[str]) -> Iterator[tuple[list[str], str]]:
        """What a port of a standard leaves out, and how much that can be."""
        if self.standard is not None:
            found = self._measured
            yield (
                [],
                f"{self.name}: approximate: each port moves {found.stream_gb_per_s:.4g} GB/s, a stream of reads on a "
                f"channel of {self.standard} (peak {found.peak_gb_per_s:.4g}); reads at random would get "
                f"{found.random_gb_per_s:.4g}. Banks and rows are not followed.",
            )

    def clocked(self) -> Iterator[tuple[str, str]]:
        """A port keeps its own time."""
        yield from ()

    def uses(self) -> Iterator[Use]:
        """Every port moves bits all the time."""
        yield Use(self.name, self, self.count, self.per_second())
