"""What ATen's ops that lay images out otherwise, resize or sample them are in a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pimsim.trace.torch.graph import Builder, Handler, Value, arguments, registrar
from pimsim.trace.torch.maker import TorchMaker

if TYPE_CHECKING:
    from torch.fx import Node

IMAGES: dict[str, Handler] = {}
_handles = registrar(IMAGES)

_RESIZED = (
    *(f"upsample_nearest{rank}d" for rank in (1, 2, 3)),
    *(f"_upsample_nearest_exact{rank}d" for rank in (1, 2, 3)),
    *("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d", "upsample_bicubic2d"),
    *("_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa"),
)
RESIZED = tuple(f"{name}.{kind}" for name in _RESIZED for kind in ("vec", "default"))


@_handles(*RESIZED)
def _resize(b: Builder, node: Node) -> Value:
    name = str(node.target)
    mode = "nearest" if "nearest" in name else "cubic" if "cubic" in name else "linear"
    return b.one(node, "Resize", [b.operand(b.value(node.args[0]))], None, {"mode": mode})


@_handles("pixel_shuffle.default", "pixel_unshuffle.default")
def _shuffle(b: Builder, node: Node) -> Value:
    block: Any = node.args[1]
    source = b.operand(b.value(node.args[0]))
    if "unshuffle" in str(node.target):
        return b.one(node, "SpaceToDepth", [source], None, {"blocksize": block})
    return b.one(node, "DepthToSpace", [source], None, {"blocksize": block, "mode": "CRD"})


@_handles("grid_sampler_2d.default", "grid_sampler_3d.default", "grid_sampler.default")
def _sample(b: Builder, node: Node) -> Value:
    image, grid, mode = arguments(node, 3)
    named = {0: "linear", 1: "nearest", 2: "cubic"}[mode]
    operands = [b.operand(b.value(image)), b.operand(b.value(grid))]
    return b.one(node, "GridSample", operands, None, {"mode": named})


@_handles("im2col.default")
def _columns(b: Builder, node: Node) -> Value:
    """A slice of the image for each element of a block, side by side."""
    m = TorchMaker(b, node)
    value: Any = b.value(node.args[0])
    block, dilation, padding, stride = cast(Any, arguments(node, 5)[1:])
    batch, channels, *sizes = value.shape
    if any(padding):
        pads = (0, 0, *padding, 0, 0, *padding)
        sizes = [size + 2 * more for size, more in zip(sizes, padding, strict=True)]
        value = m.op("Pad", [value], (batch, channels, *sizes), pads=pads, mode="constant")
    counts = [(sizes[n] - dilation[n] * (block[n] - 1) - 1) // stride[n] + 1 for n in range(2)]
    parts = []
    for row in range(block[0]):
        for column in range(block[1]):
            starts = (row * dilation[0], column * dilation[1])
            ends = tuple(starts[n] + (counts[n] - 1) * stride[n] + 1 for n in range(2))
            about: dict[str, Any] = {"starts": starts, "ends": ends, "axes": (2, 3), "steps": tuple(stride)}
            part = m.op("Slice", [value], (batch, channels, *counts), **about)
            parts.append(m.reshape(part, (batch, channels, 1, *counts)))
    made = m.concat(parts, 2)
    return cast(Value, m.reshape(made, b.form(node)[0]))


@_handles("col2im.default")
def _image(b: Builder, node: Node) -> Value:
    image, block, dilation, padding, stride = cast(Any, arguments(node, 6)[1:])
    about = {
        "image_shape": tuple(image),
        "block_shape": tuple(block),
        "dilations": tuple(dilation),
        "pads": (*padding, *padding),
        "strides": tuple(stride),
    }
    return b.one(node, "Col2Im", [b.operand(b.value(node.args[0]))], None, about)
