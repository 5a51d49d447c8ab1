"""An ONNX model whose dimensions have no values: exported with several, and merged into one symbolic trace.

ONNX's shape inference works with numbers; names get lost at the first Reshape. So the model is exported at a dozen
points, and each size of the trace becomes the expression of the symbols that it is at all of them.
Where sizes decide which ops there are (steps of a recurrence, rounds of a loop), they must be bound.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, product
from random import Random

from pimsim.errors import ModelError, TraceError
from pimsim.trace.names import free
from pimsim.trace.onnx.unbound import unbound
from pimsim.trace.op import Op
from pimsim.trace.sampled.fits import Doubt
from pimsim.trace.sampled.merge import merged, sizes_of, skeleton
from pimsim.trace.schema import Trace
from pimsim.trace.symbols import NAME

Point = dict[str, int]
Export = Callable[[Mapping[str, int]], Trace]
Range = tuple[int, int, int]
"""Least and largest value of a symbol, and what divides it."""

# The finest grid that a model takes is used: tokens or pixels, pixels halved so many times, samples of sound.
_RANGES: tuple[Range, ...] = (
    (130, 260, 1),
    (32, 128, 1),
    *((grid * (200 // grid), 640, grid) for grid in (2, 4, 8, 16, 32)),
    (256, 1024, 64),
    (512, 2048, 128),
    (8_000, 16_000, 1),
    (40_000, 90_000, 1),
)
_MIXED = ((32, 64, 1), (130, 260, 1), (192, 640, 32), (8_000, 16_000, 1))
_POINTS = 9
_FAR, _FARTHER = 7, 400  # times
_STEPS = 20  # ops more or less that tell of steps or rounds written one after another
_ROUNDS = 12  # of points that settle doubts
_ATTEMPTS = 30
_TRIES = 8  # points that a model may refuse for each that it takes
_NEAR = 3


@dataclass(frozen=True, slots=True)
class _Symbol:
    """A symbol of the trace.

    Parameters
    ----------
    name : str
        What the trace calls it.
    dims : tuple of str
        The dimensions of the model that it is.
    range : Range
        Of the values to try.
    """

    name: str
    dims: tuple[str, ...]
    range: Range


class _Sampled:
    """A model at points.

    Parameters
    ----------
    export : callable
        Values to trace.
    given : mapping
        Values that were bound.
    symbols : sequence of _Symbol
        What is still to have a value.

    Attributes
    ----------
    kinds : dict
        What all traces at points have but sizes, and the points and traces that have it.
    """

    def __init__(self, export: Export, given: Mapping[str, int], symbols: Sequence[_Symbol]) -> None:
        self.export = export
        self.given = given
        self.symbols = symbols
        self.kinds: dict[Hashable, tuple[list[Point], list[Trace]]] = {}
        self._random = Random(0)

    @property
    def best(self) -> tuple[list[Point], list[Trace]]:
        """The points where the traces have the same ops, the most of those that come often, and these traces.

        What is nothing at some sizes, a slice of all or padding by 0, is an op at the others.
        """
        often = max(len(points) for points, _ in self.kinds.values()) / 9
        rows = [kind for kind in self.kinds.values() if len(kind[0]) > often]
        return max(rows, key=lambda kind: (len(kind[1][0].ops), len(kind[0])))

    def drawn(self, times: int = 1) -> Point:
        """Return a point; no two symbols are the same there, and all are so many times as large as elsewhere."""
        values: Point = {}
        taken = set[int]()
        for symbol in self.symbols:
            low, high, grid = symbol.range
            least = -(-low * times // grid) * grid
            most = max(high * times, least + (len(self.symbols) - 1) * grid)  # room for all to differ
            places = [v for v in range(least, most + 1, grid) if v not in taken]
            values[symbol.name] = self._random.choice(places)
            taken.add(values[symbol.name])
        return values

    def at(self, point: Point) -> Trace:
        """Export the model at a point.

        Raises
        ------
        TraceError
            If it cannot be, or what comes out does not depend on all symbols: sound too short for a window, say.
        """
        every = {dim: point[symbol.name] for symbol in self.symbols for dim in symbol.dims}
        trace = self.export({**self.given, **every})
        sizes = {size for op in trace.ops if op.type == "Input" for size in op.output.shape}
        lost = next((dim for dim, value in every.items() if value not in sizes), None)
        if lost is not None:
            raise TraceError(f"nothing depends on '{lost}'")
        return trace

    def add(self, point: Point) -> Hashable:
        """Export the model at a point, keep what comes of it, and return all of that but sizes."""
        trace = self.at(point)
        kind = skeleton(trace)
        points, traces = self.kinds.setdefault(kind, ([], []))
        points.append(point)
        traces.append(trace)
        return kind

    def begun(self) -> TraceError | None:
        """Export at a first point, and return why that cannot be, if none of some is taken."""
        refused = None
        for _ in range(2):
            try:
                self.add(self.drawn())
                return None
            except ModelError:
                raise
            except TraceError as error:
                if "--bind" in error.mend:  # of something else than sizes
                    raise
                refused = error
        return refused

    def fill(self, count: int) -> None:
        """Export at points until so many have the same ops, or most do not, or the model refuses too many."""
        for _ in range(_TRIES * count):
            try:
                self.add(self.drawn())
            except ModelError:
                raise
            except TraceError:
                continue
            kinds, every = len(self.kinds), sum(len(points) for points, _ in self.kinds.values())
            counts = {len(traces[0].ops) for _, traces in self.kinds.values()}
            unrolled = kinds == every > 1 and max(counts) - min(counts) > _STEPS
            if len(self.best[0]) == count or unrolled or kinds > 2 + every / 9:
                break
        if len(self.best[0]) == count:
            self.add_far(_FAR)

    def add_far(self, times: int) -> None:
        """Export at two points so far away, if the model takes them: there a wrong expression shows."""
        for _ in range(2):
            point = self.drawn(times)
            try:
                trace = self.at(point)
            except TraceError:
                return
            points, traces = self.best
            if skeleton(trace) == skeleton(traces[0]):
                points.append(point)
                traces.append(trace)


def symbolic(export: Export, given: Mapping[str, int], names: Sequence[str], where: str) -> Trace:
    """Export a model with dimensions that have no values as a symbolic trace.

    Parameters
    ----------
    export : callable
        Values of all dimensions to the trace with these.
    given : mapping of str to int
        Values that were bound.
    names : sequence of str
        The dimensions that have none.
    where : str
        The file.

    Raises
    ------
    TraceError
        If no sizes that are tried fit the model, or they decide which ops there are, or one is no expression
        that a trace can write.
    """
    refusal: TraceError | None = None
    for symbols in islice(_attempts(names), _ATTEMPTS):
        sampled = _Sampled(export, given, symbols)
        refused = sampled.begun()
        if refused is None:
            sampled.fill(_POINTS)
            if len(sampled.best[0]) < _POINTS and len(sampled.kinds) > 1:
                raise unbound(_deciding(sampled), where, "which ops there are depends on that")
            try:
                return _expressed(sampled, where)
            except TraceError as error:
                refused = error
        refusal = refusal or refused
    raise unbound(names, where, f"with sizes that were tried, {refusal.message}" if refusal else "")


def _expressed(sampled: _Sampled, where: str) -> Trace:
    """Return the trace whose sizes are expressions of symbols.

    Raises
    ------
    TraceError
        If there are none that hold.
    """
    for number in range(_ROUNDS):
        ops, fits = merged(*sampled.best[::-1])
        if number == 0 and fits.odd:
            sampled.add_far(_FARTHER)
        elif not any(_settle(sampled, doubt) for doubt in fits.doubts):
            break
    made = _named(sampled, ops, where)
    if not _stands(sampled, made):
        raise TraceError("its sizes are no expressions of them that can be found", where=where)
    return made


def _attempts(names: Sequence[str]) -> Iterator[list[_Symbol]]:
    """Yield what to try: all sizes of one range, of several, and equal ones for what may be the same by two names."""
    called: dict[str, str] = {}
    for name in names:
        legal = name if NAME.fullmatch(name) else re.sub(r"\W+", "_", f"_{name}").strip("_")
        called[name] = free(legal if NAME.fullmatch(legal) else f"size_{legal}", called.values())

    def made(groups: Sequence[Sequence[str]], ranges: Sequence[Range]) -> list[_Symbol]:
        return [_Symbol(called[g[0]], tuple(g), r) for g, r in zip(groups, ranges, strict=True)]

    apart = [[name] for name in names]
    for each in _RANGES:
        yield made(apart, [each] * len(apart))
    for groups in _groups(names):
        for each in (_RANGES[0], _MIXED[2]):
            yield made(groups, [each] * len(groups))
    for ranges in product(_MIXED, repeat=len(names)):
        if len(set(ranges)) > 1:
            yield made(apart, ranges)


def _groups(names: Sequence[str]) -> Iterator[list[list[str]]]:
    """Yield which dimensions may be the same by two names: two of them, those of one axis, all."""
    for pair in combinations(names, 2) if len(names) <= 4 else ():
        yield [list(pair), *([name] for name in names if name not in pair)]
    same: dict[str, list[str]] = {}
    for name in names:
        axis = re.search(r"\d+(?=\]?$)", name)
        same.setdefault(axis[0] if axis else "", []).append(name)
    if 2 < len(names) > len(same):
        yield list(same.values())
    if len(names) > 2:
        yield [list(names)]


def _deciding(sampled: _Sampled) -> list[str]:
    """Return the dimensions that alone change which ops there are; all, if none does."""
    if len(sampled.symbols) == 1:
        return list(sampled.symbols[0].dims)
    base = sampled.best[0][0]
    kind = skeleton(sampled.best[1][0])
    found: list[str] = []
    for symbol in sampled.symbols:
        other = next(value for _ in range(99) if (value := sampled.drawn()[symbol.name]) != base[symbol.name])
        try:
            found += [] if sampled.add({**base, symbol.name: other}) == kind else symbol.dims
        except TraceError:
            continue
    return found or [dim for symbol in sampled.symbols for dim in symbol.dims]


def _settle(sampled: _Sampled, doubt: Doubt) -> bool:
    """Export at a point that settles half of a doubt, if there is one, and say whether there is."""
    base = sampled.best[0][0]
    symbol = next((each for each in sampled.symbols if {each.name} == doubt.size.names), None)
    if symbol is None:
        return False
    low, high, grid = symbol.range
    shares = {v: doubt.split({symbol.name: v}) for v in range(-(-low // grid) * grid, high + 1, grid)}
    for value in sorted(shares, key=lambda value: abs(shares[value] - 0.5))[:_TRIES]:
        if not 0 < shares[value] < 1:
            break
        try:
            count = len(sampled.best[0])
            sampled.add({**base, symbol.name: value})
        except TraceError:
            continue
        if len(sampled.best[0]) > count:
            return True
    return False


def _named(sampled: _Sampled, ops: Sequence[Op], where: str) -> Trace:
    """Return the trace of ops with symbols, and with what its header says of them."""
    (point, *_), (first, *_) = sampled.best
    dims = {dim for symbol in sampled.symbols for dim in symbol.dims}
    bound = {name: value for name, value in first.header["symbols"].items() if name not in dims}
    notes = [
        f"symbol '{symbol.name}' is the dimension '{dim}'"
        for symbol in sampled.symbols
        for dim in symbol.dims
        if dim != symbol.name
    ]
    header = {
        **first.header,
        "symbols": {**dict.fromkeys(point), **bound},
        "examples": dict(point),
        "notes": [*first.header["notes"], *notes],
    }
    try:
        return Trace.from_ops(first.model, ops, first.outputs, header)
    except TraceError as error:
        raise TraceError(error.message, where=f"{where}: {error.where}", mend=error.mend) from None


def _stands(sampled: _Sampled, made: Trace) -> bool:
    """Whether a symbolic trace is what the model is at points that it was not made of, near and far."""
    kind = skeleton(sampled.best[1][0])
    checked = 0
    for times in (2, 3, _FAR, _FAR, *[1] * _NEAR):
        point = sampled.drawn(times)
        try:
            trace = sampled.at(point)
        except TraceError:
            continue
        try:
            bound = made.bind(point)
        except TraceError:
            return False
        if (bound.macs, bound.weights) != (trace.macs, trace.weights):
            return False
        if skeleton(trace) == kind:  # else something is nothing there, a slice of all or padding by 0
            if [sizes_of(op) for op in bound.ops] != [sizes_of(op) for op in trace.ops]:
                return False
            checked += 1
    return checked > 0
