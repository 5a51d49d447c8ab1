"""Does `pimsim map` save a plan that `pimsim run --mapping` runs, and is every mistake told in one message?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pimsim import registry

from .runner import call, small_file

MAPPER = """
import pimsim

def single(task):
    data = task.start().to_dict()
    for row in data["ops"]:
        for key in ("copies", "tiles"):
            if key in row:
                row[key] = row[key][:1]
                row.pop("places", None)
                row.pop("positions", None)
    return data

pimsim.register(single, "single", group="mappers")
pimsim.register(lambda task: None, "nothing", group="mappers")
"""


def test_a_plan_goes_from_map_to_run(tmp_path, capsys, monkeypatch):
    trace, plan = small_file(tmp_path), tmp_path / "plan.json"
    assert call(capsys, monkeypatch, "map", "isaac", trace, "-o", str(plan)) == (0, "", "")
    printed = call(capsys, monkeypatch, "map", "isaac", trace)
    assert printed.out == plan.read_text()
    plain = json.loads(call(capsys, monkeypatch, "run", "isaac", trace, "--json").out)
    mapped = json.loads(
        call(capsys, monkeypatch, "run", "isaac", trace, "--json", "--mapping", str(plan)).out
    )
    assert mapped.pop("identity")["mapping"]
    assert "mapping" not in plain.pop("identity")
    assert mapped == plain
    shown = call(capsys, monkeypatch, "run", "isaac", trace, "--plan", "--mapping", str(plan))
    assert shown.code == 0
    assert shown.out.startswith("Plan of small on isaac")


def test_the_options_of_a_plan_come_with_it(tmp_path, capsys, monkeypatch):
    trace, plan = small_file(tmp_path), tmp_path / "plan.json"
    assert call(capsys, monkeypatch, "map", "isaac", trace, "-o", str(plan), "--weight-bits", "4").code == 0
    run = json.loads(call(capsys, monkeypatch, "run", "isaac", trace, "--json", "--mapping", str(plan)).out)
    assert run["weight_bits"] == run["identity"]["weight_bits"] == 4
    done = call(capsys, monkeypatch, "run", "isaac", trace, "--mapping", str(plan), "--weight-bits", "8")
    assert done.code == 2
    assert done.err == (
        "error: weight_bits: found 8 and a mapping, which was made with 4; "
        "leave it out, or make another plan with pimsim map\n"
    )


def test_a_mapper_is_plugged_in_by_its_module(tmp_path, capsys, monkeypatch):
    (tmp_path / "single_mapper.py").write_text(MAPPER)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "_loaded", [])
    monkeypatch.setattr(registry, "_registered", {group: {} for group in registry.GROUPS})
    monkeypatch.setattr(registry, "_found", {})
    plug, trace = ("--plugin", "single_mapper"), small_file(tmp_path)
    run = call(capsys, monkeypatch, *plug, "run", "isaac", trace, "--json", "--mapper", "single")
    assert {row["replicas"] for row in json.loads(run.out)["plan"]} == {1}
    nothing = call(capsys, monkeypatch, *plug, "map", "isaac", trace, "--mapper", "nothing")
    assert nothing.code == 2
    assert nothing.err == (
        "error: mapper 'nothing': returned None, expected a plan: a SavedPlan, its data, or a list of plans\n"
    )
    none = call(capsys, monkeypatch, "map", "isaac", trace, "--mapper", "singel")
    assert none.err == "error: mapper: no mapper is called 'singel'; did you mean 'single'?\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "found no JSON, line 1 (Expecting property name enclosed in double quotes), expected a plan"),
        ("[1]", "found something else, expected a plan (pimsim-mapping/1)"),
        ('{"schema": "pimsim-result/1"}', "found a file of 'pimsim-result/1', expected a plan"),
        ("[" * 100_000, "found no JSON"),
        ("\x00", "found no JSON"),
    ],
)
def test_a_file_that_is_no_plan_is_told_so(text, said, tmp_path, capsys, monkeypatch):
    plan = tmp_path / "plan.json"
    plan.write_text(text)
    done = call(capsys, monkeypatch, "run", "isaac", small_file(tmp_path), "--mapping", str(plan))
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith(f"error: {plan}: {said}")
    assert done.err.count("\n") == 1


def test_files_that_cannot_be_read_or_written_are_told(tmp_path, capsys, monkeypatch):
    trace = small_file(tmp_path)
    done = call(capsys, monkeypatch, "run", "isaac", trace, "--mapping", str(tmp_path / "none.json"))
    assert (done.code, done.err) == (
        2,
        f"error: {tmp_path / 'none.json'}: cannot be read: No such file or directory\n",
    )
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    done = call(capsys, monkeypatch, "run", "isaac", trace, "--mapping", str(tmp_path / "bytes.json"))
    assert (done.code, done.err) == (
        2,
        f"error: {tmp_path / 'bytes.json'}: found bytes that are no text, expected a plan\n",
    )
    there = Path(tmp_path / "no" / "plan.json")
    done = call(capsys, monkeypatch, "map", "isaac", trace, "-o", str(there))
    assert (done.code, done.err) == (2, f"error: {there}: cannot be written: No such file or directory\n")


def test_an_objective_chooses_among_plans_and_a_budget_of_zero_is_refused(tmp_path, capsys, monkeypatch):
    trace = small_file(tmp_path)
    shown = call(
        capsys, monkeypatch, "run", "isaac", trace, "--plan", "--optimize", "interval", "--budget", "1"
    )
    assert shown.code == 0
    assert "Of 1 plan, the best by interval, as predicted" in shown.out
    assert "Predicted interval: " in shown.out
    refused = call(capsys, monkeypatch, "map", "isaac", trace, "--optimize", "interval", "--budget", "0")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == "error: budget: found 0, expected a whole number from 1 to 100\n"
