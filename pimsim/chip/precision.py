"""Precision: the bits of a chip's weights, inputs and sums."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pimsim.chip.base import Sourced, no_effect

DataBits = Annotated[int, Field(ge=1, le=64)]


class Precision(Sourced):
    """The chip's native precision, for traces that do not state their own.

    Parameters
    ----------
    weight_bits, input_bits : int
        Bits of a weight and of an activation.
    accumulator_bits : int
        Bits of a partial sum that travels between cores or tiles.
    """

    weight_bits: DataBits
    input_bits: DataBits
    accumulator_bits: Annotated[
        int,
        Field(
            ge=1,
            le=64,
            json_schema_extra=no_effect(
                "only sums that travel between parts: a core of a tensor unit adds up inside"
            ),
        ),
    ]
