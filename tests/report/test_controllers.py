"""Does what controllers did show in every form of a result: report, comparison, timeline, page, plain data?"""

from __future__ import annotations

import pytest

from pimsim.analysis.compare import compare
from pimsim.report.html.page import report_page
from pimsim.report.terminal import to_text
from pimsim.report.timeline import build
from pimsim.run.simulate import simulate
from tests.random_models import Builder, small_chip

POWER = {"tile.power": {"gate_after_ns": 1000.0, "wake_ns": 200.0, "wake_energy_pj": 3.0}}


@pytest.fixture(scope="module")
def results():
    built = Builder()
    x = built.conv(built.input(1, 4, 6, 6), 8, (3, 3), pads=(1, 1, 1, 1))
    built.gemm(built.flatten(built.global_pool(x)), 10)
    trace = built.trace()
    return simulate(small_chip(), trace), simulate(small_chip(POWER), trace, timeline=(0, 10**15))


def test_the_report_has_a_section_only_where_there_are_controllers(results):
    plain, asleep = map(to_text, results)
    assert "Controllers" not in plain
    section = asleep.partition("\nControllers\n")[2].partition("\n\n")[0]
    assert "power of tile" in section
    assert "gated" in section


def test_long_figures_leave_names_and_numbers_in_one_piece_at_80_columns():
    built = Builder()
    built.gemm(built.input(1, 16), 10)
    changes = {
        "tile.count": 9,
        "network.topology": {"kind": "mesh", "width": 3, "height": 3},
        "tile.spares": 2,
        "core.array.write_ns": 10.0,
        "core.adc.calibration": {"interval_us": 2, "duration_ns": 50},
        "faults": [{"at_us": 0.5, "array": {"site": "tile", "number": 0, "core": 1}}],
    }
    text = to_text(simulate(small_chip(changes), built.trace(), 8))
    lines = text.partition("\nControllers\n")[2].partition("\n\n")[0].splitlines()
    assert max(map(len, lines)) <= 80
    assert any(
        line.startswith("calibration of core.adc  ") and line.endswith("not modelled") for line in lines
    )
    assert "  energy not modelled of: core.adc" in lines
    assert "replaced by tile 7" in " ".join(lines)
    assert not any("…" in line for line in lines)


def test_the_rows_say_which_where_how_often_how_long_and_at_what_cost(results):
    (row,) = results[1]["controllers"]
    assert list(row)[:5] == ["controller", "where", "times", "held_fs", "energy_aj"]
    assert (row["controller"], row["where"]) == ("power", "tile")


def test_both_counts_of_events_are_printed(results):
    engine = results[1].engine
    assert 0 < engine["simpy_events"] < engine["events"]
    text = " ".join(to_text(results[1], verbose=True).split())
    assert f"{engine['events']:,} events, {engine['simpy_events']:,} of SimPy" in text


def test_a_comparison_shows_what_controllers_did_otherwise(results):
    both = compare(*results)
    rows = {row["figure"]: row["values"] for row in both.controllers}
    assert rows["gated_fs"] == [None, results[1]["controllers"][0]["gated_fs"]]
    assert "What controllers did otherwise" in str(both)
    assert both.to_dict()["controllers"] == both.controllers
    assert "controllers" not in compare(results[1], results[1]).to_dict()


def test_the_timeline_has_a_track_for_each_site_with_the_time_that_it_was_gated(results):
    result = results[1]
    groups = {group.name: group for group in build(result, result.recording).groups}
    tracks = {track.name: track for track in groups["controllers"].tracks}
    for site in result["controllers"][0]["sites"]:
        slices = tracks[f"power of tile, site {site['site']}"].slices if site["gated_fs"] else []
        gated = sum(each.end_fs - each.begin_fs for each in slices if each.name == "gated")
        assert gated == site["gated_fs"]


def test_the_page_has_a_section(results):
    pytest.importorskip("jinja2")
    pytest.importorskip("vl_convert")
    assert "What each controller did" in report_page([results[1]])
    assert "What each controller did" not in report_page([results[0]])
