"""Core: a group of arrays with their converters, and how long its multiplications take."""

from __future__ import annotations

from typing import Annotated

from pimsim.chip.base import Count
from pimsim.chip.parts import Adc, Array, Dac, Register, SampleHold, ShiftAdd, Sourced
from pimsim.chip.parts.clock import Clocks
from pimsim.chip.slot import Slot
from pimsim.kinds.crossbar.coding import Coding


class Core(Sourced):
    """A group of arrays with their converters (ISAAC's IMA); the arrays of one op in it work in step.

    Parameters
    ----------
    arrays : int
        Arrays in a core.
    spares : int, optional
        Of a tile's cores, so many are kept free for others whose arrays fail: the last ones.
    array, dac, sample_hold, adc, shift_add, input_register, output_register
        Its parts; `sample_hold` may be absent.
    coding : Coding, optional
        How values stand on the arrays; without it, as `Coding` says.
    """

    arrays: Count
    spares: Count | None = None
    array: Annotated[Array, Slot("parts", Array)]
    dac: Annotated[Dac, Slot("parts", Dac)]
    sample_hold: Annotated[SampleHold, Slot("parts", SampleHold)] | None = None
    adc: Annotated[Adc, Slot("parts", Adc)]
    shift_add: Annotated[ShiftAdd, Slot("parts", ShiftAdd)]
    input_register: Annotated[Register, Slot("parts", Register)]
    output_register: Annotated[Register, Slot("parts", Register)]
    coding: Coding | None = None

    @property
    def in_bank(self) -> int:
        """Arrays that share a bank of converters."""
        return self.arrays // self.adc.banks

    def weight_slices(self, bits: int) -> int:
        """Return the cells that hold one weight: ``ceil(bits / bits_per_cell)``."""
        return -(-bits // self.array.bits_per_cell)

    def phases(self, input_bits: int) -> int:
        """Return the read phases of one multiplication: ``ceil(input_bits / dac.bits) * reads_per_input``."""
        return -(-input_bits // self.dac.bits) * self.array.reads_per_input

    def read_fs(self, clocks: Clocks) -> int:
        """Return the time of one read phase, fs; a counting converter counts during it."""
        return self.array.read_fs(clocks, self.adc.count_ns)

    def conversion_fs(self, clocks: Clocks) -> int:
        """Return the time in which a bank converts one phase of all its arrays, one sample after another, fs."""
        return self.adc.conversion_fs(self.samples(self.in_bank), clocks)

    def samples(self, arrays: int) -> int:
        """Return how many samples each converter of a bank takes of one phase of so many arrays."""
        return -(-self.array.columns * arrays // self.adc.adcs_per_bank)

    def mvm_period_fs(self, input_bits: int, clocks: Clocks) -> int:
        """Return the time between two multiplications of a core with all its arrays at work, fs.

        The next phase is read while the last one, held by the sample-and-holds, is converted, so a phase takes
        the longer of the two: ``setup + phases * max(read, conversion)``.
        """
        phase = max(self.read_fs(clocks), self.conversion_fs(clocks))
        return self.array.setup_fs(clocks) + self.phases(input_bits) * phase
