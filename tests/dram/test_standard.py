"""The file of a memory standard: what is read, what is refused and with what message, and cycles from nanoseconds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimsim import presets
from pimsim.dram.cycles import cycles_of, evaluate
from pimsim.dram.load import FOLDER, load_standard, names
from pimsim.dram.requests import banks_of
from pimsim.dram.tables import rows_of
from pimsim.errors import ConfigError

ROW = "[{{level: {}, before: [{}], after: [{}], cycles: {}}}]"


def refusal(name, *overrides):
    with pytest.raises(ConfigError) as caught:
        load_standard(name, list(overrides))
    return str(caught.value)


@pytest.mark.parametrize("name", names())
def test_a_preset_says_where_it_is_from_and_its_timings_are_all_used(name):
    """A timing that no constraint, latency, refresh or current names would be a knob that changes nothing."""
    standard = load_standard(name)
    assert standard.name == name
    assert standard.source
    assert standard.data.source
    assert standard.energy is None or standard.energy.source
    texts = [row.cycles for row in standard.constraints]
    texts += [
        standard.read_latency,
        standard.write_latency,
        *(each.interval for each in standard.refresh.values()),
    ]
    words = " ".join(texts).split()
    assert set(standard.cycles) <= set(words)


@pytest.mark.parametrize("name", names())
def test_each_timing_moves_a_constraint(name):
    standard = load_standard(name)
    rows = {(r.level, r.before, r.after, r.window, r.others): r.cycles for r in rows_of(standard)}

    def facts(changed):
        return (
            {(r.level, r.before, r.after, r.window, r.others): r.cycles for r in rows_of(changed)},
            changed.of(changed.read_latency),
            changed.of(changed.write_latency),
            [changed.of(each.interval) for each in changed.refresh.values()],
        )

    before = facts(standard)
    assert before[0] == rows
    for timing in standard.timings:
        if timing == "nBL":  # it goes with the burst
            continue
        more = {"nRAS": "nRC", "nRP": "nRC", "nCCD_S": "nCCD_L", "nRRD_S": "nRRD_L", "nWTR_S": "nWTR_L"}.get(
            timing
        )
        step = 20
        changes = {f"timings.{timing}": standard.timings[timing] + step}
        if more in standard.timings:
            changes[f"timings.{more}"] = standard.timings[more] + step
        if timing == "nRRD_S":
            changes["timings.nFAW"] = standard.timings["nFAW"] + step
        assert facts(load_standard(name, changes)) != before, timing


def test_a_wheel_and_a_checkout_find_the_presets():
    assert presets.folder(FOLDER).is_dir()
    assert {"ddr4_2400", "hbm2"} <= set(names())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("timings.nRC=50", "timings.nRC: found 'nRC = 50', expected at least nRAS + nRP = 56 cycles"),
        ("timings.nCCD_L=3", "expected at least nCCD_S = 4 cycles"),
        ("timings.tREFI_ns=300", "expected at least nRFC + 1 = 421 cycles"),
        ("timings.nRCDX=3", "no key 'nRCDX' in timings; did you mean 'nRCD'?"),
        ("timings={nRP: 3, tRP_ns: 10}", "expected each timing once"),
        ("timings={RP: 3}", "expected a name such as nRP (cycles) or tRP_ns (nanoseconds)"),
        ("timings.nRP=3.5", "expected whole cycles"),
        ("timings.nBL=8", "timings.nBL: found 8, expected the cycles of a burst, 4"),
        ("levels={rank: 1}", "expected the levels inside a channel, the last one 'bank'"),
        ("levels.bank=0", "levels.bank: found 0, expected at least 1"),
        ("levels.bank=100000", "expected at most 4096 banks"),
        ("mapping=[row, column]", "expected each of rank, bankgroup, bank, row, column once"),
        ("data.level=stack", "data.level: found 'stack', expected a level of this standard"),
        ("constraints=" + ROW.format("die", "ACT", "RD", "nRCD"), "constraints.0.level: found 'die'"),
        ("constraints=" + ROW.format("bank", "ACTT", "RD", "nRCD"), "did you mean 'ACT'?"),
        ("constraints=" + ROW.format("bank", "ACT", "RED", "nRCD"), "constraints.0.after: found 'RED'"),
        (
            "constraints=" + ROW.format("bank", "REF", "ACT", "nRFC"),
            "expected at most 'rank', to which REF goes",
        ),
        ("constraints=" + ROW.format("bank", "ACT", "RD", "nRCD*2"), "expected names of timings"),
        ("constraints=" + ROW.format("bank", "ACT", "RD", "nRDC"), "did you mean 'nRC'?"),
        (
            "constraints=[{level: bank, before: [ACT, RD], after: [RD], cycles: nRCD, window: 2}]",
            "constraints.0.before: found ['ACT', 'RD'], expected one command",
        ),
        (
            "constraints=[{level: channel, before: [ACT], after: [RD], cycles: nRCD, others: true}]",
            "constraints.0.others: found 'channel', expected a level inside the channel",
        ),
        ("read_latency=nCL - 20", "read_latency: found 'nCL - 20 = -3', expected at least 1 cycle"),
        ("commands.ACT.leaves=closed", "commands.ACT.leaves: found 'closed', expected open"),
        ("commands.RD.needs=any", "commands.RD.needs: found 'any', expected open"),
        ("commands.RD.level=banks", "commands.RD.level: found 'banks'"),
        ("refresh.all_bank.command=RD", "expected a command that refreshes all banks of a level"),
        ("refresh={per_bank: {command: REF, interval: nREFI}}", "expected a command that refreshes one bank"),
        ("refresh.all_banks=3", "no key 'all_banks' in refresh; did you mean 'all_bank'?"),
        ("refresh.all_bank.interval=nRFC", "found 420, expected more than nRFC = 420 cycles"),
        ("timings.tREFI_ns=1e8", "found 'nREFI = 1.2e+08', expected at most 10000000 cycles"),
        ("read_latency=nCL + 99999999", "expected at most 10000000 cycles"),
        ("levels={row: 2, bank: 4}", "expected the levels inside a channel, the last one 'bank'"),
        ("rows=0", "rows: found 0, expected at least 1"),
        ("clock_mhz=fast", "clock_mhz: found the text 'fast'"),
        ("colour=red", "no key 'colour' in the standard"),
        ("energy.vdd=1", "no key 'vdd' in energy; did you mean 'vdd_v'?"),
        ("energy.kind=guess", "found kind 'guess', expected one of: 'currents', 'parts'"),
        ("energy.vdd_v=0", "energy.vdd_v: found 0, expected more than 0"),
        ("timings", "expected path.to.key=value"),
        ("rows=[", "not valid YAML"),
    ],
    ids=lambda text: text[:40],
)
def test_what_contradicts_itself_is_refused(override, message):
    told = refusal("ddr4_2400", override)
    assert told.startswith(f"--set {override.split('=')[0]}")
    assert message in told


def test_a_command_that_is_missing_is_named(tmp_path):
    text = (presets.folder(FOLDER) / "ddr4_2400.yaml").read_text()
    path = tmp_path / "mine.yaml"
    path.write_text("\n".join(line for line in text.splitlines() if not line.startswith("  ACT:")))
    told = refusal(path)
    assert str(path) in told
    assert "ACT" in told or "activate" in told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the keys and values of a memory standard"),
        ("- 1", "expected the keys and values of a memory standard"),
        ("extends: 3", "expected the name of a standard or the path of a file"),
        ("extends: mine.yaml", "found a circle, expected an end"),
        ("extends: ddr9", "no preset and no file is called 'ddr9'"),
        ("extends: ddr4_2400\ntimings: {nRP: [1]}", "mine.yaml: timings.nRP"),
        (
            "extends: ddr4_2400\nrow: 3",
            "found the unknown key 'row', expected a known one; did you mean 'rows'?",
        ),
        ("schema: pimsim-memory/1", "found no key 'name', expected one"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert message in refusal(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "no such file" in refusal(tmp_path / "none.yaml")
    assert "is a folder" in refusal(tmp_path)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in refusal(tmp_path / "bytes.yaml")


def test_a_file_extends_another_one(tmp_path):
    (tmp_path / "base.yaml").write_text("extends: ddr4_2400\nlevels: {rank: 4}\n")
    (tmp_path / "top.yaml").write_text("extends: base.yaml\nname: mine\nenergy: null\n")
    standard = load_standard(tmp_path / "top.yaml")
    assert (standard.name, banks_of(standard), standard.energy) == ("mine", 64, None)


@given(st.integers(1, 10**6), st.integers(1, 5000))
def test_nanoseconds_are_covered_by_whole_cycles(picoseconds, clock_mhz):
    """Exact arithmetic: the fewest cycles that are not shorter."""
    found = cycles_of(picoseconds / 1000, clock_mhz)
    assert (found - 1) * 10**6 < picoseconds * clock_mhz <= found * 10**6


@pytest.mark.parametrize(
    ("text", "value"), [("a", 3), ("a + b - 2", 6), ("-a+10", 7), ("  b  -  a ", 2), ("2", 2)]
)
def test_sums_and_differences(text, value):
    assert evaluate(text, {"a": 3, "b": 5}) == value


@pytest.mark.parametrize("text", ["", "a b", "a * b", "(a)", "a +", "1.5", "a,b"])
def test_anything_else_is_no_expression(text):
    with pytest.raises(ValueError, match="expected names"):
        evaluate(text, {"a": 1, "b": 2})


@pytest.mark.parametrize("name", names())
def test_every_other_order_of_a_preset_is_one_and_changes_something(name):
    standard = load_standard(name)
    for order in standard.orders:
        assert load_standard(name, order=order) != standard
