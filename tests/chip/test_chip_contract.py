"""What every part and every preset must keep, over the registries, so that a new one is tested for free."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import BaseModel, ValidationError

from pimsim import presets
from pimsim.chip import Chip
from pimsim.chip.parts import PARTS, Part, Sourced

PRESETS = presets.names("configs", ".yaml")
CNN_OPS = [
    "Relu",
    "Sigmoid",
    "Tanh",
    "Clip",
    "LeakyRelu",
    "PRelu",
    "HardSigmoid",
    "HardSwish",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "LRN",
    "Concat",
    "Sum",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "BatchNormalization",
    "LayerNormalization",
    "Softmax",
    "Reshape",
    "Flatten",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Identity",
    "Dropout",
    "Slice",
    "Split",
    "Gather",
    "Pad",
    "ReduceMean",
    "Pow",
    "Sqrt",
    "Erf",
    "Exp",
    "Accumulate",
    "DataMovement",
]


def pieces(model: BaseModel, path: str = "") -> Iterator[tuple[str, BaseModel]]:
    """Walk over a chip and all that it is made of."""
    yield path, model
    for name in type(model).model_fields:
        value = getattr(model, name)
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for key, item in inner:
            if isinstance(item, BaseModel):
                yield from pieces(item, ".".join(filter(None, (path, name, key))))


@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_strict_frozen_and_documented(name: str) -> None:
    part = PARTS[name]
    assert issubclass(part, Part)
    assert {"source", "area_um2", "static_power_mw"} <= set(part.model_fields)
    assert part.model_config["strict"]
    assert part.model_config["frozen"]
    assert part.model_config["extra"] == "forbid"
    own = set(part.model_fields) - set(Part.model_fields)
    assert all(field in (part.__doc__ or "") for field in own), "a field is not in the docstring"


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("bad", [True, "1", -1, float("nan"), float("inf"), 1e300, [], {}])
def test_no_number_of_a_part_accepts_nonsense(name: str, bad: object) -> None:
    numbers = [
        key
        for key, field in PARTS[name].model_fields.items()
        if key.endswith(("_um2", "_mw", "_pj", "_ns", "_bits", "_bytes", "_kib", "_cycles"))
        or key in ("bits", "count", "rows", "columns", "banks", "lanes", "ports", "adcs_per_bank")
    ]
    assert numbers
    with pytest.raises(ValidationError) as caught:
        PARTS[name].model_validate(dict.fromkeys(numbers, bad))
    refused = {error["loc"][0] for error in caught.value.errors() if error["type"] != "missing"}
    assert refused == set(numbers)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_piece_with_a_number_says_where_it_comes_from(preset: str) -> None:
    for path, piece in pieces(Chip.load(preset).config):
        if not isinstance(piece, Sourced):
            continue
        numbers = [value for key, value in piece if isinstance(value, int | float)]
        if numbers:
            assert len(piece.source) > 20, path


@pytest.mark.parametrize("preset", PRESETS)
def test_energy_and_area_that_a_source_does_not_mention_are_not_given(preset: str) -> None:
    """A part that holds an energy or an area shows the arithmetic: its source has a unit of each."""
    for path, piece in pieces(Chip.load(preset).config):
        if not isinstance(piece, Part):
            continue
        for key, value in piece:
            if key.startswith("energy_per") and value is not None:
                assert "pJ" in piece.source, f"{path}.{key}"
            if key == "area_um2" and value is not None:
                assert "mm2" in piece.source or "um2" in piece.source, f"{path}.{key}"


@pytest.mark.parametrize("preset", PRESETS)
def test_every_op_of_the_nine_cnns_has_one_digital_unit(preset: str) -> None:
    digital = Chip.load(preset).config.sites["tile"].digital
    for op in CNN_OPS:
        assert sum(op in unit.operations for unit in digital.values()) == 1, op


@pytest.mark.parametrize("preset", PRESETS)
def test_digital_units_keep_up_with_the_tiles_arrays(preset: str) -> None:
    """Rates for one element an output: activation and accumulation are as fast as the arrays put out."""
    chip = Chip.load(preset)
    config = chip.config
    outputs = (
        config.sites["tile"].cores
        * config.sites["tile"].core.arrays
        * config.sites["tile"].core.array.columns
        // chip.weight_slices()
    )
    outputs_per_fs = outputs / chip.mvm_period_fs()
    for op in ("Relu", "Accumulate", "Add", "BatchNormalization"):
        unit = next(unit for unit in config.sites["tile"].digital.values() if op in unit.operations)
        rate = unit.count * unit.lanes / unit.operations[op] / config.clocks[unit.clock].period_fs
        assert rate >= outputs_per_fs, op
