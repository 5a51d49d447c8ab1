"""Mixtures of experts: which expert a token goes to, drawn from a distribution that the trace states.

A trace does not know what its router would choose, so it says from what distribution to draw: ``routing`` in its
header. A token draws ``top`` different experts in each layer. The rows of an expert are a symbol of the trace, such as
``layer3.expert5``, that nobody binds: it is drawn when the other symbols are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pimsim.errors import TraceError
from pimsim.trace.experts import layers
from pimsim.trace.model import Model
from pimsim.trace.symbols import rows_symbol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def routed(trace: Model, tokens: int, seed: int | None = None, sequence: int = 0) -> NDArray[np.int64]:
    """Draw the experts that tokens go to.

    A token's experts do not depend on how many tokens come after it: the first rows of a longer draw are those of a
    shorter one. Sequences draw independently from the same distribution, with the same favourites.

    Parameters
    ----------
    trace : Model
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


def counts(trace: Model, tokens: int, seed: int) -> dict[str, int]:
    """Return the rows of every expert by the name of its symbol: those of a layer sum to tokens * top."""
    import numpy as np

    experts = trace.header["routing"]["experts"]
    return {
        rows_symbol(layer, expert): int(count)
        for layer, chosen in enumerate(routed(trace, tokens, seed))
        for expert, count in enumerate(np.bincount(chosen.ravel(), minlength=experts))
    }
