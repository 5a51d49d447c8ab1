"""Does a saved plan run exactly as the plan that it was saved from, and is one that cannot run refused, with why?"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pimsim import Chip, Experiment, MappingError, Options, SavedPlan, Trace, registry, saved_plan, simulate
from pimsim.errors import ConfigError
from pimsim.machine.machine import Machine
from pimsim.mapping.given.door import Task
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.numbers import from_text, to_text
from pimsim.mapping.planning.plan import Plan
from pimsim.result.freeze import freeze
from tests.mapping.test_maps import made, tight_chip
from tests.oracle.test_experts import mixture
from tests.oracle.test_lowered import agree, small_cnn
from tests.oracle.test_reload import with_writes
from tests.random_models import Builder, chips, small_chip, traces
from tests.result.test_promises import BATCH, PROMISES, Run
from tests.transformers import decoder

Data = dict[str, Any]

GENERATION = {"prompt": 6, "tokens": 4, "requests": 3, "places": 2}
RELOADING = {"tile.count": 1, "network.topology": {"kind": "mesh", "width": 1, "height": 1}, "tile.cores": 8}


def several_chips() -> tuple[Chip, Trace, Data]:
    few = {"tile.count": 1, "network.topology": {"kind": "mesh", "width": 1, "height": 1}}
    return small_chip(few), small_cnn(), {}


def in_rounds() -> tuple[Chip, Trace, Data]:
    trace = decoder(2, heads=4, width=64, vocabulary=20).bind(batch=1, seq=4, kv=4)
    arrays = sum(op.tiling.arrays for op in make_plan(small_chip(), trace).ops if op.tiling)
    chip = small_chip({**RELOADING, "core.arrays": -(-arrays // 12), "core.adc.banks": 1})
    return with_writes(chip), trace, {"chips": 1, "reload": True}


CASES: dict[str, Callable[[], tuple[Chip, Trace, Data]]] = {
    "isaac": lambda: (Chip.load("isaac"), small_cnn(), {"batch": 2}),
    "puma, whose arrays share converters": lambda: (Chip.load("puma"), small_cnn(), {}),
    "seated": lambda: (Chip.load("hermes64"), small_cnn(), {"effort": "normal"}),
    "two kinds of sites": lambda: (Chip.load("isaac_simd"), small_cnn(), {}),
    "banks of weights": lambda: (Chip.load("dadiannao"), small_cnn(), {}),
    "a processor": lambda: (Chip.load("a100"), small_cnn(), {}),
    "several chips": several_chips,
    "weights that take turns": in_rounds,
    "narrow weights": lambda: (Chip.load("isaac"), small_cnn(), {"weight_bits": 4, "input_bits": 4}),
    "generation": lambda: (small_chip(), decoder(), GENERATION),
    "experts": lambda: (small_chip(), mixture(2), GENERATION),
    "maps in several buffers": lambda: (tight_chip(), made("attention").trace(), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_saved_plan_runs_as_without_it(case: str) -> None:
    """All of the result but the identity, which says what was asked: the options, and that there is a mapping."""
    chip, trace, options = CASES[case]()
    experiment = Experiment(chip, trace, Options(**options))
    text = saved_plan(experiment).to_json()
    saved = SavedPlan.from_dict(json.loads(text))
    again = experiment.with_(mapping=saved)
    plain, given_ = simulate(experiment).data, simulate(again).data
    assert again.digest != experiment.digest
    assert given_.pop("identity") == {
        **plain.pop("identity"),
        "mapping": saved.digest,
        "digest": again.digest,
    }
    assert given_ == plain
    assert saved_plan(again).to_json() == text


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(chips(), traces())
def test_nothing_is_lost_in_a_file(chip: Chip, trace: Trace) -> None:
    """What is worked out again (least places, room, shares, operands) is what the planner had."""
    try:
        plan = make_plan(chip, trace)
    except MappingError:
        assume(False)
    back = make_plan(chip, trace, mapping=SavedPlan.from_dict(json.loads(saved_plan(chip, trace).to_json())))
    assert (back.places, back.slack.needed, back.slack.room) == (
        plan.places,
        plan.slack.needed,
        plan.slack.room,
    )
    assert back.rows() == plan.rows()
    for old, new in zip(plan.ops, back.ops, strict=True):
        assert (new.replicas, new.operand, new.unit) == (old.replicas, old.operand, old.unit)
        for a, b in ((old.parts, new.parts), (old.dealt, new.dealt)):
            assert len(a) == len(b)
            assert all(map(np.array_equal, a, b))


# -- edits -----------------------------------------------------------------------------------------------------


def edit(data: Data, draw: random.Random) -> None:
    """Change something of a plan, as a hand might: something sensible, or not."""
    rows = [row for row in data["ops"] if row.get("copies") or row.get("tiles")]
    row = draw.choice(rows if rows and draw.random() < 0.8 else data["ops"])
    ways = ["number", "drop", "key", "key", "key"] if draw.random() < 0.25 else []
    if row.get("copies"):
        ways += ["move copy", "fewer", "home", "arrays"] * 2
    if row.get("tiles"):
        ways += ["tiles", "more tiles"] * 3
    if row.get("places"):
        ways += ["places", "no places"] * 2
    way = draw.choice(ways or ["key"])
    tiles = [0, 1, 2, 3, draw.randrange(20)]
    if way == "move copy":
        copy = draw.choice(row["copies"])
        tile = draw.choice(tiles)
        copy["home"] = tile
        for each in copy["cores"]:
            each["tile"] = tile
        row.pop("places", None)
    elif way == "fewer":
        row["copies"].pop(draw.randrange(len(row["copies"])))
        row.pop("places", None)
    elif way == "home":
        draw.choice(row["copies"])["home"] = draw.choice(tiles)
    elif way == "arrays":
        draw.choice(draw.choice(row["copies"])["cores"])["arrays"] = draw.choice(
            ["0", "0-1", "1", "5-9", "x", ""]
        )
    elif way == "tiles":
        row["tiles"][draw.randrange(len(row["tiles"]))] = draw.choice(tiles)
        row.pop("places", None)
    elif way == "more tiles":
        row["tiles"] += [draw.choice(tiles)] * draw.randrange(1, 3)
        row.pop("places", None)
    elif way == "places":
        by_tile = draw.choice(list(row["places"][0].values()))
        by_tile[draw.choice(list(by_tile))] = draw.choice([1, 2, 3, 10, 1000, 10**6])
    elif way == "no places":
        row.pop("places")
    elif way == "drop":
        data["ops"].remove(row)
    elif way == "number":
        data["chips"] = draw.choice([1, 2, 3])
    else:
        key, value = draw.choice(
            [
                ("attached", True),
                ("attached", False),
                ("round", 1),
                ("slices", 2),
                ("site", "host"),
                ("positions", "stripes"),
                ("positions", ["0-3", "4-7"]),
                ("dealt", True),
                ("right_in", "tile.buffer"),
                ("rows_at_once", 3),
                ("elsewhere", [{"input": 0, "tiles": [1]}]),
                ("copies", []),
                ("tiles", [0]),
            ]
        )
        row[key] = value


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(chips(), traces(), st.integers(0, 2**32), st.integers(1, 2))
def test_an_edited_plan_is_refused_or_keeps_all_promises(
    chip: Chip, trace: Trace, seed: int, count: int
) -> None:
    draw = random.Random(seed)
    try:
        data = saved_plan(chip, trace).to_dict()
    except MappingError:
        assume(False)
    try:
        for _ in range(count):
            edit(data, draw)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        pass  # the edit before took away what this one was to change
    plan, refusal = None, ""
    try:
        plan = make_plan(chip, trace, mapping=SavedPlan.from_dict(data, "plan.json"))
    except MappingError as error:
        refusal = str(error)
    if plan is None:
        assert refusal.startswith("plan.json: ")
    else:
        keeps_promises(chip, trace, plan)


def keeps_promises(chip: Chip, trace: Trace, plan: Plan) -> None:
    one, two = Machine(plan, 1), Machine(plan, BATCH)
    one.run()
    two.run()
    result = freeze(two, trace, two, Experiment(chip, trace, Options(batch=BATCH)).identity)
    for promise in PROMISES:
        promise(Run(two, trace, result, one.host.outputs[-1]))


def row_of(data: Data, op: str) -> Data:
    return next(row for row in data["ops"] if row["op"] == op)


def test_a_hand_moves_a_copy_and_the_work_goes_there() -> None:
    """The copy's multiplications are done in the other tile; the twin agrees on every start and end."""
    chip, trace = Chip.load("isaac"), small_cnn()
    data = saved_plan(chip, trace).to_dict()
    name = next(row["op"] for row in data["ops"] if row.get("copies"))
    copy = row_of(data, name)["copies"][0]
    copy["home"] = 100
    for each in copy["cores"]:
        each["tile"] = 100
    row_of(data, name).pop("places")
    plan = make_plan(chip, trace, mapping=SavedPlan.from_dict(data))
    result = simulate(chip, trace, mapping=SavedPlan.from_dict(data))
    assert any(row["tile"] == 100 and name in row["ops"] for row in result.tiles)
    assert 100 in next(row["tiles"] for row in result.plan if row["op"] == name)
    agree(plan, 1)


def test_a_hand_takes_copies_away_and_the_layer_takes_longer() -> None:
    """One copy of a layer does all positions: its arrays hold the interval to positions times their period."""
    chip, trace = Chip.load("isaac"), small_cnn()
    data = saved_plan(chip, trace).to_dict()
    row = next(row for row in data["ops"] if row.get("copies") and len(row["copies"]) > 1)
    row["copies"] = row["copies"][:1]
    del row["places"], row["positions"]
    saved = SavedPlan.from_dict(data)
    period = chip.config.sites["tile"].mvm_period_fs(chip.config.precision.input_bits)
    assert simulate(chip, trace, 4, mapping=saved).interval_fs >= 64 * period
    assert simulate(chip, trace, 4).interval_fs < 64 * period


# -- what is refused -------------------------------------------------------------------------------------------


def refused(change: Callable[[Data], object], chip: Chip | None = None, trace: Trace | None = None) -> str:
    """Change the plan of a small network on isaac, and return what is said of it."""
    data = json.loads(json.dumps(saved_plan(Chip.load("isaac"), small_cnn()).to_dict()))
    change(data)
    with pytest.raises(MappingError) as caught:
        make_plan(
            chip or Chip.load("isaac"), trace or small_cnn(), mapping=SavedPlan.from_dict(data, "plan.json")
        )
    return str(caught.value)


def conv(data: Data, which: int = 0) -> Data:
    return [row for row in data["ops"] if row["type"] == "Conv"][which]


def onto(data: Data) -> None:
    conv(data, 1)["copies"][0]["cores"][0] |= {
        key: conv(data, 0)["copies"][0]["cores"][0][key] for key in ("tile", "core")
    }
    conv(data, 1)["copies"][0]["home"] = conv(data, 0)["copies"][0]["home"]
    conv(data, 1)["copies"][0]["cores"][0]["arrays"] = to_text(
        range(len(from_text(conv(data, 1)["copies"][0]["cores"][0]["blocks"])))
    )


def more_places(data: Data) -> None:
    (by_tile,) = conv(data, 1)["places"][0].values()
    by_tile[next(iter(by_tile))] = 10**6


REFUSED: dict[str, tuple[Callable[[Data], object], str]] = {
    "two ops on one array": (
        onto,
        r"op 'conv\d+' \(Conv\), copy '.*': found it in array 0 of core 0 of tile",
    ),
    "an op is left out": (
        lambda data: data["ops"].remove(conv(data, 1)),
        r"op 'conv\d+': is not in the plan, so what '\w+' puts out does not reach it; give its row",
    ),
    "no copies": (
        lambda data: conv(data).update(copies=[]),
        "has no copies, so nothing that is sent to it reaches",
    ),
    "a block in no array": (
        lambda data: conv(data)["copies"][0]["cores"][0].update(blocks="7"),
        r"arrays for 1 blocks|found block 0 in no array, so its part of the sums reaches nobody",
    ),
    "a buffer over capacity": (
        more_places,
        r"the buffer of tile \d+: would hold \d+ bytes, it has 65536: conv\d+ \d+",
    ),
    "a place where nobody reads": (
        lambda data: conv(data)["places"][0]["0"].update({"99": 4}),
        "found places for input 0 at tile 99, where no copy of it reads that; leave them out",
    ),
    "another version": (lambda data: data.update(pimsim="0.0.1"), "is a plan of pimsim 0.0.1, this is"),
    "another schema": (
        lambda data: data.update(schema="pimsim-mapping/9"),
        "found 'pimsim-mapping/9', expected",
    ),
    "no plan": (lambda data: data.clear(), "found something else, expected a plan"),
    "an unknown key": (
        lambda data: conv(data).update(copied=[]),
        r"ops\[1\] \('conv1'\).copied: .*'copies'\?",
    ),
    "an unknown op": (lambda data: conv(data).update(op="conv"), "the trace: has no op 'conv'; did you mean"),
    "an unknown site": (
        lambda data: conv(data).update(site="tiles"),
        "the site 'tiles', which the chip does not",
    ),
    "a tile that there is not": (
        lambda data: next(row for row in data["ops"] if row.get("tiles")).update(tiles=[168]),
        "found tile 168, expected one of 'tile': there are 168 tiles",
    ),
    "an op twice": (lambda data: data["ops"].append(data["ops"][-1]), "twice, expected each op once"),
    "slices of what has no heads": (
        lambda data: data["ops"][0].update(slices=2),
        r"op 'input0' \(Input\): found 2 slices, but it has no heads to cut",
    ),
    "positions twice": (
        lambda data: conv(data).update(positions=["0-63"] * len(conv(data)["copies"])),
        r"found position 0, which \d+ copies do, expected one",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_run_is_refused_with_its_reason(case: str) -> None:
    change, reason = REFUSED[case]
    said = refused(change)
    assert said.startswith("plan.json: ")
    assert re.search(reason, said), said


def test_a_plan_of_another_chip_or_trace_is_refused() -> None:
    other = Builder()
    other.conv(other.input(1, 3, 8, 8), 16, (3, 3))
    assert "is a plan for another chip: found the chip 'isaac'" in refused(lambda _: 0, Chip.load("puma"))
    assert "another chip: found the chip of other values" in refused(
        lambda _: 0, Chip.load("isaac", ["core.adc.bits=6"])
    )
    assert "is a plan for another trace: found the trace 'small'" in refused(lambda _: 0, trace=other.trace())


def test_a_plan_for_other_prompts_is_refused() -> None:
    saved = saved_plan(small_chip(), decoder(), **GENERATION)
    with pytest.raises(
        ConfigError, match="found a plan for prompts of 6 tokens, 4 to follow, 2 at once, expected"
    ):
        Options(**{**GENERATION, "prompt": 7}, mapping=saved)
    with pytest.raises(ConfigError, match="expected one for inferences"):
        Options(mapping=saved)


def test_options_that_a_plan_was_not_made_with_are_refused() -> None:
    saved = saved_plan(Chip.load("isaac"), small_cnn())
    with pytest.raises(ConfigError, match="chips: found 2 and a mapping, which was made with None"):
        Options(chips=2, mapping=saved)
    with pytest.raises(ConfigError, match=r"mapping: found 'plan\.json', expected a plan"):
        Options(mapping="plan.json")  # type: ignore[arg-type]


# -- mappers ---------------------------------------------------------------------------------------------------


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Task], Any]], None]:
    """Plug a mapper in under the name ``mine``, for one test."""
    registered = {group: dict(things) for group, things in registry._registered.items()}
    monkeypatch.setattr(registry, "_registered", registered)
    monkeypatch.setattr(registry, "_found", {})
    return lambda mapper: registry.register(mapper, "mine", group="mappers") and None


def test_a_mapper_of_ones_own_makes_the_plan(mine: Callable[[Callable[[Task], Any]], None]) -> None:
    """One copy of everything, from the plan that pimsim's own makes; its data would do as well."""

    def single(task: Task) -> dict[str, Any]:
        data = task.start().to_dict()
        for row in data["ops"]:
            for key in ("copies", "tiles"):
                if key in row and "slices" not in row:
                    row[key] = row[key][:1]
                    row.pop("places", None)
                    row.pop("positions", None)
        return data

    mine(single)
    result = simulate(Chip.load("isaac"), small_cnn(), mapper="mine")
    assert {row["replicas"] for row in result.plan} == {1}
    assert result.identity["mapper"] == "mine"
    saved = saved_plan(Chip.load("isaac"), small_cnn(), mapper="mine")
    assert simulate(Chip.load("isaac"), small_cnn(), mapping=saved).latency_fs == result.latency_fs
    plans = simulate(small_chip(), decoder(), mapper="mine", **GENERATION)
    assert plans.generation["prompt"] == 6


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (lambda task: 3, "mapper 'mine': returned 3, expected a plan"),
        (lambda task: {}, "mapper 'mine': found something else, expected a plan"),
        (lambda task: [], r"mapper 'mine': returned \[\], expected a plan"),
        (lambda task: {"a": 1}["b"], r"mapper 'mine': failed \(KeyError: 'b'\); mend it"),
        (
            lambda task: task.start().with_(ops=task.start().to_dict()["ops"][:-1]),
            "mapper 'mine': op '.*': is not in the plan, so what '.*' puts out does not reach it",
        ),
    ],
)
def test_a_mapper_that_returns_nonsense_is_told_so(
    mine: Callable[[Callable[[Task], Any]], None], returned: Callable[[Task], Any], reason: str
) -> None:
    mine(returned)
    with pytest.raises(MappingError, match=reason):
        make_plan(Chip.load("isaac"), small_cnn(), mapper="mine")


def test_what_another_mapper_returns_as_plans_is_checked_too(
    mine: Callable[[Callable[[Task], Any]], None],
) -> None:
    def crossed(task: Task) -> list[Plan]:
        plan = make_plan(task.chip, task.trace)
        for op in plan.ops:
            op.replicas[0].home = 5 if op.tiling is not None else op.replicas[0].home
        return [plan]

    mine(crossed)
    with pytest.raises(
        MappingError, match=r"mapper 'mine': op 'conv1' .*: found home 5, expected one of the tiles"
    ):
        make_plan(Chip.load("isaac"), small_cnn(), mapper="mine")


# -- numbers ---------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 60), max_size=40))
def test_numbers_come_back_in_their_order(numbers: list[int]) -> None:
    assert from_text(to_text(numbers)) == numbers


@pytest.mark.parametrize("text", ["a", "3-1", "1-9/0", "1,,2", "-1", "0-99999999", "1-2-3"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        from_text(text)


def test_numbers_are_short() -> None:
    assert to_text([*range(8), 9, 12, 16, 20]) == "0-7,9,12-20/4"
