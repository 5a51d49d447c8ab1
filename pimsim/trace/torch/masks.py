"""Masks of attention in a graph of torch's: computed for the sizes of the example, to see whether they are causal."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from pimsim.trace.causal import OPPOSITE, Sense, is_causal, sense_of
from pimsim.trace.op import Op
from pimsim.trace.tensor import Tensor

if TYPE_CHECKING:
    from torch.fx import Node

    from pimsim.trace.torch.export import Exported

_LARGEST = 1 << 24  # elements
_SAME = ("_to_copy", "to", "clone", "alias", "detach", "expand", "contiguous", "slice", "view", "reshape")
_NOT = ("bitwise_not", "logical_not", "__invert__")
_BOTH: dict[Sense, tuple[str, ...]] = {
    "true keeps": ("bitwise_and", "logical_and", "__and__", "mul"),
    "true hides": ("bitwise_or", "logical_or", "__or__"),
    "added": ("add",),
    "taken off": ("add",),
}
"""What hides all that one of its operands hides."""


class _NotKnown(Exception):
    """A value depends on the model's inputs, or is not stored."""


class Masks:
    """Says which nodes are causal masks.

    Parameters
    ----------
    exported : Exported
        The graph.
    """

    def __init__(self, exported: Exported) -> None:
        self._exported = exported
        self._values: dict[Node, Any] = {}
        self._fixed: set[Node] = set()  # nodes that depend on no input's values
        for node in exported.nodes:
            fed = node.op == "placeholder" and node.name in exported.arguments
            if not fed and all(each in self._fixed for each in _read(node)):
                self._fixed.add(node)
        self._found: dict[tuple[Node, Sense], bool] = {}

    def applied_by(self, op: Op, node: Node, values: Mapping[Node, Any]) -> bool:
        """Return whether an op applies a causal mask to scores.

        Parameters
        ----------
        op : Op
            The op.
        node : Node
            What it is made of.
        values : mapping of Node to Value
            What is known of the nodes before.
        """
        scores = op.output.shape[-2:]
        if op.type not in ("Add", "Sub", "Where") or len(scores) < 2:
            return False
        for each in node.all_input_nodes:
            value = values.get(each)
            if getattr(value, "shape", ())[-2:] != scores:
                continue
            form = Tensor(value.shape, value.dtype)  # type: ignore[union-attr]
            senses = [sense_of(op, n) for n, operand in enumerate(op.inputs) if operand.tensor == form]
            if value.dtype == "bool" and op.type == "Add":  # type: ignore[union-attr]
                senses = ["true keeps"]  # as scaled_dot_product_attention takes it
            if any(sense is not None and self.causal(each, sense) for sense in senses):
                return True
        return False

    def known(self, node: Any) -> list[int] | None:
        """Return the whole numbers that a node is, as far as they depend on no input; None if they do."""
        import torch

        try:
            value = self._value(node)
        except (_NotKnown, RuntimeError, TypeError, ValueError, NotImplementedError):
            return None
        whole = isinstance(value, torch.Tensor) and value.dtype in (torch.int32, torch.int64)
        return value.flatten().tolist() if whole else None

    def table(self, node: Node) -> Hashable | None:
        """Return what tells a table of numbers from all others; None if an input or a symbol decides it."""
        import torch

        if self._exported.symbols or sum(size > 1 for size in _shape(node)) < 2:
            return None
        try:
            value = self._value(node)
        except (_NotKnown, RuntimeError, TypeError, ValueError, NotImplementedError):
            return None
        if not isinstance(value, torch.Tensor) or value.is_complex():
            return None
        plain = value.contiguous().flatten().view(torch.uint8).numpy()
        return str(value.dtype), tuple(value.shape), hashlib.sha256(plain).hexdigest()

    def causal(self, node: Node, sense: Sense) -> bool:
        """Return whether a node hides the keys behind each row's own, whatever else it may hide."""
        key = node, sense
        if key not in self._found:
            self._found[key] = self._is_causal(node, sense)
        return self._found[key]

    def _is_causal(self, node: Node, sense: Sense) -> bool:
        import torch

        try:
            value = self._value(node)
        except (_NotKnown, RuntimeError, TypeError, ValueError, NotImplementedError):
            return self._in_parts(node, sense)
        if not isinstance(value, torch.Tensor):
            return False
        plain = value if value.dtype == torch.bool else value.double()
        return is_causal(plain.numpy(), sense)

    def _in_parts(self, node: Node, sense: Sense) -> bool:
        """Look at what a mask is made of that depends on the model's inputs, too."""
        stem = str(getattr(node.target, "__name__", "")).partition(".")[0]
        size = _shape(node)[-2:]
        parts = [each for each in node.all_input_nodes if _shape(each)[-2:] == size]
        if stem in _SAME or stem in _BOTH[sense]:
            return any(self.causal(each, sense) for each in parts)
        if stem in _NOT and sense in OPPOSITE:
            return any(self.causal(each, OPPOSITE[sense]) for each in parts)
        if stem in ("where", "masked_fill") and sense == "added" and parts:
            hides: Sense = "true hides" if stem == "masked_fill" else "true keeps"
            return self.causal(parts[0], hides)
        return False

    def _value(self, node: Node) -> Any:
        """Compute what a node is, if it depends on sizes only."""
        todo = [node]
        while todo:  # without recursion: a chain of constants may be long
            waits = [each for each in _read(todo[-1]) if each not in self._values]
            if not waits:
                last = todo.pop()
                if last not in self._values:
                    self._values[last] = self._computed(last)
            elif self._fixed.issuperset(waits):
                todo += waits
            else:
                raise _NotKnown
        return self._values[node]

    def _computed(self, node: Node) -> Any:
        import torch

        made = node.meta.get("val")
        if isinstance(made, torch.SymInt | torch.SymFloat | torch.SymBool):
            if made.node.hint is None:
                raise _NotKnown
            return made.node.hint
        if node.op in ("placeholder", "get_attr"):
            return self._stored(node)
        shape = _shape(node)
        if -1 in shape or math.prod(shape) > _LARGEST:
            raise _NotKnown
        in_place = str(getattr(node.target, "__name__", "")).partition(".")[0].endswith("_")

        def plain(argument: Any) -> Any:
            if isinstance(argument, list | tuple):
                return type(argument)(plain(each) for each in argument)
            if isinstance(argument, torch.device):
                return torch.device("cpu")
            if hasattr(argument, "all_input_nodes"):
                value = self._values[argument]
                return value.clone() if in_place and isinstance(value, torch.Tensor) else value
            return argument

        assert callable(node.target)
        kwargs = {name: plain(value) for name, value in node.kwargs.items()}
        if "device" in kwargs or any(each.name == "device" for each in _schema(node)):
            kwargs["device"] = torch.device("cpu")
        with torch.no_grad(), torch.device("cpu"):
            return node.target(*plain(tuple(node.args)), **kwargs)

    def _stored(self, node: Node) -> Any:
        """Return a parameter, buffer or constant, if the model has its values."""
        import torch

        name, program = self._exported.held.get(node.name, str(node.target)), self._exported.program
        value = program.state_dict.get(name, program.constants.get(name))
        if not isinstance(value, torch.Tensor) or value.is_meta or value.numel() > _LARGEST:
            raise _NotKnown
        return value.detach().cpu()


def _read(node: Node) -> list[Node]:
    """Return what a node is computed of; nothing of a size, which is known without."""
    import torch

    known = isinstance(node.meta.get("val"), torch.SymInt | torch.SymFloat | torch.SymBool)
    return [] if known else node.all_input_nodes


def _shape(node: Node) -> tuple[int, ...]:
    """Return a node's shape for the sizes of the example, -1 for what data decide; () if it is no tensor."""
    sizes = getattr(node.meta.get("val"), "shape", ())
    hints = [size if isinstance(size, int) else size.node.hint for size in sizes]
    return tuple(-1 if hint is None else int(hint) for hint in hints)


def _schema(node: Node) -> Any:
    return getattr(getattr(node.target, "_schema", None), "arguments", ())
