"""How an op becomes a command program, and what that takes."""

from __future__ import annotations

from functools import cache

from pimsim.dram.hbm_pim import elementwise, gemv
from pimsim.dram.load import load_standard
from pimsim.dram.program import execute
from pimsim.kinds.processor.product import product_of
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.rules import rule_of

ELEMENTWISE = {"Add": "add", "Sum": "add", "Mul": "mul", "Relu": "relu"}
EXACT = 8  # vectors of a product whose program is run; more take as long each as the second half of these


def refusal(node: Node) -> str:
    """Say why the units cannot do an op that the chip file lets them; empty if they can."""
    op = node.op
    if op is None:
        return f"it does {node.type} only as an op of the trace"
    if rule_of(op.type).multiplies:
        if op.type not in ("Gemm", "MatMul"):
            return f"its programs do not unroll the windows of {op.type}"
        if op.inputs[1].role != "weight":
            return "the right matrix is no weight, which would lie in its banks"
        return "" if product_of(op).batch == 1 else "its programs multiply by one matrix"
    if op.type not in ELEMENTWISE:
        return f"there is no program for {op.type}"
    shapes = {each.tensor.shape for each in op.inputs}
    wanted = 1 if op.type == "Relu" else 2
    if len(op.inputs) != wanted or len(shapes) != 1:
        return f"its program takes {'an operand' if wanted == 1 else 'two operands of one shape'}"
    return ""


@cache
def product_ns(standard: str, order: str, rows: int, columns: int, channels: int, vectors: int) -> float:
    """Return what a matrix takes for so many vectors, one after another, results read back, ns.

    Of more than `EXACT` vectors, each further one takes what one of the second half of these takes in the mean.
    """
    memory = load_standard(standard, (), order)

    def taken(count: int) -> float:
        program = gemv(memory, rows, columns, channels, count, read_back=True)
        return execute(memory, program).cycles * memory.period_ns

    if vectors <= EXACT:
        return taken(vectors)
    half, exact = taken(EXACT // 2), taken(EXACT)
    return exact + (vectors - EXACT) * (exact - half) / (EXACT - EXACT // 2)


@cache
def elementwise_ns(standard: str, order: str, name: str, elements: int, channels: int) -> float:
    """Return what an op on elements that lie in the banks takes, ns; its result stays there."""
    memory = load_standard(standard, (), order)
    return execute(memory, elementwise(memory, name, elements, channels)).cycles * memory.period_ns
