"""TensorUnit: a core of a graphics processor as products see it, with a scratchpad of its own."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pimsim.chip.base import Bits, EnergyPj, Model, Positive, no_effect
from pimsim.chip.parts import DigitalUnit
from pimsim.errors import MappingError

K_STEP = 64
"""What a scratchpad holds of K at once."""
STAGES = 2
"""So many of these: one is worked on while another comes."""


class ElementType(Model):
    """A data type that a tensor unit has arithmetic for.

    Parameters
    ----------
    bits : int
        Of an element.
    speed : float
        Multiply-accumulates in a cycle, in those that `lanes` says.
    energy_per_element_pj : float, optional
        Of one, in picojoules.
    """

    no_effect: ClassVar[str] = "only products of elements for which it is the fastest type"

    bits: Annotated[int, Field(ge=1, le=64)]
    speed: Annotated[float, Field(gt=0, le=1024)]
    energy_per_element_pj: EnergyPj | None = None


class TensorUnit(DigitalUnit):
    """A core's units for products of matrices; one instance is one core (streaming multiprocessor).

    A product is cut into tiles of its output, one a core at a time, and all cores work in step.

    Parameters
    ----------
    lanes : int
        Multiply-accumulates of a core in each cycle.
    rows : int
        Rows and columns of the smallest tile.
    bits : int
        Bits of the widest element that it multiplies, where `types` does not say.
    types : dict of str to ElementType
        The data types that it has; null for one of the chip that it extends that it has not. A product is done in the
        fastest one that is as wide as its wider operand.
    sparse_weights : bool
        Whether weights are pruned so that two of four in a row are zero (NVIDIA's 2:4): a product by a weight takes
        half the cycles, and the weight half its bits and two of index for each element that is left.
    achievable : float
        Share of that rate that the largest products reach, as measured: between 0 and 1.
    scratchpad_kib : float
        What a core keeps of both matrices, in KiB (1024 bytes): at least two steps of `K_STEP` of one tile.
    feed_bits : int
        Bits that a core takes from the buffer in each cycle.
    cluster : int
        Cores that share one of the two operands that they load.
    asynchronous : bool
        Whether the core's other units go on while its products are under way, so that attention in tiles works on one
        tile's softmax beside another's products (NVIDIA's Hopper; J. Shah et al., FlashAttention-3, 2024).
    """

    kind: Literal["tensor_unit"] = "tensor_unit"
    rows: Annotated[int, Field(ge=1, le=4096)] = 64
    bits: Annotated[
        int, Field(ge=1, le=64, json_schema_extra=no_effect("only units whose types do not say"))
    ] = 16
    types: dict[str, ElementType | None] = Field(default_factory=dict)
    sparse_weights: Annotated[bool, Field(json_schema_extra=no_effect("only products by weights"))] = False
    achievable: Annotated[float, Field(gt=0, le=1)] = 1.0
    scratchpad_kib: Positive
    feed_bits: Bits
    cluster: Annotated[int, Field(ge=1, le=64)] = 1
    asynchronous: Annotated[bool, Field(json_schema_extra=no_effect("only attention in tiles"))] = False

    @property
    def own_types(self) -> dict[str, ElementType]:
        """The data types that it has."""
        return {name: each for name, each in self.types.items() if each is not None}

    def type_for(self, bits: int) -> str | None:
        """Return the type that elements of so many bits are multiplied in; empty for its only one, None for none."""
        if not self.types:
            return "" if bits <= self.bits else None
        wide = {name: each for name, each in self.own_types.items() if each.bits >= bits}
        return max(wide, key=lambda name: wide[name].speed, default=None)

    def speed(self, bits: int) -> float:
        """That of the type that is taken."""
        name = self.type_for(bits)
        return self.own_types[name].speed if name else 1.0

    def energy_of(self, name: str) -> float | None:
        """Return the energy of an element of a type, pJ; None where it is not modelled."""
        return self.own_types[name].energy_per_element_pj if name else self.energy_per_element_pj

    def refused(self, own: str, site: str, bits: int, where: str) -> MappingError:
        """Return what says that it has no type as wide."""
        named = ", ".join(f"{name} ({each.bits} bits)" for name, each in self.own_types.items())
        widest = max((each.bits for each in self.own_types.values()), default=self.bits)
        return MappingError(
            f"it multiplies elements of {bits} bits, the unit '{own}' of '{site}' has {named or self.bits}",
            where=where,
            mend=f"give --weight-bits {widest} --input-bits {widest}, or a unit that is as wide",
        )
