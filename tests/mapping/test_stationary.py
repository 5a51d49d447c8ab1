"""The stationary operand: what stays where, when it is written, and that arrays are busy while they are.

Expected values are formulas over the blocks of a plan.
"""

from __future__ import annotations

import pytest

from pimsim.chip import Chip
from pimsim.machine.machine import Machine
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.planning.stationary import ARRAYS, BUFFER
from pimsim.result.energy import dynamic_energy
from pimsim.result.wear import wear_rows
from pimsim.run.simulate import simulate
from tests.mapping.test_rounds import BOUND, CHIP, SMALL
from tests.oracle.test_transformers import small_chip as of_heads
from tests.random_models import Builder, small_chip
from tests.transformers import decoder

WRITE_NS, CELL_PJ = 1000.0, 2.0


def by_what(plan):
    found = {}
    for op in plan.ops:
        if op.operand is not None:
            found.setdefault(op.operand.what, []).append(op)
    return found


def test_weights_are_there_before_unless_rounds_take_turns():
    for chips, reload in ((2, False), (1, True)):
        plan = make_plan(CHIP, SMALL.bind(**BOUND), chips=chips, reload=reload)
        for op in by_what(plan)["weights"]:
            chunks = [chunk for replica in op.replicas for chunk in replica.chunks]
            assert op.operand.home == ARRAYS
            for share, chunk in zip(op.operand.shares, chunks, strict=True):
                turns = (chunk.tile, chunk.core) in plan.rewritten
                assert share.when == ("round" if turns else "before")
                assert (share.tile, share.core) == (chunk.tile, chunk.core)
                assert share.slots == len(chunk.blocks)
                assert share.rows == max(block.rows for block in chunk.blocks)
                assert share.elements == sum(block.rows * block.outputs for block in chunk.blocks)
        turning = any(op.operand.at("round") for op in by_what(plan)["weights"])
        assert turning == reload


@pytest.mark.parametrize("kv", [0, 4])
@pytest.mark.parametrize("products", ["digital", "write"])
def test_right_matrices_and_caches_are_operands_too(kv, products):
    """4 heads of 16 features, on as many slices: 3 new tokens an image; keys are columns, values rows."""
    chip = of_heads(products=products, **{"core.array.write_ns": WRITE_NS})
    plan = make_plan(chip, decoder(1, heads=4, width=64, vocabulary=20).bind(batch=1, seq=3, kv=kv))
    found = by_what(plan)
    ops = found["cache" if kv else "activations"]
    assert len(ops) == 2
    assert ("cache" in found) == (kv > 0)
    heads = 4 // ops[0].slices
    for op in ops:
        operand = op.operand
        assert operand.home == (ARRAYS if products == "write" else BUFFER)
        assert {share.when for share in operand.shares} == {"step" if kv else "image"}
        assert len(operand.shares) == op.slices
        assert {share.elements for share in operand.shares} == {heads * 3 * 16}
    rows = {share.rows for op in ops for share in op.operand.shares}
    assert rows == ({16, 3} if products == "write" else {3})


def written_run():
    chip = of_heads(products="write", **{"core.array.write_ns": WRITE_NS})
    machine = Machine(make_plan(chip, decoder(1, heads=4, width=64, vocabulary=20).bind(**BOUND)))
    machine.run()
    return machine


def test_arrays_are_busy_while_they_are_written():
    """The arrays of a product are held for their rows and for their multiplications, and for nothing else."""
    machine = written_run()
    visits, busy, _ = machine.figures
    seen = 0
    for op in machine.plan.ops:
        if op.held_in != ARRAYS:
            continue
        for share in op.operand.shares:
            row_fs = int(WRITE_NS * 1_000_000)
            names = [
                i for i, row in enumerate(machine.net.resources) if f"arrays {op.node.name}." in row.name
            ]
            here = [i for i in names if machine.net.resources[i].tile == share.tile]
            assert sum(busy[i] for i in here) > share.rows * row_fs
            assert all(visits[i] > 1 for i in here)
            seen += 1
    assert seen
    assert not any("writing" in row.name for row in machine.net.resources)


def test_a_process_that_writes_arrays_pays_and_wears_them_as_a_reload_does():
    """By the formula: 8 rows of 128 columns, 2 pJ a cell; each cell once."""
    model = Builder()
    model.conv(model.input(1, 8, 4, 4), 8, (1, 1))
    chip = small_chip({"core.array.write_ns": WRITE_NS, "core.array.energy_per_cell_write_pj": CELL_PJ})
    machine = Machine(make_plan(chip, model.trace()))
    tile = next(tile for tile in machine.tiles if tile.crossbars)
    crossbar = tile.crossbars[0]
    machine.env.run(until=crossbar.program(8))
    arrays = machine.instances[crossbar.resource]
    (spent, _) = dynamic_energy(machine)
    assert sum(spent.values()) == 8 * 128 * arrays * CELL_PJ
    machine.run()
    assert [row["writes"] for row in wear_rows(machine)] == [1]


def test_runs_that_write_count_it_as_use_of_the_arrays():
    """Reloading takes most of such a run: the arrays that are written are busy for at least their rows."""
    slow = Chip.from_dict(CHIP.to_dict(), {"core.array.write_ns": 100_000.0})
    result = simulate(slow, SMALL.bind(**BOUND), chips=1, reload=True)
    plan = make_plan(slow, SMALL.bind(**BOUND), chips=1, reload=True)
    rows = sum(share.rows for op in plan.ops if op.operand for share in op.operand.at("round"))
    assert result.resources["core.array"]["busy_fs"] >= rows * 100_000 * 1_000_000
    assert result.utilisation["arrays_busy"] <= 1
