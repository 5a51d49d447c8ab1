"""The op types a trace may hold, one row each: attributes, operands, shapes, multiply-accumulates.

A new op type is a new row of `OP_TYPES`, with its shape rule in `pimsim.trace.shapes` if none there fits.
The ONNX exporter reads the attributes that a row names from the node, with ONNX's own defaults.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from pimsim.trace.shapes import elementwise, experts, moves, products
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
    """

    shape: Callable[[Signature], tuple[Shape, ...]]
    inputs: tuple[int, int]
    attributes: dict[str, Attribute] = field(default_factory=dict)
    macs: Callable[[Signature], int] = lambda op: 0
    weight_at: tuple[int, ...] = ()
    many_outputs: bool = False


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
_CAUSAL = Attribute("int", low=0, spare=True)
"""1: of what it puts out, (…, rows, keys), a row is used up to its own key, the last row whole."""
_SIZES = Attribute("ints", low=1)
_PADS = Attribute("ints", low=0)
_WINDOW = {"kernel_shape": _SIZES, "strides": _SIZES, "pads": _PADS, "dilations": _SIZES}
_EXPERTS = {"layer": _FLAG, "experts": Attribute("int", low=1), "top": Attribute("int", low=1)}
_POOL = {**_WINDOW, "ceil_mode": _FLAG}


def _unary(**attributes: Attribute) -> OpType:
    return OpType(elementwise.same, (1, 1), attributes)


def _elementwise(most: int = 2, least: int = 2) -> OpType:
    return OpType(elementwise.broadcast, (least, most))


_REDUCE = OpType(elementwise.reduce, (1, 1), {"axes": Attribute("axes"), "keepdims": _FLAG})

OP_TYPES: dict[str, OpType] = {
    "Input": OpType(elementwise.declared, (0, 0)),
    "DataMovement": OpType(
        elementwise.declared, (1, _MANY), {"onnx_type": Attribute("str")}, many_outputs=True
    ),
    # matrix products
    "Conv": OpType(
        products.conv, (2, 3), {**_WINDOW, "group": Attribute("int", low=1)}, _conv_macs, weight_at=(1,)
    ),
    "Gemm": OpType(
        products.gemm,
        (2, 3),
        {"alpha": _FLOAT, "beta": _FLOAT, "transA": _FLAG, "transB": _FLAG},
        _gemm_macs,
        weight_at=(0, 1),
    ),
    "MatMul": OpType(products.matmul, (2, 2), {"causal": _CAUSAL}, _matmul_macs, weight_at=(0, 1)),
    # activations, element by element
    "Relu": _unary(),
    "LeakyRelu": _unary(alpha=_FLOAT),
    "PRelu": OpType(elementwise.prelu, (2, 2)),
    "Clip": _unary(min=Attribute("float", optional=True), max=Attribute("float", optional=True)),
    "Sigmoid": _unary(),
    "HardSigmoid": _unary(alpha=_FLOAT, beta=_FLOAT),
    "HardSwish": _unary(),
    "Tanh": _unary(),
    "Elu": _unary(alpha=_FLOAT),
    "Swish": _unary(alpha=_FLOAT),
    "Gelu": _unary(approximate=Attribute("str", choices=("none", "tanh"))),
    "Erf": _unary(),
    "Sqrt": _unary(),
    "Reciprocal": _unary(),
    "Exp": _unary(),
    "Log": _unary(),
    "Sin": _unary(),
    "Cos": _unary(),
    "Neg": _unary(),
    "Abs": _unary(),
    "Not": _unary(),
    # normalization
    "Softmax": OpType(elementwise.same_along_axis, (1, 1), {"axis": Attribute("axis")}),
    "LRN": _unary(size=Attribute("int", low=1), alpha=_FLOAT, beta=_FLOAT, bias=_FLOAT),
    "BatchNormalization": OpType(elementwise.batch_normalization, (5, 5), {"epsilon": _FLOAT}),
    "LayerNormalization": OpType(
        elementwise.layer_normalization, (2, 3), {"axis": Attribute("axis"), "epsilon": _FLOAT}
    ),
    "RMSNormalization": OpType(
        elementwise.layer_normalization, (2, 2), {"axis": Attribute("axis"), "epsilon": _FLOAT}
    ),
    # pooling and reduction
    "MaxPool": OpType(products.pool, (1, 1), _POOL),
    "AveragePool": OpType(products.pool, (1, 1), {**_POOL, "count_include_pad": _FLAG}),
    "GlobalAveragePool": OpType(products.global_pool, (1, 1)),
    "GlobalMaxPool": OpType(products.global_pool, (1, 1)),
    "ReduceMean": _REDUCE,
    "ReduceSum": _REDUCE,
    "ReduceMax": _REDUCE,
    "TopK": OpType(
        elementwise.top_k,
        (1, 1),
        {"axis": Attribute("axis"), "k": Attribute("int", low=1)},
        many_outputs=True,
    ),
    # arithmetic, element by element, with broadcasting
    "Add": _elementwise(),
    "Sub": _elementwise(),
    "Mul": _elementwise(),
    "Div": _elementwise(),
    "Pow": _elementwise(),
    "Sum": _elementwise(_MANY, least=1),
    "Max": _elementwise(_MANY, least=1),
    "Min": _elementwise(_MANY, least=1),
    # comparison and choice, element by element, with broadcasting
    "Equal": _elementwise(),
    "Greater": _elementwise(),
    "GreaterOrEqual": _elementwise(),
    "Less": _elementwise(),
    "LessOrEqual": _elementwise(),
    "And": _elementwise(),
    "Or": _elementwise(),
    "Where": _elementwise(3, least=3),
    # mixtures of experts: the rows of the tokens of one expert, and their sum, weighted, back in order
    "Dispatch": OpType(experts.dispatch, (2, 2), {"expert": _FLAG, **_EXPERTS}),
    "Combine": OpType(experts.combine, (2, _MANY), _EXPERTS),
    # rearrangement
    "Concat": OpType(moves.concat, (1, _MANY), {"axis": Attribute("axis")}),
    "Reshape": OpType(moves.reshape, (1, 1)),
    "Flatten": OpType(moves.flatten, (1, 1), {"axis": Attribute("axis")}),
    "Squeeze": OpType(moves.squeeze, (1, 1), {"axes": Attribute("axes")}),
    "Unsqueeze": OpType(moves.unsqueeze, (1, 1), {"axes": Attribute("axes")}),
    "Transpose": OpType(moves.transpose, (1, 1), {"perm": Attribute("axes")}),
    "Pad": OpType(moves.pad, (1, 1), {"pads": Attribute("ints"), "mode": Attribute("str")}),
    "Slice": OpType(
        moves.slice_,
        (1, 1),
        {"starts": _PADS, "ends": Attribute("ints"), "axes": Attribute("axes"), "steps": Attribute("ints")},
    ),
    "Split": OpType(moves.split, (1, 1), {"axis": Attribute("axis")}, many_outputs=True),
    "Gather": OpType(moves.gather, (2, 2), {"axis": Attribute("axis")}),
    "Expand": OpType(moves.expand, (1, 1)),
    "Resize": OpType(elementwise.same_rank, (1, 1), {"mode": Attribute("str")}),
}
