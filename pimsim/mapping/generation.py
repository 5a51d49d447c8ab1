"""The two data flows of a model that generates: a prompt taken in at once, and one token after those before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.mapping.dataflow import Node, build
from pimsim.mapping.growth import Growth
from pimsim.mapping.lowering import Program
from pimsim.mapping.planner import Flows, plan_flows
from pimsim.trace.schema import Trace

SYMBOLS = ("seq", "kv")


def plan_generation(
    chip: Chip,
    trace: Trace,
    prompt: int,
    tokens: int,
    *,
    requests: int = 1,
    places: int = 1,
    chips: int | None = None,
    weight_bits: int | None = None,
    input_bits: int | None = None,
    reload: bool = False,
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
    chips, weight_bits, input_bits, reload
        As for `make_plan`.

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
    if trace.header.get("routing"):
        raise MappingError(
            f"'{trace.model}' routes each token to some of its experts; generation does not model that yet",
            mend="run it with --bind batch=1 --bind seq=N --bind kv=N: one pass, its experts drawn",
        )
    first = last_only(build(_bound(trace, prompt, 0)))
    counts = {"chips": chips, "weight_bits": weight_bits, "input_bits": input_bits}
    if tokens == 1:
        (plan,) = plan_flows(chip, trace, Flows(trace.model, [first]), **counts, reload=reload)
        return [Program(plan, requests)]
    growth = Growth.of(lambda cached: build(_bound(trace, 1, cached)), prompt, prompt + tokens - 2)
    if [node.name for node in first] != [node.name for node in growth.high]:
        odd = sorted({node.name for node in first} ^ {node.name for node in growth.high})
        raise MappingError(
            f"'{trace.model}' cannot generate: a prompt and a step differ in their ops",
            where=", ".join(odd[:3]) or "the order of the ops",
        )
    plans = plan_flows(
        chip,
        trace,
        Flows(trace.model, [first, growth.high], places, (requests, requests * (tokens - 1))),
        **counts,
        reload=reload,
    )
    if plans[0].rounds > 1 and places > 1:
        raise MappingError(
            f"the arrays are written anew for each token, so one sequence is under way at a time, not {places}",
            where="places",
            mend="give --places 1, or --chips for all weights",
        )
    plans[1].growth = growth
    return [Program(plans[0], requests), Program(plans[1], requests * (tokens - 1), places)]


def _bound(trace: Trace, new: int, cached: int) -> Trace:
    """Bind a trace to a number of new and of cached tokens of one sequence."""
    sizes = dict.fromkeys(trace.symbols, 1) | {"seq": new, "kv": cached}
    return trace.bind(sizes)


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
