"""What was found where a name or a number should stand: checked, and shown in messages."""

from __future__ import annotations

from collections.abc import Sequence

from pimsim.errors import TraceError, nearest

MAX_SIZE = 2**31 - 1
_MAX_NAME = 1000


def show(value: object) -> str:
    """Write a value found in a file as JSON has it, shortened, with its kind, for an error message."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true (boolean)", False: "false (boolean)"}[value]
    kinds = (
        (int, "whole number"),
        (float, "number"),
        (str, "text"),
        (dict, "object"),
        ((list, tuple), "list"),
    )
    kind = next((name for types, name in kinds if isinstance(value, types)), type(value).__name__)
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # thousands of digits, or of levels
        text = "something too long to show"
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({kind})"


def closest(name: object, known: Sequence[str]) -> str:
    """As `errors.nearest`, for whatever stands where a name should; it does not list names by the dozen."""
    advice = nearest(name[:100] if isinstance(name, str) else "", list(known))
    return advice if advice.startswith("did you mean") or len(known) <= 60 else ""


def check_name(value: object, where: str) -> str:
    """Return a name that can be printed."""
    if not isinstance(value, str) or not value or len(value) > _MAX_NAME or not value.isprintable():
        message = f"found {show(value)}, expected a name of 1 to {_MAX_NAME} printable characters"
        raise TraceError(message, where=where)
    return value


def check_int(value: object, where: str, low: int, high: int) -> int:
    """Return a whole number within limits; a boolean is none."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise TraceError(f"found {show(value)}, expected a whole number from {low} to {high}", where=where)
    return value
