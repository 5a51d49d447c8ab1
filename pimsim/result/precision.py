"""The widths of a run's numbers, in words."""

from __future__ import annotations

from collections.abc import Iterable


def precision_text(weight_bits: Iterable[int], input_bits: int) -> str:
    """Say how wide weights and activations are; a model may have weights of several widths."""
    widths = [f"{bits}-" for bits in sorted(set(weight_bits))]
    weights = widths[0] if len(widths) == 1 else f"{', '.join(widths[:-1])} and {widths[-1]}"
    return f"{weights}bit weights, {input_bits}-bit inputs"
