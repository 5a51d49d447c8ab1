"""Peak figures: what the chip does, draws and occupies when every part works at its highest rate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pimsim.chip import timing
from pimsim.chip.parts import Part
from pimsim.chip.schema import ChipConfig
from pimsim.units import FS_PER_S


@dataclass(frozen=True)
class PeakRow:
    """One part of the chip.

    Parameters
    ----------
    part : str
        Its place in the chip file.
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
        Throughput in 1e12 operations a second with every cell at work.
    watts : float
        Power with every modelled part at its highest rate.
    area_mm2 : float
        Area of the parts whose area is modelled.
    weights : int
        Weights of native precision that the chip holds.
    weights_mb : float
        The same in MB (1e6 bytes).
    mvm_period_fs : int
        Time between two multiplications of a core, in femtoseconds.
    mvm_nj : float
        Power of the cores' parts, for the time of one multiplication of one core, in nanojoules.
    rows : tuple of PeakRow
        The same by part.
    """

    tops: float
    watts: float
    area_mm2: float
    weights: int
    weights_mb: float
    mvm_period_fs: int
    mvm_nj: float
    rows: tuple[PeakRow, ...]

    @property
    def tops_per_watt(self) -> float:
        """Throughput by power; 0 if no part's power is modelled."""
        return self.tops / self.watts if self.watts else 0.0

    @property
    def tops_per_mm2(self) -> float:
        """Throughput by area; 0 if no part's area is modelled."""
        return self.tops / self.area_mm2 if self.area_mm2 else 0.0


class _Use(NamedTuple):
    """A part, its instances on the chip, the energy of an action and the chip's peak rate of actions."""

    path: str
    part: Part
    instances: int
    energy_pj: float | None = None
    per_second: float = 0.0


def peak(config: ChipConfig) -> Peak:
    """Compute the peak figures of a chip from its parts."""
    rows = tuple(_row(use) for use in _uses(config))
    period_s = timing.mvm_period_fs(config) / FS_PER_S
    weights = total_arrays(config) * config.core.array.cells // timing.weight_slices(config)
    watts = sum(row.power_mw or 0.0 for row in rows) / 1000
    core_watts = sum(row.power_mw or 0.0 for row in rows if row.part.startswith("core.")) / 1000
    return Peak(
        tops=2 * weights / period_s / 1e12,
        watts=watts,
        area_mm2=sum(row.area_mm2 or 0.0 for row in rows),
        weights=weights,
        weights_mb=weights * config.precision.weight_bits / 8 / 1e6,
        mvm_period_fs=timing.mvm_period_fs(config),
        mvm_nj=core_watts / (config.tiles * config.tile.cores) * period_s * 1e9,
        rows=rows,
    )


def total_arrays(config: ChipConfig) -> int:
    """Return the arrays of the chip."""
    return config.tiles * config.tile.cores * config.core.arrays


def _row(use: _Use) -> PeakRow:
    part = use.part
    return PeakRow(
        part=use.path,
        count=use.instances,
        static_mw=None if part.static_power_mw is None else use.instances * part.static_power_mw,
        dynamic_mw=None if use.energy_pj is None else use.energy_pj * use.per_second * 1e-9,
        area_mm2=None if part.area_um2 is None else use.instances * part.area_um2 * 1e-6,
    )


def _uses(config: ChipConfig) -> Iterator[_Use]:
    """List every part with its instances and its highest rate of actions."""
    yield from _core_uses(config)
    yield from _tile_uses(config)
    network, external = config.network, config.external
    routers, ports = network.topology.routers, network.topology.ports
    flits = routers * ports * _hertz(config, network.clock)  # every port takes a flit in every cycle
    pieces = list(network.flit_energies_pj.values())
    energy = None if None in pieces else math.fsum(piece for piece in pieces if piece is not None)
    yield _Use("network", network, routers, energy, flits)
    if network.reduction is not None:
        adders, rate = network.reduction, _hertz(config, network.clock) * network.reduction.lanes * routers
        yield _Use("network.adder", adders, routers, adders.energy_per_add_pj, rate)
    bits = external.count * external.bandwidth_gb_per_s * 8e9
    yield _Use("external", external, external.count, external.energy_per_bit_pj, bits)
    memory = config.memory
    if memory is not None:
        bits = memory.ports * memory.bandwidth_gb_per_s * 8e9
        yield _Use("memory", memory, memory.ports, memory.energy_per_bit_pj, bits)
    owners = {"chip": 1, "tile": config.tiles, "core": config.tiles * config.tile.cores}
    for name, other in config.other.items():
        yield _Use(f"other.{name}", other, other.count * owners[other.per])


def _core_uses(config: ChipConfig) -> Iterator[_Use]:
    """List the parts of the cores; each multiplies once in every issue period."""
    core = config.core
    cores = config.tiles * config.tile.cores
    arrays = cores * core.arrays
    starts = FS_PER_S / timing.mvm_period_fs(config)
    reads = arrays * timing.phases(config) * starts
    samples = reads * core.array.columns
    bytes_in = min(
        core.arrays * core.array.rows * config.precision.input_bits / 8, core.input_register.capacity_bytes
    )
    outputs = core.arrays * core.array.columns // timing.weight_slices(config)
    bytes_out = outputs * config.precision.accumulator_bits / 8
    yield _Use("core.array", core.array, arrays, core.array.energy_per_read_pj, reads)
    rows = arrays * core.array.rows
    yield _Use("core.dac", core.dac, rows, core.dac.energy_per_conversion_pj, reads * core.array.rows)
    if core.sample_hold:
        columns = arrays * core.array.columns
        yield _Use(
            "core.sample_hold", core.sample_hold, columns, core.sample_hold.energy_per_sample_pj, samples
        )
    adcs = cores * core.adc.banks * core.adc.adcs_per_bank
    adc = core.adc.resolved(config.clocks, config.technology_nm)
    yield _Use("core.adc", adc, adcs, adc.energy_per_convert_pj, samples)
    adders = cores * core.shift_add.count
    yield _Use("core.shift_add", core.shift_add, adders, core.shift_add.energy_per_add_pj, samples)
    for name, register, size in (
        ("input_register", core.input_register, bytes_in),
        ("output_register", core.output_register, bytes_out),
    ):
        yield _Use(f"core.{name}", register, cores, register.energy_per_byte_pj, cores * size * starts)


def _tile_uses(config: ChipConfig) -> Iterator[_Use]:
    """List the parts of the tiles; buffer, bus and digital units work in every cycle of their clocks."""
    tile, tiles = config.tile, config.tiles
    accesses = tiles * tile.buffer.ports * _hertz(config, tile.buffer.clock)
    yield _Use("tile.buffer", tile.buffer, tiles, tile.buffer.energy_per_access_pj, accesses)
    transfers = tiles * _hertz(config, tile.bus.clock)
    yield _Use("tile.bus", tile.bus, tiles, tile.bus.energy_per_transfer_pj, transfers)
    for name, unit in tile.digital.items():
        count = tiles * unit.count
        elements = count * unit.lanes * _hertz(config, unit.clock)
        yield _Use(f"tile.digital.{name}", unit, count, unit.energy_per_element_pj, elements)
    if tile.output_register:
        outputs = config.core.arrays * config.core.array.columns // timing.weight_slices(config)
        size = tile.cores * outputs * config.precision.accumulator_bits / 8
        rate = tiles * size * FS_PER_S / timing.mvm_period_fs(config)
        yield _Use(
            "tile.output_register", tile.output_register, tiles, tile.output_register.energy_per_byte_pj, rate
        )


def _hertz(config: ChipConfig, clock: str) -> float:
    return FS_PER_S / config.clocks[clock].period_fs
