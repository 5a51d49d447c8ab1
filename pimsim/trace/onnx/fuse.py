"""Patterns of ops that are one: as the exporter of PyTorch models finds them, so that both ways give one trace.

Root-mean-square normalization, GELU by its formula with tanh, ``x · sigmoid(x)``, scores of attention, transpositions
of transpositions, products of flattened rows. The last op of a pattern becomes the whole, under its name; of the
others, what nothing else reads vanishes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from pimsim.trace.op import Op
from pimsim.trace.tensor import Operand

Number = Callable[[Operand], "float | None"]
"""Returns the value of a constant of one element."""


def fused(ops: Sequence[Op], number: Number) -> list[Op]:
    """Return ops with those that end a pattern replaced by the op that the pattern is."""
    found = _Patterns(ops, number)
    made = []
    for op in ops:
        for one in found.instead(op):
            found.ops[one.name] = one
            made.append(one)
    return made


class _Patterns:
    def __init__(self, ops: Sequence[Op], number: Number) -> None:
        self.ops = {op.name: op for op in ops}
        self.number = number

    def instead(self, op: Op) -> list[Op]:
        """Return what stands in an op's place."""
        if op.type == "Gemm":
            return self.stacked(op) or [op]
        if op.type in ("Transpose", "Reshape"):
            return [self.turned(op)]
        return self.scaled(op) or [self.whole(op)]

    def stacked(self, op: Op) -> list[Op] | None:
        """Multiply rows that were only flattened around the product as the stack of rows that they are."""
        flat = self._maker(op.inputs[0], "Reshape")
        about, weight = op.attributes, op.inputs[1]
        if (
            flat is None
            or weight.role != "weight"
            or about["transA"]
            or (about["alpha"], about["beta"]) != (1, 1)
        ):
            return None
        rows = flat.inputs[0]
        if len(rows.tensor.shape) < 3 or rows.tensor.shape[-1] != op.inputs[0].tensor.shape[-1]:
            return None
        if about["transB"]:
            turned = replace(weight.tensor, shape=weight.tensor.shape[::-1])
            weight = replace(weight, tensor=turned, turned=not weight.turned)
        tensor = replace(op.output, shape=(*rows.tensor.shape[:-1], op.output.shape[-1]))
        made = [Op(f"{op.name}/product", "MatMul", (rows, weight), (tensor,))]
        if len(op.inputs) > 2:
            last = Operand("activation", tensor, made[0].name)
            made.append(Op(f"{op.name}/sum", "Add", (last, op.inputs[2]), (tensor,)))
        last = Operand("activation", tensor, made[-1].name)
        return [*made, Op(op.name, "Reshape", (last,), op.outputs)]

    def turned(self, op: Op) -> Op:
        """Join transpositions, and those of a stack of matrices that was flattened around one."""
        source, perm = op.inputs[0], None
        if op.type == "Transpose":
            perm = op.attributes["perm"]
        else:
            inner = self._maker(source, "Transpose")
            flat = self._maker(inner.inputs[0], "Reshape") if inner else None
            if inner is None or flat is None or inner.attributes["perm"] != (0, 2, 1):
                return op
            *head, rows, columns = flat.inputs[0].tensor.shape
            if flat.output.shape[1:] != (rows, columns) or op.output.shape != (*head, columns, rows):
                return op
            source, rank = flat.inputs[0], len(head)
            perm = (*range(rank), rank + 1, rank)
        before = self._maker(source, "Transpose")
        if before is not None:
            source, perm = before.inputs[0], tuple(before.attributes["perm"][axis] for axis in perm)
        if tuple(perm) == tuple(range(len(perm))):
            return op
        return replace(op, type="Transpose", inputs=(source,), attributes={"perm": tuple(perm)})

    def scaled(self, op: Op) -> list[Op] | None:
        """Scale scores of attention once: PyTorch's exporter scales queries and keys, each by the root."""
        if op.type != "MatMul":
            return None
        sources = [self._with_number(each, "Mul") for each in op.inputs]
        scale = next(
            (i for m in [self._maker(op.inputs[0], "Mul")] if m for i in m.inputs if not i.source), None
        )
        if scale is None or sources[0] is None or sources[1] is None:
            return None
        product = replace(op, name=f"{op.name}/product", inputs=(sources[0], sources[1]))
        made = Operand("activation", op.output, product.name)
        return [product, Op(op.name, "Mul", (made, replace(scale, name=None)), op.outputs)]

    def whole(self, op: Op) -> Op:
        """Return what a Mul is the end of, or itself."""
        if op.type != "Mul":
            return op
        return self._swish(op) or self._gelu(op) or self._rms(op) or op

    def _maker(self, operand: Operand | None, type_: str) -> Op | None:
        """Return the op that makes an operand, if it is of a type."""
        op = self.ops.get(str(operand.source)) if operand is not None and operand.source else None
        return op if op is not None and op.type == type_ else None

    def _with_number(
        self, operand: Operand | None, type_: str, number: float | None = None
    ) -> Operand | None:
        """Return the other operand of an op of a type that has a constant of one element, if need be that one."""
        op = self._maker(operand, type_)
        for one, other in _pairs(op) if op is not None else ():
            if one.source is not None or other.source is None or one.tensor.elements != 1:
                continue
            value = self.number(one) if number is not None else None
            if number is None or (value is not None and abs(value - number) <= 1e-3 * abs(number)):
                return other
        return None

    def _swish(self, op: Op) -> Op | None:
        for x, gate in _pairs(op):
            sigmoid = self._maker(gate, "Sigmoid")
            if sigmoid is not None and _same(sigmoid.inputs[0], x):
                return replace(op, type="Swish", inputs=(x,), attributes={"alpha": 1.0})
        return None

    def _gelu(self, op: Op) -> Op | None:
        """``0.5 x · (1 + tanh(0.7979 (x + 0.0447 x³)))``."""
        for half, rest in _pairs(op):
            x = self._with_number(half, "Mul", 0.5)
            tanh = self._maker(self._with_number(rest, "Add", 1.0), "Tanh")
            total = (
                self._maker(self._with_number(tanh.inputs[0], "Mul", 0.7978845608), "Add") if tanh else None
            )
            for plain, cube in _pairs(total) if total is not None else ():
                power = self._with_number(self._with_number(cube, "Mul", 0.044715), "Pow", 3.0)
                if x is not None and power is not None and _same(plain, x) and _same(power, x):
                    return replace(op, type="Gelu", inputs=(x,), attributes={"approximate": "tanh"})
        return None

    def _rms(self, op: Op) -> Op | None:
        """``weight · (x / sqrt(mean(x²) + epsilon))``."""
        for weight, scaled in _pairs(op):
            inner = self._maker(scaled, "Mul")
            for x, root in _pairs(inner) if inner is not None and weight.source is None else ():
                turned = self._maker(root, "Reciprocal")
                sqrt = self._maker(turned.inputs[0], "Sqrt") if turned else None
                shifted = self._maker(sqrt.inputs[0], "Add") if sqrt else None
                mean = self._maker(self._with_number(sqrt.inputs[0], "Add"), "ReduceMean") if sqrt else None
                square = self._with_number(mean.inputs[0], "Pow", 2.0) if mean else None
                rank = len(x.tensor.shape)
                if shifted is None or mean is None or square is None or not _same(square, x):
                    continue
                if (
                    tuple(mean.attributes["axes"]) == (rank - 1,)
                    and weight.tensor.shape == x.tensor.shape[-1:]
                ):
                    epsilon = next(self.number(each) for each in shifted.inputs if each.source is None)
                    about = {"axis": rank - 1, "epsilon": epsilon or 0.0}
                    return replace(op, type="RMSNormalization", inputs=(x, weight), attributes=about)
        return None


def _pairs(op: Op) -> tuple[tuple[Operand, Operand], ...]:
    """Return both orders of an op's two operands."""
    left, right = op.inputs
    return (left, right), (right, left)


def _same(one: Operand, other: Operand) -> bool:
    return one.source is not None and (one.source, one.index) == (other.source, other.index)
