"""ONNX nodes to op types: which inputs are operands, and attributes resolved to the trace's form.

An op type whose attributes are ONNX's own needs nothing here: they are read from the node, with the defaults
of ONNX's schema. What stands here are those that ONNX states otherwise in some version.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pimsim.errors import TraceError
from pimsim.trace.onnx.piece import Piece
from pimsim.trace.optypes import OP_TYPES

if TYPE_CHECKING:
    from onnx import NodeProto

    from pimsim.trace.onnx.values import Values

UNKNOWN_DOMAIN = (
    "pimsim.unknown"  # where ops that ONNX does not know are put, so that its checker lets them be
)
_OWN_TYPES = ("Input", "DataMovement", "Dispatch", "Combine", "LSTMCell", "GRUCell")  # a trace's, not ONNX's
_RENAMED = {"Upsample": "Resize", "Scatter": "ScatterElements"}

Attributes = dict[str, Any]


def known(node: NodeProto) -> bool:
    """Whether a trace has this node's op type."""
    type_ = trace_type(node)
    return not node.domain and type_ in OP_TYPES and type_ not in _OWN_TYPES


def trace_type(node: NodeProto) -> str:
    """Return what a trace calls a node's type: another name where ONNX has had two."""
    return _RENAMED.get(node.op_type, node.op_type)


def full_type(node: NodeProto) -> str:
    """Return the op type as the model has it, with its domain if that is not ONNX's own."""
    return node.op_type if node.domain in ("", UNKNOWN_DOMAIN) else f"{node.domain}:{node.op_type}"


def check_vanishing(graph: Values, node: NodeProto) -> None:
    """Refuse a Dropout that trains, or whose mask is read.

    Raises
    ------
    TraceError
        If it does.
    """
    training = len(node.input) > 2 and node.input[2] and bool(graph.constants.value(node.input[2]).any())
    if training or any(graph.is_read(value) for value in node.output[1:] if value):
        message = f"{node.op_type} '{node.name or node.output[0]}' is in training mode"
        raise TraceError(message, where=graph.where, mend="export the model for inference")


def normalize(graph: Values, node: NodeProto | Piece) -> tuple[str, list[str], Attributes]:
    """Return the op type, the names of the values that are operands, and the attributes of a node.

    Raises
    ------
    TraceError
        If the node uses what a trace cannot express.
    """
    if isinstance(node, Piece):
        return node.op_type, list(node.input), dict(node.attributes)
    if not known(node):
        return "DataMovement", [v for v in node.input if v], {"onnx_type": full_type(node)}
    type_ = trace_type(node)
    given = _given(node)
    operands = list(node.input)
    if type_ in _SPECIAL:
        operands, given = _SPECIAL[type_](graph, node, given)
    while operands and not operands[-1]:
        operands.pop()
    if "" in operands:
        raise _refuse(graph, node, "an operand in the middle is left out")
    rank = len(graph.tensor(node.input[0]).shape)
    attributes = {}
    for name, kind in OP_TYPES[type_].attributes.items():
        if kind.spare:
            continue
        value = given[name] if name in given else _default(graph, node, name)
        if kind.kind == "axis" and value is not None:
            value = value + rank + (type_ == "OneHot") if value < 0 else value
        attributes[name] = value
    return type_, operands, attributes


def _refuse(graph: Values, node: NodeProto, why: str, mend: str = "") -> TraceError:
    return TraceError(f"{node.op_type} '{node.name or node.output[0]}': {why}", where=graph.where, mend=mend)


def _given(node: NodeProto) -> Attributes:
    from onnx import AttributeProto, helper

    plain = (AttributeProto.INT, AttributeProto.INTS, AttributeProto.FLOAT, AttributeProto.FLOATS)
    given: Attributes = {}
    for attribute in node.attribute:
        if attribute.type == AttributeProto.STRING:
            given[attribute.name] = attribute.s.decode("utf-8", "replace")
        elif attribute.type in plain:
            given[attribute.name] = _shortest(helper.get_attribute_value(attribute))
    return given


def _shortest(value: Any) -> Any:
    """Turn a float that was stored in 32 bits into the shortest one that rounds to the same 32 bits."""
    import numpy as np

    return float(str(np.float32(value))) if isinstance(value, float) else value


def _default(graph: Values, node: NodeProto, name: str) -> Any:
    from onnx import defs, helper

    schema = defs.get_schema(node.op_type, max_inclusive_version=graph.opset, domain="")
    if name not in schema.attributes:
        return None
    default = schema.attributes[name].default_value
    value = helper.get_attribute_value(default) if default.type else None
    return value.decode() if isinstance(value, bytes) else _shortest(value)


def _constant(graph: Values, node: NodeProto, position: int) -> list[Any] | None:
    """Return the numbers of an operand that must be constant; None if it is not given."""
    if position >= len(node.input) or not node.input[position]:
        return None
    values: list[Any] = graph.constants.value(node.input[position]).ravel().tolist()
    return values


def _window(graph: Values, node: NodeProto, given: Attributes) -> tuple[list[str], Attributes]:
    """Conv and pools: lists filled in, automatic padding resolved."""
    shape = graph.tensor(node.input[0]).shape
    rank = len(shape) - 2
    kernel = given.get("kernel_shape")
    if kernel is None:
        kernel = list(graph.tensor(node.input[1]).shape[2:]) if len(node.input) > 1 else []
    strides = given.get("strides") or [1] * rank
    dilations = given.get("dilations") or [1] * rank
    pads = given.get("pads") or [0] * (2 * rank)
    auto = given.get("auto_pad", "NOTSET")
    if auto == "VALID":
        pads = [0] * (2 * rank)
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        begins, ends = [], []
        for size, k, stride, dilation in zip(shape[2:], kernel, strides, dilations, strict=True):
            steps = math.ceil(size / stride)
            total = max((steps - 1) * stride + dilation * (k - 1) + 1 - size, 0)
            begin = total // 2 if auto == "SAME_UPPER" else total - total // 2
            begins.append(begin)
            ends.append(total - begin)
        pads = begins + ends
    if any(pad < 0 for pad in pads):
        raise _refuse(graph, node, "negative padding")
    full = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": pads}
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        full["ceil_mode"] = 0  # the padding already makes the windows fit
    return list(node.input), {"ceil_mode": 0, "count_include_pad": 0, "group": 1, **given, **full}


def _batch_normalization(graph: Values, node: NodeProto, given: Attributes) -> tuple[list[str], Attributes]:
    if given.get("training_mode") or any(graph.is_read(value) for value in node.output[1:] if value):
        raise _refuse(graph, node, "is in training mode", "export the model for inference")
    return list(node.input), given


def _clip(graph: Values, node: NodeProto, given: Attributes) -> tuple[list[str], Attributes]:
    """Limits are attributes before opset 11 and operands since."""
    for position, name in ((1, "min"), (2, "max")):
        values = _constant(graph, node, position)
        limit = values[0] if values else given.get(name)
        # a limit that no number reaches is none
        given[name] = None if limit is None or abs(limit) > 1e38 else _shortest(float(limit))
    return [node.input[0]], given


def _softmax(graph: Values, node: NodeProto, given: Attributes) -> tuple[list[str], Attributes]:
    """Before opset 13 it normalizes over all dimensions from the axis on."""
    shape = graph.tensor(node.input[0]).shape
    axis = given.get("axis", _default(graph, node, "axis"))
    axis = axis + len(shape) if axis < 0 else axis
    if graph.opset < 13:
        wide = [i for i in range(axis, len(shape)) if shape[i] > 1]
        if len(wide) > 1:
            mend = "convert the model to opset 13 with onnx.version_converter"
            raise _refuse(graph, node, f"normalizes over several dimensions, as in opset {graph.opset}", mend)
        axis = wide[0] if wide else min(axis, len(shape) - 1)
    return list(node.input), {"axis": axis}


def _axes_operand(graph: Values, node: NodeProto, given: Attributes) -> tuple[list[str], Attributes]:
    """Squeeze, Unsqueeze, ReduceMean: axes are an attribute in old opsets and an operand in new ones."""
    shape = graph.tensor(node.input[0]).shape
    axes = _constant(graph, node, 1)
    axes = given.get("axes") if axes is None else axes
    rank = len(shape)
    if not axes:  # ONNX: all of size 1, or all
        if node.op_type == "Squeeze":
            axes = [axis for axis, size in enumerate(shape) if size == 1]
        else:
            axes = [] if given.get("noop_with_empty_axes") else list(range(rank))
    if node.op_type == "Unsqueeze":
        rank += len(axes)
    return [node.input[0]], {**given, "axes": sorted(axis + rank if axis < 0 else axis for axis in axes)}


def _transpose(graph: Values, node: NodeProto, given: Attributes) -> tuple[list[str], Attributes]:
    reverse = list(range(len(graph.tensor(node.input[0]).shape)))[::-1]
    return list(node.input), {"perm": given.get("perm", reverse)}


def _pad(graph: Values, node: NodeProto, given: Attributes) -> tuple[list[str], Attributes]:
    rank = len(graph.tensor(node.input[0]).shape)
    pads = _constant(graph, node, 1) or given.get("pads") or given.get("paddings") or []
    axes = _constant(graph, node, 3)
    if axes is not None:
        full = [0] * (2 * rank)
        for position, axis in enumerate(axes):
            full[axis % rank] = pads[position]
            full[axis % rank + rank] = pads[position + len(axes)]
        pads = full
    return [node.input[0]], {"pads": pads, "mode": given.get("mode", "constant")}


def _slice(graph: Values, node: NodeProto, given: Attributes) -> tuple[list[str], Attributes]:
    """Starts and ends as Python's range has them: within the dimension, -1 for before its first element."""
    shape = graph.tensor(node.input[0]).shape
    starts, ends, axes, steps = (
        _constant(graph, node, position) or given.get(name)
        for position, name in ((1, "starts"), (2, "ends"), (3, "axes"), (4, "steps"))
    )
    starts, ends = starts or [], ends or []
    axes = [axis % len(shape) for axis in (axes or range(len(starts)))]
    steps = steps or [1] * len(starts)
    rows = zip(starts, ends, steps, axes, strict=True)
    ranges = [slice(start, end, step).indices(shape[axis]) for start, end, step, axis in rows]
    columns = zip(*ranges, strict=True) if ranges else ((), (), ())
    starts, ends, steps = (list(column) for column in columns)
    return [node.input[0]], {"starts": starts, "ends": ends, "axes": axes, "steps": steps}


def _first_only(graph: Values, node: NodeProto, given: Attributes) -> tuple[list[str], Attributes]:
    """The other operands only say what the output's shape says too."""
    return [node.input[0]], given


def _layer_normalization(graph: Values, node: NodeProto, given: Attributes) -> tuple[list[str], Attributes]:
    if any(graph.is_read(value) for value in node.output[1:] if value):
        raise _refuse(graph, node, "its mean or deviation is read", "export the model for inference")
    return list(node.input), given


def _top_k(graph: Values, node: NodeProto, given: Attributes) -> tuple[list[str], Attributes]:
    """How many is an attribute before opset 10 and an operand since."""
    k = _constant(graph, node, 1)
    return [node.input[0]], {"axis": -1, **given, "k": k[0] if k else given.get("k")}


def _running(graph: Values, node: NodeProto, given: Attributes) -> tuple[list[str], Attributes]:
    """CumSum: the axis is an operand."""
    (axis,) = _constant(graph, node, 1) or [0]
    return [node.input[0]], {"axis": axis}


def _one_hot(graph: Values, node: NodeProto, given: Attributes) -> tuple[list[str], Attributes]:
    """The depth is an operand; the values do not matter."""
    (depth,) = _constant(graph, node, 1) or [1]
    return [node.input[0]], {"axis": -1, **given, "depth": int(depth)}


def _tile(graph: Values, node: NodeProto, given: Attributes) -> tuple[list[str], Attributes]:
    """How often along each axis; before opset 6 along one of them."""
    shape = graph.tensor(node.input[0]).shape
    repeats = _constant(graph, node, 1) or [1]
    if graph.opset < 6:
        (axis,) = _constant(graph, node, 2) or [0]
        repeats = [int(repeats[0]) if n == axis else 1 for n in range(len(shape))]
    return [node.input[0]], {"repeats": [int(each) for each in repeats]}


def _col2im(graph: Values, node: NodeProto, given: Attributes) -> tuple[list[str], Attributes]:
    """The sizes of the image and of a block are operands."""
    image, block = (_constant(graph, node, position) or [] for position in (1, 2))
    ones = [1] * len(image)
    full = {"dilations": ones, "strides": ones, "pads": [0] * (2 * len(image)), **given}
    return [node.input[0]], {**full, "image_shape": image, "block_shape": block}


def _with_defaults(**defaults: Any) -> Special:
    """Return the rule of a type that has attributes which older versions do not have."""

    def special(graph: Values, node: NodeProto, given: Attributes) -> tuple[list[str], Attributes]:
        return list(node.input), {**defaults, **given}

    return special


def _unpool(graph: Values, node: NodeProto, given: Attributes) -> tuple[list[str], Attributes]:
    """What the third operand says the output's shape says too."""
    return list(node.input[:2]), given


def _gather(graph: Values, node: NodeProto, given: Attributes) -> tuple[list[str], Attributes]:
    return list(node.input), {"axis": 0, **given}


Special = Callable[["Values", "NodeProto", Attributes], tuple[list[str], Attributes]]

_SPECIAL: dict[str, Special] = {
    "Conv": _window,
    "MaxPool": _window,
    "AveragePool": _window,
    "BatchNormalization": _batch_normalization,
    "LayerNormalization": _layer_normalization,
    "Clip": _clip,
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
    "Hardmax": _softmax,
    "LpPool": _window,
    "CumSum": _running,
    "CumProd": _running,
    "OneHot": _one_hot,
    "Tile": _tile,
    "Col2Im": _col2im,
    "MaxUnpool": _unpool,
    "Trilu": _first_only,
    "DepthToSpace": _with_defaults(mode="DCR"),
    "GatherND": _with_defaults(batch_dims=0),
    "ScatterElements": _with_defaults(axis=0, reduction="none"),
    "ScatterND": _with_defaults(reduction="none"),
    "LpNormalization": _with_defaults(axis=-1, p=2),
    "ArgMax": _with_defaults(axis=0, keepdims=1),
    "ArgMin": _with_defaults(axis=0, keepdims=1),
    "RoiAlign": _with_defaults(output_height=1, output_width=1, sampling_ratio=0),
    "Squeeze": _axes_operand,
    "Unsqueeze": _axes_operand,
    **dict.fromkeys((type_ for type_ in OP_TYPES if type_.startswith("Reduce")), _axes_operand),
    "TopK": _top_k,
    "Gather": _gather,
    "Transpose": _transpose,
    "Pad": _pad,
    "Slice": _slice,
    "Reshape": _first_only,
    "Expand": _first_only,
    "Split": _first_only,
    "Resize": _first_only,
}
