"""Which constants of a PyTorch model are one: a parameter, and what is computed alike of it, however often read."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.fx import Node

_SAME = (
    *("clone.default", "detach.default", "alias.default", "contiguous.default", "lift_fresh_copy.default"),
    *("_to_copy.default", "to.dtype", "to.dtype_layout", "to.device", "dropout.default"),
)
UNNAMED = "\0"
"""What names begin with of what is no parameter and made of none: it is known by them here, and a trace has no name."""
_RANDOM = ("rand", "normal", "bernoulli", "multinomial", "uniform", "exponential", "empty")
_SWAPS = ("t.default", "numpy_T.default", "transpose.int", "permute.default")


class Identities:
    """Names constants so that those of one name hold the same values.

    Parameters
    ----------
    held : callable
        Node to what tells its value from all others, if it is a table that depends on nothing; else None.
    """

    def __init__(self, held: Callable[[Node], Hashable | None]) -> None:
        self._held = held
        self._first: dict[Hashable, str] = {}  # what computes a constant -> the first node that does

    def of(self, node: Node, index: int, values: Mapping[Node, Any]) -> tuple[str, bool]:
        """Return the name of an output of a node that reads constants only, and whether it is that turned.

        What is made of no parameter has a name that begins with `UNNAMED`.

        Parameters
        ----------
        node : Node
            What computes it.
        index : int
            Which of its outputs it is.
        values : mapping of Node to Value
            What is known of the nodes before.
        """
        kind = str(getattr(node.target, "__name__", node.target))
        read: list[Any] = [values.get(each) for each in node.all_input_nodes]
        if any(getattr(each, "name", None) is None for each in read) or any(w in kind for w in _RANDOM):
            return f"{UNNAMED}{node.name}.{index}", False  # like no other
        source: Any = read[0] if len(read) == 1 else None
        shape = getattr(node.meta.get("val"), "shape", ())
        if source and kind in _SAME and str(node.meta["val"].dtype).endswith(source.dtype):
            return source.name, source.turned
        if source and kind in _SWAPS and len(shape) == 2 and _is_swap(node, kind):
            return source.name, not source.turned
        arguments = tuple(_told(each, values) for each in (*node.args, *sorted(node.kwargs.items())))
        from_model = bool(read) and not any(each.name.startswith(UNNAMED) for each in read)
        name = f"{'' if from_model else UNNAMED}{node.name}.{index}"
        value = self._held(node) if not from_model and index == 0 else None
        if value is not None:  # as an ONNX file has it once: masks of a window that is longer than the text
            return self._first.setdefault(value, name), False
        return self._first.setdefault((kind, index, arguments), name), False


def _is_swap(node: Node, kind: str) -> bool:
    """Whether the axes of a matrix change places."""
    arguments: tuple[Any, ...] = node.args
    if kind == "permute.default":
        return [axis % 2 for axis in arguments[1]] == [1, 0]
    return kind != "transpose.int" or bool((arguments[1] - arguments[2]) % 2)


def _told(argument: Any, values: Mapping[Node, Any]) -> Hashable:
    """Return an argument so that equal ones compare as such."""
    if isinstance(argument, list | tuple):
        return tuple(_told(each, values) for each in argument)
    if hasattr(argument, "all_input_nodes"):
        found = values.get(argument)
        return (found.name, found.turned) if found is not None else argument.name
    return str(argument)
