"""DigitalUnit: activation, pooling and elementwise work beside the arrays."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

from pydantic import Field

from pimsim.chip.base import ClockName, Count, Cycles, EnergyPj, Part, Visit, no_effect
from pimsim.chip.parts.clock import Clocks, hertz, period_fs
from pimsim.trace.optypes import OpClass, class_of

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
    skips_masked : bool
        Whether it leaves out the scores that a causal mask hides, and the keys and values that would meet them; by
        default it works on them like on others.
    latency_cycles : int
        Cycles from the last element in to the last result out.
    energy_per_element_pj : float, optional
        Energy of one element at a cost of 1, in picojoules; it scales with the cost.
    classes : dict of str to float
        Class of op types (``elementwise``, ``reduction``, ``normalization``, ``softmax``, ``pooling``, ``movement``) to
        the cost of those that no unit of the site lists by name, cycles per element and lane.
    operations : dict of str to float
        ONNX op type to its cost, cycles per element and lane. ``Accumulate`` is the adding of partial
        sums that come from different cores, ``DataMovement`` an op that only moves data; for ``MatMul``, the product
        of two activations, an element is a multiply-accumulate.
    """

    action: ClassVar[str] = "energy_per_element_pj"

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
    skips_masked: Annotated[
        bool,
        Field(
            json_schema_extra=no_effect(
                "only products of two activations that a causal mask follows, and their scores"
            )
        ),
    ] = False
    clock: ClockName
    latency_cycles: Cycles
    energy_per_element_pj: EnergyPj | None = None
    classes: Annotated[
        dict[OpClass, CyclesPerElement],
        Field(json_schema_extra=no_effect("only ops of that class whose type no unit lists by name")),
    ] = Field(default_factory=dict)
    operations: Annotated[
        dict[OpName, CyclesPerElement],
        Field(
            json_schema_extra=no_effect(
                "only ops of that type that run on the unit: products by weights go to arrays, and what only addresses "
                "tokens otherwise (Reshape, Flatten, …) is no work"
            )
        ),
    ]

    def cost_of(self, operation: str) -> float | None:
        """Return the cost of an op type, by name or by class, in cycles per element; None if the unit has none."""
        of_class = class_of(operation)
        by_class = self.classes.get(of_class) if of_class is not None else None
        return self.operations.get(operation, by_class)

    def speed(self, bits: int) -> float:
        """Return how many times as fast it is with elements of so many bits: 1 where width makes no difference."""
        return 1.0

    def work(self, operation: str, elements: float, rows: int, clocks: Clocks) -> Visit:
        """Do an op for one firing.

        Parameters
        ----------
        operation : str
            Op type that the unit has a cost for.
        elements : float
            That the firing processes; multiply-accumulates of a product.
        rows : int
            Firings that share a right matrix: a matrix unit works on several at once, and each is held up for its part.
        clocks : mapping of str to Clock
            The chip's.
        """
        each = self.cost_of(operation)
        assert each is not None, operation
        cost = elements * each
        together = min(rows, self.rows) if operation == "MatMul" else self.rows
        cycles = max(1, math.ceil(math.ceil(cost * self.rows / self.lanes) / together))
        period = period_fs(clocks, self.clock)
        return Visit(cycles * period, (cycles + self.latency_cycles) * period, cost)

    def per_second(self, clocks: Clocks, count: int = 1) -> float:
        """Return the elements of a second in which every lane of so many takes one in each cycle."""
        return count * self.lanes * hertz(clocks, self.clock)

    def doubled(self) -> dict[str, Any]:
        """Twice the units."""
        return {"count": 2 * self.count}
