"""What only who runs a model knows: inputs that are one whole number, and what an If or a Loop does with data.

A binding gives such an input its value, an If its branch, a Loop its rounds.
What is computed of a number is constant then.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto, helper, numpy_helper

_WHOLE = (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL)


class Chosen:
    """What was said of a model's Ifs and Loops.

    Parameters
    ----------
    given : mapping of str to int
        Names of nodes, and a branch (1 the first, 0 the other) or a number of rounds.

    Attributes
    ----------
    given : dict
        The same.
    unused : set of str
        Names that no node has had so far.
    """

    def __init__(self, given: Mapping[str, int]) -> None:
        self.given = dict(given)
        self.unused = set(given)

    def of(self, label: str) -> int | None:
        """Return what was said of a node; in a body the names of those around it may be left out."""
        for name, number in self.given.items():
            if label == name or label.endswith(f"/{name}"):
                self.unused.discard(name)
                return number
        return None


def numbers_of(model: ModelProto) -> list[str]:
    """Return the inputs of a model that are one whole number."""
    stored = {tensor.name for tensor in model.graph.initializer}
    return [value.name for value in model.graph.input if value.name not in stored and _is_number(value)]


def _is_number(value: ValueInfoProto) -> bool:
    about = value.type.tensor_type
    sizes = [dim.dim_value for dim in about.shape.dim]
    return (
        value.type.HasField("tensor_type")
        and about.HasField("shape")
        and about.elem_type in _WHOLE
        and all(size == 1 for size in sizes)
    )


def give(model: ModelProto, bindings: Mapping[str, int]) -> dict[str, int]:
    """Make constants of the inputs that are numbers and have a value, and return those.

    Parameters
    ----------
    model : ModelProto
        Changed in place.
    bindings : mapping of str to int
        Values by name; other names may stand there too.
    """
    given = {name: bindings[name] for name in numbers_of(model) if name in bindings}
    kept = [value for value in model.graph.input if value.name not in given]
    for value in model.graph.input:
        if value.name in given:
            about = value.type.tensor_type
            dtype = helper.tensor_dtype_to_np_dtype(about.elem_type)
            array = np.full([1] * len(about.shape.dim), given[value.name], dtype)
            model.graph.initializer.append(numpy_helper.from_array(array, value.name))
    del model.graph.input[:]
    model.graph.input.extend(kept)
    return given
