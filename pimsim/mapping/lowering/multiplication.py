"""A matrix-vector multiplication on arrays as one visit: its phases, its bank of converters and what it costs."""

from __future__ import annotations

from typing import NamedTuple

from pimsim.chip import Chip
from pimsim.mapping.lowering.transport import Transport, cost
from pimsim.mapping.planning.plan import Chunk
from pimsim.netlist.rows import Mvm, Step


class Arrays(NamedTuple):
    """Arrays that work in step.

    Parameters
    ----------
    tile : int
        Where they are.
    core : str
        Which core of the tile, or which bank of it where arrays share some.
    owner : str
        Whose they are: an op and which of its replicas.
    shared : bool
        Whether others in the core, or in the bank, use the converters, too; or else they have their own.
    number : int
        How many there are.
    """

    tile: int
    core: str
    owner: str
    shared: bool
    number: int

    def name(self, part: str) -> str:
        """The name of a part that is theirs alone."""
        return f"tile{self.tile}.{self.core}.{part} {self.owner}"


def core_of(chip: Chip, chunk: Chunk) -> str:
    """Name the place of a chunk in its tile: its core, and its bank where arrays share several."""
    core = chip.config.core
    return f"core{chunk.core}" + (f".bank{chunk.bank}" if core.arrays > core.adc.banks > 1 else "")


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
    array, adc = core.array, core.adc
    active = arrays.number if active is None else active
    phases = chip.phases(input_bits)
    clock = chip.config.clocks[array.clock].period_fs
    adc_clock = chip.config.clocks[adc.clock].period_fs
    in_bank = core.arrays // adc.banks
    shared = arrays.shared
    here = arrays.number if shared else min(arrays.number, in_bank)
    samples = -(-array.columns * here // adc.adcs_per_bank)
    converters = f"tile{arrays.tile}.{arrays.core}.adc" if shared else arrays.name("adc")
    bank = transport.resource(("adc", converters), converters, "core.adc", adc_clock, tile=arrays.tile)
    own = arrays.name("arrays")
    resource = transport.resource(("arrays", own), own, "core.array", clock, tile=arrays.tile)
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
