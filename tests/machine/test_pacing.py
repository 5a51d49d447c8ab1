"""A host that adapts what it lets in: shorter times in the pipeline, the same throughput, and a rule that is kept.

Expected: the run without pacing; the rule said again in the test, over the times that the result states; formulas.
"""

from __future__ import annotations

import json

import pytest

from pimsim.errors import ConfigError
from pimsim.machine.controllers.pacing import Window
from pimsim.run.generate import generate
from pimsim.run.options import Options
from pimsim.run.simulate import simulate
from tests.cli.runner import call, small_file
from tests.oracle.twin_processes import ServingTwin
from tests.random_models import Builder, small_chip
from tests.transformers import decoder

BATCH = 24


def deep():
    """Five layers, of which the third has most positions' work: queues build up before it."""
    model = Builder()
    x = model.input(1, 4, 8, 8)
    for _ in range(5):
        x = model.relu(model.conv(x, 8, (3, 3), pads=(1, 1, 1, 1)))
    return model.trace()


@pytest.fixture(scope="module")
def runs():
    chip = small_chip({"tile.count": 16, "network.topology": {"kind": "mesh", "width": 4, "height": 4}})
    return simulate(chip, deep(), BATCH), simulate(chip, deep(), BATCH, pace=8)


def pacing(result):
    (row,) = [row for row in result["controllers"] if row["controller"] == "pacing"]
    return row


def test_inferences_spend_less_time_in_the_pipeline_at_equal_throughput(runs):
    free, paced = runs
    assert paced.interval_fs == pytest.approx(free.interval_fs, rel=0.03)
    # Without pacing all are in the machine from time 0 on, so each takes as long as its output is late.
    assert pacing(paced)["time_p50_fs"] < sorted(free.outputs_fs)[BATCH // 2] / 2


def test_the_window_stays_within_its_bounds_and_follows_the_rule(runs):
    row = pacing(runs[1])
    sizes = [size for _, size in row["window"]]
    assert row["window"][0] == [0, 1]
    assert all(1 <= size <= 8 for size in sizes)
    size, shortest, since, said = 1, None, 0, [1]
    for took in row["times_fs"]:
        shortest = took if shortest is None else min(shortest, took)
        since += 1
        if since >= size:
            queued, since = size * (1 - shortest / took), 0
            new = min(8, size + 1) if queued < 1 else max(1, size * 3 // 4) if queued > 2 else size
            said += [new] if new != size else []
            size = new
    assert sizes == said


def test_never_more_are_under_way_than_the_window_allows(runs):
    result = runs[1]
    row = pacing(result)
    sent = [out - took for out, took in zip(result.outputs_fs, row["times_fs"], strict=True)]
    for number, time in enumerate(sent):
        under_way = number + 1 - sum(out <= time for out in result.outputs_fs)
        assert under_way <= [size for since, size in row["window"] if since <= time][-1]


def test_the_attribution_closes(runs):
    result = runs[1]
    assert sum(row["fs"] for row in result.attribution) == result.latency_fs
    assert sum(row["aj"] for row in result.energy["rows"]) == result.energy["total_aj"]


def test_a_window_of_one_runs_one_inference_after_another():
    chip = small_chip()
    alone, paced = simulate(chip, deep()), simulate(chip, deep(), 4, pace=1)
    row = pacing(paced)
    assert [size for _, size in row["window"]] == [1]
    # Each begins at the clock edge behind the output before: the clocks stand otherwise, by less than a cycle a visit.
    assert row["times_fs"][0] == alone.latency_fs
    assert all(took == pytest.approx(alone.latency_fs, rel=0.1) for took in row["times_fs"])


def test_a_paced_machine_agrees_with_the_twin():
    """The same host in plain SimPy over the twin: every start and end."""
    from pimsim.machine.machine import Machine
    from pimsim.mapping.mapper import make_plan

    machine = Machine(make_plan(small_chip(), deep()), 6, record=True, pace=3)
    machine.run()
    twin, (ends,) = ServingTwin(machine.net), machine.ends
    for source in ends.sources:
        twin.allowed[source] = 0

    def host():
        window, sent = Window(3), []
        for done in range(6):
            last = min(6, done + window.size)
            sent += [twin.env.now] * (last - len(sent))
            for source in ends.sources:
                twin.allow(source, last * machine.net.actors[source].period)
            yield twin.env.all_of([twin.reached(sink, done + 1) for sink in ends.sinks])
            window.ended(twin.env.now - sent[done], twin.env.now)

    twin.env.process(host())
    assert sorted(twin.run()) == sorted(machine.engine.visit_log)


def test_a_window_grows_while_nothing_waits_and_shrinks_by_a_quarter_when_much_does():
    window = Window(10)
    for _ in range(1 + 2 + 3 + 4 + 5 + 6 + 7):
        window.ended(100, 0)
    assert window.size == 8
    for _ in range(8):
        window.ended(150, 0)  # 8 / 3 wait
    assert window.size == 6
    for _ in range(6):
        window.ended(133, 0)  # 1.5 wait
    assert window.size == 6


def test_generation_adapts_the_places_in_use():
    trace, chip = decoder(1, 4, 32), small_chip({"tile.count": 9, **MESH}, "hermes_llm")
    result = generate(chip, trace, 4, 3, requests=8, pace=2)
    row = pacing(result)
    assert max(size for _, size in row["window"]) <= 2
    assert len(row["times_fs"]) == 8
    begins = [each["token_fs"][-1] for each in result["generation"]["sequences"]]
    assert len(begins) == 8
    assert sum(each["fs"] for each in result.attribution) == result.latency_fs


MESH = {"network.topology": {"kind": "mesh", "width": 3, "height": 3}}


@pytest.mark.parametrize(
    ("given", "words"),
    [({"pace": 0, "batch": 4}, "pace"), ({"pace": 2}, "more than one inference to pace")],
)
def test_a_pace_that_makes_no_sense_is_refused(given, words):
    with pytest.raises(ConfigError, match=words):
        Options(**given)


def test_the_command_line_paces_and_refuses_what_makes_no_sense(tmp_path, capsys, monkeypatch):
    small = small_file(tmp_path)
    done = call(capsys, monkeypatch, "run", "isaac", small, "--batch", "4", "--pace", "2", "--json")
    assert done.code == 0
    assert json.loads(done.out)["controllers"][0]["most"] == 2
    for arguments in (["--pace", "2"], ["--batch", "4", "--pace", "0"]):
        done = call(capsys, monkeypatch, "run", "isaac", small, *arguments)
        assert done.code == 2
        assert "pace" in done.err
