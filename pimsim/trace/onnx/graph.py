"""An ONNX model made ready for conversion: dimensions bound, constants found, shapes inferred.

Big constants are never computed: only their shapes matter. Small ones are computed when their value is
needed, as the target of a Reshape is.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, checker, helper, inliner

from pimsim.errors import TraceError
from pimsim.trace.batch import is_batch, is_named, is_told
from pimsim.trace.found import MAX_SIZE, closest
from pimsim.trace.onnx.batches import batched
from pimsim.trace.onnx.biases import restore
from pimsim.trace.onnx.bodies import captured
from pimsim.trace.onnx.constants import SMALL, Constants, as_tensor, dtype_name, first_line
from pimsim.trace.onnx.numbers import Chosen, give, numbers_of
from pimsim.trace.onnx.ops import UNKNOWN_DOMAIN, full_type
from pimsim.trace.onnx.piece import Piece
from pimsim.trace.onnx.soundness import check_sound, check_survived
from pimsim.trace.onnx.unbound import sums_of, unbound
from pimsim.trace.onnx.values import Values
from pimsim.trace.onnx.walk import Walk
from pimsim.trace.symbols import Size
from pimsim.trace.tensor import Tensor


def read_model(path: Path) -> tuple[ModelProto, bytes]:
    """Read an ONNX file, without weights that stand in other files, and return its bytes too.

    Raises
    ------
    TraceError
        If it cannot be read or is no model.
    """
    where = str(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TraceError(f"cannot be read: {error.strerror or error}", where=where) from None
    try:
        model = ModelProto()
        model.ParseFromString(data)
    except DecodeError:
        raise TraceError("not an ONNX model, or a truncated one", where=where) from None
    if not _is_text(model):
        raise TraceError("not an ONNX model: a name is not UTF-8 text", where=where)
    if not model.HasField("graph") or not model.graph.node or not model.opset_import:
        raise TraceError("not an ONNX model, or one without a graph", where=where)
    check_sound(model, where)
    return model, data


def symbol_of(value: str, axis: int, name: str) -> str:
    """Return what a symbolic dimension of an input is called: as the model says, or else ``input[axis]``."""
    return name if is_named(name) else f"{value}[{axis}]"


class Graph(Values):
    """The graph of an ONNX model.

    Parameters
    ----------
    path : Path
        The file.
    bindings : dict
        Values of symbolic dimensions by name; an unnamed one is called ``input[axis]``. One that is named like a batch,
        or that nobody named and ops take for one, is 1 by default. And of what `pimsim.trace.onnx.numbers` has.

    Attributes
    ----------
    inputs, outputs : list of str
        Names of the values that enter (and are read) and leave.
    live : list of NodeProto or Piece
        What the outputs depend on and is not constant, in order; there once shapes are inferred.
    constants : Constants
        The values that depend on no input.
    symbols : dict
        Symbolic dimensions, and what else was bound, and what they were bound to.
    defaults : list of str
        Those of them that count inferences, so that 1 was taken without being asked.
    notes : list of str
        What was decided without being asked.
    file_values : set of str
        Names of the values that stand in the file itself, and not in a body.
    weight_names : list of str
        Names of the values used as weights; the converter fills it.

    Raises
    ------
    TraceError
        If the file is not a valid model; UnboundError if a dimension has no value.
    """

    def __init__(self, path: Path, bindings: dict[str, int]) -> None:
        """Read the file and make the graph ready for `infer_shapes`."""
        self.where = str(path)
        self.notes: list[str] = []
        self.symbols: dict[str, int] = {}
        self.defaults: list[str] = []
        self.weight_names: list[str] = []
        self.aliases: dict[str, str] = {}
        self.quantized: dict[str, int] = {}
        self.sequences: dict[str, list[str]] = {}
        self.odd: dict[str, str] = {}
        self.real: dict[str, str] = {}
        self.live: list[NodeProto | Piece] = []
        self.model = self._parse(path)
        given = give(self.model, bindings)
        self.opset = next((o.version for o in self.model.opset_import if o.domain in ("", "ai.onnx")), 1)
        self.constants = Constants(self.model, self.where)
        self._strip()
        self._bind(bindings, given)
        self._find_live()
        self._check()

    def _parse(self, path: Path) -> ModelProto:
        model, data = read_model(path)
        restore(model)
        self.source = {
            "file": "".join(letter if letter.isprintable() else "_" for letter in path.name),
            "sha256": hashlib.sha256(data).hexdigest(),
            "opset": next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0),
            "ir_version": model.ir_version,
            "producer": model.producer_name,
            "producer_version": model.producer_version,
        }
        return model

    def _strip(self) -> None:
        """Replace big initializers by inputs of their shape, and make small ones constants in any version."""
        graph = self.model.graph
        inputs = [value for value in graph.input if value.name not in self.constants.stored]
        self.inputs = [value.name for value in inputs]
        small = []
        for tensor in graph.initializer:
            if math.prod(tensor.dims) <= SMALL and tensor.data_location != TensorProto.EXTERNAL:
                small.append(tensor)
            else:
                inputs.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
        for field, rows in ((graph.input, inputs), (graph.initializer, small)):
            del field[:]
            field.extend(rows)
        self.model.ir_version = max(self.model.ir_version, 4)  # from 4 on initializers need not be inputs
        self._name_domains()

    def _name_domains(self) -> None:
        """Inline the model's functions; put ops that ONNX does not know into a domain of their own."""
        if self.model.functions:
            try:
                self.model = inliner.inline_local_functions(self.model)
            except (RuntimeError, ValueError) as error:
                message = f"its functions cannot be inlined: {first_line(error)}"
                raise TraceError(message, where=self.where) from None
        self.file_values = {value for node in self.model.graph.node for value in node.output if value}
        self.file_values |= {value.name for value in self.model.graph.input} | set(self.constants.stored)
        for row in (*self.model.opset_import, *_all_nodes(self.model.graph.node)):
            row.domain = "" if row.domain == "ai.onnx" else row.domain
        for node in _all_nodes(self.model.graph.node):
            if not _in_onnx(node, self.opset):
                node.op_type, node.domain = f"{node.domain}:{node.op_type}".lstrip(":"), UNKNOWN_DOMAIN
        self.model.opset_import.append(helper.make_opsetid(UNKNOWN_DOMAIN, 1))

    def _bind(self, bindings: dict[str, int], given: dict[str, int]) -> None:
        graph = self.model.graph
        missing: list[str] = []
        outer: set[str] = set()  # dimensions that are an input's first one
        batches = self._batches(bindings)
        sums = sums_of(graph)
        for value in graph.input:
            for axis, dim in enumerate(value.type.tensor_type.shape.dim):
                if dim.HasField("dim_value") and dim.dim_value > 0:
                    continue
                name = symbol_of(value.name, axis, dim.dim_param)
                if name in sums and name not in bindings:
                    continue
                if axis > 0 and dim.HasField("dim_value") and dim.dim_value == 0 and name not in bindings:
                    continue  # nothing along it: a cache before the first token
                if name not in bindings and name not in self.symbols:
                    if not is_batch(name, axis == 0) and name not in batches:
                        missing.append(name)
                        continue
                    self.defaults.append(name)
                    self.notes.append(f"symbolic dimension '{name}' of '{value.name}' bound to 1 by default")
                self.symbols[name] = dim.dim_value = bindings.get(name, 1)
                outer |= {name} if axis == 0 else set()
        missing = [name for name in dict.fromkeys(missing) if name not in self.symbols]
        if missing:
            raise unbound(missing, self.where)
        left = {name: n for name, n in bindings.items() if name not in self.symbols and name not in given}
        for name, size in bindings.items():
            least = 1 if name in outer else 0  # along an inner one there may be nothing: an empty cache
            if isinstance(size, bool) or not least <= size <= MAX_SIZE:
                message = f"'{name}' bound to {size}, expected {least} to {MAX_SIZE}"
                raise TraceError(message, where=self.where)
        self.chosen = Chosen(left)
        self.symbols.update(given)
        if not any(node.op_type in ("If", "Loop") for node in _all_nodes(graph.node)):
            self._check_chosen()
        self._rebind_repeated(sums)
        fixed = [value for value in graph.value_info if _shape(value) is not None]
        del graph.value_info[:]
        graph.value_info.extend(fixed)
        for value in graph.output:
            if _shape(value) is None and value.type.HasField("tensor_type"):
                value.type.tensor_type.ClearField("shape")

    def _batches(self, bindings: dict[str, int]) -> set[str]:
        """Return the symbols of first dimensions that nobody named, but that ops take for a batch."""
        asked: dict[str, str] = {}
        for value in self.model.graph.input:
            dims = value.type.tensor_type.shape.dim
            if dims and dims[0].dim_value <= 0 and not is_told(dims[0].dim_param):
                name = symbol_of(value.name, 0, dims[0].dim_param)
                asked |= {} if name in bindings else {value.name: name}
        if not asked:
            return set()
        check_survived(self.model, self.where)
        return {asked[name] for name in batched(self.model, asked)}

    def _check_chosen(self) -> None:
        for name in sorted(self.chosen.unused):
            message = f"the model has no symbolic dimension '{name}'"
            known = [*self.symbols, *numbers_of(self.model)]
            mend = closest(name, known) if known else "it has none at all"
            raise TraceError(message, where=self.where, mend=mend)

    def _rebind_repeated(self, sums: Mapping[str, Size]) -> None:
        """A dimension seen unbound on one input may have been bound by default on a later one."""
        for value in self.model.graph.input:
            for dim in value.type.tensor_type.shape.dim:
                if is_named(dim.dim_param) and dim.dim_param in self.symbols:
                    dim.dim_value = self.symbols[dim.dim_param]
                elif dim.dim_param in sums:
                    size = sums[dim.dim_param].put(self.symbols).plain()
                    if not isinstance(size, int) or size < 0:
                        message = f"the dimension '{dim.dim_param}' of '{value.name}' is {size}"
                        raise TraceError(message, where=self.where, mend="give its names other values")
                    dim.dim_value = size

    def _find_live(self) -> None:
        """Leave out the nodes that no output depends on."""
        graph = self.model.graph
        self.outputs = [value.name for value in graph.output]
        self._read = set(self.outputs)
        kept = []
        for node in reversed(graph.node):
            if self._read.intersection(value for value in node.output if value):
                kept.append(node)
                self._read.update((*node.input, *captured(node)))
        del graph.node[:]
        graph.node.extend(kept[::-1])

    def _check(self) -> None:
        model = ModelProto()
        model.CopyFrom(self.model)
        for value in model.graph.output:  # the checker wants a shape, of whatever rank; inference finds it
            value.type.tensor_type.shape.SetInParent()
        try:
            checker.check_model(model)
        except checker.ValidationError as error:
            raise TraceError(f"not a valid ONNX model: {first_line(error)}", where=self.where) from None

    def infer_shapes(self) -> Counter[str]:
        """Infer the shape of every value, take apart what a trace has no op for, and find what is live.

        Returns
        -------
        Counter
            Types of the live nodes that a trace does not know.

        Raises
        ------
        TraceError
            If the graph is inconsistent, or a shape depends on data.
        """
        check_survived(self.model, self.where)
        graph, constants = self.model.graph, self.constants
        constants.tensors = {name: as_tensor(tensor) for name, tensor in constants.stored.items()}
        for value in graph.input:
            shape, code = _shape(value), value.type.tensor_type.elem_type
            if value.type.HasField("tensor_type") and dtype_name(code) == "undefined":
                message = f"the input '{value.name}' has element type {code}, which ONNX does not have"
                raise TraceError(message, where=self.where)
            if shape is not None and value.name not in constants.tensors:
                tensor = Tensor(shape, dtype_name(code))
                constants.tensors[value.name] = tensor
                if 0 in shape:  # a cache before the first token
                    constants.add_filled(value.name, tensor)
        stated = ((value, _shape(value)) for value in (*graph.value_info, *graph.output))
        declared = {
            value.name: Tensor(shape, dtype_name(value.type.tensor_type.elem_type))
            for value, shape in stated
            if shape is not None
        }
        walk = Walk(self, declared)
        walk.run(graph.node)
        self._check_chosen()
        self.symbols.update(self.chosen.given)
        wanted = {self.aliases.get(value, value) for value in self.outputs}
        self._read = set(wanted) | set(self.outputs)
        self.live = []
        for node in reversed(walk.live):
            if wanted.intersection(value for value in node.output if value):
                self.live.append(node)
                self._read.update(node.input)
                read = (self.aliases.get(value, value) for value in node.input if value)
                wanted.update(value for value in read if value not in constants.names)
        self.live.reverse()
        self.inputs = [value for value in self.inputs if value in wanted]
        self._unshaped = [
            (value, node)
            for node in self.live
            for value in node.output
            if value in self._read and value not in constants.tensors
        ]
        types = (full_type(node) for node in self.live if isinstance(node, NodeProto))
        return Counter(type_ for type_ in types if type_ in walk.unknown)

    def check_shapes(self) -> None:
        """Refuse a value without a shape: one that an op puts out that nothing here knows.

        Raises
        ------
        TraceError
            If there is one.
        """
        for value, node in self._unshaped:
            message = f"the shape of '{value}' ({node.op_type}) cannot be inferred"
            mend = self.constants.ask(node.input) or "give it in the model's value_info"
            raise TraceError(message, where=self.where, mend=mend)


def _all_nodes(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """Yield nodes and those of their bodies."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from _all_nodes(body.node)


def _in_onnx(node: NodeProto, opset: int) -> bool:
    from onnx import defs

    try:
        return bool(defs.get_schema(node.op_type, max_inclusive_version=opset, domain=node.domain))
    except defs.SchemaError:
        return False


def _is_text(message: Message) -> bool:
    """Whether all strings in a message are text; protobuf gives those that are not as bytes."""
    for field, value in message.ListFields():
        many = [value] if isinstance(value, str | bytes | Message) else value
        if field.type == field.TYPE_STRING and not all(isinstance(item, str) for item in many):
            return False
        if field.type == field.TYPE_MESSAGE and not all(_is_text(item) for item in many):
            return False
    return True


def _shape(value: ValueInfoProto) -> tuple[int, ...] | None:
    """Return a value's shape if every size is known."""
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        return None
    sizes = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    known_sizes = all(
        dim.HasField("dim_value") and dim.dim_value >= 0 for dim in value.type.tensor_type.shape.dim
    )
    return tuple(sizes) if known_sizes else None
