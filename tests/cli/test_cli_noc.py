"""``pimsim noc``: what it prints, where, what it draws, and how it refuses what makes no network."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import networkx
import pytest

import pimsim

from .runner import PROGRAM, call, spawn

PNG = b"\x89PNG\r\n\x1a\n"
ROW_KEYS = {  # of pimsim-noc/1
    *("rate", "latency_cycles", "latency_ci95", "network_latency_cycles", "accepted", "status"),
    *("percentiles", "routers", "packets"),
}
LINK_KEYS = {"from", "to", "flits", "utilisation", "waited_cycles"}


@pytest.fixture
def noc(capsys, monkeypatch):
    """Call the command in this process."""
    return lambda *arguments: call(capsys, monkeypatch, "noc", *arguments)


@pytest.fixture
def figures(noc):
    """Call the command for JSON that succeeds without a word on stderr."""

    def call_for_json(*arguments):
        done = noc(*arguments, "--json")
        assert (done.code, done.err) == (0, "")
        return json.loads(done.out)

    return call_for_json


# -- what it prints ------------------------------------------------------------------------------------------


def test_json_of_loads_has_a_row_for_each_rate_and_stands_alone(noc):
    done = noc("mesh:3x3", "--rate", "0.05,0.2", "--packet-size", "2", "--seeds", "3", "--json")
    assert (done.code, done.err) == (0, "")
    data = json.loads(done.out)
    assert data["schema"] == "pimsim-noc/1"
    assert data["topology"] == {"kind": "mesh", "width": 3, "height": 3}
    assert (data["terminals"], data["routers"], data["seeds"], data["packet_size"]) == (9, 9, [1, 2, 3], 2)
    assert "makespan_cycles" not in data
    assert [row["rate"] for row in data["rows"]] == [0.05, 0.2]
    for row in data["rows"]:
        assert set(row) == ROW_KEYS
        assert row["status"] == "stable"
        assert row["latency_cycles"] >= row["network_latency_cycles"] > 0
        assert row["latency_ci95"] > 0
        assert row["accepted"] == pytest.approx(row["rate"], rel=0.1)
        percentiles = [row["percentiles"][name] for name in ("p50", "p95", "p99", "max")]
        assert percentiles == sorted(percentiles)
    for row in data["links"]:
        assert set(row) == LINK_KEYS
        assert 0 <= row["utilisation"] <= 1


def test_one_seed_has_no_interval(figures, noc):
    (row,) = figures("mesh:2x2", "--rate", "0.1")["rows"]
    assert row["latency_ci95"] is None
    assert "1 seed: no interval." in " ".join(noc("mesh:2x2", "--rate", "0.1").out.split())


def test_the_report_fits_80_columns_and_has_the_jsons_figures(noc, figures):
    arguments = ("mesh:4x4", "--rate", "0.1,0.9", "--seeds", "2")
    done = noc(*arguments)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(
        "mesh: 16 terminals, 16 routers\nuniform traffic, 1 flits a packet, 2 virtual channels"
    )
    assert max(map(len, done.out.splitlines())) <= 80
    assert "\x1b" not in done.out
    stable, unstable = figures(*arguments)["rows"]
    shown = {line.split()[0]: line.split() for line in done.out.splitlines() if line.endswith("stable")}
    assert shown["0.1"] == [
        "0.1",
        f"{stable['latency_cycles']:.2f}",
        f"{stable['latency_ci95']:.2f}",
        f"{stable['network_latency_cycles']:.2f}",
        *(str(stable["percentiles"][name]) for name in ("p50", "p95", "p99")),
        f"{stable['accepted']:.4f}",
        "stable",
    ]
    assert shown["0.9"] == ["0.9", *["-"] * 6, f"{unstable['accepted']:.4f}", "unstable"]


def test_a_load_above_saturation_is_unstable_and_has_no_latency(figures):
    """Bit complement over the middle of a 4x4 mesh: 8 terminals each way over 4 links, so 0.5 flits at most."""
    data = figures("mesh:4x4", "--pattern", "bitcomp", "--rate", "0.3,0.7")
    stable, unstable = data["rows"]
    assert stable["status"] == "stable"
    assert unstable["status"] == "unstable"
    assert [unstable[name] for name in ("latency_cycles", "latency_ci95", "network_latency_cycles")] == [
        None
    ] * 3
    assert unstable["percentiles"] == {}
    assert 0 < unstable["accepted"] <= 0.5


@pytest.mark.parametrize("size", [1, 5])
def test_a_light_load_takes_the_time_of_an_idle_network(figures, size):
    """Neighbours on a ring are two routers apart: 3 for the ends, 4 stages each, a link, and the other flits."""
    (row,) = figures("ring:8", "--pattern", "neighbor", "--rate", "1e-4", "--packet-size", str(size))["rows"]
    assert row["routers"] == 2
    idle = 3 + 2 * (1 + 1 + 1 + 1) + 1 + size - 1
    assert row["percentiles"]["p50"] == idle
    assert row["latency_cycles"] == pytest.approx(idle, rel=0.005)


def test_the_stages_and_delays_of_a_router_are_counted(figures):
    """Every packet crosses 2 routers; 20 flits a buffer cover the loop of 2 * 5 + 4 + 3 + 1."""
    slow = ("--pipeline", "rd=2,va=3,sa=3,st=4", "--link-delay", "5", "--buffer", "20")
    arguments = ("ring:8", "--pattern", "neighbor", "--rate", "1e-4", *slow)
    (plain,) = figures(*arguments)["rows"]
    (merged,) = figures(*arguments, "--speculative")["rows"]
    assert plain["percentiles"]["p50"] == 3 + 2 * (2 + 3 + 3 + 4) + 5
    assert merged["percentiles"]["p50"] == 3 + 2 * (2 + 3 + 4) + 5
    data = figures(*arguments, "--vcs", "3", "--credit-delay", "2")
    assert data["router"] == {
        **{"vcs": 3, "buffer": 20, "rd": 2, "va": 3, "sa": 3, "st": 4},
        **{"link": 5, "credit": 2, "speculative": False},
    }


def test_a_batch_has_a_makespan(figures):
    """A crossbar of one router: neighbours send side by side, a flit a cycle."""
    data = figures("crossbar:4", "--pattern", "neighbor", "--batch", "1", "--packet-size", "10")
    assert "rows" not in data
    assert data["makespan_cycles"] == data["makespans"][0] == (3 + 4 + 9) + 1  # the first cycle counts
    assert data["latency_cycles"] == data["network_latency_cycles"] == 3 + 4 + 9
    assert (data["packets"], data["flits"], data["batch"]) == (4, 40, 1)
    assert {row["flits"] for row in data["links"]} == {10}


@pytest.mark.parametrize(("vcs", "last"), [(1, 9 * 3), (2, 13), (3, 9)])
def test_short_packets_wait_for_the_turnaround_of_their_virtual_channel(figures, vcs, last):
    """A head that comes to the front is routed, gets a channel and the switch: 3 cycles a packet and channel."""
    data = figures("crossbar:4", "--pattern", "neighbor", "--batch", "10", "--vcs", str(vcs))
    assert data["makespan_cycles"] == (3 + 4 + last) + 1
    assert (data["packets"], data["flits"]) == (40, 40)


def test_a_batch_reports_over_the_seeds(figures, noc):
    data = figures("mesh:3x3", "--batch", "20", "--packet-size", "3", "--seeds", "4")
    assert len(data["makespans"]) == 4
    assert data["makespan_cycles"] == sum(data["makespans"]) / 4
    assert (data["packets"], data["flits"]) == (180, 540)
    done = noc("mesh:3x3", "--batch", "20", "--packet-size", "3", "--seeds", "4")
    assert f"{min(data['makespans']):,} to {max(data['makespans']):,}" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_a_list_of_packets_is_sent_as_it_stands(figures, tmp_path):
    """In an idle network; 4 routers from 0 to 5 on a 4x2 mesh by way of x first make 3 + 4 * 4 + 3 * 1 + 6."""
    path = tmp_path / "packets.csv"
    path.write_text(
        "\ufeff flits, target,source ,cycle,remark\n7,5,0,100,first\n1,0,7,1000,\n", encoding="utf-8"
    )
    data = figures("mesh:4x2", "--packets", str(path))
    routers_01, routers_70 = 3, 5  # (0,0) to (1,1); (3,1) to (0,0)
    first = 3 + 4 * routers_01 + (routers_01 - 1) + 6
    second = 3 + 4 * routers_70 + (routers_70 - 1)
    assert data["makespan_cycles"] == 1000 + second + 1
    assert data["latency_cycles"] == (first + second) / 2
    assert (data["packets"], data["flits"]) == (2, 8)
    assert data["packet_size"] is None


def test_a_file_of_links_is_the_network(figures, tmp_path):
    path = tmp_path / "links.txt"
    path.write_text("0 1\n1 2 9 # a long one\n")
    packets = tmp_path / "packets.csv"
    packets.write_text("cycle,source,target,flits\n0,0,2,1\n")
    data = figures(str(path), "--packets", str(packets), "--buffer", "21")  # 2 * 9 + 3: the credit loop
    assert data["topology"]["kind"] == "graph"
    assert data["latency_cycles"] == 3 + 3 * 4 + 1 + 9


@pytest.mark.parametrize(
    "topology",
    [
        *("mesh:3x2", "torus:3x3", "cmesh:2x2x4", "ring:5", "fattree:2,3", "fly:2,3", "htree:2,2"),
        *("crossbar:5", "bus:4", "package:2/torus:3x2", "mesh:1x1", "fly:4,1"),
    ],
)
@pytest.mark.parametrize("pattern", ["uniform", "bitcomp", "tornado", "neighbor", "alltoall", "hotspot:0"])
def test_every_topology_delivers_every_pattern(figures, topology, pattern):
    data = figures(topology, "--pattern", pattern, "--batch", "5", "--packet-size", "3")
    ejected = sum(row["flits"] for row in data["links"] if row["to"][0] == "t")
    assert ejected == data["flits"] == 15 * data["terminals"]


def test_the_python_api_gives_the_commands_figures(noc):
    done = noc("torus:3x3", "--pattern", "transpose", "--rate", "0.1", "--seeds", "2", "--vcs", "4", "--json")
    router = pimsim.Router(vcs=4)
    result = pimsim.noc("torus:3x3", rates=[0.1], pattern_name="transpose", seeds=2, router=router)
    assert done.out == result.to_json()
    batch = noc("ring:6", "--batch", "7", "--json")
    assert batch.out == pimsim.noc("ring:6", batch=7).to_json()


def test_the_python_api_takes_a_networkx_graph():
    result = pimsim.noc(networkx.petersen_graph(), batch=3)
    assert result.to_dict()["terminals"] == 10
    with pytest.raises(pimsim.ConfigError, match="found 2 parts, expected a connected graph"):
        pimsim.noc(networkx.Graph([(0, 1), (2, 3)]), batch=3)


# -- the same again ------------------------------------------------------------------------------------------


def test_the_same_seeds_give_the_same_bytes_whatever_the_hash_seed():
    arguments = ("noc", "torus:4x4", "--rate", "0.2", "--seeds", "2", "--packet-size", "3", "--json")
    first, second = (spawn(*arguments, PYTHONHASHSEED=seed) for seed in ("01", "12345"))
    assert first == second
    assert first.code == 0
    assert first.err == ""


def test_other_seeds_give_other_packets(figures):
    first, second = figures("mesh:3x3", "--rate", "0.2", "--seeds", "2")["rows"], None
    for seed in (1, 2):
        result = pimsim.noc("mesh:3x3", rates=[0.2], seeds=[seed])
        second = [*(second or []), result.rows[0]["latency_cycles"]]
    assert second[0] != second[1]
    assert first[0]["latency_cycles"] == pytest.approx(sum(second) / 2)


# -- warnings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "warning"),
    [
        (
            ["--buffer", "2"],  # the loop is 2 links, traversal, allocation and 1
            "warning: buffer: 2 flits are fewer than the 5 of the credit loop over links of 1 cycles; a virtual "
            "channel carries at most 0.400 flits a cycle, all 2 of a link 0.800\n",
        ),
        (
            ["--link-delay", "7", "--credit-delay", "3"],
            "warning: buffer: 8 flits are fewer than the 20 of the credit loop over links of 7 cycles; a virtual "
            "channel carries at most 0.400 flits a cycle, all 2 of a link 0.800\n",
        ),
        (["--buffer", "4", "--vcs", "4"], "at most 0.800 flits a cycle, all 4 of a link 1.000\n"),
    ],
)
def test_a_buffer_below_the_credit_loop_is_a_warning_with_the_bandwidth_it_allows(noc, options, warning):
    for json_too in ([], ["--json"]):
        done = noc("mesh:2x2", "--batch", "2", *options, *json_too)
        assert done.code == 0
        assert done.err.endswith(warning)
        assert done.err.count("\n") == 1
        assert "warning" not in done.out.split("links")[0] or json_too
    assert json.loads(done.out)["warnings"] == [done.err.removeprefix("warning: ").rstrip()]


def test_the_warning_tells_the_truth(figures, noc, tmp_path):
    """A long packet over one virtual channel: 2 flits every 5 cycles."""
    packets = tmp_path / "packets.csv"
    packets.write_text("cycle,source,target,flits\n0,0,1,1001\n")
    done = noc("mesh:2x1", "--packets", str(packets), "--buffer", "2", "--json")
    assert "at most 0.400 flits a cycle" in done.err
    assert json.loads(done.out)["latency_cycles"] == 3 + 2 * 4 + 1 + 500 * 5
    assert (
        figures("mesh:2x1", "--packets", str(packets), "--buffer", "5")["latency_cycles"]
        == 3 + 2 * 4 + 1 + 1000
    )


def test_a_slower_link_in_a_file_is_warned_of_by_its_own_delay(noc, tmp_path):
    path = tmp_path / "links.txt"
    path.write_text("0 1\n1 2 20\n")
    done = noc(str(path), "--batch", "1")
    assert done.err.startswith(
        "warning: buffer: 8 flits are fewer than the 43 of the credit loop over links of 20"
    )


# -- bad input -----------------------------------------------------------------------------------------------

Made = Callable[[Path], list[str]]


def words(line: str) -> Made:
    """Return the arguments of a command line that needs no file."""
    return lambda folder: line.split()


def rate(line: str) -> Made:
    return words(f"{line} --rate 0.1")


def listed(text: str | bytes) -> Made:
    """Return the arguments that send the packets of a file over a 2x2 mesh."""

    def arguments(folder: Path) -> list[str]:
        path = folder / "p.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return ["mesh:2x2", "--packets", str(path)]

    return arguments


def linked(text: str | bytes) -> Made:
    """Return the arguments that load a network from a file."""

    def arguments(folder: Path) -> list[str]:
        path = folder / "links.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return [str(path), "--rate", "0.1"]

    return arguments


HEAD = "cycle,source,target,flits\n"
CASES: dict[str, tuple[Made, str]] = {
    # topologies
    "an unknown topology": (
        rate("donut:8"),
        "'donut:8', expected bus:8, .*mesh:8x8.*expected one of: bus, cmesh",
    ),
    "a mistyped kind": (rate("tours:4x4"), "found 'tours:4x4'.*did you mean 'torus'?"),
    "a mistyped kind in a package": (rate("package:2/rng:4"), "found 'rng:4'; did you mean 'ring'?"),
    "no topology": (words(""), "Missing argument 'TOPOLOGY'"),
    "a topology that is not there": (
        rate("gone.txt"),
        "found 'gone.txt'.*or give the path of a list of links",
    ),
    "a mesh without a height": (rate("mesh:4"), "expected mesh:widthxheight"),
    "a mesh of no columns": (rate("mesh:0x4"), "mesh:0x4: width: found 0, expected at least 1"),
    "a network too large": (rate("mesh:100x100"), "found 10000 terminals, expected at most 4096"),
    "a package of no chips": (rate("package:0/mesh:2x2"), "chips: found 0, expected at least 1"),
    "a folder": (lambda folder: [str(folder), "--rate", "0.1"], "or give the path of a list of links"),
    "an empty file": (linked(""), "links.txt: found no link"),
    "a file that is no text": (linked(b"\xff\xfe\x00"), "links.txt: is not a text file"),
    "a malformed line": (linked("0 1\n1 two\n"), "links.txt:2: found '1 two', expected two routers"),
    "a line with too much": (linked("0 1\n1 2 3 4\n"), "links.txt:2: found '1 2 3 4'"),
    "a negative delay in a file": (linked("0 1 -5\n"), "links.txt:1: found '0 1 -5'"),
    "a graph in parts": (
        linked("0 1\n2 3\n"),
        "links.txt: edges: found 2 parts, expected a connected graph: no link leads from r2 to r0",
    ),
    "a link to itself": (linked("0 1\n1 1\n"), r"found \[1, 1\], expected two routers"),
    # routers
    "no virtual channel": (rate("mesh:2x2 --vcs 0"), "vcs: found 0, expected a whole number from 1 to 64"),
    "many virtual channels": (rate("mesh:2x2 --vcs 65"), "vcs: found 65"),
    "one virtual channel on a torus": (
        rate("torus:3x3 --vcs 1"),
        "vcs: found 1, expected at least 2: x before y.*more virtual channels, or a mesh",
    ),
    "one virtual channel on a ring": (rate("ring:3 --vcs 1"), "vcs: found 1, expected at least 2"),
    "one virtual channel on rings in a package": (rate("package:2/ring:3 --vcs 1"), "vcs: found 1"),
    "no buffer": (rate("mesh:2x2 --buffer 0"), "buffer: found 0, expected a whole number from 1"),
    "a negative buffer": (rate("mesh:2x2 --buffer -3"), "buffer: found -3"),
    "a negative link": (rate("mesh:2x2 --link-delay -1"), "link: found -1, expected a whole number from 0"),
    "a negative credit": (rate("mesh:2x2 --credit-delay -1"), "credit: found -1"),
    "a negative stage": (rate("mesh:2x2 --pipeline st=-1"), "st: found -1, expected a whole number from 0"),
    "a stage of no cycle": (rate("mesh:2x2 --pipeline va=0"), "va: found 0, expected a whole number from 1"),
    "an unknown stage": (rate("mesh:2x2 --pipeline rc=1"), "--pipeline: found 'rc'"),
    "a stage without cycles": (rate("mesh:2x2 --pipeline st"), "--pipeline: found 'st', expected st=cycles"),
    "a stage of words": (
        rate("mesh:2x2 --pipeline st=two"),
        "--pipeline: found 'st=two', expected st=cycles",
    ),
    "an absurd stage": (rate("mesh:2x2 --pipeline st=" + "9" * 5000), "--pipeline: found 'st=9"),
    "a wordy number": (rate("mesh:2x2 --vcs two"), "'two' is not a valid integer"),
    # patterns
    "an unknown pattern": (
        rate("mesh:2x2 --pattern wave"),
        "--pattern: found 'wave'.*expected one of: alltoall",
    ),
    "a mistyped pattern": (rate("mesh:2x2 --pattern unifrom"), "found 'unifrom'; did you mean 'uniform'?"),
    "a pattern with more": (
        rate("mesh:2x2 --pattern uniform:3"),
        "found 'uniform:3', expected 'uniform' alone",
    ),
    "a hotspot without a node": (
        rate("mesh:2x2 --pattern hotspot"),
        "a hotspot that names no terminal.*hotspot:5,6",
    ),
    "a hotspot of nothing": (rate("mesh:2x2 --pattern hotspot:"), "a hotspot that names no terminal"),
    "a hotspot of words": (rate("mesh:2x2 --pattern hotspot:one"), "a hotspot that names no terminal"),
    "a hotspot outside": (
        rate("mesh:2x2 --pattern hotspot:1,4"),
        "--pattern hotspot: found terminal 4, expected one of the 4, 0 to 3",
    ),
    "a hotspot far outside": (
        rate("mesh:2x2 --pattern hotspot:" + "9" * 5000),
        "found terminal 9{20}, expected",
    ),
    "a hotspot of no share": (
        rate("mesh:2x2 --pattern hotspot:1@0"),
        "a share of '0', expected a number above 0",
    ),
    "a hotspot of twice all": (rate("mesh:2x2 --pattern hotspot:1@2"), "a share of '2'"),
    "a hotspot of a wordy share": (rate("mesh:2x2 --pattern hotspot:1@1.1.1"), "a share of '1.1.1'"),
    "a hotspot of nan": (rate("mesh:2x2 --pattern hotspot:1@nan"), "a share of 'nan'"),
    "a transpose of an oblong": (rate("mesh:4x3 --pattern transpose"), "transpose needs a square.*found 12"),
    "bits of no power of two": (rate("mesh:3x3 --pattern bitrev"), "bitrev needs a power of two.*found 9"),
    "a shuffle of no power of two": (
        rate("ring:6 --pattern shuffle"),
        "shuffle needs a power of two.*found 6",
    ),
    # rates
    "a rate of zero": (words("mesh:2x2 --rate 0"), "--rate: found 0, expected 1e-06 to 1 flits"),
    "a negative rate": (words("mesh:2x2 --rate -0.1"), "--rate: found -0.1, expected"),
    "a rate above one": (words("mesh:2x2 --rate 1.01"), "--rate: found 1.01, expected"),
    "a second rate above one": (words("mesh:2x2 --rate 0.1,7"), "--rate: found 7, expected"),
    "a rate next to nothing": (words("mesh:2x2 --rate 1e-300"), "--rate: found 1e-300, expected"),
    "a wordy rate": (words("mesh:2x2 --rate 0.1,fast"), "--rate: found 'fast', expected numbers"),
    "an empty rate": (lambda folder: ["mesh:2x2", "--rate", ""], "--rate: found '', expected numbers"),
    "a rate that is no number": (words("mesh:2x2 --rate nan"), "--rate: found nan, expected"),
    "an infinite rate": (words("mesh:2x2 --rate inf"), "--rate: found inf, expected"),
    # what to do
    "nothing to do": (words("mesh:2x2"), "found none, expected one of rates, a batch, or a list of packets"),
    "too much to do": (rate("mesh:2x2 --batch 3"), "found rates and a batch, expected one of"),
    "a batch of nothing": (words("mesh:2x2 --batch 0"), "--batch: found 0, expected a whole number from 1"),
    "a negative batch": (words("mesh:2x2 --batch -1"), "--batch: found -1"),
    "packets of nothing": (rate("mesh:2x2 --packet-size 0"), "--packet-size: found 0, expected"),
    "huge packets": (rate("mesh:2x2 --packet-size 1000001"), "--packet-size: found 1000001"),
    "no seed": (rate("mesh:2x2 --seeds 0"), "--seeds: found 0, expected a whole number from 1"),
    "negative seeds": (rate("mesh:2x2 --seeds -1"), "--seeds: found -1"),
    "a period of nothing": (rate("mesh:2x2 --period 0"), "--period: found 0"),
    "a period without packets": (words("mesh:2x2 --rate 1e-6 --period 1"), "--period: no packet came"),
    "an unknown option": (rate("mesh:2x2 --sedes 3"), "No such option.*--sedes"),
    # lists of packets
    "no list": (words("mesh:2x2 --packets gone.csv"), "gone.csv: cannot be read: No such file"),
    "a list that is a folder": (
        lambda folder: ["mesh:2x2", "--packets", str(folder)],
        "cannot be read: Is a dir",
    ),
    "an empty list": (
        listed(""),
        "p.csv:1: found the columns of an empty file, expected cycle, source, target",
    ),
    "a list of no packets": (listed(HEAD), "p.csv: found no packet"),
    "a list that is no text": (listed(b"\xff\xfe\x00\x01"), "p.csv: is not a CSV file"),
    "a missing column": (
        listed("cycle,source,flits\n0,0,1\n"),
        "p.csv:1: found the columns cycle, source, flits, expected cycle, source, target, flits",
    ),
    "a missing field": (
        listed(f"{HEAD}0,0,1,1\n5,1\n"),
        "p.csv:3: target: found '', expected a whole number",
    ),
    "a wordy field": (listed(f"{HEAD}0,0,one,1\n"), "p.csv:2: target: found 'one', expected"),
    "half a flit": (listed(f"{HEAD}0,0,1,0.5\n"), "p.csv:2: flits: found '0.5', expected"),
    "a packet of nothing": (listed(f"{HEAD}0,0,1,0\n"), "p.csv:2: flits: found '0', expected .* from 1"),
    "a negative cycle": (
        listed(f"{HEAD}0,0,1,1\n-1,0,1,1\n"),
        "p.csv:3: cycle: found '-1', expected .* from 0",
    ),
    "a source outside": (listed(f"{HEAD}0,4,1,1\n"), "p.csv:2: source: found '4', expected .* from 0 to 3"),
    "a target outside": (listed(f"{HEAD}0,0,-1,1\n"), "p.csv:2: target: found '-1', expected .* from 0 to 3"),
    "an absurd number": (listed(f"{HEAD}0,0,1,{'9' * 5000}\n"), "p.csv:2: flits: found '9+"),
    # pictures
    "a curve of a batch": (
        words("mesh:2x2 --batch 2 --plot c.png"),
        "--plot: a batch has no curve.*--heatmap",
    ),
    "a curve of a list": (
        lambda folder: [*listed(f"{HEAD}0,0,1,1\n")(folder), "--plot", "c.png"],
        "--plot: a batch has no curve",
    ),
    "a picture of no format": (rate("mesh:2x2 --plot c.xyz"), "c.xyz: found '.xyz', expected one of: .*png"),
    "a picture without a format": (rate("mesh:2x2 --plot curve"), "curve: found '', expected one of"),
    "a picture in no folder": (
        rate("mesh:2x2 --plot gone/c.png"),
        "gone/c.png: cannot be written: .*no folder",
    ),
    "a heatmap of no format": (rate("mesh:2x2 --heatmap h.bmp2"), "h.bmp2: found '.bmp2', expected one of"),
    "a heatmap in no folder": (rate("mesh:2x2 --heatmap gone/h.png"), "gone/h.png: cannot be written"),
    "a heatmap below a file": (
        rate("mesh:2x2 --heatmap /dev/null/h.png"),
        "/dev/null/h.png: cannot be written",
    ),
    "a picture with a long name": (
        rate(f"mesh:2x2 --plot {'x' * 246}.png"),
        "cannot be written: File name too long",
    ),
}

IN_A_PROCESS = [
    "a mistyped kind",
    "no virtual channel",
    "a wordy field",
    "a picture of no format",
    "an unknown option",
]


def complaint(code: int, out: str, err: str, message: str) -> None:
    """One message that says so, exit code 2, no report."""
    assert code == 2, err
    assert re.search(message.replace("?", r"\?"), err, re.DOTALL), err
    assert "Traceback" not in err
    assert out == ""
    assert len([line for line in err.splitlines() if line.lower().startswith("error: ")]) == 1, err


@pytest.mark.parametrize("name", CASES)
def test_one_message_and_exit_code_2(name, tmp_path, noc, monkeypatch):
    make, message = CASES[name]
    arguments = make(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = sorted(os.listdir(tmp_path))
    complaint(*noc(*arguments), message)
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("name", IN_A_PROCESS)
def test_the_same_from_the_shell(name, tmp_path):
    make, message = CASES[name]
    complaint(*spawn("noc", *make(tmp_path)), message)


@pytest.mark.parametrize(
    "arguments",
    [["--rate", "0.1,2"], ["--rate", "0.1", "--plot", "gone/c.png"], ["--rate", "0.1", "--heatmap", "h.xyz"]],
)
def test_what_cannot_be_is_told_before_anything_is_simulated(noc, monkeypatch, arguments):
    def fail(*_args, **_kwargs):
        raise AssertionError("simulated")

    monkeypatch.setattr("pimsim.network.noc.curve", fail)
    assert noc("mesh:2x2", *arguments).code == 2


# -- pictures ------------------------------------------------------------------------------------------------


def test_pictures_are_written_whole_and_nothing_else(noc, tmp_path):
    curve, links = tmp_path / "curve.png", tmp_path / "links.png"
    curve.write_text("an older one")
    done = noc("mesh:3x3", "--rate", "0.1,0.9", "--plot", str(curve), "--heatmap", str(links), "--json")
    assert (done.code, done.err) == (0, "")
    json.loads(done.out)
    for path in (curve, links):
        raw = path.read_bytes()
        assert raw.startswith(PNG)
        assert raw.endswith(b"IEND\xaeB`\x82")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["curve.png", "links.png"]


@pytest.mark.parametrize(("name", "magic"), [("p.svg", b"<?xml"), ("p.pdf", b"%PDF"), ("P.PNG", PNG)])
def test_a_picture_is_of_the_format_of_its_ending(noc, tmp_path, name, magic):
    path = tmp_path / name
    assert noc("ring:4", "--rate", "0.1", "--plot", str(path)).code == 0
    assert path.read_bytes().startswith(magic)


@pytest.mark.parametrize(
    "topology",
    [
        *("mesh:3x2", "torus:3x3", "cmesh:2x2x4", "ring:5", "ring:9", "fattree:2,3", "fly:2,3", "htree:2,2"),
        *("crossbar:5", "bus:4", "package:3/mesh:2x2", "package:2/ring:6", "mesh:1x1", "mesh:12x9"),
    ],
)
def test_every_topology_can_be_drawn(noc, tmp_path, topology):
    path = tmp_path / "links.png"
    done = noc(topology, "--batch", "1", "--heatmap", str(path))
    assert (done.code, done.err) == (0, "")
    assert path.read_bytes().startswith(PNG)


def test_a_graph_of_ones_own_can_be_drawn(noc, tmp_path):
    file, path = tmp_path / "links.txt", tmp_path / "links.png"
    file.write_text("0 1\n1 2\n2 0\n2 3\n")
    assert noc(str(file), "--batch", "1", "--heatmap", str(path)).code == 0
    assert path.read_bytes().startswith(PNG)


def test_a_curve_of_unstable_loads_alone_is_drawn(noc, tmp_path):
    path = tmp_path / "curve.png"
    assert noc("mesh:3x3", "--pattern", "hotspot:0", "--rate", "0.9", "--plot", str(path)).code == 0
    assert path.read_bytes().startswith(PNG)


@pytest.mark.parametrize("option", ["--plot", "--heatmap"])
@pytest.mark.parametrize("older", [True, False])
def test_a_picture_that_fails_leaves_nothing_and_the_figures_are_printed_all_the_same(
    noc, tmp_path, monkeypatch, option, older
):
    path = tmp_path / "p.png"
    if older:
        path.write_bytes(b"an older one")

    def full(figure, target, **kwargs):
        Path(target).write_bytes(PNG + b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    done = noc("mesh:2x2", "--rate", "0.1", option, str(path), "--json")
    assert done.code == 2
    assert done.err == f"error: {path}: cannot be written: No space left on device\n"
    assert json.loads(done.out)["rows"][0]["status"] == "stable"
    assert [file.read_bytes() for file in tmp_path.iterdir()] == ([b"an older one"] if older else [])


def test_a_picture_that_is_a_folder_is_refused_at_once(noc, tmp_path):
    (tmp_path / "p.png").mkdir()
    complaint(*noc("mesh:2x2", "--rate", "0.1", "--plot", str(tmp_path / "p.png")), "p.png: is a folder")


# -- interruption --------------------------------------------------------------------------------------------


def test_ctrl_c_prints_the_loads_so_far_and_says_how_far_it_got():
    rates = "0.001," * 3 + "0.3," * 200 + "0.3"
    process = subprocess.Popen(
        [*PROGRAM, "noc", "mesh:8x8", "--rate", rates, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    found = re.fullmatch(rb"interrupted at \d+ % of the runs; (\d+) of 204 loads were measured\n", err)
    assert found, err
    assert len(json.loads(out)["rows"]) == int(found[1]) > 0


def test_ctrl_c_before_the_first_load_prints_nothing():
    process = subprocess.Popen(
        [*PROGRAM, "noc", "mesh:32x32", "--rate", "0.3", "--packet-size", "20", "--seeds", "9"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    time.sleep(2.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == b""
    assert re.fullmatch(rb"interrupted (before the first load was measured|at \d+ % of the runs.*)\n", err), (
        err
    )
