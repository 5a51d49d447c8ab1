"""TensorUnit: a core of a graphics processor as products see it, with a scratchpad of its own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pimsim.chip.base import Bits, Positive, no_effect
from pimsim.chip.parts import DigitalUnit

K_STEP = 64
"""What a scratchpad holds of K at once."""
STAGES = 2
"""So many of these: one is worked on while another comes."""


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
        Bits of the widest element that it multiplies.
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
    bits: Annotated[int, Field(ge=1, le=64)] = 16
    achievable: Annotated[float, Field(gt=0, le=1)] = 1.0
    scratchpad_kib: Positive
    feed_bits: Bits
    cluster: Annotated[int, Field(ge=1, le=64)] = 1
    asynchronous: Annotated[bool, Field(json_schema_extra=no_effect("only attention in tiles"))] = False
