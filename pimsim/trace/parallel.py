"""Tensor parallelism: the share of a model that each of several processors does, and where they exchange results.

As M. Shoeybi et al., "Megatron-LM" (2019), have it: a matrix after a whole input is cut by its columns, one after a cut
input by its rows, whose partial sums an AllReduce adds up; attention is cut by heads, and what works element by
element follows its inputs. What cannot be cut is done by all. Where a whole input is needed, parts are gathered.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from pimsim.errors import TraceError
from pimsim.trace.model import Model
from pimsim.trace.op import Op
from pimsim.trace.optypes import class_of
from pimsim.trace.tensor import Operand, Shape, Tensor

Trace = TypeVar("Trace", bound=Model)
Axis = int | None
"""Along which axis a tensor is cut; None for a whole one."""


def shared_out(trace: Trace, degree: int) -> Trace:
    """Return what each of so many processors does of a bound trace: smaller ops, and those that exchange.

    Parameters
    ----------
    trace : Trace
        Without unbound symbols.
    degree : int
        How many processors.

    Raises
    ------
    TraceError
        If its heads cannot be dealt out evenly, or nothing of it can be shared.
    """
    cut = _Cut(degree)
    for op in trace.ops:
        cut.add(op)
    if all(axis is None for axis in cut.axes.values()):
        raise TraceError(
            f"none of its matrices can be cut into {degree} equal parts, so {degree} processors have nothing to share",
            where=trace.model,
            mend="take fewer processors, or let them share the model in stages",
        )
    outputs = [cut.whole(cut.source_of(name, 0), 0)[0] for name in trace.outputs]
    return trace.from_ops(trace.model, cut.ops, outputs, trace.header)


class _Cut:
    """The ops made so far, and how their results are cut."""

    def __init__(self, degree: int) -> None:
        self.degree = degree
        self.ops: list[Op] = []
        self.axes: dict[tuple[str, int], Axis] = {}
        self.tensors: dict[tuple[str, int], Tensor] = {}
        self.renamed: dict[str, str] = {}  # what an AllReduce stands behind
        self.gathered: dict[tuple[str, int], str] = {}

    def source_of(self, name: str, index: int) -> str:
        """Return whose result is what an op of the trace puts out."""
        return self.renamed.get(name, name) if index == 0 else name

    # -- making ops --------------------------------------------------------------------------------------------

    def put(self, op: Op, axes: tuple[Axis, ...]) -> None:
        """Add an op whose outputs are cut so."""
        self.ops.append(op)
        for index, (tensor, axis) in enumerate(zip(op.outputs, axes, strict=True)):
            self.axes[op.name, index], self.tensors[op.name, index] = axis, tensor

    def whole(self, name: str, index: int) -> tuple[str, int]:
        """Return what puts out a whole result: gathered, if it is cut."""
        key, axis = (name, index), self.axes[name, index]
        if axis is None:
            return key
        if key not in self.gathered:
            tensor = self.tensors[key]
            made = f"{name}/AllGather" + (f"#{index}" if index else "")
            out = replace(tensor, shape=self.times(tensor.shape, axis))
            operand = Operand("activation", tensor, name, index)
            self.put(
                Op(made, "AllGather", (operand,), (out,), {"axis": axis, "degree": self.degree}), (None,)
            )
            self.gathered[key] = made
        return self.gathered[key], 0

    def uneven(self, op: Op, heads: int) -> TraceError:
        """Return what says that heads cannot be dealt out."""
        return TraceError(
            f"{heads} heads cannot be dealt out evenly to {self.degree} processors",
            where=f"op '{op.name}' ({op.type})",
            mend=f"take as many processors as divide {heads}",
        )

    def operand(self, given: Operand, *, whole: bool = False) -> Operand:
        """Return an operand as it is now, its tensor cut as its source says."""
        if given.source is None:
            return given
        key = self.source_of(given.source, given.index), given.index
        if whole:
            key = self.whole(*key)
        return replace(given, tensor=self.tensors[key], source=key[0], index=key[1])

    def axis(self, given: Operand) -> Axis:
        """Return how an operand is cut."""
        if given.source is None:
            return None
        return self.axes[self.source_of(given.source, given.index), given.index]

    def part(self, shape: Shape, axis: int) -> Shape:
        """Return a shape of which each has a part along an axis."""
        return tuple(size // self.degree if n == axis else size for n, size in enumerate(shape))

    def times(self, shape: Shape, axis: int) -> Shape:
        """Return the shape of all parts together."""
        return tuple(size * self.degree if n == axis else size for n, size in enumerate(shape))

    def cut(self, tensor: Tensor, axis: Axis) -> Tensor:
        """Return the part of a tensor; the whole where it is not cut."""
        return tensor if axis is None else replace(tensor, shape=self.part(tensor.shape, axis), stats=None)

    # -- rules -------------------------------------------------------------------------------------------------

    def add(self, op: Op) -> None:
        """Add the share of an op."""
        if op.weight is not None and op.type in ("MatMul", "Gemm") and op.inputs[1].role == "weight":
            self._product(op)
            return
        if all(self.axis(each) is None for each in op.inputs):
            self._alike(op)
            return
        rule = _RULES.get(op.type) or _BY_CLASS.get(class_of(op.type) or "")
        axes = rule(self, op) if rule is not None else None
        if axes is None:
            self._alike(op)
            return
        inputs = tuple(self._input(op, each, axes[0]) for each in op.inputs)
        outputs = tuple(self.cut(tensor, axis) for tensor, axis in zip(op.outputs, axes, strict=True))
        self.put(replace(op, inputs=inputs, outputs=outputs), axes)

    def _alike(self, op: Op) -> None:
        """All processors do the same, on whole inputs.

        Raises
        ------
        TraceError
            If it is a product of heads that cannot be dealt out.
        """
        shape = op.output.shape
        if op.type == "MatMul" and op.weight is None and len(shape) == 4 and shape[1] % self.degree:
            raise self.uneven(op, shape[1])
        inputs = tuple(self.operand(each, whole=True) for each in op.inputs)
        self.put(replace(op, inputs=inputs), (None,) * len(op.outputs))

    def _input(self, op: Op, given: Operand, axis: Axis) -> Operand:
        """Return an operand of a cut op: of constants and caches, the part along the same axis."""
        if given.source is not None or axis is None:
            return self.operand(given)
        own = axis - (len(op.output.shape) - len(given.tensor.shape))
        if own < 0 or given.tensor.shape[own] != op.output.shape[axis]:
            return given
        return replace(given, tensor=self.cut(given.tensor, own))

    def _product(self, op: Op) -> None:
        """A matrix after a whole input is cut by columns, one after an input cut along what is summed by rows."""
        left, weight = op.inputs[0], op.inputs[1]
        turned = op.type == "Gemm" and bool(op.attributes["transB"])
        inner, outer = (1, 0) if turned else (len(weight.tensor.shape) - 2, len(weight.tensor.shape) - 1)
        last, plain = len(left.tensor.shape) - 1, op.type != "Gemm" or not op.attributes["transA"]
        out = len(op.output.shape) - 1
        axis = self.axis(left)
        if axis == last and plain and len(weight.tensor.shape) == 2:
            weight = replace(weight, tensor=self.cut(weight.tensor, inner))
            partial = replace(op, inputs=(self.operand(left), weight, *op.inputs[2:]))
            self.put(partial, (None,))
            reduced = f"{op.name}/AllReduce"
            whole = Operand("activation", op.output, op.name)
            self.put(Op(reduced, "AllReduce", (whole,), (op.output,), {"degree": self.degree}), (None,))
            self.renamed[op.name] = reduced
            return
        if axis is not None and axis != last and plain and len(weight.tensor.shape) == 2:
            out, keeps = axis, weight  # rows are dealt out already
            self.put(
                replace(
                    op,
                    inputs=(self.operand(left), keeps, *op.inputs[2:]),
                    outputs=(self.cut(op.output, out),),
                ),
                (out,),
            )
            return
        if len(weight.tensor.shape) != 2 or op.output.shape[out] % self.degree:
            self._alike(op)
            return
        weight = replace(weight, tensor=self.cut(weight.tensor, outer))
        more = tuple(
            replace(each, tensor=self.cut(each.tensor, len(each.tensor.shape) - 1))
            if each.tensor.shape and each.tensor.shape[-1] == op.output.shape[out]
            else each
            for each in op.inputs[2:]
        )
        inputs = (self.operand(left, whole=True), weight, *more)
        self.put(replace(op, inputs=inputs, outputs=(self.cut(op.output, out),)), (out,))


def _element_by_element(cut: _Cut, op: Op) -> tuple[Axis, ...] | None:
    """Inputs that are as large as the output along the axis are all cut along it."""
    rank, found = len(op.output.shape), set[int]()
    for each in op.inputs:
        axis = cut.axis(each)
        if axis is not None:
            found.add(axis + rank - len(each.tensor.shape))
    if len(found) != 1:
        return None
    (axis,) = found
    for each in op.inputs:
        own = axis - (rank - len(each.tensor.shape))
        if each.source is not None and own >= 0 and cut.axis(each) is None and each.tensor.shape[own] != 1:
            return None
    return (axis,) * len(op.outputs)


def _along_axis(cut: _Cut, op: Op) -> tuple[Axis, ...] | None:
    """What is normalized must be whole."""
    axis, own = cut.axis(op.inputs[0]), op.attributes.get("axis")
    if axis is None or own is None:
        return None
    normalized = range(own, len(op.output.shape)) if op.type.endswith("Normalization") else (own,)
    return None if axis in normalized else (axis,)


def _transposed(cut: _Cut, op: Op) -> tuple[Axis, ...] | None:
    return (tuple(op.attributes["perm"]).index(cut.axis(op.inputs[0])),)


def _reshaped(cut: _Cut, op: Op) -> tuple[Axis, ...] | None:
    """The axis that begins where the cut one does, if it can be dealt out.

    Raises
    ------
    TraceError
        If a cut axis becomes heads that cannot be.
    """
    before, after, axis = op.inputs[0].tensor.shape, op.output.shape, cut.axis(op.inputs[0])
    assert axis is not None
    ahead = math.prod(before[:axis])
    for n, size in enumerate(after):
        if math.prod(after[:n]) != ahead or size == 1:
            continue
        if size % cut.degree == 0:
            return (n,)
        if before[axis] % size == 0:
            raise cut.uneven(op, size)
        return None
    return None


def _repeated(cut: _Cut, op: Op) -> tuple[Axis, ...] | None:
    axis, before = cut.axis(op.inputs[0]), op.inputs[0].tensor.shape
    assert axis is not None
    out: int = axis + len(op.output.shape) - len(before)
    return (out,) if op.output.shape[out] == before[axis] else None


def _split(cut: _Cut, op: Op) -> tuple[Axis, ...] | None:
    """Along the axis itself each processor has its part of every piece: the columns that made them are its own."""
    axis = cut.axis(op.inputs[0])
    if (
        axis is not None
        and axis == op.attributes["axis"]
        and any(each.shape[axis] % cut.degree for each in op.outputs)
    ):
        return None
    return (axis,) * len(op.outputs)


def _joined(cut: _Cut, op: Op) -> tuple[Axis, ...] | None:
    axes = {cut.axis(each) for each in op.inputs if each.source is not None}
    if len(axes) != 1:
        return None
    (axis,) = axes
    return None if axis == op.attributes["axis"] else (axis,)


def _sliced(cut: _Cut, op: Op) -> tuple[Axis, ...] | None:
    axis = cut.axis(op.inputs[0])
    return None if axis in op.attributes["axes"] else (axis,)


def _two_activations(cut: _Cut, op: Op) -> tuple[Axis, ...] | None:
    """Heads are dealt out."""
    rank = len(op.output.shape)
    axes = {cut.axis(each) for each in op.inputs}
    ranks = {len(each.tensor.shape) for each in op.inputs}
    if len(axes) != 1 or ranks != {rank}:
        return None
    (axis,) = axes
    return (axis,) if axis is not None and axis < rank - 2 else None


Rule = Callable[[_Cut, Op], tuple[Axis, ...] | None]
_RULES: dict[str, Rule] = {
    "MatMul": _two_activations,
    "Transpose": _transposed,
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), _reshaped),
    "Expand": _repeated,
    "Split": _split,
    "Concat": _joined,
    "Slice": _sliced,
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), _along_axis),
}
_BY_CLASS: dict[str, Rule] = {"elementwise": _element_by_element, "softmax": _along_axis}
