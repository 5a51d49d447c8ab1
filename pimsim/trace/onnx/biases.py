"""Biases of zeros that PyTorch's exporter left out: the model has them, and once it is trained they are not zero."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper

_LEFT_OUT = "RemoveOptionalBias"
"""What the names of the exporter's rules begin with, that leave a bias out where it is zero; it notes them at nodes."""


def restore(model: ModelProto) -> None:
    """Give products back the biases that were left out: an untrained model is as much work as a trained one.

    Parameters
    ----------
    model : ModelProto
        Changed in place.
    """
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        weight = stored.get(node.input[1]) if len(node.input) == 2 else None
        if weight is None or not any(prop.value.startswith(_LEFT_OUT) for prop in node.metadata_props):
            continue
        features = _features(node, list(weight.dims))
        if features is None:
            continue
        name = f"{node.output[0]}\0bias"
        zeros = np.zeros(features, helper.tensor_dtype_to_np_dtype(weight.data_type))
        model.graph.initializer.append(numpy_helper.from_array(zeros, name))
        node.input.append(name)


def _features(node: NodeProto, dims: list[int]) -> int | None:
    """Return how many biases a product has; None for ops that have none as a third operand."""
    number: dict[str, int] = {attribute.name: attribute.i for attribute in node.attribute}
    if node.op_type == "Gemm" and len(dims) == 2:
        return dims[0 if number.get("transB") else 1]
    if node.op_type == "Conv" and dims:
        return dims[0]
    if node.op_type == "ConvTranspose" and len(dims) > 1:
        return dims[1] * number.get("group", 1)
    return None
