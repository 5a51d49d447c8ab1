"""Attention: queries times keys, scaled, masked, softmax, times values."""

from __future__ import annotations

from typing import Any

from pimsim.trace.lower.maker import Maker, Term


def attention(
    m: Maker,
    queries: Term,
    keys: Term,
    values: Term,
    mask: Term | None = None,
    *,
    masked: bool = False,
    causal: bool = False,
    scale: float | None = None,
) -> Any:
    """Return (batch, heads, rows, features of a value).

    Parameters
    ----------
    queries, keys, values : Term
        (batch, heads, rows, features) each; fewer heads of keys and values are shared by groups of query heads.
    mask : Term, optional
        What is added to the scores; of type bool it chooses.
    masked : bool
        Whether they are masked though no mask is given.
    causal : bool
        Whether a row uses the keys up to its own only, the last row all.
    scale : float, optional
        What scores are multiplied with, if it is said.
    """
    heads = queries.shape[1]
    keys, values = (shared(m, each, heads) for each in (keys, values))
    scores = _scores(m, queries, m.turned(keys), causal)
    scores = m.broadcast("Mul", scores, m.number((), queries.dtype, scale or None))
    if mask is None and (masked or causal):
        mask = m.number(scores.shape[-2:], queries.dtype)
    if mask is not None and mask.dtype == "bool":
        numbers = [m.number((), queries.dtype, each) for each in (0.0, float("-inf"))]
        mask = m.op("Where", [mask, *numbers], mask.shape, queries.dtype)
    if mask is not None:
        scores = m.broadcast("Add", scores, mask)
    weights = m.op("Softmax", [scores], axis=len(scores.shape) - 1)
    return m.matmul(weights, values)


def _scores(m: Maker, queries: Term, keys: Term, causal: bool) -> Any:
    """Multiply queries and turned keys; where each row uses the keys up to its own, the product says so."""
    plain = queries.shape[-2] == 1 or queries.shape[:2] != keys.shape[:2]  # one row uses all keys
    if not causal or plain or m.is_constant(queries) or m.is_constant(keys):
        return m.matmul(queries, keys)
    return m.op("MatMul", [queries, keys], (*queries.shape[:-1], keys.shape[-1]), causal=1)


def shared(m: Maker, term: Term, heads: int) -> Any:
    """Let a group of query heads read one head of keys or values, where there are fewer of those."""
    batch, few, rows, features = term.shape
    if few == heads:
        return term
    apart = m.reshape(term, (batch, few, 1, rows, features))
    wide = m.op("Expand", [apart], (batch, few, heads // few, rows, features))
    return m.reshape(wide, (batch, heads, rows, features))


def by_heads(m: Maker, term: Term, heads: int) -> Any:
    """Return (batch, rows, heads · features) as (batch, heads, rows, features)."""
    batch, rows, width = term.shape
    return m.transpose(m.reshape(term, (batch, rows, heads, width // heads)), (0, 2, 1, 3))


def joined(m: Maker, term: Term) -> Any:
    """Return (batch, heads, rows, features) as (batch, rows, heads · features)."""
    batch, heads, rows, size = term.shape
    return m.reshape(m.transpose(term, (0, 2, 1, 3)), (batch, rows, heads * size))
