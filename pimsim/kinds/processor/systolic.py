"""Systolic: an array of multiply-accumulate units that operands move through in step, in one of three dataflows.

The time of a fold is that of SCALE-Sim 3 (A. Samajdar et al., "A systematic methodology for characterizing scalability
of DNN accelerators using SCALE-Sim", ISPASS 2020): what is put in, what passes, what comes out, and no stalls.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from pimsim.chip.parts import DigitalUnit
from pimsim.kinds.processor.product import Product

Dataflow = Literal["output-stationary", "weight-stationary", "input-stationary"]


class Systolic(DigitalUnit):
    """A systolic array; one instance is one array, and those of a site take folds of one op side by side.

    Parameters
    ----------
    lanes : int
        Multiply-accumulate units of an array: rows times columns.
    rows : int
        Rows of the array; they divide the lanes.
    dataflow : str
        What stays in the array while the rest passes: sums, a block of the right matrix or one of the left matrix
        (``output-stationary``, ``weight-stationary``, ``input-stationary``).
    latency_cycles : int
        Cycles from a fold's last result in the array to the buffer.
    """

    kind: Literal["systolic"] = "systolic"
    rows: Annotated[int, Field(ge=1, le=65_536)] = 1
    dataflow: Dataflow

    @model_validator(mode="after")
    def _is_an_array(self) -> Systolic:
        if self.lanes % self.rows:
            raise PydanticCustomError(
                "chip",
                "found {lanes} lanes in {rows} rows, expected rows that divide the lanes",
                {"lanes": self.lanes, "rows": self.rows},
            )
        return self

    @property
    def columns(self) -> int:
        """Columns of the array."""
        return self.lanes // self.rows

    def folds(self, product: Product) -> int:
        """Return how often an array is filled: each time with one block of what stays in it."""
        down, across = {
            "output-stationary": (product.m, product.n),
            "weight-stationary": (product.k, product.n),
            "input-stationary": (product.k, product.m),
        }[self.dataflow]
        return product.batch * -(-down // self.rows) * -(-across // self.columns)

    def fold_cycles(self, product: Product) -> int:
        """Return the cycles of a fold: the skew of both edges, what passes, and putting in what stays."""
        put_in, passing = {
            "output-stationary": (0, product.k),
            "weight-stationary": (self.rows, product.m),
            "input-stationary": (self.rows, product.n),
        }[self.dataflow]
        return put_in + self.rows + self.columns + passing - 2

    def passes(self, product: Product) -> int:
        """Return how often the operand that passes goes through the array: once a block across what stays."""
        return {
            "output-stationary": -(-product.m // self.rows),
            "weight-stationary": -(-product.n // self.columns),
            "input-stationary": -(-product.m // self.columns),
        }[self.dataflow]

    def fed(self, product: Product, left_bits: int, right_bits: int) -> int:
        """Return the bits that go from the buffer into the arrays: what stays once, what passes once each pass."""
        batch, m, n, k = product
        passes = self.passes(product)
        across = -(-n // self.columns)
        return {
            "output-stationary": batch * (across * m * k * left_bits + passes * k * n * right_bits),
            "weight-stationary": batch * (k * n * right_bits + passes * m * k * left_bits),
            "input-stationary": batch * (m * k * left_bits + passes * k * n * right_bits),
        }[self.dataflow]
