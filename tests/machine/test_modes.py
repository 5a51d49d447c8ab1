"""Does an array or a bank say what it does, whoever makes it do that?"""

from __future__ import annotations

import pytest

from tests.machine.test_parts import NS, machine


def watched(made, part, step_fs=NS // 2):
    """The modes that a part goes through until nothing is left to do, one after another."""
    seen = []

    def look():
        while made.env.peek() < float("inf"):
            if not seen or seen[-1] != part.mode:
                seen.append(part.mode)
            yield made.env.timeout(step_fs)

    made.env.process(look())
    return seen


@pytest.mark.parametrize("banks", [1, 2], ids=["shared bank", "own banks"])
def test_arrays_and_banks_work_while_the_machine_does(banks):
    made = machine(**{"core.adc.banks": banks})
    crossbar = next(t for t in made.tiles if t.crossbars).crossbars[0]
    arrays, bank = watched(made, crossbar), watched(made, crossbar.bank)
    made.run()
    assert arrays[:3] == ["idle", "computing", "idle"]
    assert bank[:2] == ["idle", "converting"]
    made.env.run(until=made.env.now + 1000 * NS)
    assert (crossbar.mode, crossbar.bank.mode) == ("idle", "idle")


def test_arrays_still_compute_while_a_second_job_holds_them():
    """The first multiplication ends at some time; the second goes on for long after that."""
    made = machine(**{"core.array.read_ns": 200.0})
    crossbar = next(t for t in made.tiles if t.crossbars).crossbars[0]
    first, second = crossbar.mvm(), crossbar.mvm()
    made.env.run(until=first)
    assert crossbar.mode == "computing"
    made.env.run(until=second)
    assert crossbar.mode == "idle"


def test_arrays_are_written_then_compute():
    made = machine(**{"core.array.write_ns": 95.0})
    crossbar = next(t for t in made.tiles if t.crossbars).crossbars[0]
    seen = watched(made, crossbar)
    written, end = crossbar.program(8), crossbar.mvm()
    made.env.run(until=made.env.all_of([written, end]))
    assert seen[:3] == ["idle", "programming", "computing"]


@pytest.mark.parametrize("banks", [1, 2], ids=["shared bank", "own banks"])
def test_a_bank_is_calibrated_then_converts(banks):
    made = machine(**{"core.adc.banks": banks})
    bank = next(t for t in made.tiles if t.crossbars).crossbars[0].bank
    seen = watched(made, bank)
    done = made.env.all_of([bank.calibrate(50.0), bank.convert(64)])
    made.env.run(until=done)
    assert seen == ["idle", "calibrating", "converting"]
