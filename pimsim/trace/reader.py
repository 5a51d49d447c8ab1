"""Reading ``pimsim-trace`` files: strict, and every fault named with file, line and field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from pimsim.errors import TraceError
from pimsim.trace.found import MAX_SIZE, check_int, check_name, closest, show
from pimsim.trace.header import complete_header
from pimsim.trace.model import SCHEMA, SCHEMAS
from pimsim.trace.observed_file import check_meaning, from_row
from pimsim.trace.op import Op
from pimsim.trace.probe import check_ops
from pimsim.trace.tensor import Operand, Tensor

_HEADER = (
    "schema",
    "model",
    "source",
    "command",
    "symbols",
    "defaults",
    "examples",
    "weights",
    "routing",
    "notes",
    "outputs",
)
_OP = ("name", "type", "inputs", "outputs", "attributes")
_TENSOR = ("shape", "dtype")
_OPERAND = ("role", "from", "output", "name", "turned", *_TENSOR, "bits", "stats")


def read(path: Path) -> tuple[str, tuple[Op, ...], tuple[str, ...], dict[str, Any]]:
    """Read the model, ops, outputs and header of a trace, checked.

    Parameters
    ----------
    path : Path
        A file that exists.

    Raises
    ------
    TraceError
        At the first fault, with ``file:line: field``.
    """
    rows = _rows(path)
    place = f"{path}:1"
    head = _object(rows[0], place, None)
    _check_schema(head, place)
    _check_keys(head, place, ("schema", "model", "outputs"), _HEADER)
    outputs = tuple(
        check_name(name, f"{place}: outputs[{i}]")
        for i, name in enumerate(_list(head["outputs"], f"{place}: outputs"))
    )
    about = {key: head[key] for key in head if key not in ("schema", "model", "outputs")}
    header = complete_header(head["model"], about, place)
    places = [f"{path}:{number}" for number in range(2, len(rows) + 1)]
    ops = [_op(row, where) for row, where in zip(rows[1:], places, strict=True)]
    checked = check_ops(ops, outputs, places, place, header)
    check_meaning(ops, header["weights"], places)
    return head["model"], checked, outputs, header


def _rows(path: Path) -> list[object]:
    """Parse each line of the file as JSON."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TraceError(f"cannot be read: {error.strerror or error}", where=str(path)) from None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        where = f"{path}:{data[: error.start].count(10) + 1}"  # 10 is a line's end
        raise TraceError(f"byte 0x{data[error.start]:02x} is not UTF-8 text", where=where) from None
    if not text.strip():
        raise TraceError("the file is empty", where=str(path))
    lines = text.removesuffix("\n").split("\n")
    rows: list[object] = []
    decoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_no_constant)
    for number, line in enumerate(lines, 1):
        try:
            rows.append(decoder.decode(line))
        except TraceError as error:
            raise TraceError(error.message, where=f"{path}:{number}") from None
        except (ValueError, RecursionError) as error:  # ValueError also for an int of thousands of digits
            cut = number == len(lines) and number > 1 and not text.endswith("\n")
            message = "the file is truncated: this line is not whole" if cut else f"not JSON: {_brief(error)}"
            where = f"{path}:{number}"
            mend = f"expected one JSON object a line ({SCHEMA})"
            raise TraceError(message, where=where, mend=mend) from None
    return rows


def _brief(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else "a number of too many digits"


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise TraceError(f"key {show(twice)} stands there twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise TraceError(f"found {name}, expected a finite number")


def _check_schema(head: dict[str, Any], place: str) -> None:
    found = head.get("schema")
    if found in SCHEMAS:
        return
    if found is None:
        message = "key 'schema' is missing: this is not the header of a trace"
        raise TraceError(message, where=place, mend=f'the first line must say "schema": "{SCHEMAS[0]}"')
    family, _, version = SCHEMA.rpartition("/")
    other_family, _, other = found.rpartition("/") if isinstance(found, str) else ("", "", "")
    newer = other_family == family and other.isascii() and other.isdigit() and len(other) < 10
    if newer and int(other) > int(version):
        message = f"the file is {found}, this pimsim reads up to {SCHEMA}"
        raise TraceError(message, where=f"{place}: schema", mend="use a newer pimsim")
    known = f"'{SCHEMAS[0]}' to '{SCHEMA}'"
    raise TraceError(f"found {show(found)}, expected {known}", where=f"{place}: schema")


def _object(value: object, place: str, field: str | None) -> dict[str, Any]:
    if not isinstance(value, dict):
        where = f"{place}: {field}" if field else place
        raise TraceError(f"found {show(value)}, expected an object", where=where)
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise TraceError(f"found {show(value)}, expected a list", where=where)
    return value


def _check_keys(row: dict[str, Any], where: str, required: tuple[str, ...], known: tuple[str, ...]) -> None:
    for key in row:
        if key not in known:
            raise TraceError(f"unknown key {show(key)}", where=where, mend=closest(key, known))
    for key in required:
        if key not in row:
            raise TraceError(f"key '{key}' is missing", where=where)


def _op(value: object, place: str) -> Op:
    row = _object(value, place, None)
    _check_keys(row, place, _OP, _OP)
    inputs = tuple(
        _operand(item, place, f"inputs[{i}]")
        for i, item in enumerate(_list(row["inputs"], f"{place}: inputs"))
    )
    outputs = tuple(
        _output(item, place, f"outputs[{i}]")
        for i, item in enumerate(_list(row["outputs"], f"{place}: outputs"))
    )
    return Op(row["name"], row["type"], inputs, outputs, row["attributes"])


def _operand(value: object, place: str, field: str) -> Operand:
    row = _object(value, place, field)
    where = f"{place}: {field}"
    _check_keys(row, where, ("role", *_TENSOR), _OPERAND)
    index = check_int(row.get("output", 0), f"{where}.output", 0, MAX_SIZE)
    for key in ("name", "turned"):  # null must not pass for "not given"
        if key in row and row[key] is None:
            raise TraceError("found null, expected it to be left out", where=f"{where}.{key}")
    tensor, turned = _tensor(row, where), row.get("turned", False)
    return Operand(row["role"], tensor, row.get("from"), index, row.get("name"), turned)


def _output(value: object, place: str, field: str) -> Tensor:
    row = _object(value, place, field)
    where = f"{place}: {field}"
    _check_keys(row, where, _TENSOR, (*_TENSOR, "bits", "stats"))
    return _tensor(row, where)


def _tensor(row: dict[str, Any], where: str) -> Tensor:
    if "bits" in row:  # None stands for "not given" in memory, so null must not pass for it
        check_int(row["bits"], f"{where}.bits", 1, 64)
    if not isinstance(row["dtype"], str):
        raise TraceError(f"found {show(row['dtype'])}, expected text", where=f"{where}.dtype")
    stats = from_row(row["stats"], f"{where}.stats") if "stats" in row else None
    return Tensor(tuple(_list(row["shape"], f"{where}.shape")), row["dtype"], row.get("bits"), stats)
