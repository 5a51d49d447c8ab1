"""What a result file holds of what bounds a run: the prediction, and what no run is shorter than."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pimsim.result.numbers import Amount, Positive, Row, Whole


class Load(Row):
    """What a part does for an inference."""

    fs: Whole
    name: str
    what: str
    op: str
    op_fs: Whole


class Prediction(Row):
    """The interval that the plan was predicted to have."""

    interval_fs: Positive
    expected_fs: Whole = 0
    error: Annotated[float, Field(ge=-1, le=1e30, allow_inf_nan=False)] | None
    busiest: Annotated[list[Load], Field(min_length=1)]
    by_what: list[Load]


class Bounds(Row):
    """What no run is shorter than."""

    resource_fs: Whole
    resource: str
    dependence_fs: Whole
    latency_over_bound: Amount | None
    interval_fs: Whole
    interval_resource: str
    chip_interval_fs: Whole = 0
    chip_by: str = ""
    chip_latency_fs: Whole = 0
    chip_latency_by: str = ""
    plan_over_chip: Amount | None = None
    interval_over_plan: Amount | None = None
