"""DigitalUnit: activation, pooling and elementwise work beside the arrays."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pimsim.chip.parts.base import ClockName, Count, Cycles, EnergyPj, Part, no_effect

OpName = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]{0,63}$")]
CyclesPerElement = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


class DigitalUnit(Part):
    """A kind of digital unit in every tile; one instance is one unit with all its lanes.

    Parameters
    ----------
    count : int
        Units in a tile.
    lanes : int
        Elements that one unit takes in each cycle at a cost of 1.
    clock : str
        Name of its clock.
    rows : int
        Rows of a left matrix that a product of two matrices (``MatMul``) works on at once: the right one is read once
        for so many, and each row has its share of the lanes. A unit of more than one row is a matrix unit.
    latency_cycles : int
        Cycles from the last element in to the last result out.
    energy_per_element_pj : float, optional
        Energy of one element at a cost of 1, in picojoules; it scales with the cost.
    operations : dict of str to float
        ONNX op type to its cost, cycles per element and lane. ``Accumulate`` is the adding of partial
        sums that come from different cores, ``DataMovement`` an op that only moves data; for ``MatMul``, the product
        of two activations, an element is a multiply-accumulate.
    """

    count: Count
    lanes: Annotated[int, Field(ge=1, le=65_536)]
    rows: Annotated[
        int,
        Field(
            ge=1,
            le=65_536,
            json_schema_extra=no_effect("only products of two activations (MatMul) are shared among rows"),
        ),
    ] = 1
    clock: ClockName
    latency_cycles: Cycles
    energy_per_element_pj: EnergyPj | None = None
    operations: Annotated[
        dict[OpName, CyclesPerElement],
        Field(
            json_schema_extra=no_effect(
                "only ops of that type that run on the unit: products by weights go to arrays, and what only addresses "
                "tokens otherwise (Reshape, Flatten, …) is no work"
            )
        ),
    ]
