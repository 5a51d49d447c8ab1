"""The op types a trace may hold, one row each: attributes, operands, shapes, multiply-accumulates.

A new op type is a new row of `OP_TYPES`, with its shape rule in `pimsim.trace.shapes` if none there fits.
The ONNX exporter reads the attributes that a row names from the node, with ONNX's own defaults.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from pimsim.trace.shapes import cells, elementwise, exchanged, experts, indexed, moves, products, spaces
from pimsim.trace.tensor import Shape, Signature


@dataclass(frozen=True, slots=True)
class Attribute:
    """What values an attribute takes.

    Parameters
    ----------
    kind : str
        ``int``, ``ints``, ``float``, ``str``; ``axis`` and ``axes`` are dimensions counted from 0.
    low : int, optional
        Least value of an int, or of each of the ints.
    optional : bool
        Whether it may be null.
    choices : tuple of str
        The values of a ``str``.
    spare : bool
        Whether it may be left out; then it does not apply. ONNX's op has none of the name.
    """

    kind: Literal["int", "ints", "float", "str", "axis", "axes"]
    low: int | None = None
    optional: bool = False
    choices: tuple[str, ...] = ()
    spare: bool = False


OpClass = Literal["elementwise", "reduction", "normalization", "softmax", "pooling", "movement"]
"""What sort of work an op is: chip files give a digital unit's cost by class, and by type what differs."""


@dataclass(frozen=True, slots=True)
class OpType:
    """One row of the registry.

    Parameters
    ----------
    shape : callable
        Op to the shapes its outputs must have; raises TraceError (where = field) if its inputs do not fit.
    inputs : tuple of int
        Fewest and most operands.
    attributes : dict
        All that it has; each must be given, but the spare ones.
    macs : callable
        Op to its multiply-accumulates.
    weight_at : tuple of int
        Operand positions that may hold a weight.
    many_outputs : bool
        Whether it may have more than one output.
    sort : str, optional
        Its class, for the costs of a digital unit; None for what multiplies matrices or is no work.
    """

    shape: Callable[[Signature], tuple[Shape, ...]]
    inputs: tuple[int, int]
    attributes: dict[str, Attribute] = field(default_factory=dict)
    macs: Callable[[Signature], int] = lambda op: 0
    weight_at: tuple[int, ...] = ()
    many_outputs: bool = False
    sort: OpClass | None = None


def _conv_macs(op: Signature) -> int:
    """Each output element sums over what the weight spans after its first dimension."""
    return op.output.elements * math.prod(op.inputs[1].tensor.shape[1:])


def _gemm_macs(op: Signature) -> int:
    return op.output.elements * op.inputs[0].tensor.shape[0 if op.attributes["transA"] else 1]


def _matmul_macs(op: Signature) -> int:
    return op.output.elements * op.inputs[0].tensor.shape[-1]


_MANY = 1 << 16
_FLOAT = Attribute("float")
_FLAG = Attribute("int", low=0)
_COUNT = Attribute("int", low=1)
_AXIS = Attribute("axis")
_AXES = Attribute("axes")
_CAUSAL = Attribute("int", low=0, spare=True)
"""1: of what it puts out, (…, rows, keys), a row is used up to its own key, the last row whole."""
_SIZES = Attribute("ints", low=1)
_PADS = Attribute("ints", low=0)
_WORD = Attribute("str")
_WINDOW = {"kernel_shape": _SIZES, "strides": _SIZES, "pads": _PADS, "dilations": _SIZES}
_EXPERTS = {"layer": _FLAG, "experts": _COUNT, "top": _COUNT}
_POOL = {**_WINDOW, "ceil_mode": _FLAG}


def _unary(**attributes: Attribute) -> OpType:
    return OpType(elementwise.same, (1, 1), attributes, sort="elementwise")


def _elementwise(most: int = 2, least: int = 2) -> OpType:
    return OpType(elementwise.broadcast, (least, most), sort="elementwise")


def _pool(shape: Callable[[Signature], tuple[Shape, ...]], **attributes: Attribute) -> OpType:
    return OpType(shape, (1, 1), attributes, sort="pooling")


def _norm(
    shape: Callable[[Signature], tuple[Shape, ...]], inputs: tuple[int, int], **attributes: Attribute
) -> OpType:
    return OpType(shape, inputs, attributes, sort="normalization")


def _moves(
    shape: Callable[[Signature], tuple[Shape, ...]], inputs: tuple[int, int] = (1, 1), **attributes: Attribute
) -> OpType:
    return OpType(shape, inputs, attributes, sort="movement")


_REDUCE = OpType(elementwise.reduce, (1, 1), {"axes": _AXES, "keepdims": _FLAG}, sort="reduction")
_CHOOSE = OpType(elementwise.choose, (1, 1), {"axis": _AXIS, "keepdims": _FLAG}, sort="reduction")
_RUNNING = OpType(elementwise.same_along_axis, (1, 1), {"axis": _AXIS}, sort="reduction")
_SOFTMAX = OpType(elementwise.same_along_axis, (1, 1), {"axis": _AXIS}, sort="softmax")
_SCATTER = {"reduction": _WORD}

OP_TYPES: dict[str, OpType] = {
    "Input": OpType(elementwise.declared, (0, 0)),
    "DataMovement": OpType(
        elementwise.declared, (1, _MANY), {"onnx_type": _WORD}, many_outputs=True, sort="movement"
    ),
    # matrix products
    "Conv": OpType(products.conv, (2, 3), {**_WINDOW, "group": _COUNT}, _conv_macs, weight_at=(1,)),
    "Gemm": OpType(
        products.gemm,
        (2, 3),
        {"alpha": _FLOAT, "beta": _FLOAT, "transA": _FLAG, "transB": _FLAG},
        _gemm_macs,
        weight_at=(0, 1),
    ),
    "MatMul": OpType(products.matmul, (2, 2), {"causal": _CAUSAL}, _matmul_macs, weight_at=(0, 1)),
    # element by element
    **dict.fromkeys(
        ("Relu", "Sigmoid", "HardSwish", "Tanh", "Mish", "Softplus", "Softsign", "Erf", "Sqrt", "Reciprocal"),
        _unary(),
    ),
    **dict.fromkeys(
        ("Exp", "Log", "Neg", "Abs", "Not", "Floor", "Ceil", "Round", "Sign", "BitwiseNot"), _unary()
    ),
    **dict.fromkeys(
        ("Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh"), _unary()
    ),
    **dict.fromkeys(("Atanh", "IsNaN", "IsInf"), _unary()),
    **dict.fromkeys(("LeakyRelu", "Elu", "Celu", "ThresholdedRelu", "Swish"), _unary(alpha=_FLOAT)),
    "Selu": _unary(alpha=_FLOAT, gamma=_FLOAT),
    "Shrink": _unary(bias=_FLOAT, lambd=_FLOAT),
    "HardSigmoid": _unary(alpha=_FLOAT, beta=_FLOAT),
    "PRelu": OpType(elementwise.prelu, (2, 2), sort="elementwise"),
    "Clip": _unary(min=Attribute("float", optional=True), max=Attribute("float", optional=True)),
    "Gelu": _unary(approximate=Attribute("str", choices=("none", "tanh"))),
    "Trilu": _unary(upper=_FLAG),
    # element by element, with broadcasting
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "Mod"), _elementwise()),
    **dict.fromkeys(("Sum", "Max", "Min", "Mean"), _elementwise(_MANY, least=1)),
    **dict.fromkeys(("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"), _elementwise()),
    **dict.fromkeys(
        ("And", "Or", "Xor", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitShift"), _elementwise()
    ),
    "Where": _elementwise(3, least=3),
    # the gates of a recurrent cell: what the products of its input and of its state add up to, and its state
    "LSTMCell": OpType(cells.lstm, (3, 3), many_outputs=True, sort="elementwise"),
    "GRUCell": OpType(cells.gru, (3, 3), sort="elementwise"),
    # normalization
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), _SOFTMAX),
    "LRN": _norm(elementwise.same, (1, 1), size=_COUNT, alpha=_FLOAT, beta=_FLOAT, bias=_FLOAT),
    "BatchNormalization": _norm(elementwise.batch_normalization, (5, 5), epsilon=_FLOAT),
    "InstanceNormalization": _norm(elementwise.channel_normalization, (1, 3), epsilon=_FLOAT),
    "GroupNormalization": _norm(elementwise.group_normalization, (1, 3), num_groups=_COUNT, epsilon=_FLOAT),
    "LayerNormalization": _norm(elementwise.layer_normalization, (2, 3), axis=_AXIS, epsilon=_FLOAT),
    "RMSNormalization": _norm(elementwise.layer_normalization, (2, 2), axis=_AXIS, epsilon=_FLOAT),
    "LpNormalization": _norm(elementwise.same_along_axis, (1, 1), axis=_AXIS, p=_COUNT),
    "MeanVarianceNormalization": _norm(elementwise.same_over_axes, (1, 1), axes=_AXES),
    # pooling and reduction
    "MaxPool": _pool(products.pool, **_POOL),
    "AveragePool": _pool(products.pool, **_POOL, count_include_pad=_FLAG),
    "LpPool": _pool(products.pool, **_POOL, p=_COUNT),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), _pool(products.global_pool)),
    "GlobalLpPool": _pool(products.global_pool, p=_COUNT),
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1"), _REDUCE),
    **dict.fromkeys(("ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"), _REDUCE),
    **dict.fromkeys(("ArgMax", "ArgMin"), _CHOOSE),
    **dict.fromkeys(("CumSum", "CumProd"), _RUNNING),
    "TopK": OpType(
        elementwise.top_k, (1, 1), {"axis": _AXIS, "k": _COUNT}, many_outputs=True, sort="reduction"
    ),
    # mixtures of experts: the rows of the tokens of one expert, and their sum, weighted, back in order
    "Dispatch": OpType(experts.dispatch, (2, 2), {"expert": _FLAG, **_EXPERTS}, sort="movement"),
    "Combine": OpType(experts.combine, (2, _MANY), _EXPERTS, sort="reduction"),
    # what several processors exchange: partial sums are added up, or parts put together, so that all have the whole
    "AllReduce": OpType(elementwise.same, (1, 1), {"degree": _COUNT}),
    "AllGather": OpType(exchanged.gathered, (1, 1), {"axis": _AXIS, "degree": _COUNT}),
    # rearrangement
    "Concat": _moves(moves.concat, (1, _MANY), axis=_AXIS),
    "Reshape": _moves(moves.reshape),
    "Flatten": _moves(moves.flatten, axis=_AXIS),
    "Squeeze": _moves(moves.squeeze, axes=_AXES),
    "Unsqueeze": _moves(moves.unsqueeze, axes=_AXES),
    "Transpose": _moves(moves.transpose, perm=_AXES),
    "Pad": _moves(moves.pad, pads=Attribute("ints"), mode=_WORD),
    "Slice": _moves(moves.slice_, starts=_PADS, ends=Attribute("ints"), axes=_AXES, steps=Attribute("ints")),
    "Split": OpType(moves.split, (1, 1), {"axis": _AXIS}, many_outputs=True, sort="movement"),
    "Expand": _moves(moves.expand),
    "Tile": _moves(moves.tile, repeats=_SIZES),
    "ReverseSequence": _moves(elementwise.same, (2, 2), batch_axis=_AXIS, time_axis=_AXIS),
    # what indices choose, or where they put it
    "Gather": _moves(indexed.gather, (2, 2), axis=_AXIS),
    "GatherElements": _moves(indexed.gather_elements, (2, 2), axis=_AXIS),
    "GatherND": _moves(indexed.gather_nd, (2, 2), batch_dims=_FLAG),
    "ScatterElements": _moves(indexed.scatter_elements, (3, 3), axis=_AXIS, **_SCATTER),
    "ScatterND": _moves(indexed.scatter_nd, (3, 3), **_SCATTER),
    "OneHot": _moves(indexed.one_hot, (1, 1), axis=_AXIS, depth=_COUNT),
    # images laid out otherwise
    "Resize": _moves(elementwise.same_rank, mode=_WORD),
    "DepthToSpace": _moves(spaces.depth_to_space, blocksize=_COUNT, mode=_WORD),
    "SpaceToDepth": _moves(spaces.space_to_depth, blocksize=_COUNT),
    "Col2Im": _moves(
        spaces.col2im, image_shape=_SIZES, block_shape=_SIZES, dilations=_SIZES, pads=_PADS, strides=_SIZES
    ),
    "GridSample": _moves(spaces.grid_sample, (2, 2), mode=_WORD),
    "RoiAlign": _moves(
        spaces.roi_align, (3, 3), output_height=_COUNT, output_width=_COUNT, sampling_ratio=_FLAG
    ),
    "MaxUnpool": _moves(spaces.unpool, (2, 2)),
}


def class_of(op_type: str) -> OpClass | None:
    """Return the class of an op type; None for what has none, and for what is no op type."""
    return OP_TYPES[op_type].sort if op_type in OP_TYPES else None
