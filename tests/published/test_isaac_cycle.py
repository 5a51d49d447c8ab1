"""One 128-row operation on an idle tile of ISAAC, visit by visit, beside the 22 cycles of its publication.

Shafiee et al. (ISCA 2016) pipeline an operation in cycles of 100 ns: one to read the tile's eDRAM buffer, sixteen
reads of the crossbar (one an input bit), then one each for the converter, shift-and-add, the output register, the
sigmoid unit and the write into the eDRAM buffer. ``docs/isaac-cycle.md`` holds the account that this test checks;
``python -m tests.published.test_isaac_cycle`` writes it again.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import NamedTuple

from pimsim.chip import Chip
from pimsim.machine.machine import Machine
from pimsim.mapping.mapper import make_plan
from tests.random_models import Builder, changed

PAGE = Path(__file__).parents[2] / "docs" / "isaac-cycle.md"
CYCLE = 100_000_000  # fs, ISAAC's
DIGITAL = 833_333  # fs, a cycle of 1.2 GHz
ADC = 781_250  # fs, a cycle of 1.28 GHz
ROWS, OUTPUTS, BITS = 128, 16, 16


class Visit(NamedTuple):
    """A visit to a part, or the wait before it, in fs."""

    actor: str
    part: str
    start: int
    end: int

    @property
    def duration(self) -> int:
        return self.end - self.start


def visits() -> list[Visit]:
    """What the operation and the sigmoid behind it do, up to the write into the buffer of the next operation."""
    model = Builder()
    x = model.gemm(model.input(1, ROWS), OUTPUTS)
    x = model.add("Sigmoid", (x,), (1, OUTPUTS))
    model.gemm(x, OUTPUTS)
    machine = Machine(make_plan(Chip.load("isaac"), model.trace()), record=True)
    machine.run()
    net = machine.net
    found = []
    for actor, _, output, step, start, end in machine.engine.visit_log:
        if step < 0 or net.actors[actor].op not in ("gemm1", "sigmoid2"):
            continue
        outputs = [row for row in net.outputs if row.actor == actor]
        path = net.actors[actor].path if output < 0 else outputs[output].path
        found.append(
            Visit(net.actors[actor].op, net.resources[net.paths[path][step].resource].part, start, end)
        )
    return found


def edge(time: int, period: int) -> int:
    return -(-time // period) * period


class Stage(NamedTuple):
    """A line of the account: ISAAC's cycles, and what the machine takes, by formula."""

    name: str
    isaac: int
    part: str | None  # None: no visit of its own
    fs: int
    why: str


def stages() -> list[Stage]:
    """The account by formula, from the numbers of ``configs/isaac.yaml``."""
    accesses = ROWS * BITS // 256
    transfers = -(-ROWS * BITS // 384)
    words = max(accesses, transfers)
    digital = "a 1.2 GHz part, not held to the 100 ns cycle"
    read = f"first of {accesses} words of 256 bits after 2 cycles; {digital}"
    load = f"{words} words at the buffer's pace and 1 cycle; ISAAC has it in the eDRAM read"
    same = "the same: 128 samples at 1.28 GS/s, beside the next read for all phases but the last"
    sums = f"{OUTPUTS} sums of {BITS} bits, one transfer and 1 cycle; {digital}"
    lookup = f"{OUTPUTS} elements, one a cycle, and 2 cycles; {digital}"
    store = "one transfer and 1 cycle; ISAAC has it in the eDRAM write"
    return [
        Stage("eDRAM read", 1, "tile.buffer", 2 * DIGITAL, read),
        Stage("bus to the input register", 0, "tile.bus", (words + 1) * DIGITAL, load),
        Stage("crossbar reads", 16, None, 16 * CYCLE, "the same: 16 reads of 1 bit, 100 ns each"),
        Stage("last conversion", 1, None, 128 * ADC, same),
        Stage("shift-and-add", 1, None, CYCLE, "the same: one cycle of 100 ns behind the converter"),
        Stage("output register, over the bus", 1, "tile.bus", 2 * DIGITAL, sums),
        Stage("sigmoid", 1, "tile.digital.sigmoid", (OUTPUTS + 2) * DIGITAL, lookup),
        Stage("bus to the buffer", 0, "tile.bus", 2 * DIGITAL, store),
        Stage("eDRAM write", 1, "tile.buffer", 2 * DIGITAL, f"one word, 2 cycles; {digital}"),
    ]


def waits(found: list[Visit]) -> list[tuple[str, int]]:
    """Time between visits, all of it for an edge of the next part's clock."""
    return [
        (later.part, later.start - earlier.end)
        for earlier, later in itertools.pairwise(found)
        if later.start > earlier.end
    ]


def test_isaacs_own_account_is_22_cycles():
    assert sum(stage.isaac for stage in stages()) == 22


def test_every_visit_takes_what_its_formula_says():
    found, expected = visits(), stages()
    multiplication = sum(stage.fs for stage in expected if stage.part is None)
    parts = (
        [(s.part, s.fs) for s in expected[:2]]
        + [("core.array", multiplication)]
        + [(s.part, s.fs) for s in expected[5:]]
    )
    assert [(visit.part, visit.duration) for visit in found] == parts


def test_the_time_between_visits_is_the_wait_for_a_clock_edge_and_nothing_else():
    clocks = {"core.array": CYCLE}
    found = visits()
    for earlier, later in itertools.pairwise(found):
        assert later.start == edge(earlier.end, clocks.get(later.part, DIGITAL))


def test_all_together_is_the_stages_and_the_waits():
    found = visits()
    total = found[-1].end - found[0].start
    assert total == sum(stage.fs for stage in stages()) + sum(wait for _, wait in waits(found))
    # At most 22 cycles, at least the 18 of the multiplication itself.
    assert 18 * CYCLE < total < 22 * CYCLE


def page() -> str:
    """The account as a page."""
    found = visits()
    total = found[-1].end - found[0].start
    rows = []
    for stage in stages():
        rows.append((stage.name, str(stage.isaac), stage.fs, stage.why))
        if stage.name == "bus to the input register":
            rows.append(
                (
                    "wait for the array's clock",
                    "0",
                    dict(waits(found))["core.array"],
                    "reads begin on an edge of the 100 ns clock; 0 to 100 ns, as the data comes",
                )
            )
        if stage.name == "shift-and-add":
            wait = dict(waits(found))["tile.bus"]
            rows.append(("wait for the bus's clock", "0", wait, "an edge of the 1.2 GHz clock"))
    lines = [f"| {name} | {isaac} | {fs:,} | {fs / CYCLE:.3f} | {why} |" for name, isaac, fs, why in rows]
    assert sum(row[2] for row in rows) == total
    return f"""# One operation on an idle ISAAC tile

A matrix of 128 inputs by 16 outputs of 16 bits fills one array of 128x128 cells of 2 bits. This is its way on preset
`isaac`, from the read of the tile's buffer to the write of its result, after a sigmoid, into the same tile's buffer,
as the engine records it on an idle tile, beside the pipeline of 22 cycles that Shafiee et al. (ISCA 2016) give.
A cycle here is ISAAC's, 100 ns.

| stage | ISAAC, cycles | pimsim, fs | pimsim, cycles | why they differ |
|---|---:|---:|---:|---|
{chr(10).join(lines)}
| **total** | **22** | **{total:,}** | **{total / CYCLE:.3f}** | |

ISAAC gives every stage a whole cycle of 100 ns, because its tile works to one schedule. pimsim lets each part
work to its own clock, so what is digital takes the few cycles of 1.2 GHz that it needs. Where both count the same
thing, the reads, the last conversion and shift-and-add, they agree: 18 cycles. The other four of ISAAC's cycles
are {(total - 18 * CYCLE) / CYCLE:.3f} here, most of it the wait for the next edge of the array's clock. In steady
state neither matters: both start an operation every 16 cycles.

`tests/published/test_isaac_cycle.py` checks every line; `python -m tests.published.test_isaac_cycle` writes this page.
"""


def test_the_page_shows_this_account():
    assert PAGE.read_text() == page(), "run python -m tests.published.test_isaac_cycle"


def test_operations_follow_every_16_cycles():
    """ISAAC's rate: a new operation on the same array every 16 reads."""
    model = Builder()
    model.gemm(model.input(40, ROWS), OUTPUTS)
    # One tile of one core of one array, so that nothing is replicated.
    one = changed(
        "isaac",
        {
            "tile.count": 1,
            "tile.cores": 1,
            "core.arrays": 1,
            "core.adc.banks": 1,
            "network.topology": {"kind": "crossbar", "nodes": 1},
        },
    )
    machine = Machine(make_plan(one, model.trace()), record=True)
    machine.run()
    starts = [
        s
        for a, _, o, step, s, _ in machine.engine.visit_log
        if machine.net.actors[a].op == "gemm1" and o < 0 and step == 2
    ]
    gaps = {after - before for before, after in itertools.pairwise(starts)}
    assert gaps == {16 * CYCLE}


if __name__ == "__main__":
    PAGE.write_text(page())
