"""Shape rules of ops that lay images out otherwise, or sample them."""

from __future__ import annotations

import math

from pimsim.trace.shapes.given import expect, expect_shape, shape_of
from pimsim.trace.tensor import Shape, Signature, dims


def _image(op: Signature) -> Shape:
    shape = shape_of(op)
    message = f"found {dims(shape)}, expected batch, channels, height and width"
    expect(len(shape) == 4, "inputs[0].shape", message)
    return shape


def depth_to_space(op: Signature) -> tuple[Shape, ...]:
    """Channels become blocks of pixels."""
    batch, channels, height, width = _image(op)
    block = op.attributes["blocksize"]
    message = f"found {block}, whose square does not divide {channels} channels"
    expect(channels % block**2 == 0, "attributes.blocksize", message)
    return ((batch, channels // block**2, height * block, width * block),)


def space_to_depth(op: Signature) -> tuple[Shape, ...]:
    """Blocks of pixels become channels."""
    batch, channels, height, width = _image(op)
    block = op.attributes["blocksize"]
    message = f"found {block}, which does not divide {height} x {width} pixels"
    expect(height % block == 0 and width % block == 0, "attributes.blocksize", message)
    return ((batch, channels * block**2, height // block, width // block),)


def col2im(op: Signature) -> tuple[Shape, ...]:
    """Blocks in columns, added into the image where they overlap."""
    shape, about = shape_of(op), op.attributes
    image, block = about["image_shape"], about["block_shape"]
    rank = len(image)
    for name, count in (("block_shape", rank), ("dilations", rank), ("strides", rank), ("pads", 2 * rank)):
        found = len(about[name])
        expect(found == count, f"attributes.{name}", f"found {found} numbers, expected {count}")
    expect(len(shape) == 3, "inputs[0].shape", f"found {dims(shape)}, expected batch, blocks and columns")
    size = math.prod(block)
    message = f"found {shape[1]} elements a column, which blocks of {size} do not divide"
    expect(shape[1] % size == 0, "inputs[0].shape", message)
    columns = math.prod(
        (image[n] + about["pads"][n] + about["pads"][n + rank] - about["dilations"][n] * (block[n] - 1) - 1)
        // about["strides"][n]
        + 1
        for n in range(rank)
    )
    expect(shape[2] == columns, "inputs[0].shape", f"found {shape[2]} columns, expected {columns}")
    return ((shape[0], shape[1] // size, *image),)


def grid_sample(op: Signature) -> tuple[Shape, ...]:
    """Each point of the grid takes what lies around it in the image."""
    shape, grid = shape_of(op), shape_of(op, 1)
    expect(len(shape) >= 3, "inputs[0].shape", f"found {dims(shape)}, expected an image")
    fits = len(grid) == len(shape) and grid[0] == shape[0] and grid[-1] == len(shape) - 2
    message = f"found {dims(grid)}, expected {len(shape) - 2} coordinates a point"
    expect(fits, "inputs[1].shape", message)
    return ((*shape[:2], *grid[1:-1]),)


def roi_align(op: Signature) -> tuple[Shape, ...]:
    """A window of its own for each region of interest."""
    shape, regions = _image(op), shape_of(op, 1)
    fits = len(regions) == 2 and regions[1] == 4
    expect(fits, "inputs[1].shape", f"found {dims(regions)}, expected four corners a region")
    expect_shape(op, 2, regions[:1], "the image of each region")
    return ((regions[0], shape[1], op.attributes["output_height"], op.attributes["output_width"]),)


def unpool(op: Signature) -> tuple[Shape, ...]:
    """Each element goes to where its index says; the image's size is its own."""
    shape, found = shape_of(op), op.output.shape
    expect_shape(op, 1, shape, "an index an element")
    fits = len(found) == len(shape) and found[:2] == shape[:2]
    expect(
        fits, "outputs[0].shape", f"found {dims(found)}, expected the images and channels of {dims(shape)}"
    )
    return (found,)
