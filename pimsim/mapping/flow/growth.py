"""A data flow whose work grows with the tokens that a cache holds: the same ops at any number of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from pimsim.errors import MappingError
from pimsim.mapping.flow.dataflow import Edge, Node
from pimsim.trace.op import Op
from pimsim.trace.tensor import Tensor


@dataclass(frozen=True)
class Growth:
    """Nodes between a first and a last number of cached tokens: every figure grows evenly from the one to the other.

    Parameters
    ----------
    first, last : int
        Cached tokens.
    low, high : list of Node
        The nodes at those.
    """

    first: int
    last: int
    low: list[Node]
    high: list[Node]

    @classmethod
    def of(cls, nodes_at: Callable[[int], list[Node]], first: int, last: int) -> Growth:
        """Return the growth of nodes that a function gives for each number of cached tokens.

        Raises
        ------
        MappingError
            If something does not grow evenly, so that two of them do not tell the others.
        """
        growth = cls(first, last, nodes_at(first), nodes_at(last))
        middle = (first + last) // 2
        if first < middle < last:
            for number, node in enumerate(nodes_at(middle)):
                if figures(growth.node(number, middle)) != figures(node):
                    raise MappingError(
                        "its work does not grow evenly with the tokens in the cache",
                        where=f"op '{node.name}' ({node.type})",
                    )
        return growth

    def grows(self, number: int) -> bool:
        """Whether a node's work or the width of its tokens depends on the cache."""
        return figures(self.low[number]) != figures(self.high[number])

    def resized(self, number: int, cached: int) -> Node:
        """Return a node at a number of cached tokens, whose op has the sizes that it has then."""
        node, low, high = self.node(number, cached), self.low[number].op, self.high[number].op
        if low is None or high is None or self.first == self.last:
            return node
        share = Fraction(cached - self.first, self.last - self.first)
        return replace(node, op=op_between(low, high, share))

    def node(self, number: int, cached: int) -> Node:
        """Return a node at a number of cached tokens."""
        low, high = self.low[number], self.high[number]
        if self.first == self.last or not self.grows(number):
            return high

        def between(a: float, b: float) -> int:
            grown, rest = divmod(round((b - a) * (cached - self.first)), self.last - self.first)
            return round(a) + grown + (1 if rest else 0)

        edges = [
            replace(
                b,
                reads=between(a.reads, b.reads),
                features=between(a.features, b.features),
                held=between(a.held, b.held),
                cached=between(a.cached, b.cached),
            )
            for a, b in zip(low.edges, high.edges, strict=True)
        ]
        attention = high.attention
        if attention is not None and low.attention is not None:
            attention = attention._replace(keys=between(low.attention.keys, attention.keys))
        return replace(
            high,
            attention=attention,
            work=float(between(low.work, high.work)),
            features=between(low.features, high.features),
            edges=edges,
        )


def op_between(low: Op, high: Op, share: Fraction) -> Op:
    """Return an op whose tensors are as large as a share of the way from one size to another says."""

    def between(a: Tensor, b: Tensor) -> Tensor:
        return replace(
            b, shape=tuple(m + int((n - m) * share) for m, n in zip(a.shape, b.shape, strict=True))
        )

    inputs = [
        replace(each, tensor=between(before.tensor, each.tensor))
        for before, each in zip(low.inputs, high.inputs, strict=True)
    ]
    outputs = [between(before, each) for before, each in zip(low.outputs, high.outputs, strict=True)]
    return replace(high, inputs=tuple(inputs), outputs=tuple(outputs))


def figures(node: Node) -> tuple[float | tuple[float, ...] | None, ...]:
    """Return the figures of a node that may grow."""
    return (node.work, node.features, node.attention, *map(_of_edge, node.edges))


def _of_edge(edge: Edge) -> tuple[int, ...]:
    return edge.reads, edge.features, edge.held, edge.cached
