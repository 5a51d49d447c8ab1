"""One way through the nodes of an ONNX graph: shapes inferred, constants found, bodies entered, ops taken apart.

Node by node, in order: a node that a trace has no op for is replaced by what stands for it, and that is gone through
next; of any other, ONNX infers what it puts out, given the values of the small constants that it reads. So all shapes
before a node are known when it is looked at, and a condition or a number of rounds that shapes tell is a constant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

from onnx import (
    NodeProto,
    OperatorSetIdProto,
    TensorProto,
    TypeProto,
    checker,
    defs,
    helper,
    numpy_helper,
    shape_inference,
)

from pimsim.errors import TraceError
from pimsim.trace.onnx.bodies import MOST_NODES, captured
from pimsim.trace.onnx.constants import GENERATORS, SMALL, dtype_name, first_line, type_of
from pimsim.trace.onnx.forms import pooled_shape, ruled
from pimsim.trace.onnx.lowered import FREE, free_dtype, lowered
from pimsim.trace.onnx.ops import full_type, known
from pimsim.trace.onnx.piece import Piece
from pimsim.trace.onnx.values import Values
from pimsim.trace.tensor import Tensor

Step = NodeProto | Piece | Callable[[], "list[Step]"]


class Walk:
    """Goes through the nodes of a graph.

    Parameters
    ----------
    graph : Values
        What is known of its values; this completes it.
    declared : dict
        Forms that the file states for values.

    Attributes
    ----------
    live : list of NodeProto or Piece
        What is left that is no constant, in order.
    unknown : Counter
        Types of the nodes that nothing here knows.
    """

    def __init__(self, graph: Values, declared: dict[str, Tensor]) -> None:
        self.graph = graph
        self.declared = declared
        self.live: list[NodeProto | Piece] = []
        self.unknown: Counter[str] = Counter()

    def run(self, nodes: Iterable[NodeProto]) -> None:
        """Go through nodes, in topological order.

        Raises
        ------
        TraceError
            If shapes do not fit one another, or one depends on data.
        """
        todo: list[Step] = []
        todo += list(nodes)[::-1]
        done = 0
        while todo:
            step = todo.pop()
            if isinstance(step, Piece):
                self.live.append(step)
                continue
            steps = self._node(step) if isinstance(step, NodeProto) else step()
            todo.extend(reversed(steps))
            done += len(steps)
            if done > MOST_NODES:
                message = f"its loops unroll to more than {MOST_NODES} ops"
                raise TraceError(message, where=self.graph.where)

    def _node(self, node: NodeProto) -> list[Step]:
        graph = self.graph
        graph.constants.note_numbers(node)
        if self._is_free(node):
            return self._free(node)
        if graph.constants.add_computed(node):
            self._infer_constant(node)
            return []
        missing = next((v for v in (*node.input, *captured(node)) if v and not self._has(v)), None)
        if missing is not None:
            return self._unshaped(node, missing)
        if node.op_type in GENERATORS and not node.domain:
            self._infer(node)
            graph.constants.add_filled(node.output[0], graph.tensor(node.output[0]))
            return []
        instead = lowered(graph, node)
        if instead is not None:
            return instead
        if not known(node):
            self.unknown[full_type(node)] += 1
        if not node.domain:
            self._infer(node)
        else:
            self._declare(node)
        if all(0 in graph.tensor(value).shape for value in node.output if value and self._has(value)):
            for value in node.output:  # nothing is computed of nothing
                if value and self._has(value):
                    graph.constants.add_filled(value, graph.tensor(value))
        if any(value and value not in graph.constants.names for value in node.output):
            self.live.append(node)
        return []

    def _is_free(self, node: NodeProto) -> bool:
        return node.op_type in FREE and not node.domain

    def _has(self, value: str) -> bool:
        return value in self.graph.constants.tensors or value in self.graph.sequences

    def _unshaped(self, node: NodeProto, missing: str) -> list[Step]:
        """Count an unknown op behind an unknown one; the shape of anything else must be known."""
        if not self.unknown:
            maker = next((n for n in self.live if missing in n.output), None)
            of_type = "" if maker is None else f" ({maker.op_type})"
            asked = "" if maker is None else self.graph.constants.ask(maker.input)
            message = f"the shape of '{missing}'{of_type} cannot be inferred"
            mend = asked or "give it in the model's value_info"
            raise TraceError(message, where=self.graph.where, mend=mend)
        if not self._is_free(node) and not known(node) and lowered(self.graph, node, only_ask=True) is None:
            self.unknown[full_type(node)] += 1
        self._declare(node)
        self.live.append(node)
        return []

    def _free(self, node: NodeProto) -> list[Step]:
        """An op that costs nothing: what it puts out is what it was given, if need be of another type."""
        graph = self.graph
        FREE[node.op_type](graph, node)
        if graph.constants.add_computed(node):
            self._infer(node)
            return []
        source = node.input[0]
        if not self._has(source):
            return self._unshaped(node, source)
        if source in graph.sequences:
            graph.sequences[node.output[0]] = graph.sequences[source]
            return []
        if source in graph.constants.names:  # of the type of something that is computed
            tensor = replace(graph.tensor(source), dtype=free_dtype(graph, node))
            graph.constants.add_computed(helper.make_node("Identity", [source], node.output[:1]))
            graph.constants.tensors[node.output[0]] = tensor
            return []
        graph.alias(node.output[0], source, replace(graph.tensor(source), dtype=free_dtype(graph, node)))
        return []

    def _declare(self, node: NodeProto) -> None:
        for value in node.output:
            if value in self.declared:
                self.graph.constants.tensors.setdefault(value, self.declared[value])

    def _infer(self, node: NodeProto) -> None:
        """Infer the forms of what a node puts out; what ONNX cannot say, the file may."""
        graph = self.graph
        node = self._without_empty(node)
        schema = defs.get_schema(node.op_type, graph.opset, "")
        types = {v: type_of(graph.constants.tensors[v]) for v in node.input if v in graph.constants.tensors}
        if any(v and v not in types for v in node.input):
            self._declare(node)
            return
        opsets = [helper.make_opsetid("", graph.opset)]
        made = self._ask(schema, node, types, {}, opsets)
        if any(_shape(made.get(value)) is None for value in node.output if value):
            data: dict[str, TensorProto] = {}
            for value in dict.fromkeys(node.input):
                if value in graph.constants.names and graph.tensor(value).elements <= SMALL:
                    try:
                        data[value] = numpy_helper.from_array(graph.constants.value(value), value)
                    except TraceError:  # its value is not known: its form must do
                        continue
            made = self._ask(schema, node, types, data, opsets)
        for value in node.output:
            shape = _shape(made.get(value))
            if value and shape is not None:
                dtype = dtype_name(made[value].tensor_type.elem_type)
                graph.constants.tensors[value] = Tensor(shape, dtype)
            elif value in self.declared:
                graph.constants.tensors[value] = self.declared[value]
            elif value in graph.constants.names:
                self._by_value(value)
        first = node.output[0]
        if first and first not in graph.constants.tensors:
            form = ruled(graph, node)
            graph.constants.tensors |= {} if form is None else {first: form}
        pooled = pooled_shape(graph, node)
        if pooled is not None:
            for value in node.output:
                if value:
                    held = graph.constants.tensors.get(value)
                    graph.constants.tensors[value] = Tensor(pooled, held.dtype if held else "int64")

    def _infer_constant(self, node: NodeProto) -> None:
        """Infer the forms of constants; where ONNX refuses what its evaluator takes, by computing them."""
        try:
            self._infer(node)
        except TraceError as error:
            try:
                for value in filter(None, node.output):
                    self._by_value(value)
            except TraceError:
                raise error from None

    def _without_empty(self, node: NodeProto) -> NodeProto:
        """Return a Resize without the empty factors that some exporters write beside the sizes."""
        if node.op_type != "Resize" or len(node.input) < 4 or not node.input[3]:
            return node
        made = NodeProto()
        made.CopyFrom(node)
        for at in (1, 2):
            held = self.graph.constants.tensors.get(node.input[at])
            made.input[at] = "" if held is not None and 0 in held.shape else node.input[at]
        return made

    def _by_value(self, value: str) -> None:
        """Find the form of a constant by computing it."""
        array = self.graph.constants.value(value)
        dtype = (
            dtype_name(helper.np_dtype_to_tensor_dtype(array.dtype))
            if array.dtype.kind not in "OUS"
            else "string"
        )
        self.graph.constants.tensors[value] = Tensor(tuple(array.shape), dtype)

    def _ask(
        self,
        schema: defs.OpSchema,
        node: NodeProto,
        types: dict[str, TypeProto],
        data: dict[str, TensorProto],
        opsets: list[OperatorSetIdProto],
    ) -> dict[str, TypeProto]:
        try:
            try:
                return shape_inference.infer_node_outputs(schema, node, types, data, opset_imports=opsets)
            except (
                checker.ValidationError
            ):  # of whole numbers: what stands for a quantized op has their shapes
                plain = {name: type_of(replace(self.graph.tensor(name), dtype="float32")) for name in types}
                return shape_inference.infer_node_outputs(schema, node, plain, data, opset_imports=opsets)
        except (
            shape_inference.InferenceError,
            RuntimeError,
            ValueError,
            KeyError,
            checker.ValidationError,
        ) as error:
            message = f"shapes do not fit one another: {first_line(error)}"
            raise TraceError(message, where=self.graph.where) from None


def _shape(type_: TypeProto | None) -> tuple[int, ...] | None:
    """Return the shape of a type if every size is known."""
    if type_ is None or not type_.HasField("tensor_type") or not type_.tensor_type.HasField("shape"):
        return None
    dims = type_.tensor_type.shape.dim
    if any(not dim.HasField("dim_value") or dim.dim_value < 0 for dim in dims):
        return None
    return tuple(dim.dim_value for dim in dims)
