"""How an op becomes a command program, and what that takes."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from pimsim.dram import aim
from pimsim.dram.hbm_pim import elementwise, gemv
from pimsim.dram.load import kept_standard
from pimsim.dram.program import Program, execute
from pimsim.dram.program_energy import program_energy
from pimsim.dram.schema import Standard
from pimsim.dram.unit import Aim
from pimsim.kinds.processor.product import product_of
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.rules import rule_of

ELEMENTWISE = {"Add": "add", "Sum": "add", "Mul": "mul", "Relu": "relu"}
EXACT = 8  # vectors of a product whose program is run; more take as long each as the second half of these


def refusal(node: Node, *, trees: bool = False) -> str:
    """Say why the units cannot do an op that the chip file lets them, adder trees for instance; empty if they can."""
    op = node.op
    if op is None:
        return f"it does {node.type} only as an op of the trace"
    if rule_of(op.type).multiplies:
        if op.type not in ("Gemm", "MatMul"):
            return f"its programs do not unroll the windows of {op.type}"
        if op.inputs[1].role != "weight":
            return "the right matrix is no weight, which would lie in its banks"
        return "" if product_of(op).batch == 1 else "its programs multiply by one matrix"
    if op.type not in ELEMENTWISE or trees:
        return f"there is no program for {op.type}"
    shapes = {each.tensor.shape for each in op.inputs}
    wanted = 1 if op.type == "Relu" else 2
    if len(op.inputs) != wanted or len(shapes) != 1:
        return f"its program takes {'an operand' if wanted == 1 else 'two operands of one shape'}"
    return ""


class Taken(NamedTuple):
    """What a program takes on all pseudo-channels: time, and the energy of its commands where it is known."""

    ns: float
    pj: float | None

    def and_more(self, other: Taken, times: float) -> Taken:
        """Return it with so many times what it takes more than another."""
        pj = None if self.pj is None or other.pj is None else self.pj + times * (self.pj - other.pj)
        return Taken(self.ns + times * (self.ns - other.ns), pj)


def _run(memory: Standard, program: Program) -> Taken:
    run = execute(memory, program)
    energy = program_energy(run)
    return Taken(
        run.cycles * memory.period_ns, None if energy is None else energy["total"] * program.channels
    )


@cache
def product(
    standard: str, order: str, rows: int, columns: int, channels: int, vectors: int, stamp: str = ""
) -> Taken:
    """Return what a matrix takes for so many vectors, one after another, results read back.

    `stamp` tells one state of a file from another; see `pimsim.dram.load.stamp_of`.

    Of more than `EXACT` vectors, each further one takes what one of the second half of these takes in the mean.
    """
    memory = kept_standard(standard, order)

    def taken(count: int) -> Taken:
        if isinstance(memory.pim, Aim):
            return _run(memory, aim.gemv(memory, rows, columns, channels, count))
        return _run(memory, gemv(memory, rows, columns, channels, count, read_back=True))

    if vectors <= EXACT:
        return taken(vectors)
    half = EXACT // 2
    return taken(EXACT).and_more(taken(half), (vectors - EXACT) / (EXACT - half))


@cache
def elements(standard: str, order: str, name: str, count: int, channels: int, stamp: str = "") -> Taken:
    """Return what an op on elements that lie in the banks takes; its result stays there."""
    memory = kept_standard(standard, order)
    return _run(memory, elementwise(memory, name, count, channels))
