"""A program: a data flow on a plan and how often it runs; and what several of them become together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pimsim.mapping.flow.dataflow import Expert
from pimsim.mapping.lowering.transport import Transport
from pimsim.mapping.planning.plan import Plan
from pimsim.netlist.netlist import Netlist


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
        growth, node = self.plan.growth, self.plan.ops[number].node
        if growth is None or not growth.grows(number):
            return node.work * node.positions * inferences
        return sum(
            growth.node(number, count).work * node.positions * times for count, times in cached.items()
        )


@dataclass(slots=True)
class Ends:
    """A program's actors on the host's side.

    Parameters
    ----------
    sources, sinks : list of int
        They feed the model's inputs, and take its outputs.
    selector : int or None
        Chooses the place of each inference among those with a cache.
    experts : dict of (int, int) to int
        Selectors of the experts that inferences may pass by: 0 is past it, 1 is through it.
    """

    sources: list[int] = field(default_factory=list)
    sinks: list[int] = field(default_factory=list)
    selector: int | None = None
    experts: dict[Expert, int] = field(default_factory=dict)


@dataclass(slots=True)
class Lowered:
    """Programs as numbers.

    Parameters
    ----------
    net : Netlist
        The rows.
    transport : Transport
        Which resources move data.
    ends : list of Ends
        Of each program.
    instances : dict of int to int
        Arrays, and converters, that a resource of kind ``core.array`` or ``core.adc`` stands for, where several
        work in step.
    """

    net: Netlist
    transport: Transport
    ends: list[Ends]
    instances: dict[int, int]
