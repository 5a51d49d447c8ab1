"""Sums by Einstein's convention: transpositions, one product of matrices for two operands, and sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pimsim.errors import TraceError
from pimsim.trace.lower.maker import Maker, Term, elements

_SPARE = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def einsum(m: Maker, equation: str, terms: Sequence[Term]) -> Any:
    """Return what an equation such as ``bik,bkj->bij`` says.

    Raises
    ------
    TraceError
        If a letter stands twice in one operand, or the equation does not fit the operands.
    """
    inputs, output = _parsed(equation, [len(term.shape) for term in terms])
    size: dict[str, int] = {}
    for letters, term in zip(inputs, terms, strict=True):
        if len(set(letters)) < len(letters) or len(letters) != len(term.shape):
            raise TraceError(f"the equation '{equation}' takes a diagonal, or does not fit its operands")
        for letter, length in zip(letters, term.shape, strict=True):
            size[letter] = length if size.get(letter, 1) == 1 else size[letter]
    letters, made = inputs[0], terms[0]
    for number in range(1, len(terms)):
        rest = set(output).union(*inputs[number + 1 :])
        letters, made = _product(m, (letters, made), (inputs[number], terms[number]), rest, size)
    letters, made = _summed(m, letters, made, set(output))
    return m.transpose(made, [letters.index(letter) for letter in output])


def _parsed(equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """Return the letters of each operand and of the output; an ellipsis becomes letters of its own."""
    left, arrow, output = equation.replace(" ", "").partition("->")
    inputs = left.split(",")
    if len(inputs) != len(ranks):
        raise TraceError(f"the equation '{equation}' has {len(inputs)} operands, the op {len(ranks)}")
    spare = [letter for letter in _SPARE if letter not in equation]
    wide = [
        rank - len(text.replace("...", "")) if "..." in text else 0
        for text, rank in zip(inputs, ranks, strict=True)
    ]
    rest = "".join(spare[: max(wide)])
    inputs = [t.replace("...", rest[len(rest) - n :]) for t, n in zip(inputs, wide, strict=True)]
    if not arrow:
        flat = "".join(inputs)
        output = rest + "".join(sorted(each for each in set(flat) - set(rest) if flat.count(each) == 1))
    return inputs, output.replace("...", rest)


def _summed(m: Maker, letters: str, term: Term, wanted: set[str]) -> tuple[str, Any]:
    """Sum over the letters that nothing else has."""
    axes = tuple(n for n, letter in enumerate(letters) if letter not in wanted)
    if not axes:
        return letters, term
    shape = tuple(size for n, size in enumerate(term.shape) if n not in axes)
    return "".join(each for each in letters if each in wanted), m.op(
        "ReduceSum", [term], shape, axes=axes, keepdims=0
    )


def _product(
    m: Maker, left: tuple[str, Term], right: tuple[str, Term], rest: set[str], size: dict[str, int]
) -> tuple[str, Any]:
    """Multiply two operands, and sum over the letters that only they have."""
    one, two = _summed(m, *left, rest | set(right[0])), _summed(m, *right, rest | set(left[0]))
    both = [each for each in one[0] if each in two[0]]
    batch = [each for each in both if each in rest]
    inner = [each for each in both if each not in rest]
    rows = [each for each in one[0] if each not in both]
    columns = [each for each in two[0] if each not in both]
    if not inner and not rows and not columns:  # the same letters: element by element
        turned = m.transpose(two[1], [two[0].index(each) for each in one[0]])
        return one[0], m.broadcast("Mul", one[1], turned)

    def laid(letters: str, term: Term, *groups: list[str]) -> Any:
        order = [each for group in (batch, *groups) for each in group]
        turned = m.transpose(term, [letters.index(each) for each in order])
        heads = tuple(turned.shape[: len(batch)])
        flat = [elements(tuple(term.shape[letters.index(each)] for each in group)) for group in groups]
        return m.reshape(turned, (*heads, *flat))

    made = m.matmul(laid(*one, rows, inner), laid(*two, inner, columns))
    letters = "".join((*batch, *rows, *columns))
    return letters, m.reshape(made, tuple(size[each] for each in letters))
