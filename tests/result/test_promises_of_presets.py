"""Every promise of a result, on presets of which a value was changed: any number of any of them, by much or little.

``PIMSIM_PERTURBED`` sets how many are drawn.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from pimsim import presets
from pimsim.chip import Chip
from pimsim.errors import ConfigError, SimulationError
from pimsim.trace import Trace
from tests.random_models import Builder

from .test_promises import PROMISES, run_both

EXAMPLES = int(os.environ.get("PIMSIM_PERTURBED", "40"))
TIMES = (0.0, 1 / 3, 0.5, 0.999, 1.5, 2.0, 7.0, 1000.0)


@cache
def small() -> Trace:
    """Convolutions, a skip, pooling, a layer, softmax."""
    model = Builder()
    x = model.relu(model.conv(model.input(1, 3, 6, 6), 8, (3, 3), pads=(1, 1, 1, 1)))
    x = model.sum(model.conv(x, 8, (1, 1)), x)
    x = model.pool(x, (2, 2), strides=(2, 2))
    model.softmax(model.gemm(model.flatten(x), 10), 1)
    return model.trace()


@cache
def contents(name: str) -> dict[str, Any]:
    return Chip.load(name).to_dict()


def numbers(data: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every number of a chip, those of its topology too."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from numbers(value, (*path, key))
    elif isinstance(data, int | float) and not isinstance(data, bool):
        yield path


def put(data: Any, path: tuple[str, ...], value: Any) -> Any:
    """Return the same with another value at a path."""
    if not path:
        return value
    return {**data, path[0]: put(data[path[0]], path[1:], value)}


@st.composite
def perturbed(draw: st.DrawFn) -> dict[str, Any]:
    data = contents(draw(st.sampled_from(presets.names("configs", ".yaml"))))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(numbers(data))))
        old: Any = data
        for key in path:
            old = old[key]
        factor = draw(st.sampled_from([*TIMES, None]))
        new = None if factor is None else type(old)(old * factor)
        data = put(data, path, new)
    return data


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(perturbed())
def test_every_promise_is_kept_by_a_preset_with_other_numbers(data: dict[str, Any]) -> None:
    """It is refused, the model does not fit, the machine cannot go on, or all promises are kept."""
    try:
        chip = Chip.from_dict(data)
        run = run_both(chip, small())
    except (ConfigError, SimulationError) as error:
        event(type(error).__name__)
        return
    event("does not fit" if run is None else "runs")
    if run is not None:
        for promise in PROMISES:
            promise(run)
