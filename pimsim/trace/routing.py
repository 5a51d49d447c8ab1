"""Mixtures of experts: which expert a token goes to, drawn from a distribution that the trace states.

A trace does not know what its router would choose, so it says from what distribution to draw: ``routing`` in its
header. A token draws ``top`` different experts in each layer. The rows of an expert are a symbol of the trace, such as
``layer3.expert5``, that nobody binds: it is drawn when the other symbols are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pimsim.errors import TraceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pimsim.trace.schema import Op, Trace

DISTRIBUTIONS = ("uniform", "zipf")
_ROWS = re.compile(r"layer([0-9]{1,6})\.expert([0-9]{1,6})")


def rows_symbol(layer: int, expert: int) -> str:
    """Return the name of the symbol for the rows of an expert."""
    return f"layer{layer}.expert{expert}"


def expert_of(size: object) -> int | None:
    """Return the expert whose rows a size is; None if it is none."""
    found = _ROWS.fullmatch(size) if isinstance(size, str) else None
    return int(found[2]) if found else None


def row_symbols(ops: Iterable[Op]) -> set[str]:
    """Return the symbols of all Dispatch ops: those that are drawn; the ops are of whatever types."""
    found = set()
    for op in ops:
        if op.type == "Dispatch" and isinstance(op.attributes, dict):
            name = rows_symbol(op.attributes.get("layer", ""), op.attributes.get("expert", ""))
            if _ROWS.fullmatch(name):
                found.add(name)
    return found


def layers(ops: Iterable[Op]) -> int:
    """Return how many layers of experts there are, counted from 0 to the last that a Dispatch names."""
    return max((int(op.attributes["layer"]) + 1 for op in ops if op.type == "Dispatch"), default=0)


def routed(trace: Trace, tokens: int, seed: int | None = None, sequence: int = 0) -> NDArray[np.int64]:
    """Draw the experts that tokens go to.

    A token's experts do not depend on how many tokens come after it: the first rows of a longer draw are those of a
    shorter one. Sequences draw independently from the same distribution, with the same favourites.

    Parameters
    ----------
    trace : Trace
        One with ``routing`` in its header.
    tokens : int
        How many, in the order they come.
    seed : int, optional
        By default the header's.
    sequence : int
        Which of several sequences of tokens.

    Returns
    -------
    array of shape (layers, tokens, top)
        Numbers of experts, from 0; those of one token in one layer differ.

    Raises
    ------
    TraceError
        If the trace states no routing.
    """
    import numpy as np

    routing = trace.header.get("routing")
    if not routing:
        raise TraceError(f"'{trace.model}' states no routing: it has no mixture of experts")
    seed = routing["seed"] if seed is None else seed
    drawn = [_layer(routing, layer, tokens, seed, sequence) for layer in range(layers(trace.ops))]
    return np.array(drawn, np.int64).reshape(len(drawn), tokens, routing["top"])


def _layer(
    routing: Mapping[str, Any], layer: int, tokens: int, seed: int, sequence: int
) -> NDArray[np.int64]:
    """Draw without replacement, expert e first with probability p[e]: the largest of log(u) / p[e] win."""
    import numpy as np

    experts, top = routing["experts"], routing["top"]
    own = [sequence + 1] if sequence else []  # 1 is taken by the favourites
    keys = np.random.default_rng([seed, layer, *own]).random((tokens, experts))
    if routing["distribution"] == "zipf":
        ranks = np.random.default_rng([seed, layer, 1]).permutation(experts) + 1.0  # other favourites a layer
        keys = np.log(keys) * ranks ** routing["exponent"]
    return np.argsort(-keys, axis=1, kind="stable")[:, :top]


def counts(trace: Trace, tokens: int, seed: int) -> dict[str, int]:
    """Return the rows of every expert by the name of its symbol: those of a layer sum to tokens * top."""
    import numpy as np

    experts = trace.header["routing"]["experts"]
    return {
        rows_symbol(layer, expert): int(count)
        for layer, chosen in enumerate(routed(trace, tokens, seed))
        for expert, count in enumerate(np.bincount(chosen.ravel(), minlength=experts))
    }


def check_routing(routing: object, place: str) -> dict[str, Any]:
    """Check what a header says of routing and return it complete.

    Raises
    ------
    TraceError
        At the first fault, with place and field.
    """
    from pimsim.trace.check import MAX_SIZE, check_int, closest, show

    where = f"{place}: routing"
    if not isinstance(routing, Mapping):
        raise TraceError(f"found {show(routing)}, expected an object", where=where)
    known = ("experts", "top", "distribution", "exponent", "seed")
    for key in routing:
        if key not in known:
            raise TraceError(f"unknown key {show(key)}", where=where, mend=closest(key, known))
    experts = check_int(routing.get("experts"), f"{where}.experts", 1, 1 << 16)
    top = check_int(routing.get("top"), f"{where}.top", 1, experts)
    distribution = routing.get("distribution", "uniform")
    if distribution not in DISTRIBUTIONS:
        mend = closest(distribution, DISTRIBUTIONS)
        raise TraceError(f"found {show(distribution)}", where=f"{where}.distribution", mend=mend)
    full: dict[str, Any] = {"experts": experts, "top": top, "distribution": distribution}
    if distribution == "zipf":
        exponent = routing.get("exponent", 1.0)
        fits = isinstance(exponent, int | float) and not isinstance(exponent, bool) and 0 <= exponent <= 20
        if not fits:
            message = f"found {show(exponent)}, expected a number from 0 to 20"
            raise TraceError(message, where=f"{where}.exponent")
        full["exponent"] = float(exponent)
    elif "exponent" in routing:
        raise TraceError("only zipf has an exponent", where=f"{where}.exponent")
    full["seed"] = check_int(routing.get("seed", 0), f"{where}.seed", 0, MAX_SIZE)
    return full
