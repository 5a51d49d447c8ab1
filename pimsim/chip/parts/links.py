"""Links: what joins processors of a kind to one another, and the protocols that results are exchanged by."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from pimsim.chip.base import ClockName, EnergyPj, Model, Part, Positive, TimeNs, Visit
from pimsim.chip.parts.clock import Clocks, period_fs
from pimsim.units import fs_from_ns

NO_EFFECT = "only several processors that share ops (share: tensor)"


class Protocol(Model):
    """A way to exchange data in a ring.

    Parameters
    ----------
    start_ns : float
        From the start of the kernel to its first step, in nanoseconds.
    step_ns : float
        That a step takes beside the time of its bits, in nanoseconds.
    gb_per_s : float
        What it brings through a processor's links one way, in 1e9 bytes of the data a second: flags and
        synchronization are paid for.
    """

    no_effect: ClassVar[str] = NO_EFFECT

    start_ns: TimeNs
    step_ns: TimeNs
    gb_per_s: Positive


class Links(Part):
    """All of a processor's links to others of its kind; each may send to its next one while it receives.

    Parameters
    ----------
    clock : str
        Name of the clock on whose edges packets go.
    protocols : dict of str to Protocol
        The fastest one for a size is taken.
    energy_per_bit_pj : float, optional
        Energy of a bit that is sent, in picojoules.
    """

    action: ClassVar[str] = "energy_per_bit_pj"
    no_effect: ClassVar[str] = NO_EFFECT

    clock: ClockName
    protocols: Annotated[dict[str, Protocol], Field(min_length=1)]
    energy_per_bit_pj: EnergyPj | None = None

    def send(self, name: str, bits: int, clocks: Clocks) -> Visit:
        """Bring bits to the next processor by a protocol."""
        protocol, period = self.protocols[name], period_fs(clocks, self.clock)
        held = max(1, -(-round(bits / 8 * 1e6 / protocol.gb_per_s) // period)) * period
        step = -(-fs_from_ns(protocol.step_ns) // period) * period
        return Visit(held, held + step, bits)

    def start_fs(self, name: str, clocks: Clocks) -> int:
        """Return the time before a protocol's first step, fs."""
        period = period_fs(clocks, self.clock)
        return -(-fs_from_ns(self.protocols[name].start_ns) // period) * period

    def per_second(self) -> float:
        """Return the bits of a second by the fastest protocol."""
        return max(8e9 * each.gb_per_s for each in self.protocols.values())

    def faster(self, factor: int) -> dict[str, Any]:
        """Links and protocols so many times as fast."""
        if not factor:
            return {}
        return {
            "protocols": {
                name: {
                    "start_ns": max(0.001, each.start_ns / factor),
                    "step_ns": max(0.001, each.step_ns / factor),
                    "gb_per_s": each.gb_per_s * factor,
                }
                for name, each in self.protocols.items()
            }
        }
