"""Costs by class of op: every type has one or is listed; what is listed beats its class; a class has one unit."""

from __future__ import annotations

import pytest

from pimsim import presets
from pimsim.chip import Chip
from pimsim.errors import ConfigError
from pimsim.trace.optypes import OP_TYPES, class_of

NO_WORK = ("Input", "Conv", "Gemm", "AllReduce", "AllGather")  # the host's, what arrays do, and what links do


@pytest.mark.parametrize("preset", presets.names("configs", ".yaml"))
def test_every_op_type_has_a_unit_in_a_tile(preset: str) -> None:
    tile = Chip.load(preset).config.sites["tile"]
    for type_ in OP_TYPES:
        if type_ not in NO_WORK:
            unit = tile.unit_of(type_)
            assert unit is not None, type_
            assert tile.digital[unit].cost_of(type_), type_


def test_a_type_that_a_unit_lists_beats_its_class() -> None:
    tile = Chip.load("isaac").config.sites["tile"]
    assert (class_of("BatchNormalization"), class_of("GroupNormalization")) == ("normalization",) * 2
    assert tile.unit_of("BatchNormalization") == tile.unit_of("GroupNormalization") == "vector"
    assert tile.digital["vector"].cost_of("BatchNormalization") == 2
    assert tile.digital["vector"].cost_of("GroupNormalization") == 6
    assert (class_of("Sigmoid"), class_of("Mish")) == ("elementwise",) * 2
    assert (tile.unit_of("Sigmoid"), tile.unit_of("Mish")) == ("sigmoid", "vector")
    assert tile.digital["sigmoid"].cost_of("Mish") is None
    assert class_of("Accumulate") is None, "no op of a trace"


def test_the_cost_of_a_class_can_be_changed() -> None:
    tile = Chip.load("isaac", ["tile.digital.vector.classes.elementwise=5"]).config.sites["tile"]
    assert tile.digital["vector"].cost_of("Mish") == 5
    assert tile.digital["vector"].cost_of("LRN") == 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "tile.digital.sigmoid.classes={elementwise: 1}",
            "a class in one unit only (it is in 'sigmoid' too)",
        ),
        ("tile.digital.vector.classes={elementwize: 1}", "elementwize"),
        ("tile.digital.vector.classes={elementwise: 0}", "elementwise"),
    ],
)
def test_what_is_refused(change: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Chip.load("isaac", [change])
    assert message in str(caught.value)
