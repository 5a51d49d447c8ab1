"""A program: a data flow on a plan, and how often it runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pimsim.mapping.flow.dataflow import Expert
from pimsim.mapping.planning.plan import Plan


@dataclass(frozen=True, slots=True)
class Program:
    """A data flow on a plan, and how often it runs.

    Parameters
    ----------
    plan : Plan
        Where its ops are.
    inferences : int
        How often.
    places : int
        How many of them may be under way at once with caches of their own, where its work grows with a cache.
    optional : frozenset of (int, int)
        Experts that an inference passes by unless the host says otherwise.
    """

    plan: Plan
    inferences: int
    places: int = 1
    optional: frozenset[Expert] = frozenset()

    def work_of(self, number: int, inferences: int, cached: Counter[int]) -> float:
        """Return what an op processes in all inferences: elements, or multiply-accumulates of a product.

        Parameters
        ----------
        number : int
            Which op.
        inferences : int
            How many do not pass it by.
        cached : Counter of int
            How many inferences had so many tokens in their cache, where it grows.
        """
        growth, op = self.plan.growth, self.plan.ops[number]
        node, kind = (
            op.node,
            self.plan.package.kind(op.replicas[0].home) if op.unit and not op.arrays else None,
        )
        if growth is None or not growth.grows(number):
            work = node.work if kind is None else kind.work(node)
            return work * node.positions * inferences * op.sharers
        grown = {count: growth.node(number, count) for count in cached}
        return op.sharers * sum(
            (each.work if kind is None else kind.work(each)) * node.positions * cached[count]
            for count, each in grown.items()
        )
