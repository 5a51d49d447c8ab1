"""Requests: addresses and places, patterns, and the reading of lists."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.dram.load import load_standard, names
from pimsim.dram.patterns import make_requests
from pimsim.dram.policy import Policy, parse_policy
from pimsim.dram.requests import banks_of, bursts_of, places_of
from pimsim.dram.trace import read_trace
from pimsim.errors import ConfigError

DDR4 = load_standard("ddr4_2400")


@pytest.mark.parametrize("name", names())
def test_addresses_are_places_one_to_one(name):
    """The mapping read backwards, digit by digit, gives the address again."""
    standard = load_standard(name)
    sizes = {**standard.levels, "row": standard.rows, "column": standard.columns}
    rng = np.random.default_rng(5)
    bursts = np.concatenate([rng.integers(0, bursts_of(standard), 500), [0, bursts_of(standard) - 1]])
    bank, row, column = places_of(standard, bursts)
    digits = {"row": row, "column": column}
    for level in reversed(standard.levels):
        digits[level] = bank % standard.levels[level]
        bank = bank // standard.levels[level]
    again = np.zeros(len(bursts), dtype=np.int64)
    for part in standard.mapping:
        again = again * sizes[part] + digits[part]
    assert (again == bursts).all()


def test_a_stream_goes_through_bank_groups_then_columns():
    """DDR4's mapping has the bank group lowest, so that neighbours are tCCD_S apart."""
    found = make_requests(DDR4, "stream", 12)
    assert found.bank.tolist() == [0, 4, 8, 12] * 3
    assert found.column.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert found.row.tolist() == [0] * 12


def test_patterns_are_what_they_say():
    stride = make_requests(DDR4, "stride:4", 5)
    assert stride.column.tolist() == [0, 1, 2, 3, 4]
    assert stride.bank.tolist() == [0] * 5
    pingpong = make_requests(DDR4, "pingpong", 4)
    assert list(zip(pingpong.row.tolist(), pingpong.column.tolist(), strict=True)) == [
        (0, 0),
        (1, 0),
        (0, 1),
        (1, 1),
    ]
    copy = make_requests(DDR4, "copy", 4)
    assert copy.write.tolist() == [False, True, False, True]
    assert copy.row.tolist() == [0, DDR4.rows // 2] * 2
    share = make_requests(DDR4, "random", 4000, write_share=0.25)
    assert share.write.mean() == pytest.approx(0.25, abs=0.03)
    paced = make_requests(DDR4, "random", 4000, load=0.5)
    assert paced.cycle[-1] == pytest.approx(
        4000 * 4 / 0.5, rel=0.1
    )  # a burst of 4 cycles at half of the peak


@pytest.mark.parametrize("pattern", ["streams", "stride", "stride:0", "stride:x", "random:3", ""])
def test_a_pattern_that_there_is_none_of_is_refused(pattern):
    with pytest.raises(ConfigError, match="--pattern"):
        make_requests(DDR4, pattern, 3)


# -- lists of requests -----------------------------------------------------------------------------------------


def written(folder, text, name="list.csv"):
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.booleans(), st.integers(0, 3), st.integers(0, 3), st.integers(0, 65535), st.integers(0, 127)
        ),
        max_size=20,
    )
)
def test_a_list_is_read_as_it_was_written(tmp_path_factory, requests):
    lines = ["idx,op,bg,bank,row,col"]
    lines += [f"{i},{'W' if w else 'R'},{g},{b},{r},{c}" for i, (w, g, b, r, c) in enumerate(requests)]
    found = read_trace(written(tmp_path_factory.mktemp("lists"), "\n".join(lines), "list.csv.gz"), DDR4)
    assert found.write.tolist() == [w for w, *_ in requests]
    assert found.bank.tolist() == [4 * g + b for _, g, b, _, _ in requests]
    assert found.row.tolist() == [r for *_, r, _ in requests]
    assert found.column.tolist() == [c for *_, c in requests]
    assert found.cycle is None


def test_addresses_and_cycles_are_read(tmp_path):
    text = "\ufeffcycle, op, address\n0,read,0x0\n5,WRITE,100\n\n5,R,0x1fffFFFFf\n"
    found = read_trace(written(tmp_path, text), DDR4)
    bank, row, column = places_of(DDR4, np.array([0, 1, 0x1FFFFFFFF // 64]))
    assert found.cycle.tolist() == [0, 5, 5]
    assert found.write.tolist() == [False, True, False]
    assert (found.bank.tolist(), found.row.tolist(), found.column.tolist()) == (
        bank.tolist(),
        row.tolist(),
        column.tolist(),
    )
    assert bank.max() < banks_of(DDR4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "list.csv:1: found the columns none, expected op and either address or row, column"),
        ("op,row\nR,1\n", "expected op and either address or row, column"),
        ("op,row,col,col\nR,1,1,1\n", "each once"),
        ("op,row,col\nX,1,1\n", "list.csv:2: op: found 'X', expected R or W"),
        ("op,row,col\nR,1\n", "list.csv:2: found 2 fields, expected 3"),
        (
            "op,row,col\nR,1,1\nR,65536,1\n",
            "list.csv:3: row: found '65536', expected a whole number from 0 to 65535",
        ),
        ("op,row,col\nR,1,128\n", "column: found '128', expected a whole number from 0 to 127"),
        ("op,row,col,bank\nR,1,1,4\n", "bank: found '4', expected a whole number from 0 to 3"),
        ("op,row,col\nR,-1,1\n", "row: found '-1'"),
        ("op,channel,row,col\nR,1,1,1\n", "channel: found '1', expected a whole number from 0 to 0"),
        (
            "op,address\nR,0x400000000000\n",
            "address: found the address 0x400000000000, expected 0 to 0x1ffffffff",
        ),
        ("op,address,cycle\nR,0,5\nR,0,4\n", "cycle: found a cycle before the last one's"),
        ("op,address\nR,zero\n", "address: found 'zero'"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        read_trace(written(tmp_path, text), DDR4)
    assert message in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(b"\x1f\x8bnothing")
    (tmp_path / "b.csv.gz").write_bytes(b"op,row,col")
    (tmp_path / "c.csv").write_bytes(b"op,\xff")
    for name in ("a.csv.gz", "b.csv.gz", "c.csv", "none.csv", "."):
        with pytest.raises(ConfigError, match=r"cannot be|is not a CSV"):
            read_trace(tmp_path / name, DDR4)


# -- the policy ------------------------------------------------------------------------------------------------


def test_a_policy_is_read_key_by_key():
    assert parse_policy("") == Policy()
    found = parse_policy("page=timed, page_timeout=50,write_queue=16,refresh=none")
    assert (found.page, found.page_timeout, found.write_queue, found.refresh) == ("timed", 50, 16, "none")
    assert found.write_low < found.write_high <= 16  # the marks go with the queue
    assert parse_policy("write_queue=1").write_low == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("read_queue=0", "policy: read_queue: found 0; expected a whole number from 1 to 65536"),
        ("write_queue=0", "found 0"),
        ("write_low=32", "expected the low one below the high one"),
        ("write_high=64", "no more than write_queue"),
        ("page=shut", "policy: page: found 'shut'; expected one of: closed, open, timed"),
        ("refresh=bank", "policy: refresh: found 'bank'"),
        ("queue=3", "did you mean 'read_queue'?"),
        ("read_queue", "found 'read_queue'"),
        ("read_queue=many", "expected read_queue=a whole number"),
        ("row_hit_cap=9999999999999", "a whole number"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(text, message):
    with pytest.raises(ConfigError) as caught:
        parse_policy(text)
    assert message in str(caught.value)
