"""From an ONNX file to a trace: shapes inferred, constants and normalizations folded."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pimsim.errors import TraceError
from pimsim.trace.canonical import canonical
from pimsim.trace.causal import mark
from pimsim.trace.fold import drop_unread, fold_scales_into
from pimsim.trace.identity import only_shared
from pimsim.trace.names import free
from pimsim.trace.op import Op
from pimsim.trace.schema import Trace
from pimsim.trace.tensor import Operand, Shape, Tensor
from pimsim.trace.unknown import is_matrix, pass_unknown

if TYPE_CHECKING:
    from onnx import NodeProto

    from pimsim.trace.onnx.graph import Graph
    from pimsim.trace.onnx.piece import Piece


@dataclass(frozen=True)
class Scale:
    """What is done to each channel, folded into a Conv.

    Parameters
    ----------
    type : str
        ``Mul``, ``Div``, ``Add``, ``Sub`` or ``BatchNormalization``.
    factor : str
        Name of its constant in the file, of a normalization its factor.
    variance, mean, shift : str
        Names of a normalization's other constants.
    epsilon : float
        What a normalization adds to the variance.
    """

    type: str
    factor: str
    variance: str = ""
    mean: str = ""
    shift: str = ""
    epsilon: float = 0.0

    @property
    def names(self) -> list[str]:
        """Its constants' names in the file."""
        return [name for name in (self.factor, self.variance, self.mean, self.shift) if name]


@dataclass(frozen=True)
class Exported:
    """A trace, and where its tensors stand in the file that it comes from.

    Parameters
    ----------
    trace : Trace
        The trace.
    outputs : dict
        Op and output to the name of the value in the file, where it stands there.
    weights : dict
        Op to the name of its weight in the file, where it stands there.
    scales : dict
        Op to the scales folded into it, in order: its weight and its bias are changed by them.
    constants : dict
        Op and number of the operand to the name of a constant in the file, where it stands there as it is read.
    """

    trace: Trace
    outputs: dict[tuple[str, int], str]
    weights: dict[str, str]
    scales: dict[str, list[Scale]]
    constants: dict[tuple[str, int], str]


def from_onnx(
    path: str | Path,
    *,
    allow_unknown: bool = False,
    bindings: Mapping[str, int] | None = None,
    model: str | None = None,
    command: str = "",
) -> Trace:
    """Export an ONNX model as a trace.

    Constants are folded, so a weight that is computed from constants is a weight. BatchNormalization and
    per-channel scales fold into the Conv before them if nothing else reads it. Identity, Dropout, casts and
    quantizations vanish; what does several things is written as ops that do one, and bodies stand in their ops' place.
    Stored weights count as ``trained``: a file does not say whether they are.

    Parameters
    ----------
    path : str or Path
        The ONNX file.
    allow_unknown : bool
        Make ops that a trace does not know DataMovement instead of refusing them; those that compute are refused all
        the same.
    bindings : mapping of str to int, optional
        Values of symbolic dimensions. One that is named like a batch is bound to 1 by default, and the trace's
        ``notes`` say so; others that have none are symbols of the trace. An input that is one whole number may be
        given too, the branch of an If whose condition depends on data by the node's name (1 for the first, 0 for the
        other), and the rounds of such a Loop.
    model : str, optional
        The trace's name; by default the file's.
    command : str
        Kept in the header.

    Raises
    ------
    TraceError
        If the file is not a valid ONNX model; if it holds unknown ops (all are listed); if a dimension that
        is not bound decides which ops there are, or a shape cannot be inferred; if the package ``onnx`` is not
        installed.
    """

    def exported(values: Mapping[str, int]) -> Trace:
        return export(path, allow_unknown=allow_unknown, bindings=values, model=model, command=command).trace

    require_onnx(path)
    from pimsim.trace.onnx.experts import with_experts
    from pimsim.trace.onnx.symbolic import symbolic
    from pimsim.trace.onnx.unbound import UnboundError

    try:
        made = exported(bindings or {})
    except UnboundError as error:
        made = symbolic(exported, bindings or {}, error.names, str(path))
    return with_experts(made)


def export(
    path: str | Path,
    *,
    allow_unknown: bool = False,
    bindings: Mapping[str, int] | None = None,
    model: str | None = None,
    command: str = "",
) -> Exported:
    """Do what `from_onnx` does where all dimensions have values, and say where in the file tensors stand."""
    require_onnx(path)
    from pimsim.trace.onnx.graph import Graph

    graph = Graph(Path(path), dict(bindings or {}))
    notes = list(graph.notes)
    unknown = graph.infer_shapes()
    notes += pass_unknown(unknown, _with_weights(graph, unknown), allow_unknown, str(path))
    graph.check_shapes()
    converter = _Converter(graph)
    converted, outputs = converter.convert()
    converted, outputs = canonical(converted, outputs, converter.number)
    ops, outputs, folded = fold_scales_into(converted, outputs)
    ops = _quantized(drop_unread(ops, outputs))
    header = {
        "source": graph.source,
        "command": command,
        "symbols": graph.symbols,
        **({"defaults": graph.defaults} if graph.defaults else {}),
        "weights": _weights(graph, ops),
        "notes": notes,
    }
    try:
        kept = mark(only_shared(ops), converter.masked)
        trace = Trace.from_ops(model or Path(path).stem, kept, outputs, header)
    except TraceError as error:
        raise TraceError(error.message, where=f"{path}: {error.where}", mend=error.mend) from None
    return converter.exported(trace, folded, ops)


def require_onnx(path: str | Path) -> None:
    """Refuse to go on without the package ``onnx``."""
    if importlib.util.find_spec("onnx") is None:
        message = "reading ONNX files needs the package 'onnx'"
        raise TraceError(message, where=str(path), mend="pip install 'pimsim[onnx]'")


def _with_weights(graph: Graph, unknown: Mapping[str, int]) -> set[str]:
    """Return the unknown op types that read a constant matrix, as far as shapes are known."""
    from onnx import NodeProto

    from pimsim.trace.onnx.constants import as_tensor
    from pimsim.trace.onnx.ops import full_type

    constants = graph.constants
    forms = {name: as_tensor(tensor) for name, tensor in constants.stored.items()}
    forms |= {name: constants.tensors[name] for name in constants.names if name in constants.tensors}
    return {
        full_type(node)
        for node in graph.live
        if isinstance(node, NodeProto)
        and full_type(node) in unknown
        and any(name in forms and is_matrix(forms[name]) for name in node.input)
    }


def _quantized(ops: Sequence[Op]) -> list[Op]:
    """Return ops with the bits of their outputs: those that all readers have them in."""
    asked: dict[tuple[str | None, int], set[int | None]] = {}
    for op in ops:
        for each in op.activations:
            asked.setdefault((each.source, each.index), set()).add(each.tensor.bits)

    def told(tensor: Tensor, source: str | None, index: int) -> Tensor:
        found = asked.get((source, index), {None})
        return replace(tensor, bits=next(iter(found)) if len(found) == 1 else None)

    made = []
    for op in ops:
        inputs = (
            replace(each, tensor=told(each.tensor, each.source, each.index)) if each.source else each
            for each in op.inputs
        )
        outputs = (told(each, op.name, index) for index, each in enumerate(op.outputs))
        made.append(replace(op, inputs=tuple(inputs), outputs=tuple(outputs)))
    return made


def _weights(graph: Graph, ops: list[Op]) -> str:
    """Say where the weights' values come from: one that is filled makes the model's values meaningless."""
    if not any(op.weight for op in ops):
        return "absent"
    origins = {graph.constants.origin(name) for name in graph.weight_names}
    return next(origin for origin in ("absent", "constant", "trained") if origin in origins)


class _Converter:
    """Turns the graph's nodes into ops, and value names into (op, output) pairs."""

    def __init__(self, graph: Graph) -> None:
        from pimsim.trace.onnx.identity import Identities
        from pimsim.trace.onnx.masks import Masks

        self.graph = graph
        self.identities = Identities(graph.constants)
        self.seen_again: dict[tuple[str, int], str] = {}  # what hands an output on -> its value name
        self.ops: list[Op] = []
        self.names: set[str] = set()
        self.made: dict[str, tuple[str, int]] = {}  # value name -> op that computes it, and which output
        self.nodes: dict[str, NodeProto | Piece] = {}  # op -> the node that it was
        self.weights: dict[str, str] = {}  # op -> value name of its weight
        self.values: dict[str, str] = {}  # name of a constant -> a value that it is
        self.forms: dict[tuple[str, bool, Shape], str] = {}  # the same in a form -> a value that is in it
        self.dtypes: dict[str, str] = {}  # name of a constant -> the element type that it is first read in
        self.masks = Masks(graph)
        self.masked: set[str] = set()  # ops that apply a causal mask to scores of attention

    def convert(self) -> tuple[list[Op], list[str]]:
        """Return the ops, in the file's order, and the names of the output ops."""
        for value in self.graph.inputs:
            name = self._unique(value)
            self.ops.append(Op(name, "Input", (), (self.graph.tensor(value),)))
            self.made[value] = (name, 0)
        for node in self.graph.live:
            self._add(node)
        outputs = []
        for value in (self.graph.own(value) for value in self.graph.outputs):
            if value in self.made:
                outputs.append(self._output(value))
        outputs = list(dict.fromkeys(outputs))
        if not outputs:
            raise TraceError("no output depends on an input: there is nothing to run", where=self.graph.where)
        return self.ops, outputs

    def number(self, operand: Operand) -> float | None:
        """Return the value of a constant of one element; None if it is not known."""
        value = self.values.get(operand.name or "")
        try:
            return None if value is None else float(self.graph.constants.value(value).ravel()[0])
        except (TraceError, ValueError, IndexError):
            return None

    def exported(self, trace: Trace, folded: Mapping[str, str], ops: Sequence[Op]) -> Exported:
        """Return the trace with its tensors' names in the file; an op puts out what the last folded into it did.

        `ops` are the trace's while each constant has a name.
        """
        names: dict[tuple[str, int], str] = {}
        stands = self.graph.file_values
        for value, made in self.made.items():
            if value in stands:
                names.setdefault(made, value)
        for value, own in self.graph.aliases.items():  # what a node's pieces put out, or a body's
            if value in stands and own in self.made:
                names.setdefault(self.made[own], value)
        names |= self.seen_again
        scales: dict[str, list[Scale]] = {}
        for inner, outer in folded.items():
            if (inner, 0) in names:
                names[outer, 0] = names[inner, 0]
            scales.setdefault(outer, []).extend(self._scale(self.nodes[inner]))
        ends = ((op.name, index) for op in trace.ops for index in range(len(op.outputs)))
        outputs = {end: names[end] for end in ends if end in names}
        weights = {
            op.name: self.weights[op.name] for op in trace.ops if self.weights.get(op.name, "") in stands
        }
        constants = {
            (op.name, number): value
            for op in ops
            for number, each in enumerate(op.inputs)
            if (value := self.forms.get((each.name or "", each.turned, each.tensor.shape), "")) in stands
        }
        return Exported(trace, outputs, weights, scales, constants)

    def _scale(self, node: NodeProto | Piece) -> list[Scale]:
        """Return what a folded node does."""
        from pimsim.trace.onnx.ops import normalize

        if node.op_type == "BatchNormalization":
            _, operands, attributes = normalize(self.graph, node)
            _, factor, shift, mean, variance = operands
            return [Scale(node.op_type, factor, variance, mean, shift, attributes["epsilon"])]
        constant = next(name for name in node.input if name in self.graph.constants.names)
        return [Scale(node.op_type, constant)]

    def _output(self, value: str) -> str:
        """Return the op whose first output a value is; a further one of an op is handed on by an op that is no work."""
        source, index = self.made[value]
        if index == 0:
            return source
        tensor, name = self.graph.tensor(value), self._unique(value)
        self.ops.append(Op(name, "Reshape", (Operand("activation", tensor, source, index),), (tensor,)))
        self.seen_again[name, 0] = value
        return name

    def _unique(self, name: str) -> str:
        found = free("".join(letter if letter.isprintable() else "_" for letter in name)[:900], self.names)
        self.names.add(found)
        return found

    def _add(self, node: NodeProto | Piece) -> None:
        from pimsim.trace.onnx.ops import normalize
        from pimsim.trace.optypes import OP_TYPES

        type_, operands, attributes = normalize(self.graph, node)
        outputs = [value for value in node.output if value]
        name = self._unique(node.name or outputs[0])
        weight_at = self._weight_position(type_, operands)
        inputs = tuple(self._operand(value, position == weight_at) for position, value in enumerate(operands))
        if weight_at is not None:
            self.graph.weight_names.append(operands[weight_at])
            self.weights[name] = operands[weight_at]
        tensors: tuple[Tensor, ...] = tuple(self.graph.tensor(value) for value in outputs)
        if not OP_TYPES[type_].many_outputs:
            self._refuse_side_outputs(node, outputs[1:])
            tensors = tensors[:1]
        attributes = {key: tuple(v) if isinstance(v, list) else v for key, v in attributes.items()}
        self.ops.append(Op(name, type_, inputs, tensors, attributes))
        self.nodes[name] = node
        if self.masks.applied_by(self.ops[-1], operands):
            self.masked.add(name)
        self.made.update({value: (name, index) for index, value in enumerate(outputs)})

    def _weight_position(self, type_: str, operands: list[str]) -> int | None:
        from pimsim.trace.optypes import OP_TYPES

        positions = OP_TYPES[type_].weight_at
        constant = [
            at for at in positions if at < len(operands) and operands[at] in self.graph.constants.names
        ]
        return constant[-1] if constant else None

    def _operand(self, value: str, weight: bool) -> Operand:
        bits = self.graph.quantized.get(value)
        value = self.graph.own(value)
        tensor = self.graph.tensor(value)
        if value in self.graph.constants.names:
            few = self.graph.constants.bits(value) if weight or is_matrix(tensor) else None
            name, turned = self.identities.of(value)
            if self.dtypes.setdefault(name, tensor.dtype) != tensor.dtype:  # read before and behind a Cast
                name = f"{name} as {tensor.dtype}"
            self.values.setdefault(name, value)
            turned = turned and len(tensor.shape) == 2
            self.forms.setdefault((name, turned, tensor.shape), value)
            return Operand(
                "weight" if weight else "constant", replace(tensor, bits=few), name=name, turned=turned
            )
        source, index = self.made[value]
        return Operand("activation", replace(tensor, bits=bits), source, index)

    def _refuse_side_outputs(self, node: NodeProto | Piece, values: list[str]) -> None:
        """Side outputs (a pool's indices, an inference's masks) may stand there, but nobody may read them."""
        used = [value for value in values if self.graph.is_read(value)]
        if used:
            message = (
                f"{node.op_type} '{node.name or node.output[0]}': its output '{used[0]}' is not supported"
            )
            raise TraceError(message, where=self.graph.where)
