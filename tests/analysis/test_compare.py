"""What a comparison says, what it brings to the same unit of work, and what it refuses."""

from __future__ import annotations

import copy
import json

import pytest

import pimsim
from pimsim.analysis.compare import compare
from pimsim.errors import ResultError
from pimsim.result.result import Result
from tests.oracle.test_lowered import small_cnn
from tests.random_models import small_chip


def simulated(changes=None, batch=1):
    return pimsim.simulate(small_chip(changes), small_cnn(), batch)


@pytest.fixture(scope="module")
def base():
    return simulated()


def changed(result, **values):
    return Result({**copy.deepcopy(result.data), **values})


def test_a_run_against_itself_differs_in_nothing(base):
    (pair,) = compare(base, base).pairs
    assert pair.latency.difference == pair.interval.difference == pair.energy.difference == 0
    assert pair.latency.contributions == pair.energy.contributions == pair.configuration == []
    assert "as fast as" in pair.sentence


def test_slower_converters_are_what_moves(base):
    """1 converter of 100 MS/s instead of 1.28 GS/s: 12.8 times as long, and most of the path."""
    slow = simulated({"clocks.adc": {"period_ns": 10.0}})
    (pair,) = compare(base, slow).pairs
    first = pair.latency.contributions[0]
    assert (first["cause"], first["part"]) == ("compute", "core.adc")
    assert "slower" in pair.sentence
    assert "core.adc" in pair.sentence
    assert {"path": "chip.clocks.adc.period_ns", "a": None, "b": 10.0} in pair.configuration
    (back,) = compare(slow, base).pairs
    assert "faster" in back.sentence
    assert back.latency.difference == -pair.latency.difference


def test_batches_that_differ_are_compared_by_inference_and_it_says_so(base):
    many = simulated(batch=5)
    comparison = compare(base, many)
    (pair,) = comparison.pairs
    assert "The batches differ" in comparison.normalised[0]
    assert pair.latency.b == round(many.latency_fs / 5)
    assert pair.energy.b == round(many.energy["total_aj"] / 5)
    for difference in (pair.latency, pair.interval, pair.energy):
        assert sum(row[difference.unit] for row in difference.contributions) == difference.difference
    figures = {row["name"]: row["values"] for row in comparison.figures}
    assert figures["latency"] == [base.latency_fs, many.latency_fs / 5]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"interval_how": "settled"}, None),
        ({"interval_how": "not settled", "interval_error_fs": 250, "interval_fs": 1000}, "known within 25 %"),
        ({"interval_how": "bound", "interval_error_fs": None}, "may be longer"),
        ({"interval_how": "mean", "interval_error_fs": None}, "filling and draining included"),
    ],
)
def test_an_interval_that_has_not_settled_is_said_to_be_so(base, values, said):
    settled = changed(base, interval_how="settled")
    comparison = compare(settled, changed(base, **values), labels=("A", "B"))
    assert comparison.to_dict()["uncertain"] == comparison.uncertain
    assert len(comparison.uncertain) == (said is not None)
    if said:
        assert comparison.uncertain[0].startswith("The interval of B ")
        assert said in comparison.uncertain[0]
        assert said in " ".join(str(comparison).split())


def test_the_json_has_the_difference_at_the_top_and_of_more_runs_a_list(base):
    slow = simulated({"clocks.adc": {"period_ns": 10.0}})
    two = json.loads(json.dumps(compare(base, slow).to_dict()))
    assert two["difference_fs"] == slow.latency_fs - base.latency_fs
    assert sum(row["fs"] for row in two["contributions"]) == two["difference_fs"]
    assert set(two["contributions"][0]) == {"cause", "part", "op", "fs"}
    three = compare(base, slow, base).to_dict()
    assert [each["difference_fs"] for each in three["comparisons"]] == [two["difference_fs"], 0]
    assert three["labels"] == ["isaac (A)", "isaac (B)", "isaac (C)"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": "other"}, "different models, 'small' and 'other'"),
        ({"macs": 1}, "different work"),
        ({"identity": {"pimsim": "0.0.1", "trace": ""}}, "different versions of pimsim, .* and 0.0.1"),
    ],
)
def test_what_is_not_the_same_work_is_refused(base, values, message):
    with pytest.raises(ResultError, match=message):
        compare(base, changed(base, **values))


def test_one_result_is_nothing_to_compare(base):
    with pytest.raises(ResultError, match="found 1 results, expected two or more"):
        compare(base)


def test_a_comparison_prints_as_a_report_and_becomes_a_data_frame(base):
    slow = simulated({"clocks.adc": {"period_ns": 10.0}})
    comparison = compare(base, slow)
    assert comparison.sentence.splitlines()[0].split()[0] in str(comparison)
    frame = comparison.to_pandas()
    assert frame["fs"].sum() == slow.latency_fs - base.latency_fs
