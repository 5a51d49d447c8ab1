"""Mixtures of experts in ONNX files: matrices that are picked from a stack, one for each choice of a router.

PyTorch's exporter has no op for experts; `transformers` can write them so that it needs none (``batched_mm``): a token
is repeated for each of its choices, and multiplied by the matrix that the choice picks. A file says nothing else of
whose weights these are. Here they become what `pimsim.trace.torch.moe` makes of the same layer: every expert's
products with weights of its own, between a Dispatch and a Combine, and the rows of each a symbol that is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pimsim.trace.canonical.rewriting import VIEWS, is_one
from pimsim.trace.fold import drop_unread
from pimsim.trace.op import Op
from pimsim.trace.schema import Trace
from pimsim.trace.symbols import rows_symbol
from pimsim.trace.tensor import Operand, Shape

_BETWEEN = ("Swish", "Gelu", "Relu", "Sigmoid", "Tanh", "Mul", "Add", "Sub", "Clip")
"""What may stand between the products of an expert, element by element."""
_SCALES = {"alpha": 1.0, "beta": 1.0, "transA": 0}
_NOTE = (
    "nobody knows where the router would send a token: experts are drawn, uniformly, when the trace is bound"
)


_LEFT = "picks matrices from a stack by data: what it picks counts as activations, and none of it stands in arrays"


class _OtherwiseError(Exception):
    """What picks matrices is no layer of experts as it is known here."""


def with_experts(trace: Trace) -> Trace:
    """Return a trace whose layers of experts are ops of each expert; the same, if it has none.

    What picks matrices and is not understood is left, and a note says what that means.
    """
    picks = {
        op.name: router.name
        for op in trace.ops
        if (router := _router(op, trace.by_name)) is not None and _picks(op)
    }
    if not picks:
        return trace
    ops, notes = list(trace.ops), list(trace.header["notes"])
    layer, found = 0, dict[str, int]()
    for name in dict.fromkeys(picks.values()):
        try:
            made = _Layer(ops, name, layer)
            about = {"experts": made.experts, "top": made.top}
            if found not in ({}, about):
                raise _OtherwiseError
            ops, layer, found = made.result(), layer + 1, about
        except _OtherwiseError:
            notes += [f"'{pick}' {_LEFT}" for pick, router in picks.items() if router == name]
    header = {**trace.header, "notes": notes}
    if found:
        header |= {"routing": found, "notes": [*notes, _NOTE]}
    return Trace.from_ops(trace.model, drop_unread(ops, trace.outputs), trace.outputs, header)


def _picks(op: Op) -> bool:
    """Whether an op takes matrices out of a stack of constants."""
    table = op.inputs[0]
    sizes = table.tensor.shape
    return table.source is None and len(sizes) == 3 and all(isinstance(size, int) for size in sizes)


def _router(op: Op, by_name: Mapping[str, Op]) -> Op | None:
    """Return the op whose choices an op gathers by."""
    if op.type not in ("Gather", "GatherND") or len(op.inputs) != 2:
        return None
    if op.attributes.get("axis", 0) or op.attributes.get("batch_dims", 0):
        return None
    operand = _seen(op.inputs[1], by_name)
    made = by_name.get(operand.source or "")
    return made if made is not None and made.type == "TopK" and operand.index == 1 else None


def _seen(operand: Operand, by_name: Mapping[str, Op]) -> Operand:
    """Return what an operand is a view of."""
    made = by_name.get(operand.source or "")
    while made is not None and made.type in VIEWS and not operand.index:
        operand = made.inputs[0]
        made = by_name.get(operand.source or "")
    return operand


def _wide(shape: Shape) -> list[int]:
    """Return the sizes behind the first that are not 1."""
    return [size for size in shape[1:] if size != 1]


class _Layer:
    """The experts that one router chooses.

    Parameters
    ----------
    ops : sequence of Op
        Of the model.
    router : str
        The op that chooses.
    number : int
        Of the layer.

    Raises
    ------
    _OtherwiseError
        If it is something else.
    """

    def __init__(self, ops: Sequence[Op], router: str, number: int) -> None:
        self.ops, self.router, self.number = ops, router, number
        self.by_name = {op.name: op for op in ops}
        router_op = self.by_name[router]
        self.chosen, self.top = (
            Operand("activation", router_op.outputs[1], router, 1),
            router_op.attributes["k"],
        )
        self.tables = {  # what picks matrices -> the stack
            op.name: op.inputs[0].tensor
            for op in ops
            if _router(op, self.by_name) is router_op and _picks(op)
        }
        self.experts = next(iter(self.tables.values())).shape[0]
        self.inside: dict[str, Op] = {}  # what an expert does, in order
        given, gates, last = set[str](), list[Operand](), None
        for op in ops:
            if last is None and any(each.source in (*self.inside, *self.tables) for each in op.inputs):
                if op.type == "ReduceSum":
                    last = op
                else:
                    self._take(op, given, gates)
        if last is None or len(gates) != 1 or len(given) != 1 or not self._sums(last):
            raise _OtherwiseError
        self.gates, self.last = gates[0], last
        self.hidden = self._hidden(self.by_name[given.pop()])
        self._check_alone()

    def _check_alone(self) -> None:
        """See that all stacks have a matrix for each expert, and nothing else reads what is inside."""
        own = {*self.inside, *self.tables}
        others = (op for op in self.ops if op.name not in own and op is not self.last)
        if any(table.shape[0] != self.experts for table in self.tables.values()) or any(
            each.source in own for op in others for each in op.inputs
        ):
            raise _OtherwiseError

    def _sums(self, op: Op) -> bool:
        """Whether an op sums over the choices of each token."""
        shape = op.inputs[0].tensor.shape
        return op.attributes["axes"] == (1,) and len(shape) == 3 and shape[1] == self.top

    def _take(self, op: Op, given: set[str], gates: list[Operand]) -> None:
        """Note what an op is to an expert: a product, a step between two, or where gates weigh."""
        if op.type == "MatMul":
            others = [each for each in op.inputs if each.source not in self.tables]
            if len(others) != 1 or op.inputs[0].tensor.shape[0] != op.output.shape[0]:
                raise _OtherwiseError
            if others[0].source not in self.inside:
                given.add(str(others[0].source))
        elif op.type in _BETWEEN:
            for each in op.inputs:
                if each.source is None and not is_one(each):
                    raise _OtherwiseError
                if each.source is not None and each.source not in self.inside:
                    gates.append(_seen(each, self.by_name))
                    if op.type != "Mul" or gates[-1].tensor.shape[-1:] != (self.top,):
                        raise _OtherwiseError
        elif op.type in VIEWS:
            before, after = (_wide(each) for each in (op.inputs[0].tensor.shape, op.output.shape))
            if after not in (before, [self.top, *before]):
                raise _OtherwiseError
        elif op.type != "Split" or op.attributes["axis"] != 1:
            raise _OtherwiseError
        self.inside[op.name] = op

    def _hidden(self, repeated: Op) -> Operand:
        """Return the rows that are repeated for each choice."""
        while repeated.type in VIEWS:
            repeated = self.by_name.get(str(repeated.inputs[0].source), repeated)
        before, after = repeated.inputs[0].tensor.shape if repeated.inputs else (), repeated.output.shape
        if repeated.type != "Expand" or len(after) != 3 or before != (after[0], 1, after[2]):
            raise _OtherwiseError
        if after[1] != self.top:
            raise _OtherwiseError
        seen = _seen(repeated.inputs[0], self.by_name)
        return seen if seen.tensor.shape[-1:] == after[2:] else repeated.inputs[0]

    def result(self) -> list[Op]:
        """Return the ops of the model with those of each expert in the place of the sum."""
        about = {"layer": self.number, "experts": self.experts, "top": self.top}
        made: list[Op] = []
        outs: list[Operand] = []
        for expert in range(self.experts):
            made += (own := _Expert(self, expert, about)).ops
            outs.append(own.out)
        made.append(replace(self.last, type="Combine", inputs=(self.gates, *outs), attributes=about))
        found: list[Op] = []
        for op in self.ops:
            found += made if op is self.last else [] if op.name in self.inside else [op]
        return found


class _Expert:
    """What one expert does.

    Parameters
    ----------
    layer : _Layer
        Which layer's.
    number : int
        Which one.
    about : dict
        Attributes of the layer.
    """

    def __init__(self, layer: _Layer, number: int, about: Mapping[str, int]) -> None:
        self.layer, self.number = layer, number
        self.rows = rows_symbol(layer.number, number)
        self.values: dict[tuple[str, int], Operand] = {}
        self.ops: list[Op] = []
        shape: Shape = (self.rows, layer.hidden.tensor.shape[-1])  # type: ignore[assignment]
        tensor = replace(layer.hidden.tensor, shape=shape)
        inputs = layer.hidden, layer.chosen
        name = self._name(layer.router, "Dispatch")
        self.ops.append(Op(name, "Dispatch", inputs, (tensor,), {**about, "expert": number}))
        self.given = Operand("activation", tensor, name)
        for op in layer.inside.values():
            self._do(op)
        self.out = self.values[str(layer.last.inputs[0].source), 0]

    def _name(self, name: str, what: str = "") -> str:
        return f"{name}/{what}expert{self.number}"

    def _of(self, operand: Operand) -> Operand:
        """Return an operand as this expert has it: what is given to all is its own rows."""
        if operand.source is None:
            return operand
        return self.values.get((operand.source, operand.index), self.given)

    def _do(self, op: Op) -> None:
        if op.type in VIEWS:
            self.values[op.name, 0] = self._of(op.inputs[0])
        elif op.type == "MatMul":
            if not self._only_cut(op):
                self._product(op, op.name, 0, op.name, 1)
        elif op.type == "Split":
            made = self.layer.by_name[str(_seen(op.inputs[0], self.layer.by_name).source)]
            if made.type != "MatMul" or not self._only_cut(made):
                raise _OtherwiseError
            for index in range(len(op.outputs)):
                self._product(made, op.name, index, f"{op.name}.{index}", len(op.outputs))
        else:
            kept = [each for each in op.inputs if not self._is_gate(each)]
            inputs = [self._of(each) for each in kept]
            if len(kept) < len(op.inputs):  # the Combine weighs
                self.values[op.name, 0] = inputs[0]
                return
            shape, *others = {each.tensor.shape for each in inputs if each.source is not None}
            if others:
                raise _OtherwiseError
            tensor = replace(op.output, shape=shape)
            self._add(
                replace(op, name=self._name(op.name), inputs=tuple(inputs), outputs=(tensor,)), op.name, 0
            )

    def _is_gate(self, operand: Operand) -> bool:
        return operand.source is not None and _seen(operand, self.layer.by_name) == self.layer.gates

    def _only_cut(self, product: Op) -> bool:
        """Whether a product is read in equal parts only: a product each."""
        readers = [
            op for op in self.layer.inside.values() if any(e.source == product.name for e in op.inputs)
        ]
        while len(readers) == 1 and readers[0].type in VIEWS:
            name = readers[0].name
            readers = [op for op in self.layer.inside.values() if any(e.source == name for e in op.inputs)]
        if len(readers) != 1 or readers[0].type != "Split":
            return False
        return len({each.shape for each in readers[0].outputs}) == 1

    def _product(self, op: Op, source: str, index: int, name: str, parts: int) -> None:
        """Multiply by this expert's matrix, or by a part of it."""
        at = next(n for n, each in enumerate(op.inputs) if each.source in self.layer.tables)
        table = self.layer.tables[str(op.inputs[at].source)]
        _, rows, columns = table.shape
        outputs = (rows if at == 0 else columns) // parts
        size = (outputs, columns) if at == 0 else (rows, outputs)
        weight = Operand("weight", replace(table, shape=size))
        read = self._of(op.inputs[1 - at])
        tensor = replace(op.output, shape=(self.rows, outputs))  # type: ignore[arg-type]
        attributes = {**_SCALES, "transB": int(at == 0)}
        self._add(Op(self._name(name), "Gemm", (read, weight), (tensor,), attributes), source, index)

    def _add(self, op: Op, source: str, index: int) -> None:
        self.ops.append(op)
        self.values[source, index] = Operand("activation", op.output, op.name)
