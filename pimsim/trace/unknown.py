"""Ops that a trace does not know: those that compute are refused, those that only move data may be passed as such.

What is passed computes nothing in the trace, so it must be little: reports say it first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping

from pimsim.errors import ModelError
from pimsim.trace.tensor import Tensor

_FAMILIES = re.compile(
    r"conv(?!ert)|gemm|matmul|einsum|lstm|rnn|(?<![a-z])gru|gru(?![a-z])|attention|attn|moe(?![a-z])"
    r"|fullyconnected|innerproduct|denselayer|(?<![a-z])(fused_?|sparse_?)?dense(?![a-z])"
    r"|(?<![a-z])(fused_?|q|quantized_?|packed_?)?(bi)?linear(_?(classifier|regressor|relu))?$"
    r"|treeensemble|svm(classifier|regressor)|fft|dft|stft"
    r"|cdist|mamba|selectivescan|linalg_(?!vector_norm|norm)"
    r"|(^|[_:])(add|badd)?b?mm$|(^|_)addmv_?$|(^|_)mv$|(^|_)v?dot$|(^|_)addbmm$|(^|_)(grouped|scaled|int)_mm$"
)
_BODIES = ("if", "loop", "scan", "sequencemap", "while_loop", "cond", "map_impl", "associative_scan")
_INDICES = ("int64", "int32", "uint64", "uint32", "bool")
LARGE = 256
"""Elements; an op that reads a constant matrix of so many or more numbers is taken to compute with them."""


def computes(op_type: str) -> bool:
    """Say whether an op type multiplies matrices, or has a body that may; with its domain or its overload, if any."""
    plain = re.split(r":+", op_type.partition(" (")[0])[-1].partition(".")[0].lower()
    return plain in _BODIES or _FAMILIES.search(plain) is not None


def is_matrix(tensor: Tensor) -> bool:
    """Say whether a constant is large enough to be weights: numbers, no indices, over two dimensions or more."""
    sizes = [size for size in tensor.shape if isinstance(size, int) and size > 1]
    return len(sizes) >= 2 and math.prod(sizes) >= LARGE and tensor.dtype not in _INDICES


def pass_unknown(
    unknown: Mapping[str, int], with_weights: Collection[str], allowed: bool, where: str
) -> list[str]:
    """Refuse unknown ops, or say what is passed as data movement.

    Parameters
    ----------
    unknown : mapping of str to int
        Op types that a trace does not know, and how many ops of each.
    with_weights : collection of str
        Those of them that read a constant matrix.
    allowed : bool
        Whether what does not compute may be passed.
    where : str
        What errors call the model.

    Returns
    -------
    list of str
        Notes for the header.

    Raises
    ------
    ModelError
        If there are some, unless they are allowed; if one computes, in any case.
    """
    if not unknown:
        return []
    working = {name: count for name, count in unknown.items() if computes(name) or name in with_weights}
    if working:
        message = (
            f"the model has ops that compute, and that a trace does not know: {listed(working)}; "
            "as data movement they would count as nothing"
        )
        others = {name: count for name, count in unknown.items() if name not in working}
        message += f" (and ops that may be let through: {listed(others)})" if others else ""
        mend = "export the model with them taken apart into Conv, Gemm and MatMul, or without them"
        raise ModelError(message, where=where, mend=mend)
    if not allowed:
        message = f"the model has ops that a trace does not know: {listed(unknown)}"
        mend = "--allow-unknown treats them as data movement, without their computation, and every report says so"
        raise ModelError(message, where=where, mend=mend)
    return [f"unknown ops treated as data movement, their computation not modelled: {listed(unknown)}"]


def listed(unknown: Mapping[str, int]) -> str:
    """Write op types and how many ops there are of each."""
    return ", ".join(f"{name} ({count})" for name, count in sorted(unknown.items()))


def warning(unknown: Mapping[str, int]) -> str:
    """Say what a trace with unknown ops leaves out, for the head of a report; empty if there are none."""
    if not unknown:
        return ""
    return f"Not modelled: {listed(unknown)}, unknown ops that only move data here; what they compute is not counted."
