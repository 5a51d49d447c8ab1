"""Peak figures: what the chip does, draws and occupies when every part works at its highest rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pimsim.chip.base import Use
from pimsim.chip.schema import ChipConfig


@dataclass(frozen=True)
class PeakRow:
    """One part of the chip.

    Parameters
    ----------
    part : str
        What results call it.
    count : int
        Instances on the chip.
    static_mw, dynamic_mw : float or None
        Power of all of them at the peak rate, in milliwatts; None where it is not modelled.
    area_mm2 : float or None
        Area of all of them, in square millimetres; None where it is not modelled.
    """

    part: str
    count: int
    static_mw: float | None
    dynamic_mw: float | None
    area_mm2: float | None

    @property
    def power_mw(self) -> float | None:
        """Static and dynamic power together, in milliwatts; None where neither is modelled."""
        if self.static_mw is None and self.dynamic_mw is None:
            return None
        return (self.static_mw or 0.0) + (self.dynamic_mw or 0.0)


@dataclass(frozen=True)
class Peak:
    """Peak figures of a chip; 1 MAC = 2 operations, at the chip's native precision.

    Parameters
    ----------
    tops : float
        Throughput in 1e12 operations a second with everything that multiplies at work.
    watts : float
        Power with every modelled part at its highest rate.
    area_mm2 : float
        Area of the parts whose area is modelled.
    weights : int
        Weights of native precision that stay in the chip's sites.
    weights_mb : float
        The same in MB (1e6 bytes).
    rows : tuple of PeakRow
        The same by part.
    """

    tops: float
    watts: float
    area_mm2: float
    weights: int
    weights_mb: float
    rows: tuple[PeakRow, ...]

    @property
    def tops_per_watt(self) -> float:
        """Throughput by power; 0 if no part's power is modelled."""
        return self.tops / self.watts if self.watts else 0.0

    @property
    def tops_per_mm2(self) -> float:
        """Throughput by area; 0 if no part's area is modelled."""
        return self.tops / self.area_mm2 if self.area_mm2 else 0.0


def peak(config: ChipConfig) -> Peak:
    """Compute the peak figures of a chip from its parts."""
    rows = tuple(_row(use) for use in _uses(config))
    bits = config.precision.weight_bits
    weights = sum(site.weights(bits) for site in config.sites.values())
    return Peak(
        tops=sum(2 * site.macs_per_second() / 1e12 for site in config.sites.values()),
        watts=sum(row.power_mw or 0.0 for row in rows) / 1000,
        area_mm2=sum(row.area_mm2 or 0.0 for row in rows),
        weights=weights,
        weights_mb=weights * bits / 8 / 1e6,
        rows=rows,
    )


def tops_at(config: ChipConfig, bits: int) -> float:
    """Return the peak throughput with elements of so many bits, in 1e12 operations a second."""
    sites = config.sites.values()
    return sum(2 * site.macs_per_second() * site.speedup(bits) / 1e12 for site in sites)


def _row(use: Use) -> PeakRow:
    part, energy = use.part, use.part.action_pj
    return PeakRow(
        part=use.path,
        count=use.instances,
        static_mw=None if part.static_power_mw is None else use.instances * part.static_power_mw,
        dynamic_mw=None if energy is None else energy * use.per_second * 1e-9,
        area_mm2=None if part.area_um2 is None else use.instances * part.area_um2 * 1e-6,
    )


def _uses(config: ChipConfig) -> Iterator[Use]:
    """List every part with its instances and its highest rate of actions."""
    network, external, clocks = config.network, config.external, config.clocks
    for site in config.working.values():
        yield from site.uses()
    routers = network.topology.routers
    yield Use("network", network, routers, network.per_second(clocks))
    if network.reduction is not None:
        yield Use("network.adder", network.reduction, routers, network.adds_per_second(clocks))
    yield Use("external", external, external.count, external.per_second())
    for site in config.sites.values():
        if not site.takes_ops:
            yield from site.uses()
    for name, other in config.other.items():
        yield Use(f"other.{name}", other, other.count * config.owners(other.per))
