"""The kind ``memory``: what lies off the chip and holds what the sites' buffers cannot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from pimsim.chip.base import Count, Positive, Text, Use, cost, refuse
from pimsim.chip.parts.port import Port
from pimsim.chip.site import Site
from pimsim.errors import ConfigError, nearest

if TYPE_CHECKING:
    from pimsim.dram.channel import Channel
    from pimsim.netlist.rows import Step


class Memory(Port, Site):
    """Off-chip memory of a chip behind ports at routers of its network; one instance is one port with its channel.

    A port takes one access after another, each for its bytes at the port's bandwidth, reads and writes together; the
    first byte comes after the latency. A port that names a standard has the bandwidth and the energy of a stream of
    reads on one of its channels, refresh and all, and the latency of a lone read; banks and rows are not followed.
    With ``fidelity: command`` its channel runs command by command, and accesses meet rows, banks and refresh.

    Parameters
    ----------
    count : int
        Ports of a chip, spread evenly over its routers unless ``at`` says where.
    capacity_gib : float
        Of all ports of a chip, in GiB (2^30 bytes).
    standard : str, optional
        A standard of ``configs/memory/``, instead of bandwidth, latency and energy.
    fidelity : str
        ``rate``, or of a standard ``command``.
    policy : str
        What the channel's controller does, as ``pimsim memory --policy`` has it: ``page=closed,row_hit_cap=4``.
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
    fidelity: Literal["rate", "command"] = "rate"
    policy: Annotated[str, Field(max_length=500)] = ""
    bandwidth_gb_per_s: Annotated[float, Field(ge=1e-9, le=1e12, allow_inf_nan=False)] | None = None  # type: ignore[assignment]
    latency_ns: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None  # type: ignore[assignment]

    @model_validator(mode="after")
    def _says_it_once(self) -> Memory:
        figures = ("bandwidth_gb_per_s", "latency_ns", "energy_per_bit_pj")
        if self.standard is None:
            for key in figures[:2]:
                if getattr(self, key) is None:
                    raise refuse(key, None, "a number, or the key 'standard'")
            if self.fidelity == "command":
                raise refuse("fidelity", self.fidelity, "'rate', or the key 'standard'")
        if self.policy and self.fidelity == "rate":
            raise refuse("policy", self.policy, "nothing, or 'fidelity: command', where a controller has one")
        if self.standard is None:
            return self
        from pimsim.dram.port import known

        if self.standard not in known():
            raise refuse("standard", self.standard, f"a memory standard; {nearest(self.standard, known())}")
        for key in figures:
            if getattr(self, key) is not None:
                raise refuse(key, getattr(self, key), f"null, since the standard {self.standard} says it")
        try:
            _ = self.channel
        except ConfigError as error:
            raise refuse("policy", self.policy, f"a policy of {self.standard}: {error}") from None
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
    def channel(self) -> Channel | None:
        """The channel that runs command by command; None if none does."""
        if self.fidelity == "rate":
            return None
        from pimsim.dram.channel import channel_of

        assert self.standard is not None
        return channel_of(self.standard, self.policy)

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

    @property
    def row(self) -> dict[str, Any]:
        """What a port is as a resource, but for its name: its clock is a byte's time, or a cycle of its channel."""
        channel = self.channel
        period = self.byte_fs if channel is None else channel.period_fs
        return {"part": self.name, "period_fs": period, "cause": "memory", "channel": channel}

    def step(self, resource: int, bits: int, *, write: bool) -> Step:
        """Move so many bits through a port, the resource of that number."""
        from pimsim.netlist.rows import Access, Step

        energy, channel = cost(self.name, bits, self.action_pj), self.channel
        if channel is None:
            visit = self.transfer(bits)
            return Step(resource, visit.held, visit.after, energy=energy)
        access = Access(max(1, channel.bursts(bits)), write)
        held, after = (cycles * channel.period_fs for cycles in channel.least_cycles(*access))
        return Step(resource, held, after, energy=energy, access=access)

    def faster(self, factor: int) -> dict[str, Any]:
        """More bandwidth, less latency; then they are no standard's."""
        kept = {"standard": None, "fidelity": "rate", "policy": "", "energy_per_bit_pj": self.action_pj}
        return {**super().faster(factor), **kept}

    def notes(self, overridden: Sequence[str]) -> Iterator[tuple[list[str], str]]:
        """What a port of a standard leaves out, and how much that can be."""
        if self.channel is not None:
            yield (
                [],
                f"{self.name}: each port is a channel of {self.standard}, command by command; approximate: each op "
                "reads and writes addresses of its own, one after another, and energy is a stream's by the bit.",
            )
        elif self.standard is not None:
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
