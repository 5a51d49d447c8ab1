"""A matrix-vector multiplication on arrays as one visit: its phases, its bank of converters and what it costs."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from pimsim.chip import Chip
from pimsim.mapping.lowering.transport import Transport, cost
from pimsim.netlist.rows import Mvm, Step


class Arrays(NamedTuple):
    """Arrays that work in step.

    Parameters
    ----------
    tile : int
        Where they are.
    name : str
        Of their place in the tile.
    owner : hashable
        Whose they are.
    bank : hashable or None
        The converters that others use, too; None where they have their own.
    number : int
        How many there are.
    """

    tile: int
    name: str
    owner: Hashable
    bank: Hashable | None
    number: int


def multiplication(
    transport: Transport,
    instances: dict[int, int],
    chip: Chip,
    input_bits: int,
    arrays: Arrays,
    *,
    inputs: int,
    rows: int,
    active: int | None = None,
) -> Step:
    """Return the visit of one multiplication.

    Parameters
    ----------
    transport : Transport
        Where the resources are made.
    instances : dict of int to int
        Told how many arrays and converters the resources stand for.
    chip : Chip
        The chip.
    input_bits : int
        Bits of an input.
    arrays : Arrays
        Where.
    inputs : int
        Elements that come in.
    rows : int
        Rows that they drive, of all arrays together.
    active : int, optional
        Arrays that take part; by default all.
    """
    core = chip.config.core
    array, adc = core.array, core.adc.resolved(chip.config.clocks, chip.config.technology_nm)
    active = arrays.number if active is None else active
    phases = chip.phases(input_bits)
    clock = chip.config.clocks[array.clock].period_fs
    adc_clock = chip.config.clocks[adc.clock].period_fs
    in_bank = core.arrays // adc.banks
    shared = arrays.bank is not None
    here = arrays.number if shared else min(arrays.number, in_bank)
    samples = -(-array.columns * here // adc.adcs_per_bank)
    key = arrays.owner if arrays.bank is None else arrays.bank
    bank = transport.resource(
        ("adc", arrays.tile, key), f"{arrays.name}.adc", "core.adc", adc_clock, tile=arrays.tile
    )
    resource = transport.resource(
        ("arrays", arrays.tile, arrays.owner), f"{arrays.name}.arrays", "core.array", clock, tile=arrays.tile
    )
    instances[resource] = arrays.number
    instances[bank] = adc.adcs_per_bank * (1 if shared else -(-arrays.number // in_bank))
    reads = phases * active
    taken = reads * array.columns
    holds = core.sample_hold
    return Step(
        resource,
        0,
        0,
        Mvm(
            phases=phases,
            setup=chip.setup_fs,
            read=chip.read_fs,
            convert=samples * adc.convert_cycles * adc_clock,
            tail=core.shift_add.latency_cycles * chip.config.clocks[core.shift_add.clock].period_fs,
            bank=bank,
            shared=shared,
        ),
        energy=(
            *cost("core.input_register", inputs * input_bits / 8, core.input_register.energy_per_byte_pj),
            *cost("core.array", reads, array.energy_per_read_pj),
            *cost("core.dac", phases * rows, core.dac.energy_per_conversion_pj),
            *cost("core.sample_hold", taken if holds else 0, holds.energy_per_sample_pj if holds else None),
            *cost("core.adc", taken, adc.energy_per_convert_pj),
            *cost("core.shift_add", taken, core.shift_add.energy_per_add_pj),
        ),
    )
