"""Activations by their formulas, and what changes no value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from pimsim.trace.canonical.rewriting import Rewriting, Rule, close, same
from pimsim.trace.op import Op
from pimsim.trace.tensor import Operand


def _all(factors: Sequence[Operand], x: Operand, count: int) -> bool:
    """Whether factors are so many times the same."""
    return len(factors) == count and all(same(each, x) for each in factors)


def _of(op: Op, type_: str, x: Operand, **attributes: object) -> list[Op]:
    return [replace(op, type=type_, inputs=(x,), attributes=attributes)]


def nothing(graph: Rewriting, op: Op) -> Operand | None:
    """A number that changes nothing is added or multiplied with."""
    neutral = 0.0 if op.type in ("Add", "Sub") else 1.0
    for other, value in graph.numbered(op):
        first = same(other, op.inputs[0])
        if (
            value == neutral
            and (first or op.type in ("Add", "Mul"))
            and other.tensor.shape == op.output.shape
        ):
            return other
    return None


def gated(graph: Rewriting, op: Op) -> list[Op] | None:
    """An operand times a gate that is computed of it."""
    number, factors = graph.product(Operand("activation", op.output, op.name))
    if len(factors) != 2:
        return None
    for x, gate in (factors, factors[::-1]):
        found = _gate(graph, op, number, x, gate)
        if found is not None:
            return found
    return None


def _gate(graph: Rewriting, op: Op, number: float, x: Operand, gate: Operand) -> list[Op] | None:
    if x.source is None or gate.source is None or x.tensor.shape != op.output.shape:
        return None
    if close(number, 0.5):
        sum_ = graph.plus(gate, 1.0)
        return None if sum_ is None else _gelu(graph, op, x, sum_[0])
    clip = graph.maker(gate, "Clip")
    if close(number, 1 / 6) and clip is not None and _limits(clip) == (0.0, 6.0):
        shifted = graph.plus(clip.inputs[0], 3.0)
        return _of(op, "HardSwish", x) if shifted is not None and same(shifted[0], x) else None
    if not close(number, 1.0):
        return None
    maker = graph.maker(gate, "Sigmoid", "HardSigmoid", "Tanh")
    if maker is None:
        return None
    inner = maker.inputs[0]
    if maker.type == "Sigmoid":
        alpha, rest = graph.product(inner)
        return _of(op, "Swish", x, alpha=alpha) if _all(rest, x, 1) else None
    if maker.type == "HardSigmoid":
        usual = close(maker.attributes["alpha"], 1 / 6) and close(maker.attributes["beta"], 0.5)
        return _of(op, "HardSwish", x) if usual and same(inner, x) else None
    soft = graph.maker(inner, "Softplus")
    return _of(op, "Mish", x) if soft is not None and same(soft.inputs[0], x) else None


def _limits(clip: Op) -> tuple[float | None, float | None]:
    return clip.attributes["min"], clip.attributes["max"]


def _gelu(graph: Rewriting, op: Op, x: Operand, gate: Operand) -> list[Op] | None:
    """``erf(x/√2)``, or ``tanh(0.7979 (x + 0.0447 x³))``, however its factors are put."""
    maker = graph.maker(gate, "Erf", "Tanh")
    if maker is None:
        return None
    number, factors = graph.product(maker.inputs[0])
    if maker.type == "Erf":
        found = close(number, math.sqrt(0.5)) and _all(factors, x, 1)
        return _of(op, "Gelu", x, approximate="none") if found else None
    if not close(number, math.sqrt(2 / math.pi)):
        return None
    for plain, cube in _sums(graph, factors, x):
        scale, powers = graph.product(cube)
        if close(scale, 0.044715) and _all(powers, x, plain):
            return _of(op, "Gelu", x, approximate="tanh")
    return None


def _sums(graph: Rewriting, factors: Sequence[Operand], x: Operand) -> list[tuple[int, Operand]]:
    """Return what is added to x, of degree 3, or to 1 before it is multiplied with x, of degree 2."""
    if len(factors) == 1:
        add = graph.maker(factors[0], "Add")
        both = (add.inputs, add.inputs[::-1]) if add is not None else ()
        return [(3, cube) for plain, cube in both if same(plain, x)]
    found = []
    for plain, rest in (factors, factors[::-1]) if len(factors) == 2 else ():
        more = graph.plus(rest, 1.0)
        if same(plain, x) and more is not None:
            found.append((2, more[0]))
    return found


def hard_sigmoid(graph: Rewriting, op: Op) -> list[Op] | None:
    """``clip(x + 3, 0, 6) / 6``."""
    number, factors = graph.product(Operand("activation", op.output, op.name))
    clip = graph.maker(factors[0], "Clip") if len(factors) == 1 and close(number, 1 / 6) else None
    shifted = graph.plus(clip.inputs[0], 3.0) if clip is not None and _limits(clip) == (0.0, 6.0) else None
    return _of(op, "HardSigmoid", shifted[0], alpha=1 / 6, beta=0.5) if shifted is not None else None


def softplus(graph: Rewriting, op: Op) -> list[Op] | None:
    """``log(exp(x) + 1)``."""
    more = graph.plus(op.inputs[0], 1.0)
    exp = graph.maker(more[0], "Exp") if more is not None else None
    return _of(op, "Softplus", exp.inputs[0]) if exp is not None else None


def straight(graph: Rewriting, op: Op) -> Operand | None:
    """``x`` itself where it is so large that its softplus is the same: the softplus will do."""
    chosen, large, soft = op.inputs
    greater, maker = graph.maker(chosen, "Greater"), graph.maker(soft, "Softplus")
    if greater is None or maker is None or not same(maker.inputs[0], large):
        return None
    limit = graph.number(greater.inputs[1]) if greater.inputs[1].source is None else None
    return soft if same(greater.inputs[0], large) and limit is not None and limit >= 10 else None


def limited(graph: Rewriting, op: Op) -> list[Op] | None:
    """``max(x, number)`` and ``min(x, number)``: the number is the least, or the most, that there is."""
    limit = {"Max": "min", "Min": "max"}[op.type]
    for x, number in graph.numbered(op) if len(op.inputs) == 2 else ():
        if number is not None and abs(number) < 1e38 and x.tensor.shape == op.output.shape:
            return _of(op, "Clip", x, **{"min": None, "max": None, limit: float(number)})
    return None


def _tried(*rules: Rule) -> Rule:
    """Return a rule that sees an op among those that have their form, as it is for now."""

    def rule(graph: Rewriting, op: Op) -> list[Op] | Operand | None:
        graph.ops[op.name] = op
        found = next((made for each in rules if (made := each(graph, op)) is not None), None)
        del graph.ops[op.name]
        return found

    return rule


_SCALED = _tried(gated, hard_sigmoid)
FORMULAS: dict[str, tuple[Rule, ...]] = {
    "Mul": (nothing, _SCALED),
    "Div": (nothing, _SCALED),
    "Add": (nothing,),
    "Sub": (nothing,),
    "Log": (softplus,),
    **dict.fromkeys(("Max", "Min"), (limited,)),
    "Where": (straight,),
}
