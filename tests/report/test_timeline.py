"""Does a timeline say what the result says? Summed in Python, and by Perfetto's own trace processor where it is there.

The trace processor is a program that the package ``perfetto`` fetches from the network; the tests do not, and take the
``trace_processor_shell`` on the PATH, if there is one.
"""

from __future__ import annotations

import gzip
import itertools
import json
import shutil
from collections import defaultdict

import pytest

import pimsim
from pimsim.errors import ConfigError, ResultError
from pimsim.report.timeline import build, write_timeline
from pimsim.units import FS_PER_NS, MAX_FS
from tests.oracle.test_lowered import small_cnn
from tests.random_models import small_chip

SHELL = shutil.which("trace_processor_shell")
FORMATS = {"run.json": "args.", "run.json.gz": "args.", "run.pftrace": "debug."}


def simulated(changes=None, batch=2, window=(0, MAX_FS)):
    return pimsim.simulate(small_chip(changes), small_cnn(), batch, timeline=window)


@pytest.fixture(scope="module")
def result():
    return simulated()


def events_of(result, tmp_path, name="run.json.gz"):
    path = tmp_path / name
    write_timeline(result, path)
    raw = path.read_bytes()
    return json.loads(gzip.decompress(raw) if name.endswith(".gz") else raw)["traceEvents"]


def slices_by_track(events):
    names = {e["tid"]: e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] == "thread_name"}
    groups = {e["pid"]: e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] == "process_name"}
    found = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            found[groups[event["pid"]], names[event["tid"]], event["tid"]].append(event)
    return found


def test_the_time_that_parts_are_held_is_the_results(result, tmp_path):
    """Oracle: the sum over the slices of a kind of part is the time that the result says it was busy."""
    busy = defaultdict(int)
    for place, slices in _by_place(result):
        if place.part != "network":
            busy[place.part] += sum(each.args["busy_fs"] for each in slices)
    expected = {
        part: row["busy_fs"] for part, row in result.resources.items() if part != "network" and row["busy_fs"]
    }
    assert dict(busy) == expected


def _by_place(result):
    from pimsim.report.timeline import _Builder

    builder = _Builder(result, result.recording)
    return [(result.recording.places[place], slices) for place, slices in builder.by_place.items()]


def test_every_flit_of_every_link_is_in_a_slice(result, tmp_path):
    flits = defaultdict(int)
    for (group, name, _), slices in slices_by_track(events_of(result, tmp_path)).items():
        if group.startswith("network of chip"):
            flits[int(group.split()[-1]), name.split(" (")[0]] += sum(e["args"]["flits"] for e in slices)
    expected = {
        (r["chip"], f"{r['from']} to {r['to']}"): r["flits"] for r in result.rows("links") if r["flits"]
    }
    assert dict(flits) == expected


def test_the_critical_path_is_the_attribution(result, tmp_path):
    sums = defaultdict(int)
    (slices,) = (
        s
        for (_, name, _), s in slices_by_track(events_of(result, tmp_path)).items()
        if name == "critical path"
    )
    end = 0
    for event in slices:
        args = event["args"]
        assert args["begin_fs"] == end  # one stretch after another, without a gap
        end += args["duration_fs"]
        sums[args["cause"], args["part"], args["op"]] += args["duration_fs"]
    assert end == result.latency_fs
    assert dict(sums) == {(r["cause"], r["part"], r["op"]): r["fs"] for r in result.attribution}


def test_by_packet_links_stand_in_the_network_too(tmp_path):
    """By packet a channel is a resource: what it is held for is what the result says it was busy."""
    approximate = simulated({"network.fidelity": "packet"})
    groups = {group.name for group in build(approximate, approximate.recording).groups}
    assert "network of chip 0" in groups
    held = sum(e.args["busy_fs"] for place, s in _by_place(approximate) if place.part == "network" for e in s)
    assert held == approximate.resources["network"]["busy_fs"]


def test_slices_of_a_track_follow_one_another(result, tmp_path):
    for slices in slices_by_track(events_of(result, tmp_path)).values():
        for before, after in itertools.pairwise(slices):
            assert after["ts"] >= before["ts"] + before["dur"] - 1e-6
        for event in slices:
            assert event["ts"] * 1000 == pytest.approx(event["args"]["begin_fs"] // FS_PER_NS, abs=1e-3)


def test_a_window_holds_what_reaches_into_it_and_nothing_else(result, tmp_path):
    low, high = result.latency_fs // 4, result.latency_fs // 3
    window = simulated(window=(low, high))
    inside = {
        (row["place"], row["begin"], row["end"])
        for row in result.recording.held
        if row["end"] >= low and row["begin"] <= high
    }
    assert {(row["place"], row["begin"], row["end"]) for row in window.recording.held} == inside
    assert inside
    assert "reaches into" in write_timeline(window, tmp_path / "w.json")
    assert window.to_json() == simulated(window=(0, MAX_FS)).to_json()  # looking changes nothing


def test_more_than_fits_is_sampled_and_said(monkeypatch, tmp_path, result):
    monkeypatch.setattr("pimsim.run.simulate.MOST_RECORDS", 2000)
    sampled = simulated()
    recording = sampled.recording
    assert recording.every in (2, 4, 8, 16, 32, 64)
    assert 0 < len(recording.held) <= 2000
    everything = {
        (r["place"], r["begin"], r["end"])
        for r in result.recording.held
        if r["firing"] % recording.every == 0
    }
    assert {(r["place"], r["begin"], r["end"]) for r in recording.held} == everything
    assert f"every {recording.every}th firing" in write_timeline(sampled, tmp_path / "s.json")


def test_arrows_follow_the_critical_path(result):
    timeline = build(result, result.recording)
    slices = {s.number: s for group in timeline.groups for track in group.tracks for s in track.slices}
    assert len(timeline.arrows) > 10
    for source, target in timeline.arrows:
        assert slices[source].begin_fs // FS_PER_NS <= slices[target].begin_fs // FS_PER_NS
        assert slices[source].end_fs <= slices[target].end_fs


def test_a_window_outside_the_run_is_refused(tmp_path):
    late = simulated(window=(MAX_FS - 2, MAX_FS - 1))
    with pytest.raises(ConfigError, match="within the run, which ends at"):
        write_timeline(late, tmp_path / "late.json")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_not_recorded_is_refused(tmp_path):
    with pytest.raises(ResultError, match="was not recorded"):
        write_timeline(pimsim.simulate(small_chip(), small_cnn()), tmp_path / "none.json")


def test_the_same_run_gives_the_same_bytes(result, tmp_path):
    for name in FORMATS:
        write_timeline(result, tmp_path / name)
        first = (tmp_path / name).read_bytes()
        write_timeline(simulated(), tmp_path / name)
        assert (tmp_path / name).read_bytes() == first


@pytest.mark.skipif(SHELL is None, reason="no trace_processor_shell on the PATH")
@pytest.mark.parametrize(("name", "prefix"), FORMATS.items())
def test_perfettos_trace_processor_finds_the_results_sums(result, tmp_path, name, prefix):
    """Published tool: SQL over what Perfetto has read gives the figures of the result."""
    from perfetto.trace_processor import TraceProcessor, TraceProcessorConfig

    path = tmp_path / name
    write_timeline(result, path)
    with TraceProcessor(trace=str(path), config=TraceProcessorConfig(bin_path=SHELL)) as tp:

        def query(sql):
            return [tuple(row.__dict__.values()) for row in tp.query(sql)]

        bad = query("select name, value from stats where value > 0 and severity != 'info'")
        assert bad == []
        arg = {
            key: f"extract_arg(arg_set_id, '{prefix}{key}')"
            for key in ("busy_fs", "duration_fs", "flits", "cause")
        }
        path_by_cause = query(
            f"select {arg['cause']} as cause, sum({arg['duration_fs']}) as fs from slice "
            f"where {arg['cause']} is not null group by cause"
        )
        expected = defaultdict(int)
        for row in result.attribution:
            expected[row["cause"]] += row["fs"]
        assert dict(path_by_cause) == dict(expected)
        ((flits, slices),) = query(
            f"select sum({arg['flits']}) as f, count(*) as n from slice where {arg['flits']} > 0"
        )
        assert flits == sum(row["flits"] for row in result.rows("links"))
        assert slices > 0
        ((held,),) = query(
            f"select sum({arg['busy_fs']}) as fs from slice where {arg['flits']} is null and {arg['cause']} is null"
        )
        entrances = sum(
            each.args["busy_fs"]
            for place, s in _by_place(result)
            if place.part == "network" and "flits" not in s[0].args
            for each in s
        )
        parts = sum(row["busy_fs"] for part, row in result.resources.items() if part != "network")
        assert held == parts + entrances
        timeline = build(result, result.recording)
        numbers = {s.number: s for group in timeline.groups for track in group.tracks for s in track.slices}
        wanted = [(numbers[a].args["begin_fs"], numbers[b].args["begin_fs"]) for a, b in timeline.arrows]
        begin = f"extract_arg({{}}.arg_set_id, '{prefix}begin_fs')"
        arrows = query(
            f"select {begin.format('a')} as source, {begin.format('b')} as target from flow "
            "join slice a on flow.slice_out = a.id join slice b on flow.slice_in = b.id"
        )
        assert sorted(arrows) == sorted(wanted)
        ((latest,),) = query("select max(ts + dur) as t from slice")
        assert latest == result.latency_fs // FS_PER_NS
        counters = query("select count(*) as n from counter")
        assert counters[0][0] == sum(len(c.points) for group in timeline.groups for c in group.counters)
