"""The header of a trace: where it comes from, its symbols, and how tokens go to experts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pimsim.errors import TraceError
from pimsim.trace.found import MAX_SIZE, check_int, check_name, closest, show

WEIGHTS = ("trained", "random", "constant", "absent")
"""What a trace may say of its weights' values: ``trained`` means stored in the source as they are."""
_SPARE = ("routing", "defaults", "examples")
DISTRIBUTIONS = ("uniform", "zipf")


def complete_header(model: str, header: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Check what a header says of where the trace comes from, and fill in what it does not say.

    Raises
    ------
    TraceError
        At the first fault, with place and field.
    """
    known: dict[str, Any] = {"source": {}, "command": "", "symbols": {}, "weights": "absent", "notes": []}
    check_name(model, f"{place}: model")
    for key in header:
        if key not in (*known, *_SPARE):
            mend = closest(key, [*known, *_SPARE])
            raise TraceError(f"unknown key {show(key)}", where=place, mend=mend)
    full = {**known, **header}
    if "routing" in full:
        full["routing"] = check_routing(full["routing"], place)
    for key in ("source", "symbols"):
        if not isinstance(full[key], dict):
            raise TraceError(f"found {show(full[key])}, expected an object", where=f"{place}: {key}")
        for name in full[key]:
            check_name(name, f"{place}: {key}")
    for name, value in full["source"].items():
        if not isinstance(value, str) or not value.isprintable():
            check_int(value, f"{place}: source.{name}", 0, MAX_SIZE)
    for name, value in full["symbols"].items():
        if value is not None:
            check_int(value, f"{place}: symbols.{name}", 0, MAX_SIZE)
    if "defaults" in full:
        check_defaults(full["defaults"], full["symbols"], place)
    if "examples" in full:
        check_examples(full["examples"], full["symbols"], place)
    if full["command"] != "":
        check_name(full["command"], f"{place}: command")
    if full["weights"] not in WEIGHTS:
        mend = closest(full["weights"], WEIGHTS)
        raise TraceError(f"found {show(full['weights'])}", where=f"{place}: weights", mend=mend)
    if not isinstance(full["notes"], list):
        raise TraceError(f"found {show(full['notes'])}, expected a list", where=f"{place}: notes")
    for position, note in enumerate(full["notes"]):
        check_name(note, f"{place}: notes[{position}]")
    return full


def check_defaults(defaults: object, symbols: Mapping[str, Any], place: str) -> None:
    """Check what a header says of symbols that were bound by default.

    Raises
    ------
    TraceError
        At the first fault, with place and field.
    """
    if not isinstance(defaults, list):
        raise TraceError(f"found {show(defaults)}, expected a list", where=f"{place}: defaults")
    for position, name in enumerate(defaults):
        if not isinstance(name, str) or symbols.get(name) is None:
            message = f"found {show(name)}, expected a symbol that has a value"
            raise TraceError(message, where=f"{place}: defaults[{position}]")


def check_examples(examples: object, symbols: Mapping[str, Any], place: str) -> None:
    """Check what a header says of values that symbols may have.

    Raises
    ------
    TraceError
        At the first fault, with place and field.
    """
    where = f"{place}: examples"
    if not isinstance(examples, dict):
        raise TraceError(f"found {show(examples)}, expected an object", where=where)
    for name, value in examples.items():
        if name not in symbols or symbols[name] is not None:
            raise TraceError(f"found {show(name)}, expected a symbol without a value", where=where)
        check_int(value, f"{where}.{name}", 1, MAX_SIZE)


def check_routing(routing: object, place: str) -> dict[str, Any]:
    """Check what a header says of routing and return it complete.

    Raises
    ------
    TraceError
        At the first fault, with place and field.
    """
    where = f"{place}: routing"
    if not isinstance(routing, Mapping):
        raise TraceError(f"found {show(routing)}, expected an object", where=where)
    known = ("experts", "top", "distribution", "exponent", "seed")
    for key in routing:
        if key not in known:
            raise TraceError(f"unknown key {show(key)}", where=where, mend=closest(key, known))
    experts = check_int(routing.get("experts"), f"{where}.experts", 1, 1 << 16)
    top = check_int(routing.get("top"), f"{where}.top", 1, experts)
    distribution = routing.get("distribution", "uniform")
    if distribution not in DISTRIBUTIONS:
        mend = closest(distribution, DISTRIBUTIONS)
        raise TraceError(f"found {show(distribution)}", where=f"{where}.distribution", mend=mend)
    full: dict[str, Any] = {"experts": experts, "top": top, "distribution": distribution}
    if distribution == "zipf":
        exponent = routing.get("exponent", 1.0)
        fits = isinstance(exponent, int | float) and not isinstance(exponent, bool) and 0 <= exponent <= 20
        if not fits:
            message = f"found {show(exponent)}, expected a number from 0 to 20"
            raise TraceError(message, where=f"{where}.exponent")
        full["exponent"] = float(exponent)
    elif "exponent" in routing:
        raise TraceError("only zipf has an exponent", where=f"{where}.exponent")
    full["seed"] = check_int(routing.get("seed", 0), f"{where}.seed", 0, MAX_SIZE)
    return full
