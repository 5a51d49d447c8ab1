"""Which constants of an ONNX graph are one: an initializer, and what is computed alike of it, however often read."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from pimsim.trace.onnx.constants import Constants
from pimsim.trace.onnx.twins import twins

if TYPE_CHECKING:
    from onnx import NodeProto

_SAME = ("Identity", "Dropout")
_OWN = ("Constant", "ConstantOfShape")  # two of them may be alike and are two all the same


class Identities:
    """Names constants so that those of one name hold the same values.

    Parameters
    ----------
    constants : Constants
        Of the graph, complete.
    """

    def __init__(self, constants: Constants) -> None:
        self._constants = constants
        self._found: dict[str, tuple[str, bool]] = {}
        self._twins = twins(constants.stored, constants.folder)
        self._first: dict[Hashable, str] = {}  # what computes a constant -> the first that it computes

    def of(self, value: str) -> tuple[str, bool]:
        """Return a constant's name, and whether it is what has that name with its last two dimensions swapped."""
        todo = [value]
        while todo:  # without recursion: a chain of constants may be long
            waits = [name for name in self._read(todo[-1]) if name not in self._found]
            if waits:
                todo.extend(waits)
            else:
                last = todo.pop()
                self._found[last] = self._name(last)
        name, turned = self._found[value]
        return "".join(letter if letter.isprintable() else "_" for letter in name)[:900], turned

    def _read(self, value: str) -> list[str]:
        node = self._constants.maker(value)
        if node is None or node.op_type in ("Shape", "Size"):
            return []
        return [name for name in node.input if name]

    def _name(self, value: str) -> tuple[str, bool]:
        node = self._constants.maker(value)
        if node is None or node.op_type in _OWN or not any(node.input):
            return self._twins.get(value, value), False
        if node.op_type in _SAME:
            return self._found[node.input[0]]
        if node.op_type == "Transpose" and _swaps(node):
            name, turned = self._found[node.input[0]]
            return name, not turned
        read = tuple(self._found.get(name, (name, False)) for name in node.input)
        attributes = tuple(sorted(each.SerializeToString() for each in node.attribute))
        key = node.op_type, read, attributes, list(node.output).index(value)
        return self._first.setdefault(key, value), False


def _swaps(node: NodeProto) -> bool:
    """Whether a Transpose is known to swap the two dimensions of a matrix."""
    perm = next((list(each.ints) for each in node.attribute if each.name == "perm"), None)
    return perm == [1, 0]
