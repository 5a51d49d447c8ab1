"""From torch's nodes to ops: what each value is, and the ops made so far.

A view moves nothing, so it makes no op: the value is what the op before it put out, under another shape. Only when an
op reads it under that shape does a Reshape stand between the two. A value that depends on no input is a constant: it
has a shape and makes no op either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pimsim.errors import TraceError
from pimsim.trace.names import free
from pimsim.trace.op import Op
from pimsim.trace.symbols import expert_of
from pimsim.trace.tensor import Operand, Role, Tensor
from pimsim.trace.torch.identity import UNNAMED, Identities
from pimsim.trace.torch.masks import Masks
from pimsim.trace.torch.naming import called, scope_of
from pimsim.trace.unknown import is_matrix

if TYPE_CHECKING:
    from torch.fx import Node

    from pimsim.trace.torch.export import Exported

Shape = tuple[int, ...]
DTYPES = {
    "float8_e4m3fn": "float8e4m3fn",
    "float8_e5m2": "float8e5m2",
    "complex64": "float32",  # two numbers along a dimension of its own
    "complex128": "float64",
}


@dataclass(frozen=True)
class Const:
    """A value that depends on no input; those of one name are one, turned or as it is (see `Operand`)."""

    shape: Shape
    dtype: str = "float32"
    name: str | None = None
    turned: bool = False


@dataclass(frozen=True)
class Cache:
    """Keys or values of the tokens before."""

    shape: Shape
    dtype: str = "float32"


@dataclass(frozen=True)
class Made:
    """An output of an op, under the last of some shapes; the first is its own."""

    op: str
    index: int
    shapes: tuple[Shape, ...]
    dtype: str

    @property
    def shape(self) -> Shape:
        """The shape that it is seen under."""
        return self.shapes[-1]

    def seen_as(self, shape: Shape) -> Made:
        """Return it under another shape of as many elements."""
        if shape in self.shapes:  # back to what it was
            return Made(self.op, self.index, self.shapes[: self.shapes.index(shape) + 1], self.dtype)
        return Made(self.op, self.index, (*self.shapes, shape), self.dtype)


Value = Const | Cache | Made
Handler = Callable[["Builder", "Node"], Value | list[Value]]


class Builder:
    """Makes ops of nodes.

    Parameters
    ----------
    exported : Exported
        The graph.
    handlers : mapping
        Name of an ATen op to what makes ops of its nodes.
    caches : sequence of str
        Arguments of the model that are caches.

    Attributes
    ----------
    ops : dict
        By name, in order.
    unknown : Counter
        ATen ops without a handler; their nodes became DataMovement.
    with_weights : set of str
        Those of them that read a matrix of the model's.
    masked : set of str
        Ops that apply a causal mask to scores of attention.
    scopes : dict
        Op to the module that it comes from.
    masks : Masks
        Knows the values of constants, as far as the model has them.
    numbers : dict
        Name of a constant to the number that a node has as an argument.
    """

    def __init__(
        self,
        exported: Exported,
        handlers: Mapping[str, Handler],
        caches: Sequence[str],
    ) -> None:
        self.exported = exported
        self.handlers = handlers
        self.caches = caches
        self.ops: dict[str, Op] = {}
        self.unknown: Counter[str] = Counter()
        self.with_weights: set[str] = set()
        self.masked: set[str] = set()
        self.masks = Masks(exported)
        self.zero_padded: set[str] = set()  # names of the Pad ops that add zeros
        self.values: dict[Node, Value | list[Value]] = {}
        children = [name for name, _ in exported.module.named_children()]
        self._wrapper = f"{children[0]}." if len(children) == 1 else ""
        self._identities = Identities(self.masks.table)
        self._reshaped: dict[tuple[str, int, tuple[Shape, ...]], Made] = {}
        self.scopes: dict[str, str] = {}
        self.numbers: dict[str, float] = {}

    def run(self) -> list[str]:
        """Go through all nodes and return the names of the output ops."""
        for node in self.exported.nodes:
            if node.op == "placeholder":
                self.values[node] = self._placeholder(node)
            elif node.op == "get_attr":
                self.values[node] = Const(*self._form(node.meta.get("val")), str(node.target))
            elif node.op == "call_function":
                self._call(node)
        return self._outputs()

    def _placeholder(self, node: Node) -> Value:
        shape, dtype = self._form(node.meta.get("val"))
        path = self.exported.arguments.get(node.name)
        if path is None or not hasattr(node.meta.get("val"), "shape"):
            return Const(shape, dtype, self.exported.held.get(node.name))
        if path.partition("[")[0] in self.caches:
            return Cache(shape, dtype)
        name = self._unique(path)
        self.ops[name] = Op(name, "Input", (), (Tensor(shape, dtype),))
        return Made(name, 0, (shape,), dtype)

    def _form(self, value: Any) -> tuple[Shape, str]:
        if not hasattr(value, "shape"):
            return (), "int64"
        dtype = str(value.dtype).removeprefix("torch.")
        return self.exported.shape(value), DTYPES.get(dtype, dtype)

    def _call(self, node: Node) -> None:
        name = _name(node)
        if not any(hasattr(v, "shape") for v in _flat(node.meta.get("val"))) and name != "getitem":
            return  # numbers, sizes, assertions
        inputs = [self.values[each] for each in node.all_input_nodes if each in self.values]
        depends = any(not isinstance(value, Const) for group in inputs for value in _flat(group))
        handler = self.handlers.get(name) or self._in_place(node, name)
        if name == "getitem":
            source = self.values.get(node.args[0])
            if isinstance(source, list) and node.args[1] < len(source):
                self.values[node] = source[node.args[1]]
            elif depends:  # a mask, a mean, indices: what a handler does not make
                self.unknown[f"{_name(node.args[0])} (output {node.args[1]})"] += 1
            return
        if handler is None and depends:
            self._count(name.removesuffix(".default"), node)
            self.values[node] = self._moved(node, name)
        elif not depends or handler is None:
            made: list[Value] = [
                Const(*self._form(v), *self._identities.of(node, index, self.values))
                for index, v in enumerate(_flat(node.meta["val"]))
            ]
            self.values[node] = made if isinstance(node.meta["val"], list | tuple) else made[0]
        else:
            self.values[node] = handler(self, node)

    def _in_place(self, node: Node, name: str) -> Handler | None:
        """Return the handler of an op that changes its operand, if nothing else can tell the difference."""
        plain, dot, kind = name.partition(".")
        handler = self.handlers.get(f"{plain.removesuffix('_')}{dot}{kind}") if plain.endswith("_") else None
        target = node.args[0] if node.args else None
        if handler is None or not hasattr(target, "users"):
            return None
        others = [user for user in target.users if user is not node]  # type: ignore[union-attr]
        shared = [target, *(user for user in others if user < node)]
        alone = not any(user > node for user in others)
        return handler if alone and not any(_may_alias(each) for each in shared) else None

    def _count(self, what: str, node: Node) -> None:
        """Count an op that is not known."""
        self.unknown[what] += 1
        read = [value for each in node.all_input_nodes for value in _flat(self.values.get(each))]
        if any(
            isinstance(value, Const) and value.name and is_matrix(Tensor(value.shape, value.dtype))
            for value in read
        ):
            self.with_weights.add(what)

    def _moved(self, node: Node, name: str) -> Value | list[Value]:
        """Make a DataMovement of an op that is not known."""
        operands = [
            self.operand(value)
            for each in node.all_input_nodes
            for value in _flat(self.values.get(each, []))
            if not isinstance(value, Cache)
        ]
        outputs = [self._form(v) for v in _flat(node.meta["val"]) if hasattr(v, "shape")]
        made = self.emit(node, "DataMovement", operands, outputs, {"onnx_type": f"aten::{name}"})
        return made if isinstance(node.meta["val"], list | tuple) else made[0]

    def refused(self, node: Node, what: str) -> Made:
        """Count what a handler cannot make an op of as unknown, and move its data."""
        self._count(what, node)
        made = self._moved(node, _name(node))
        made = made[0] if isinstance(made, list) else made
        assert isinstance(made, Made)
        return made

    def _outputs(self) -> list[str]:
        """Return the ops of the model's outputs; one that is seen under another shape gets its Reshape."""
        node = next(node for node in self.exported.nodes if node.op == "output")
        names: list[str] = []
        specs = self.exported.program.graph_signature.output_specs
        for each, spec in zip(_flat(node.args[0]), specs, strict=False):
            value = self.values.get(each) if spec.kind.name == "USER_OUTPUT" else None
            if isinstance(value, Made):
                operand = self.operand(value)
                source = operand.source or ""
                if operand.index:  # a further output is handed on by an op that is no work
                    source, again = self._unique(f"{source}/output{operand.index}"), operand
                    self.ops[source] = Op(source, "Reshape", (again,), (again.tensor,))
                if source not in names:
                    names.append(source)
        if not names and not self.unknown:
            raise TraceError(
                "no output depends on an input: there is nothing to run", where=self.exported.where
            )
        return names

    # -- for handlers ----------------------------------------------------------------------------------------

    def value(self, argument: Any, like: Value | None = None) -> Value:
        """Return the value of a node's argument; a number is a constant, of the other operand's type."""
        found = self.values.get(argument) if hasattr(argument, "all_input_nodes") else None
        if isinstance(found, list):
            found = found[0]
        if found is not None:
            return found
        dtype = like.dtype if like else "float32"
        if not isinstance(argument, int | float):
            return Const((), dtype)
        name = f"{UNNAMED}{float(argument)!r} {dtype}"  # no parameter is called that
        self.numbers[name] = float(argument)
        return Const((), dtype, name)

    def form(self, node: Node, index: int = 0) -> tuple[Shape, str]:
        """Return shape and element type of one of a node's outputs."""
        return self._form(_flat(node.meta["val"])[index])

    def operand(self, value: Value, role: Role = "constant") -> Operand:
        """Return the operand that reads a value; a constant has the role asked for."""
        if isinstance(value, Const):
            return Operand(role, Tensor(value.shape, value.dtype), name=value.name, turned=value.turned)
        if isinstance(value, Cache):
            value = self._from_cache(value)
        value = self.settled(value)
        return Operand("activation", Tensor(value.shape, value.dtype), value.op, value.index)

    def _from_cache(self, cache: Cache) -> Made:
        message = "a cache is read by another op than the one that appends to it"
        mend = "leave it out of the caches, and it is an input"
        raise TraceError(message, where=self.exported.where, mend=mend)

    def settled(self, value: Made) -> Made:
        """Return a value under the shape that its op puts out, with a Reshape in between if it takes one."""
        if len(value.shapes) == 1:
            return value
        key = (value.op, value.index, (value.shape,))
        if key not in self._reshaped:
            name = self._unique(f"{value.op.removesuffix('/Reshape')}/Reshape")
            source = Operand("activation", Tensor(value.shapes[0], value.dtype), value.op, value.index)
            self.ops[name] = Op(name, "Reshape", (source,), (Tensor(value.shape, value.dtype),))
            self._reshaped[key] = Made(name, 0, (value.shape,), value.dtype)
        return self._reshaped[key]

    def emit(
        self,
        node: Node,
        type_: str,
        operands: Sequence[Operand],
        outputs: Sequence[tuple[Shape, str]] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> list[Value]:
        """Add an op and return its outputs; by default it has the node's first."""
        outputs = [self.form(node)] if outputs is None else outputs
        scope = scope_of(node).removeprefix(self._wrapper)
        expert = expert_of(outputs[0][0][0]) if outputs[0][0] else None
        scope = scope if expert is None else f"{scope}.{expert}"
        name = self._unique(called(scope, type_, operands))
        self.scopes[name] = scope
        tensors = tuple(Tensor(shape, dtype) for shape, dtype in outputs)
        self.ops[name] = Op(name, type_, tuple(operands), tensors, dict(attributes or {}))
        if self.masks.applied_by(self.ops[name], node, self.values):
            self.masked.add(name)
        return [Made(name, index, (shape,), dtype) for index, (shape, dtype) in enumerate(outputs)]

    def one(
        self,
        node: Node,
        type_: str,
        operands: Sequence[Operand],
        shape: Shape | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> Made:
        """Add an op of one output: of a shape of its own, or the node's."""
        own, dtype = self.form(node)
        (made,) = self.emit(node, type_, operands, [(own if shape is None else shape, dtype)], attributes)
        assert isinstance(made, Made)
        return made

    def _unique(self, name: str) -> str:
        return free(name, self.ops)


def registrar(table: dict[str, Handler]) -> Callable[..., Callable[[Handler], Handler]]:
    """Return the decorator that puts a handler into a table, under each of the names it is given."""

    def handles(*names: str) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            table.update(dict.fromkeys(names, handler))
            return handler

        return register

    return handles


def arguments(node: Node, count: int) -> list[Any]:
    """Return that many arguments of a node, those left out as their defaults."""
    schema = node.target._schema.arguments
    given = list(node.args)
    for argument in schema[len(given) : count]:
        given.append(node.kwargs.get(argument.name, argument.default_value))
    return given[:count]


def _flat(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _name(node: Node) -> str:
    """``add.Tensor`` for ATen's, ``pimsim::dispatch`` for other libraries', ``getitem`` for Python's."""
    target = str(getattr(node.target, "__name__", node.target))
    space = getattr(node.target, "namespace", "aten")
    return target if space == "aten" else f"{space}::{target.removesuffix('.default')}"


def _may_alias(node: Any) -> bool:
    """Whether a node's output shares memory with what it was made of, or with another output."""
    if _name(node).partition(".")[0] in ("dropout", "feature_dropout", "alpha_dropout"):
        return True  # while a model is evaluated it returns what it was given
    schema = getattr(node.target, "_schema", None)
    if _name(node) == "getitem":
        return _may_alias(node.args[0])
    return schema is not None and any(each.alias_info is not None for each in schema.returns)
