"""The widths of a run's numbers, in words."""

from __future__ import annotations

from collections.abc import Iterable


def precision_text(weight_bits: Iterable[int], input_bits: Iterable[int]) -> str:
    """Say how wide weights and activations are; a model may have several widths of either."""
    return f"{_told(weight_bits)}bit weights, {_told(input_bits)}bit inputs"


def _told(bits: Iterable[int]) -> str:
    widths = [f"{each}-" for each in sorted(set(bits))]
    return widths[0] if len(widths) == 1 else f"{', '.join(widths[:-1])} and {widths[-1]}"
