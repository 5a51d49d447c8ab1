"""The two data flows of a model that generates: a prompt taken in at once, and one token after those before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.mapping.flow.build import build
from pimsim.mapping.flow.dataflow import Expert, Node
from pimsim.mapping.flow.fused import marked
from pimsim.mapping.flow.growth import Growth
from pimsim.mapping.flow.layout import Table
from pimsim.mapping.flow.rules import rule_of
from pimsim.mapping.flow.whole import grown_wholly
from pimsim.mapping.planning.job import Flows
from pimsim.mapping.planning.options import PlanOptions, widths_of
from pimsim.mapping.planning.parallel import shared
from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.planner import plan_flows
from pimsim.mapping.planning.program import Program
from pimsim.trace.bind import bind
from pimsim.trace.routing import routed
from pimsim.trace.schema import Trace

SYMBOLS = ("seq", "kv")

Planner = Callable[[Chip, Trace, Flows, PlanOptions | None], list[Plan]]


def plan_generation(
    chip: Chip,
    trace: Trace,
    prompt: int,
    tokens: int,
    *,
    requests: int = 1,
    places: int = 1,
    routing_seed: int | None = None,
    options: PlanOptions | None = None,
    planner: Planner = plan_flows,
) -> list[Program]:
    """Plan a model for prompts and for the tokens that follow them, on the same arrays.

    Parameters
    ----------
    chip : Chip
        What to map on.
    trace : Trace
        With the symbols ``seq``, the new tokens, and ``kv``, those in the cache.
    prompt, tokens : int
        Tokens of each prompt, and tokens to generate for it.
    requests, places : int
        How many prompts there are, and how many sequences are under way at once.
    routing_seed : int, optional
        Of the experts that tokens go to, in the place of the trace's.
    options : PlanOptions, optional
        As for `make_plan`.
    planner : callable
        What returns a plan for each of the data flows.

    Returns
    -------
    list of Program
        The prompt's, and, where more than one token is generated, that of a step.

    Raises
    ------
    MappingError
        If the trace has no such symbols, or does not fit.
    """
    missing = [name for name in SYMBOLS if name not in trace.symbols]
    if missing:
        raise MappingError(
            f"'{trace.model}' cannot generate: it has no symbol "
            + " and no symbol ".join(f"'{m}'" for m in missing),
            mend="export it with its cache: 'seq' for new tokens and 'kv' for cached ones left open",
        )
    experts = _experts(trace)
    idle = experts - _chosen(routed(trace, prompt, routing_seed)) if experts else experts
    sizes = dict.fromkeys(trace.symbols, 1) | {"seq": prompt, "kv": 0}
    widths = widths_of(options or PlanOptions(), chip.config.precision.input_bits)
    bound = bind(trace, sizes, keep_experts=True, routing_seed=routing_seed)
    first = last_only(build(shared(chip, bound), widths))
    _check_experts(first)
    if tokens == 1:
        (plan,) = planner(chip, trace, Flows(trace.model, [first]), options)
        return [Program(plan, requests, optional=idle)]

    def step(cached: int) -> list[Node]:
        bound = bind(trace, sizes | {"seq": 1, "kv": cached}, every_expert=True)
        return build(shared(chip, bound), widths)

    growth = Growth.of(step, prompt, prompt + tokens - 2)
    if [node.name for node in first] != [node.name for node in growth.high]:
        odd = sorted({node.name for node in first} ^ {node.name for node in growth.high})
        raise MappingError(
            f"'{trace.model}' cannot generate: a prompt and a step differ in their ops",
            where=", ".join(odd[:3]) or "the order of the ops",
        )
    plans = planner(
        chip,
        trace,
        Flows(trace.model, [first, growth.high], places, (requests, requests * (tokens - 1))),
        options,
    )
    if plans[0].rounds > 1 and places > 1:
        raise MappingError(
            f"the arrays are written anew for each token, so one sequence is under way at a time, not {places}",
            where="places",
            mend="give --places 1, or --chips for all weights",
        )
    own = [op.whole for op in plans[1].ops]
    plans[1].growth = grown_wholly(growth, own, marked([op.node for op in plans[1].ops]))
    steps = Program(plans[1], requests * (tokens - 1), places, experts)
    return [Program(plans[0], requests, optional=idle), steps]


def routing_of(
    trace: Trace, prompt: int, tokens: int, seed: int | None = None
) -> Callable[[int], Table] | None:
    """Return what gives the experts that each step of a sequence goes to; None if the trace has no experts.

    Parameters
    ----------
    trace : Trace
        Which says how they are drawn.
    prompt, tokens : int
        As for `plan_generation`.
    seed : int, optional
        In the place of the trace's.
    """
    if not _experts(trace):
        return None
    return lambda sequence: routed(trace, prompt + tokens - 1, seed, sequence)[:, prompt:]


def _experts(trace: Trace) -> frozenset[Expert]:
    """Return the experts that tokens are routed to."""
    if not trace.header.get("routing"):
        return frozenset()
    dispatches = (op.attributes for op in trace.ops if rule_of(op.type).expert == "begins")
    return frozenset((each["layer"], each["expert"]) for each in dispatches)


def _chosen(routes: Table) -> frozenset[Expert]:
    """Return the experts that some token goes to."""
    return frozenset(
        (layer, expert) for layer, row in enumerate(routes) for expert in np.unique(row).tolist()
    )


def _check_experts(nodes: Iterable[Node]) -> None:
    """Refuse an op that takes rows of an expert past the Combine: it cannot know which tokens they are of."""
    nodes = list(nodes)
    for node in nodes:
        inside = {nodes[edge.source].expert for edge in node.edges} - {None}
        if rule_of(node.type).expert != "ends" and inside - {node.expert}:
            raise MappingError(
                "it takes rows of experts, which only a Combine can while tokens are generated",
                where=f"op '{node.name}' ({node.type})",
            )


def last_only(nodes: list[Node]) -> list[Node]:
    """Return the data flow without what only earlier positions' outputs need: the next token follows from the last.

    Ops that work position by position and that only the output reads, directly or through others, fire once.
    """
    readers: dict[int, list[int]] = {}
    for n, node in enumerate(nodes):
        for edge in node.edges:
            readers.setdefault(edge.source, []).append(n)
    found = list(nodes)
    for n, node in enumerate(nodes):
        if node.type != "Output":
            continue
        chain, source = [n], node.edges[0].source
        while nodes[source].pointwise and readers[source] == [chain[-1]]:
            chain.append(source)
            source = nodes[source].edges[0].source
        for at in chain:
            edge = nodes[at].edges[0]
            last = nodes[edge.source].tokens if at == chain[-1] else 1
            only = replace(edge, need=np.array([last]), low=np.array([last - 1]))
            tokens = min(1, nodes[at].tokens)
            found[at] = replace(
                nodes[at], positions=1, tokens=tokens, token=np.array([tokens - 1]), edges=[only]
            )
    return found
