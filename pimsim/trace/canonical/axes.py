"""Axes of a value through views and transpositions: where each of its elements comes to stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pimsim.trace.symbols import NAME, parse, total
from pimsim.trace.tensor import Shape

Factors = tuple[int, Counter[str]]
"""A size as a product: a number and names; a sum counts as one name."""


class Axes:
    """The axes of a value as pieces: each of its dimensions is a run of them, and a view may cut one into two.

    Parameters
    ----------
    shape : tuple
        Of the value, before anything is done with it.
    """

    def __init__(self, shape: Shape) -> None:
        self._sizes: list[Factors] = []  # by piece
        self._batched = len(shape) > 2 and shape[0] == 1
        self._order: list[
            int
        ] = []  # pieces of the value, as they stand in it; those expanded are not among them
        self._dims: list[list[int]] = [[] for _ in shape]
        for dim, size in zip(self._dims, shape, strict=True):
            if size != 1:
                dim.append(self._new(_factors(size)))
                self._order.append(dim[0])

    @property
    def is_expanded(self) -> bool:
        """Whether something is repeated along an axis."""
        return len(self._sizes) > len(self._order)

    def _new(self, size: Factors) -> int:
        self._sizes.append(size)
        return len(self._sizes) - 1

    def transpose(self, perm: Sequence[int]) -> None:
        """Put the dimensions into another order."""
        self._dims = [self._dims[axis] for axis in perm]

    def expand(self, shape: Shape) -> bool:
        """Repeat along dimensions of one; say whether that can be followed."""
        more = len(shape) - len(self._dims)
        self._dims = [[] for _ in range(more)] + self._dims
        for dim, size in zip(self._dims, shape, strict=True):
            if not dim and size != 1:
                dim.append(self._new(_factors(size)))
        return True

    def view(self, shape: Shape) -> bool:
        """See the elements, in the order in which they stand, under another shape; say whether that can be followed."""
        left = [piece for dim in self._dims for piece in dim]
        dims: list[list[int]] = []
        for size in shape:
            dim, open_ = list[int](), _factors(size)
            while open_ != (1, Counter()):
                if not left:
                    return False
                rest = _divided(open_, self._sizes[left[0]])
                if rest is None:
                    rest = (1, Counter())
                    if not self._cut(left, open_):
                        return False
                dim.append(left.pop(0))
                open_ = rest
            dims.append(dim)
        self._dims = dims
        return not left

    def _cut(self, left: list[int], size: Factors) -> bool:
        """Cut the first of some pieces in two, the first part of a size."""
        piece = left[0]
        rest = _divided(self._sizes[piece], size)
        if rest is None or piece not in self._order:
            return False
        self._sizes[piece] = size
        new = self._new(rest)
        self._order.insert(self._order.index(piece) + 1, new)
        left.insert(1, new)
        return True

    def order(self) -> tuple[Shape, tuple[int, ...]]:
        """Return the shape to see the value under, and the permutation that brings its axes into their order.

        Each piece is a dimension; of those of one only a batch stays, in front.
        """
        place = {piece: n for n, piece in enumerate(self._order)}
        after = [place[piece] for dim in self._dims for piece in dim if piece in place]
        shape = tuple(self._size([piece]) for piece in self._order)
        if self._batched:
            return (1, *shape), (0, *(each + 1 for each in after))
        return shape, tuple(after)

    def expansion(self) -> tuple[Shape, Shape]:
        """Return the shapes to expand from and to: what is repeated is a dimension of its own."""
        kept = set(self._order)
        narrow: list[int] = []
        wide: list[int] = []
        for dim in self._dims:
            parts: list[list[int]] = [[]]
            for piece in dim:
                if parts[-1] and (piece not in kept or parts[-1][-1] not in kept):
                    parts.append([])
                parts[-1].append(piece)
            for part in parts:
                wide.append(self._size(part))
                narrow.append(wide[-1] if not part or part[0] in kept else 1)
        if self._batched and wide[0] != 1:
            narrow.insert(0, 1)
            wide.insert(0, 1)
        return tuple(narrow), tuple(wide)

    def _size(self, pieces: Sequence[int]) -> int:
        number, names = 1, Counter[str]()
        for piece in pieces:
            number *= self._sizes[piece][0]
            names += self._sizes[piece][1]
        return _size(number, names)


def _factors(size: int | str) -> Factors:
    if isinstance(size, int):
        return size, Counter()
    terms = parse(size).terms
    if len(terms) != 1:
        return 1, Counter([size])
    names, number = terms[0]
    return number, Counter(names)


def _divided(size: Factors, by: Factors) -> Factors | None:
    """Return what a size is divided by another; None if it is no whole number of times."""
    if size[0] % by[0] or by[1] - size[1]:
        return None
    return size[0] // by[0], size[1] - by[1]


def _size(number: int, names: Counter[str]) -> int:
    """Return a product as a trace holds it."""
    sums = [name for name in names.elements() if not NAME.fullmatch(name)]
    terms = [((*(name for name in names.elements() if NAME.fullmatch(name)),), number)]
    for each in sums:
        terms = [
            ((*left, *right), factor * other) for left, factor in terms for right, other in parse(each).terms
        ]
    return total(terms).plain()  # type: ignore[return-value]
