"""Which first dimensions without a name count inferences: those along which ops take one after another.

A tool that exports a model calls a dimension that it is told nothing of ``unk__12`` or ``?``. What reaches an op whose
definition says that its operand is (batch, channels, …) is a batch, whatever it is called.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnx import ModelProto, NodeProto, shape_inference

from pimsim.trace.onnx.ops import full_type

_MARK = 1_000_003
"""A size that nothing has by chance: a dimension of so many is known again behind a Reshape, where a name is lost."""
_ML = "ai.onnx.ml:"
# by the axis along which they take inferences, of their first operand
_AXES: dict[str, int] = {
    **dict.fromkeys(("Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "DeformConv", "LRN"), 0),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool", "MaxUnpool"), 0),
    **dict.fromkeys(("GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool"), 0),
    **dict.fromkeys(("InstanceNormalization", "GroupNormalization"), 0),
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth", "GridSample", "Col2Im"), 0),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), 1),
    **dict.fromkeys(
        (f"{_ML}Scaler", f"{_ML}Normalizer", f"{_ML}LinearRegressor", f"{_ML}LinearClassifier"), 0
    ),
}


def batched(model: ModelProto, inputs: Mapping[str, str]) -> set[str]:
    """Return the inputs whose first dimension counts inferences.

    Parameters
    ----------
    model : ModelProto
        A model whose shapes ONNX can be asked about; it stays as it is.
    inputs : mapping of str to str
        Names of inputs whose first dimension is not known, and what is the same for those that have the same.
    """
    marked = ModelProto()
    marked.CopyFrom(model)
    groups = list(dict.fromkeys(inputs.values()))
    marks = {name: _MARK + 2 * groups.index(group) for name, group in inputs.items()}
    for value in marked.graph.input:
        if value.name in marks:
            value.type.tensor_type.shape.dim[0].dim_value = marks[value.name]
    del marked.graph.value_info[:]  # with their names of the time when it was exported
    try:
        inferred = shape_inference.infer_shapes(marked, data_prop=True)
    except (shape_inference.InferenceError, RuntimeError, ValueError):
        return set()
    firsts = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*inferred.graph.input, *inferred.graph.value_info)
    }
    found = {_along(node, firsts.get(node.input[0], [])) for node in inferred.graph.node if node.input}
    return {name for name, mark in marks.items() if mark in found}


def _along(node: NodeProto, sizes: list[int]) -> int:
    """Return the size of the dimension along which a node takes one inference after another; 0 if there is none."""
    axis = _AXES.get(full_type(node))
    if axis is None or len(sizes) <= axis:
        return 0
    by_batch = any(each.name == "layout" and each.i for each in node.attribute)
    return sizes[0 if by_batch else axis]
