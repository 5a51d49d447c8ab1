"""The report of a run: every figure is the result's, with its unit; what is not modelled is said in words."""

from __future__ import annotations

import copy
import re

import pytest

from pimsim import Chip, Result, simulate
from pimsim.report.terminal import to_text

from ..trace.builders import small_trace


@pytest.fixture(scope="module", params=["hermes64", "hermes64_4phase", "isaac", "puma"])
def result(request: pytest.FixtureRequest) -> Result:
    return simulate(Chip.load(request.param), small_trace(), batch=2)


def section(text: str, title: str) -> list[list[str]]:
    """The rows of a table below a heading, in cells."""
    lines = text.split(f"\n{title}")[1].split("\n\n")[0].splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("---"))
    return [re.split(r"\s{2,}", line.strip()) for line in lines[start + 1 :]]


def figure(text: str, name: str) -> str:
    """The value of one of the figures at the top."""
    return re.split(r"\s{2,}", next(line for line in text.splitlines() if line.startswith(f"{name}  ")))[1]


@pytest.mark.parametrize("verbose", [False, True])
def test_it_fits_80_columns_without_escape_codes(result, verbose):
    text = to_text(result, verbose=verbose)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert text == "\n".join(line.rstrip() for line in text.splitlines())


def test_printing_a_result_gives_the_report(result):
    assert str(result) == to_text(result)


def test_figures_are_the_results(result):
    text = to_text(result)
    per_inference_j = result.energy_pj["total"] * 1e-12 / 2
    watts = result.energy_pj["total"] * 1e-12 / (result.latency_fs * 1e-15)
    for name, value, unit in (
        ("latency", result.latency_fs * 1e-9, "us"),
        ("first output", result.first_output_fs * 1e-9, "us"),
        ("interval", result.interval_fs * 1e-9, "us"),
        ("throughput", 1e15 / result.interval_fs, "inf/s"),
        ("achieved", 2 * result.macs / result.latency_fs * 1e3, "TOPS"),
        ("peak", result.peak["tops"], "TOPS"),
        ("energy", per_inference_j * 1e9, "nJ"),
        ("power", watts, "W"),
        ("area", result.area_um2["total"] * 1e-6, "mm2"),
    ):
        number, _, found = figure(text, name).partition(" ")
        scale = {
            "us": 1e-6,
            "ns": 1e-9,
            "nJ": 1e-9,
            "uJ": 1e-6,
            "mJ": 1e-3,
            "mW": 1e-3,
        }
        assert float(number.replace(",", "")) * scale.get(found, 1) == pytest.approx(
            value * scale.get(unit, 1), rel=1e-3
        ), name


def test_causes_sum_to_the_latency_and_parts_to_their_cause(result):
    rows = section(to_text(result, verbose=True), "Where the latency went: by cause")
    total = within = 0
    for name, _, fs, *_ in rows[:-1]:
        if ": " in name:
            assert within == 0, "the parts before do not sum to their cause"
            total += (within := int(fs.replace(",", "")))
        else:
            within -= int(fs.replace(",", ""))
    assert within == 0
    assert total == result.latency_fs
    assert rows[-1] == [f"The causes sum to {total:,} fs, exactly the latency."]


@pytest.fixture(scope="module")
def congested() -> Result:
    """Six tiles on one chip, narrow links and buffers of one flit: packets wait for one another."""
    changes = ["network.link_width_bits=8", "network.buffer_flits=1", "network.vcs=1"]
    return simulate(Chip.load("hermes64", changes), small_trace(), batch=4)


def test_congestion_by_link_sums_to_the_cause_and_names_links_that_there_are(congested):
    rows = section(to_text(congested, verbose=True), "Congestion by link")
    caused = sum(row["fs"] for row in congested.attribution if row["cause"] == "congestion")
    assert caused > 0
    assert sum(int(row[2].replace(",", "")) for row in rows) == caused
    known = {f"chip{row['chip']}.{row['from']}-{row['to']}": row for row in congested.rows("links")}
    for name, _, fs, _, in_use in rows:
        assert known[name]["critical_fs"] == int(fs.replace(",", ""))
        used = known[name]["flits"] * 1_000_000 / congested.latency_fs  # a flit takes a cycle of 1 GHz
        assert float(in_use.split()[0]) == pytest.approx(100 * used, abs=0.051)


def test_congestion_by_link_shows_the_longest_and_sums_up_the_rest(congested):
    critical = sorted(
        (row["critical_fs"] for row in congested.rows("links") if row["critical_fs"]), reverse=True
    )
    assert len(critical) > 6
    rows = section(to_text(congested), "Congestion by link")
    assert [int(row[2].replace(",", "")) for row in rows] == [*critical[:5], sum(critical[5:])]
    assert rows[5][0] == f"{len(critical) - 5} other links"


def test_a_run_without_congestion_has_no_such_table():
    quiet = simulate(Chip.load("hermes64"), small_trace())
    assert not any(row["cause"] == "congestion" for row in quiet.attribution)
    assert "Congestion by link" not in to_text(quiet)


def test_by_packet_is_said_to_be_approximate_and_by_flit_is_not():
    exact, rough = (
        simulate(Chip.load("isaac", [f"network.fidelity={f}"]), small_trace()) for f in ("flit", "packet")
    )
    assert to_text(rough).splitlines()[2] == "network by packet: approximate"
    assert "approximate" not in to_text(exact, verbose=True)
    assert any("approximate" in note for note in rough.notes)


def test_a_sum_that_is_not_the_latency_is_told():
    broken = simulate(Chip.load("isaac"), small_trace())
    broken.data["attribution"][0]["fs"] += 1
    assert "this is a bug" in " ".join(to_text(broken).split())


def test_ops_sum_to_the_latency_with_the_rest_in_one_row(result):
    for top in (1, 2, 100):
        rows = to_text(result, top=top).split("\nWhere the latency went: by op")[1].split("\n\n")[0]
        times = re.findall(r" (\d[\d,]*) +[\d.]+ %", rows)
        assert sum(int(fs.replace(",", "")) for fs in times) == result.latency_fs
        assert len(times) == min(top + 1, len({row["op"] for row in result.attribution}))


def test_what_is_not_modelled_is_said_in_words_and_never_0(result):
    text = to_text(result)
    for title, key in (("Energy of the run by part", "energy_pj"), ("Area by part", "area_um2")):
        rows = {row[0]: row[1:] for row in section(text, title)}
        for part in result[key]["not_modelled"]:
            assert set(rows[part]) == {"not modelled"}
        assert set(rows) == {*result[key]["by_part"], *result[key]["not_modelled"], "all that is modelled"}
    without = len(result.energy_pj["not_modelled"])
    said = re.findall(
        r"; (\d+) parts? not modelled", next(line for line in text.splitlines() if line.startswith("energy "))
    )
    assert said == ([str(without)] if without else [])


def test_nothing_modelled_is_said_in_words():
    """A chip without any figure of energy or area."""
    bare = copy.deepcopy(simulate(Chip.load("isaac"), small_trace()).data)
    parts = [*bare["energy_pj"]["by_part"], *bare["energy_pj"]["not_modelled"]]
    bare["energy_pj"].update(total=0, by_part={}, dynamic={}, static={}, not_modelled=parts)
    bare["area_um2"].update(total=0, by_part={}, not_modelled=parts)
    bare["tops"]["per_watt"], bare["peak"]["watts"] = None, 0
    text = to_text(Result(bare))
    for name in ("energy", "power", "efficiency", "area"):
        assert figure(text, name) == "not modelled"
    assert section(text, "Energy of the run by part")[-1][1:] == ["not modelled"] * 3


def test_bounds_show_both_and_the_busiest_resource(result):
    lines = section(to_text(result), "Lower bounds")
    rows = [row for row in lines if len(row) > 1]  # a long name goes on in the next line
    assert [row[0] for row in rows] == ["busiest resource", "dependence chain", "any plan"]
    assert rows[0][3].startswith(result.bounds["resource"])
    for row, bound in zip(rows, ("resource_fs", "dependence_fs", "chip_latency_fs"), strict=True):
        assert float(row[2].split()[0]) == pytest.approx(result.latency_fs / result.bounds[bound], rel=1e-3)


def test_the_number_of_chips_says_who_chose_it():
    chip = Chip.load("isaac")
    assert "1 chip (chosen automatically)" in str(simulate(chip, small_trace()))
    assert "2 chips (as asked for)" in str(simulate(chip, small_trace(), chips=2))


def test_names_cannot_command_the_terminal_nor_widen_the_tables():
    data = copy.deepcopy(simulate(Chip.load("isaac"), small_trace()).data)
    for table in ("attribution", "plan"):
        for row in data[table]:
            row["op"] = f"[red]\x1b[31m{row['op']}" + "_long" * 20
    data["model"] += "\x1b[2J"
    text = to_text(Result(data), verbose=True)
    assert "\x1b" not in text
    assert "[red]" in text
    assert max(map(len, text.splitlines())) <= 80
