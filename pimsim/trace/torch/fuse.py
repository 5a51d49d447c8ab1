"""Patterns of torch's nodes that are one op: RMS normalization, and GELU by its formula with tanh.

The last node of a pattern makes the op; the others make theirs too, which nothing reads, and so they vanish.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pimsim.trace.torch.graph import Builder, Const, Handler, Value

if TYPE_CHECKING:
    from torch.fx import Node

_PASSED = ("_to_copy", "clone", "alias", "detach", "to")


def find(nodes: Iterable[Node]) -> dict[Node, Handler]:
    """Return the last node of each pattern, with what makes an op of it."""
    found: dict[Node, Handler] = {}
    for node in nodes:
        if _is(node, "mul"):
            handler = _gelu(node) or _rms(node)
            if handler is not None:
                found[node] = handler
    return found


def _is(node: Any, stem: str) -> bool:
    name = str(getattr(getattr(node, "target", None), "__name__", ""))
    return name.partition(".")[0] == stem


def _seen(node: Any) -> Any:
    """Return a node without casts and copies after it."""
    while any(_is(node, stem) for stem in _PASSED):
        node = node.args[0]
    return node


def _with_number(node: Any, stem: str, number: float) -> Any:
    """Return the other operand if a node adds, multiplies with or raises to that number."""
    node = _seen(node)
    if not _is(node, stem) or len(node.args) < 2:
        return None
    for place in (1, 0) if stem != "pow" else (1,):
        found = node.args[place]
        if isinstance(found, int | float) and abs(found - number) <= 1e-4 * abs(number):
            return _seen(node.args[1 - place])
    return None


def _pairs(node: Any) -> list[tuple[Any, Any]]:
    """Return both orders of a node's two operands."""
    if len(node.args) != 2 or any(isinstance(each, int | float) for each in node.args):
        return []
    left, right = (_seen(each) for each in node.args)
    return [(left, right), (right, left)]


def _gelu(node: Any) -> Handler | None:
    """``0.5 x · (1 + tanh(0.7979 (x + 0.0447 x³)))``."""
    for half, rest in _pairs(node):
        x = _with_number(half, "mul", 0.5)
        tanh = _with_number(rest, "add", 1.0)
        if x is None or tanh is None or not _is(tanh, "tanh"):
            continue
        total = _with_number(tanh.args[0], "mul", 0.7978845608)
        if total is None or not _is(total, "add"):
            continue
        for plain, cube in _pairs(total):
            power = _with_number(cube, "mul", 0.044715)
            if plain is x and power is not None and _with_number(power, "pow", 3.0) is x:
                return _make_gelu(x)
    return None


def _make_gelu(x: Node) -> Handler:
    def handler(b: Builder, node: Node) -> Value:
        return b.one(node, "Gelu", [b.operand(b.value(x))], None, {"approximate": "tanh"})

    return handler


def _rms(node: Any) -> Handler | None:
    """``weight · (x · rsqrt(mean(x²) + epsilon))``."""
    for weight, scaled in _pairs(node):
        if not _is(scaled, "mul"):
            continue
        for x, root in _pairs(scaled):
            if not _is(root, "rsqrt"):
                continue
            shifted = _seen(root.args[0])
            if not _is(shifted, "add") or not isinstance(shifted.args[1], int | float):
                continue
            mean = _seen(shifted.args[0])
            if not _is(mean, "mean") or _with_number(mean.args[0], "pow", 2.0) is not x:
                continue
            rank = len(mean.args[0].meta["val"].shape)
            if [axis % rank for axis in mean.args[1]] == [rank - 1]:
                return _make_rms(x, weight, float(shifted.args[1]))
    return None


def _make_rms(x: Node, weight: Node, epsilon: float) -> Handler:
    def handler(b: Builder, node: Node) -> Value:
        source, scale = b.value(x), b.value(weight)
        attributes = {"axis": len(source.shape) - 1, "epsilon": epsilon}
        if isinstance(scale, Const):
            return b.one(node, "RMSNormalization", [b.operand(source), b.operand(scale)], None, attributes)
        plain = b.operand(Const(source.shape[-1:], source.dtype))  # scaled by what is computed: its own Mul
        made = b.one(node, "RMSNormalization", [b.operand(source), plain], None, attributes)
        return b.one(node, "Mul", [b.operand(made), b.operand(scale)])

    return handler
