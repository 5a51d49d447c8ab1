"""What a chip file says of the values on its arrays: how weights become cells, and what converters tell apart."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from pimsim.chip.base import Sourced
from pimsim.values.encoding import Encoding

Level = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]


class Coding(Sourced):
    """Values on arrays.

    Parameters
    ----------
    weights : str
        ``offset``: half of the range is added to each, and taken away from the sums as digits; ``flipped``: the same,
        and columns that hold more than half of what they could are stored as the complement; ``differential``: two
        cells each, for what is above 0 and below.
    adc_range : str or (float, float)
        ``full``: all that the rows of an array could add up to; ``unit``: a code for each level of a cell times each
        step of an input, from 0 or around it, as many as there are; ``samples``: what the sums of samples reach, op by
        op and slice by slice; or its two ends, in levels of a cell times steps of an input.
    percentile : float
        Of the sums of samples, in percent, that are within the range by ``samples``.
    drift_compensation : str
        ``global``: results are multiplied by a factor an op, so that its cells conduct as much together as when they
        were written; ``none``.
    """

    no_effect: ClassVar[str] = "only pimsim accuracy"

    weights: Encoding = "offset"
    adc_range: Literal["full", "unit", "samples"] | Annotated[tuple[Level, Level], Field(strict=False)] = (
        "full"
    )
    percentile: Annotated[float, Field(ge=1, le=100)] = 100.0
    drift_compensation: Literal["none", "global"] = "none"

    @model_validator(mode="after")
    def _range_is_one(self) -> Coding:
        if not isinstance(self.adc_range, str) and not self.adc_range[0] < self.adc_range[1]:
            low, high = self.adc_range
            raise PydanticCustomError(
                "chip",
                "found the range {low} to {high} in adc_range, expected the first below the second",
                {"low": low, "high": high},
            )
        return self
