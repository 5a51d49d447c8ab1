"""Statistics as they stand in a file: one object, read strictly."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from pimsim.errors import TraceError
from pimsim.trace.found import check_int, check_name, closest, show
from pimsim.trace.observed import BINS, DECIMALS, MAX_BITS, Calibration, Statistics
from pimsim.trace.op import Op

MEND = "nothing that depends on values can be learned from a model whose weights are not trained"

_MOST = 2**53
_KEYS = {
    "count": "count",
    "min": "minimum",
    "max": "maximum",
    "signed": "signed",
    "zeros": "zeros",
    "bit_density": "bit_density",
    "bit_density_signmag": "bit_density_signmag",
    "per_bit": "per_bit",
    "per_bit_signmag": "per_bit_signmag",
    "histogram": "histogram",
    "zero_slices": "zero_slices",
    "bits": "bits",
    "calibration": "calibration",
    "rows": "rows",
    "origin": "origin",
}
"""The keys of the object, in order, and the fields that they hold."""


def to_row(stats: Statistics) -> dict[str, Any]:
    """Return statistics as an object for JSON."""
    row = {key: getattr(stats, name) for key, name in _KEYS.items()}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in row.items()}


def from_row(row: object, where: str) -> Statistics:
    """Read statistics.

    Parameters
    ----------
    row : object
        What was found.
    where : str
        Where it stands, ``file:line: field``.

    Raises
    ------
    TraceError
        At the first fault, with its place.
    """
    if not isinstance(row, dict):
        raise TraceError(f"found {show(row)}, expected an object", where=where)
    for key in row:
        if key not in _KEYS:
            raise TraceError(f"unknown key {show(key)}", where=where, mend=closest(key, list(_KEYS)))
    for key in _KEYS:
        if key not in row:
            raise TraceError(f"key '{key}' is missing", where=where)
    bits = check_int(row["bits"], f"{where}.bits", 2, MAX_BITS)
    if not isinstance(row["signed"], bool):
        raise TraceError(f"found {show(row['signed'])}, expected true or false", where=f"{where}.signed")
    width = bits - 1 if row["signed"] else bits
    zero_slices = row["zero_slices"]
    stats = Statistics(
        count=check_int(row["count"], f"{where}.count", 1, _MOST),
        minimum=_number(row["min"], f"{where}.min"),
        maximum=_number(row["max"], f"{where}.max"),
        signed=row["signed"],
        zeros=_share(row["zeros"], f"{where}.zeros"),
        bit_density=_share(row["bit_density"], f"{where}.bit_density"),
        bit_density_signmag=_share(row["bit_density_signmag"], f"{where}.bit_density_signmag"),
        per_bit=_shares(row["per_bit"], bits, f"{where}.per_bit"),
        per_bit_signmag=_shares(row["per_bit_signmag"], width, f"{where}.per_bit_signmag"),
        histogram=_counts(row["histogram"], f"{where}.histogram"),
        zero_slices=None if zero_slices is None else _share(zero_slices, f"{where}.zero_slices"),
        bits=bits,
        calibration=_calibration(row["calibration"], f"{where}.calibration"),
        rows=check_int(row["rows"], f"{where}.rows", 1, _MOST),
        origin=check_name(row["origin"], f"{where}.origin"),
    )
    _check_closure(stats, where)
    return stats


def check_meaning(ops: Iterable[Op], weights: str, places: Iterable[str]) -> None:
    """Refuse statistics that mean nothing: not sound in themselves, told twice, or of weights that are not trained.

    Parameters
    ----------
    ops : iterable of Op
        Checked in all else.
    weights : str
        What the header says of them.
    places : iterable of str
        Where each op stands.

    Raises
    ------
    TraceError
        At the first, with its place.
    """
    for op, place in zip(ops, places, strict=True):
        fields: list[tuple[str, str]] = []
        fields += [(f"inputs[{at}].stats", operand.role) for at, operand in enumerate(op.inputs)]
        fields += [(f"outputs[{at}].stats", "output") for at in range(len(op.outputs))]
        for (field, role), tensor in zip(fields, op.tensors, strict=True):
            if tensor.stats is None:
                continue
            where = f"{place}: {field}"
            if role not in ("weight", "output"):
                message = (
                    f"statistics at an operand whose role is {role}, expected at weights and outputs only"
                )
                mend = "those of an activation stand at the output of the op that computes it"
                raise TraceError(message, where=where, mend=mend)
            if weights != "trained":
                raise TraceError(f"statistics of data, but the weights are {weights}", where=where, mend=MEND)
            if not isinstance(tensor.stats, Statistics):
                raise TraceError(f"found {show(tensor.stats)}, expected statistics", where=where)
            from_row(to_row(tensor.stats), where)


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e39:
        raise TraceError(f"found {show(value)}, expected a finite number", where=where)
    return float(value)


def _share(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise TraceError(f"found {show(value)}, expected a share from 0 to 1", where=where)
    return float(value)


def _list(value: object, length: int, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise TraceError(f"found {show(value)}, expected a list", where=where)
    if len(value) != length:
        raise TraceError(f"found {len(value)} numbers, expected {length}", where=where)
    return value


def _shares(value: object, length: int, where: str) -> tuple[float, ...]:
    return tuple(_share(item, f"{where}[{i}]") for i, item in enumerate(_list(value, length, where)))


def _counts(value: object, where: str) -> tuple[int, ...]:
    items = _list(value, BINS, where)
    return tuple(check_int(item, f"{where}[{i}]", 0, _MOST) for i, item in enumerate(items))


def _calibration(value: object, where: str) -> Calibration:
    if value == "max":
        return "max"
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 100:
        raise TraceError(
            f"found {show(value)}, expected 'max' or a percentile above 0, up to 100", where=where
        )
    return float(value)


def _check_closure(stats: Statistics, where: str) -> None:
    """Check what must agree: the histogram with the count, densities with those of their bits, the sign."""
    if sum(stats.histogram) != stats.count:
        message = f"its bins sum to {sum(stats.histogram)}, the count is {stats.count}"
        raise TraceError(message, where=f"{where}.histogram")
    if not stats.minimum <= stats.maximum:
        raise TraceError(f"found {stats.maximum:g}, below the minimum", where=f"{where}.max")
    if stats.signed != (stats.minimum < 0):
        message = f"found {str(stats.signed).lower()}, but the minimum is {stats.minimum:g}"
        raise TraceError(message, where=f"{where}.signed")
    for name in ("bit_density", "bit_density_signmag"):
        shares = getattr(stats, name.replace("bit_density", "per_bit"))
        mean = math.fsum(shares) / len(shares)
        if abs(mean - getattr(stats, name)) > 2 * 10**-DECIMALS:
            message = f"found {getattr(stats, name)}, but its bits have {mean:.{DECIMALS}f} on average"
            raise TraceError(message, where=f"{where}.{name}")
