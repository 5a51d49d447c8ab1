"""The constants of an ONNX graph: which values they are, where they come from, and small ones' values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnx import AttributeProto, NodeProto, TensorProto, TypeProto, checker, helper, numpy_helper

from pimsim.errors import TraceError
from pimsim.trace.onnx.numbers import numbers_of
from pimsim.trace.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np
    from onnx import ModelProto

SMALL = 4096
"""Elements; a constant of more than that is not handed to ONNX's shape inference."""
LARGEST = 1 << 20
"""Elements; a constant of more than that is computed for a mask of attention only."""
_BITS = re.compile(r"(?:u?int|float)(2|4|8)(?:$|e)")  # element types of a few bits, by name
_KEPT = (
    "Transpose",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Identity",
    "Cast",
    "DequantizeLinear",
    "Slice",
)

_OF_SHAPE = ("Shape", "Size", "EyeLike")  # they do not look at what they read, only at its form
_LISTS = (
    "SequenceConstruct",
    "SequenceEmpty",
    "SequenceInsert",
    "SequenceErase",
    "SequenceAt",
    "SequenceLength",
    "SplitToSequence",
    "ConcatFromSequence",
)
GENERATORS = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike")
"""What puts out random numbers that depend on no input: constants whose values are not known."""
_RANDOM = (*GENERATORS, "Multinomial", "Bernoulli")


class Constants:
    """The values of a model that depend on none of its inputs.

    Parameters
    ----------
    model : ModelProto
        The model, with its initializers and nodes in topological order.
    where : str
        The file.

    Attributes
    ----------
    names : set of str
        All constants.
    stored : dict
        Those that are initializers.
    folder : Path
        Where the file is.
    tensors : dict
        The forms of the graph's values as far as they are known; the owner keeps it up to date, since the
        shape of an activation is a constant too.
    numbers : dict
        What is computed of inputs that are one whole number, and of which of them: constants if those were given.
    """

    def __init__(self, model: ModelProto, where: str) -> None:
        """Collect the initializers."""
        self.where = where
        self.stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self.names = set(self.stored)
        self.tensors: dict[str, Tensor] = {}
        self.numbers = {name: frozenset([name]) for name in numbers_of(model)}
        self.folder = Path(where).parent
        self._opsets = [o for o in model.opset_import if o.domain in ("", "ai.onnx")]
        self._maker: dict[str, NodeProto] = {}
        self._derived: dict[str, str] = {}  # what is known by its form alone -> what it is a part of
        self._named: dict[tuple[str, Tensor, str], str] = {}
        self._values: dict[str, np.ndarray[Any, Any]] = {}

    def add_computed(self, node: NodeProto) -> bool:
        """Add the outputs of a node that reads constants only, or only shapes, and say whether it does."""
        if node.op_type in _OF_SHAPE:
            fixed = node.input[0] in self.names or node.input[0] in self.tensors
        else:
            fixed = all(value in self.names for value in node.input if value)
        # a node with a body may read more than its inputs; one of another domain cannot be computed here
        if not fixed or node.domain or node.op_type in (*_RANDOM, *_LISTS) or _has_body(node):
            return False
        made = [value for value in node.output if value]
        self._maker.update(dict.fromkeys(made, node))
        self.names.update(made)
        return True

    def note_numbers(self, node: NodeProto) -> None:
        """Note whether what a node puts out would be constant if the model's numbers were given."""
        read = [value for value in node.input if value and value not in self.names]
        if read and all(value in self.numbers for value in read) and node.op_type not in _OF_SHAPE:
            told = frozenset[str]().union(*(self.numbers[value] for value in read))
            self.numbers.update((value, told) for value in node.output if value)

    def ask(self, values: Iterable[str]) -> str:
        """Say how to give the numbers that values are computed of; empty if they are computed of more or of none."""
        names = sorted(frozenset[str]().union(*(self.numbers.get(value, ()) for value in values)))
        return f"say {' '.join(f'--bind {name}=N' for name in names)}" if names else ""

    def add_stored(self, tensor: TensorProto) -> None:
        """Add a constant that is stored: an initializer of a body."""
        self.stored[tensor.name] = tensor
        self.names.add(tensor.name)
        self.tensors[tensor.name] = as_tensor(tensor)

    def add_filled(self, name: str, tensor: Tensor, value: float | None = None) -> None:
        """Add a constant of which only the form is known, or one number: what an op needs, or nothing at all."""
        if value is not None:
            import numpy as np

            self._values[name] = np.full(tensor.shape, value)
        self.names.add(name)
        self._derived[name] = ""
        self.tensors[name] = tensor

    def derive(self, base: str, tensor: Tensor, label: str) -> str:
        """Return the name of the constant that is another's elements in another form, or those that a label names."""
        key = (base, tensor, label)
        if key not in self._named:
            wanted = f"{base}{label}"
            name = wanted if wanted not in self.names else f"{wanted} as {'x'.join(map(str, tensor.shape))}"
            while name in self.names:
                name += "'"
            self._named[key] = name
            self.names.add(name)
            self._derived[name] = base
            self.tensors[name] = tensor
        return self._named[key]

    def bits(self, name: str) -> int | None:
        """Return the bits of a constant's elements in the file, where that is an integer or a float of 8 or fewer."""
        while True:
            tensor = self.tensors.get(name)
            if tensor is not None and tensor.bits is not None:
                return tensor.bits
            few = _BITS.match(tensor.dtype) if tensor is not None else None
            if few is not None:
                return int(few[1])
            maker = self._maker.get(name)
            if self._derived.get(name):
                name = self._derived[name]
            elif maker is not None and maker.op_type in _KEPT:
                name = maker.input[0]
            else:
                return None

    def maker(self, value: str) -> NodeProto | None:
        """Return the node that computes a constant; None for one that the model stores."""
        return self._maker.get(value)

    def origin(self, value: str) -> str:
        """Say where a constant's values are from: ``constant`` (filled), ``trained`` (stored), ``absent``."""
        found, todo, seen = set(), [value], set()
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in self._derived:
                todo.extend([self._derived[name]] if self._derived[name] else [])
            elif name in self.stored:
                found.add("trained" if self._has_data(self.stored[name]) else "absent")
            elif self._maker[name].op_type == "ConstantOfShape":
                found.add("constant")
            elif self._maker[name].op_type == "Constant":
                found.add("trained")
            elif self._maker[name].op_type not in _OF_SHAPE:  # a shape is no weight's value
                todo.extend(v for v in self._maker[name].input if v)
        return next((kind for kind in ("absent", "constant") if kind in found), "trained")

    def _has_data(self, tensor: TensorProto) -> bool:
        if tensor.data_location != TensorProto.EXTERNAL:
            return True
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        return (self.folder / location).is_file()

    def value(self, name: str, most: int = LARGEST) -> np.ndarray[Any, Any]:
        """Compute a constant of at most so many elements, made of such.

        Raises
        ------
        TraceError
            If it is not constant, or too big, or depends on a shape that is not known.
        """
        if name in self._values:
            return self._values[name]
        if name not in self.names:
            message = f"'{name}' is computed from the model's inputs, expected a constant"
            raise TraceError(message, where=self.where, mend=self.ask([name]))
        todo = [name]
        while todo:  # without recursion: a chain of constants may be long
            waits = self._waits_for(todo[-1])
            if waits:
                todo.extend(waits)
            else:
                last = todo.pop()
                if last not in self._values:
                    self._compute(last, most)
        return self._values[name]

    def _waits_for(self, name: str) -> list[str]:
        if name in self._values or name in self.stored or name in self._derived:
            return []
        if self._maker[name].op_type in _OF_SHAPE:
            return []
        return [value for value in self._maker[name].input if value and value not in self._values]

    def _compute(self, name: str, most: int) -> None:
        if name in self.stored:
            self._values[name] = self._stored_value(self.stored[name], most)
            return
        if name in self._derived:
            tensor = self.tensors[name]
            if 0 not in tensor.shape:
                raise TraceError(f"the value of '{name}' is needed but is not known", where=self.where)
            self._values[name] = _empty(tensor)
            return
        node = self._maker[name]
        sizes = [self.tensors[value].elements for value in node.output if value in self.tensors]
        if max(sizes, default=0) > most:
            raise TraceError(f"the value of '{name}' is needed but is too big to compute", where=self.where)
        inputs = {value: self._values[value] for value in node.input if value and value in self._values}
        if node.op_type in _OF_SHAPE:
            import numpy as np

            shape = self._shape(node.input[0])
            try:
                inputs = {node.input[0]: np.broadcast_to(np.float32(0), shape)}
            except ValueError:  # more elements than an index has numbers for
                message = f"'{node.input[0]}' of shape {list(shape)} has more elements than any memory"
                raise TraceError(message, where=self.where) from None
        self._values.update(self._run(node, inputs))

    def _run(self, node: NodeProto, inputs: dict[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
        import numpy as np
        from onnx.reference import ReferenceEvaluator

        values = [helper.make_value_info(name, helper.make_tensor_type_proto(0, None)) for name in inputs]
        names = [name for name in node.output if name]
        results = [helper.make_value_info(name, helper.make_tensor_type_proto(0, None)) for name in names]
        graph = helper.make_graph([node], "constant", values, results)
        try:
            made = ReferenceEvaluator(helper.make_model(graph, opset_imports=self._opsets)).run(None, inputs)
        except Exception as error:  # the evaluator has no base class of errors of its own
            message = f"the constant '{names[0]}' ({node.op_type}) cannot be computed: {first_line(error)}"
            raise TraceError(message, where=self.where) from None
        found = dict(zip(names, made, strict=True))
        for name, value in found.items():
            if not isinstance(value, np.ndarray | np.generic):
                raise TraceError(f"the constant '{name}' ({node.op_type}) is no tensor", where=self.where)
        return {name: np.asarray(value) for name, value in found.items()}

    def _stored_value(self, tensor: TensorProto, most: int) -> np.ndarray[Any, Any]:
        if math.prod(tensor.dims) > most:
            raise TraceError(f"the value of '{tensor.name}' is needed but is too big", where=self.where)
        try:
            return numpy_helper.to_array(tensor, str(self.folder))
        except (ValueError, TypeError, OSError, checker.ValidationError) as error:
            message = f"the value of '{tensor.name}' cannot be read: {first_line(error)}"
            raise TraceError(message, where=self.where) from None

    def _shape(self, name: str) -> tuple[int, ...]:
        if name not in self.tensors:
            raise TraceError(f"the shape of '{name}' is needed but not known", where=self.where)
        return self.tensors[name].shape


def _has_body(node: NodeProto) -> bool:
    return any(
        attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for attribute in node.attribute
    )


def _empty(tensor: Tensor) -> np.ndarray[Any, Any]:
    import numpy as np

    code = element_type(tensor.dtype)
    return np.zeros(tensor.shape, helper.tensor_dtype_to_np_dtype(code))


def as_tensor(tensor: TensorProto) -> Tensor:
    """Return the form of a stored tensor."""
    return Tensor(tuple(tensor.dims), dtype_name(tensor.data_type))


def dtype_name(code: int) -> str:
    """Return the name a trace has for ONNX's element type."""
    name = TensorProto.DataType.Name(code).lower() if code in TensorProto.DataType.values() else "undefined"
    return {"float": "float32", "double": "float64"}.get(name, name)


def element_type(name: str) -> int:
    """Return ONNX's code of an element type; that of float32 for one that it does not know."""
    full = {"float32": "FLOAT", "float64": "DOUBLE"}.get(name, name.upper())
    code: int = (
        TensorProto.DataType.Value(full) if full in list(TensorProto.DataType.keys()) else TensorProto.FLOAT
    )
    return code


def type_of(tensor: Tensor) -> TypeProto:
    """Return the form of a value as ONNX writes it."""
    return helper.make_tensor_type_proto(element_type(tensor.dtype), list(tensor.shape))


def first_line(error: Exception) -> str:
    """Return the first line of another library's message, shortened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
