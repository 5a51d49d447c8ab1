"""What ops that lay images out otherwise wait for, against which inputs ONNX's own evaluator uses for each output.

One element of the input is 1 and all others 0, for each of them in turn: an output pixel that changes reads it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from pimsim.mapping.flow.build import build
from pimsim.mapping.flow.rules import rule_of
from pimsim.mapping.flow.widths import Widths
from pimsim.trace import Op, Operand, Tensor, Trace

NONE: tuple[str, ...] = ()


def reads_of(
    node: Any, shape: tuple[int, ...], more: dict[str, np.ndarray[Any, Any]]
) -> tuple[tuple[int, ...], Any]:
    """Return the output's shape, and which pixels (batch, then those behind the channels) read which."""
    values = [helper.make_tensor_value_info(name, 1, None) for name in ("x", "y")]
    inputs = [values[0], *(helper.make_tensor_value_info(name, 7, None) for name in more)]
    model = helper.make_model(helper.make_graph([node], "g", inputs, values[1:]))
    run = ReferenceEvaluator(model)
    found = []
    for at in np.ndindex(*shape):
        x = np.zeros(shape, np.float32)
        x[at] = 1
        (y,) = run.run(None, {"x": x, **more})
        found.append(np.moveaxis(np.abs(y) > 1e-7, 1, -1).any(axis=-1).ravel())
    pixels = np.moveaxis(np.arange(np.prod(shape)).reshape(shape), 1, -1).reshape(-1, shape[1])
    return y.shape, np.stack([np.stack([found[e] for e in row]).any(axis=0) for row in pixels])


def edge_of(type_: str, shape: tuple[int, ...], out: tuple[int, ...], attributes: dict[str, Any]) -> Any:
    """The edge of an op behind another, so that its positions come one by one."""
    x = Operand("activation", Tensor(shape), "x")
    ops = [
        Op("x", "Input", (), (Tensor(shape),)),
        Op("conv", "Conv", (x, Operand("weight", Tensor((shape[1], shape[1], *(1,) * (len(shape) - 2))))),
           (Tensor(shape),), ones(len(shape) - 2)),
        Op("op", type_, (Operand("activation", Tensor(shape), "conv"),), (Tensor(out),), attributes),
    ]  # fmt: skip
    nodes = build(Trace.from_ops("m", ops), Widths(8))
    return next(node for node in nodes if node.name == "op").edges[0]


def ones(rank: int) -> dict[str, Any]:
    one = (1,) * rank
    return {"kernel_shape": one, "strides": one, "pads": (0,) * (2 * rank), "dilations": one, "group": 1}


def check(edge: Any, reads: Any) -> None:
    """All that a position reads has come, and is not given back."""
    assert (np.diff(edge.need) >= 0).all()
    assert (np.diff(edge.low) >= 0).all()
    for position in range(reads.shape[1]):
        tokens = np.flatnonzero(reads[:, position])
        if len(tokens):
            assert edge.low[position] <= tokens[0]
            assert tokens[-1] < edge.need[position]


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize(
    ("type_", "shape", "attributes"),
    [
        ("DepthToSpace", (8, 2, 3), {"blocksize": 2, "mode": "DCR"}),
        ("DepthToSpace", (9, 2, 2), {"blocksize": 3, "mode": "CRD"}),
        ("SpaceToDepth", (2, 4, 6), {"blocksize": 2}),
    ],
)
def test_blocks(images: int, type_: str, shape: tuple[int, ...], attributes: dict[str, Any]) -> None:
    out, reads = reads_of(helper.make_node(type_, ["x"], ["y"], **attributes), (images, *shape), {})
    edge = edge_of(type_, (images, *shape), out, attributes)
    check(edge, reads)
    assert edge.need[0] < edge.need[-1], "it does not wait for the whole image"


@pytest.mark.parametrize("place", ["half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("sizes", [(6, 8), (3, 2), (5, 12)])
def test_resize(mode: str, place: str, sizes: tuple[int, int]) -> None:
    node = helper.make_node(
        "Resize", ["x", "", "", "sizes"], ["y"], mode=mode, coordinate_transformation_mode=place
    )
    more = {"sizes": np.array([1, 1, *sizes])}
    out, reads = reads_of(node, (1, 1, 5, 6), more)
    check(edge_of("Resize", (1, 1, 5, 6), out, {"mode": mode}), reads)


@pytest.mark.parametrize(
    ("image", "block", "about"),
    [
        ((5, 6), (2, 2), {}),
        ((6, 6), (2, 3), {"strides": (2, 3)}),
        ((7, 5), (3, 3), {"strides": (2, 1), "pads": (1, 1, 1, 1)}),
        ((8, 8), (2, 2), {"dilations": (2, 3), "strides": (1, 2)}),
    ],
)
def test_blocks_that_overlap(image: tuple[int, int], block: tuple[int, int], about: dict[str, Any]) -> None:
    full = {"dilations": (1, 1), "strides": (1, 1), "pads": (0, 0, 0, 0), **about}
    pads, strides, dilations = full["pads"], full["strides"], full["dilations"]
    columns = 1
    for n in range(2):
        columns *= (image[n] + pads[n] + pads[n + 2] - dilations[n] * (block[n] - 1) - 1) // strides[n] + 1
    shape = (1, 2 * block[0] * block[1], columns)
    node = helper.make_node("Col2Im", ["x", "image", "block"], ["y"], **full)
    out, reads = reads_of(node, shape, {"image": np.array(image), "block": np.array(block)})
    edge = edge_of("Col2Im", shape, out, {**full, "image_shape": image, "block_shape": block})
    check(edge, reads)
    assert rule_of("Col2Im").span is not None
    assert edge.need[0] < edge.need[-1], "it does not wait for all blocks"
