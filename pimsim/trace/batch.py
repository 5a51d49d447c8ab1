"""What a symbolic dimension is called that counts inferences: a run is of one, so it is 1 unless it is bound."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pimsim.trace.op import Op

_BATCH = re.compile(
    r"(\w*_)?(mini|micro)?batch(_?(size|dim|axis|num|count|n|no))?(_?\d+)?|bsz?|nbatch(es)?|num_batches"
)
_FIRST = ("n", "b")
_GENERATED = re.compile(r"unk__\d+|(p2o\.)?dynamicdimension\.\d+|s\d+|\w+_dynamic_axes_\d+|dim_\d+")
UNNAMED = ("", "?", "*", "-1", "none", "unk", "unknown")


def is_batch(name: str, first: bool) -> bool:
    """Say whether a dimension is named as the number of inferences is.

    Parameters
    ----------
    name : str
        As the model has it.
    first : bool
        Whether it is the first of an input; only there a single letter tells.
    """
    plain = re.sub(r"[\s-]+", "_", name.strip().lower())
    return _BATCH.fullmatch(plain) is not None or (first and plain in _FIRST)


def is_named(name: str) -> bool:
    """Say whether a dimension has a name: what tools write where they have none stands for another size each time."""
    return name.strip().lower() not in UNNAMED


def is_told(name: str) -> bool:
    """Say whether somebody gave a dimension its name: exporters number those that they are told nothing of."""
    return is_named(name) and _GENERATED.fullmatch(name.strip().lower()) is None


def batch_symbols(symbols: Iterable[str], ops: Iterable[Op]) -> list[str]:
    """Return those of a trace's symbols that count inferences."""
    first: set[object] = {op.output.shape[0] for op in ops if op.type == "Input" and op.output.shape}
    return [name for name in symbols if is_batch(name, name in first)]
