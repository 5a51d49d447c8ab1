"""The numbers that a result file may hold, and what all of its rows have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MOST = 10**30

Whole = Annotated[int, Field(ge=0, le=MOST)]
Positive = Annotated[int, Field(ge=1, le=MOST)]
Few = Annotated[int, Field(ge=1, le=1_000_000)]
Bits = Annotated[int, Field(ge=1, le=64)]
Amount = Annotated[float, Field(ge=0, le=1e30, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=1e-30, le=1e30, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
By = dict[str, Whole]


class Row(BaseModel):
    """Keys and values; more of them may come without a new version."""

    model_config = ConfigDict(extra="ignore", strict=True)
