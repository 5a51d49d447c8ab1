"""A product by a weight as rows that go in and outputs that come out: convolutions, Gemm, MatMul.

Rows are in the order in which arrays hold them: of a convolution the position in the kernel outermost, channels within,
group after group; outputs group after group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pimsim.trace.op import Op

Floats = npt.NDArray[np.float32]
Reals = npt.NDArray[np.floating[Any]]


def matrix_of(op: Op, weight: Reals) -> Reals:
    """Return a weight as a matrix, shape (rows, outputs); of several groups, blocks along its diagonal."""
    if op.type == "Conv":
        groups = op.attributes["group"]
        outputs = weight.shape[0]
        each = np.moveaxis(weight, 1, -1).reshape(outputs, -1)  # (outputs, kernel x channels of a group)
        rows, per_group = each.shape[1], outputs // groups
        matrix = np.zeros((rows * groups, outputs), dtype=weight.dtype)
        for group in range(groups):
            own = slice(group * per_group, (group + 1) * per_group)
            matrix[group * rows : (group + 1) * rows, own] = each[own].T
        return matrix
    if op.type == "Gemm" and op.attributes["transB"]:
        return weight.T
    return weight


def rows_of(op: Op, values: Floats, samples: int) -> Floats:
    """Return the rows that an op multiplies, shape (samples, positions, rows)."""
    if op.type != "Conv":
        return values.reshape(samples, -1, values.shape[-1])
    attributes, groups = op.attributes, op.attributes["group"]
    spatial = values.ndim - 2
    pads = attributes["pads"]
    padded = np.pad(values, [(0, 0), (0, 0), *zip(pads[:spatial], pads[spatial:], strict=True)])
    kernel, dilations = attributes["kernel_shape"], attributes["dilations"]
    reach = [(size - 1) * apart + 1 for size, apart in zip(kernel, dilations, strict=True)]
    axes = tuple(range(2, 2 + spatial))
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=axes)
    every = tuple(slice(None, None, step) for step in attributes["strides"])
    within = tuple(slice(None, None, step) for step in dilations)
    windows = windows[(slice(None), slice(None), *every, *within)]
    batch, channels = values.shape[:2]
    size = windows.shape[2 : 2 + spatial]
    windows = windows.reshape(batch, groups, channels // groups, *size, *kernel)
    order = (0, *range(3, 3 + spatial), 1, *range(3 + spatial, 3 + 2 * spatial), 2)
    return np.ascontiguousarray(windows.transpose(order)).reshape(
        samples, -1, channels * int(np.prod(kernel))
    )


def shaped(op: Op, results: Reals, rest: Sequence[Floats], samples: int) -> Floats:
    """Return outputs, shape (samples, positions, outputs), as the op puts them out, with its bias if it has one."""
    if op.type == "Gemm":
        results = results * op.attributes["alpha"]
    if rest:
        scale = op.attributes["beta"] if op.type == "Gemm" else 1.0
        results = results + scale * rest[0].reshape(-1) if rest[0].ndim < 2 else results + scale * rest[0]
    shape = op.output.shape
    if op.type == "Conv":
        turned = np.moveaxis(results.reshape(-1, *shape[2:], shape[1]), -1, 1)
        return np.ascontiguousarray(turned, dtype=np.float32)
    return np.asarray(results, dtype=np.float32).reshape(samples * shape[0], *shape[1:])
