"""How long a core's multiplication takes when nothing contends: slices, phases and the issue period."""

from __future__ import annotations

from pimsim.chip.schema import ChipConfig
from pimsim.units import cycles, fs_from_ns


def weight_slices(config: ChipConfig, bits: int | None = None) -> int:
    """Return the cells that hold one weight: ``ceil(bits / bits_per_cell)``."""
    bits = config.precision.weight_bits if bits is None else bits
    return -(-bits // config.core.array.bits_per_cell)


def phases(config: ChipConfig, input_bits: int | None = None) -> int:
    """Return the read phases of one multiplication: ``ceil(input_bits / dac.bits) * reads_per_input``."""
    input_bits = config.precision.input_bits if input_bits is None else input_bits
    return -(-input_bits // config.core.dac.bits) * config.core.array.reads_per_input


def setup_fs(config: ChipConfig) -> int:
    """Return the time before the first phase, rounded up to the array's clock; 0 if there is none."""
    array = config.core.array
    period = config.clocks[array.clock].period_fs
    return cycles(fs_from_ns(array.setup_ns), period) * period if array.setup_ns > 0 else 0


def read_fs(config: ChipConfig) -> int:
    """Return the time of one read phase, rounded up to the array's clock; a counting converter counts during it."""
    array = config.core.array
    period = config.clocks[array.clock].period_fs
    return cycles(fs_from_ns(max(array.read_ns, config.core.adc.count_ns)), period) * period


def conversion_fs(config: ChipConfig) -> int:
    """Return the time in which a bank converts one phase of all its arrays, one sample after another."""
    core, adc = config.core, config.core.adc
    samples = -(-core.array.columns * (core.arrays // adc.banks) // adc.adcs_per_bank)
    return samples * adc.convert_cycles * config.clocks[adc.clock].period_fs


def mvm_period_fs(config: ChipConfig, input_bits: int | None = None) -> int:
    """Return the time between two multiplications of a core with all its arrays at work.

    The next phase is read while the last one, held by the sample-and-holds, is converted, so a phase takes
    the longer of the two: ``setup + phases * max(read, conversion)``.
    """
    phase = max(read_fs(config), conversion_fs(config))
    return setup_fs(config) + phases(config, input_bits) * phase
