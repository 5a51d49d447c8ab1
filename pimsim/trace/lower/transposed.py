"""Transposed convolutions: a product a pixel of the input, and blocks added into the output where they overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pimsim.trace.lower.maker import Maker, Term, elements
from pimsim.trace.tensor import Shape


def conv_transpose(
    m: Maker,
    source: Term,
    weight: Term,
    bias: Term | None,
    *,
    image: Shape,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    group: int,
) -> Any:
    """Return (batch, channels, *image); as many MACs as input pixels · kernel · channels in · channels out of a group.

    Parameters
    ----------
    weight : Term
        (channels in, channels out of a group, *kernel).
    pads : sequence of int
        All begins, then all ends.
    """
    batch, channels, *sizes = source.shape
    features = weight.shape[1] * group
    kernel = weight.shape[2:]
    rank = len(kernel)
    block = elements(kernel)
    ones = (1,) * rank
    turned = m.part(weight, (features * block, channels // group, *ones))
    columns = m.op(
        "Conv",
        [source, turned],
        (batch, features * block, *sizes),
        kernel_shape=ones,
        strides=ones,
        pads=(0,) * (2 * rank),
        dilations=ones,
        group=group,
    )
    columns = m.reshape(columns, (batch, features * block, elements(tuple(sizes))))
    made = m.op(
        "Col2Im",
        [columns],
        (batch, features, *image),
        image_shape=tuple(image),
        block_shape=tuple(kernel),
        dilations=tuple(dilations),
        pads=tuple(pads),
        strides=tuple(strides),
    )
    return made if bias is None else m.broadcast("Add", made, m.reshape(bias, (1, features, *ones)))
