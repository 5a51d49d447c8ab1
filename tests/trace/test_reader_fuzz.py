"""Whatever a file holds, the reader raises TraceError or returns a sound trace."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pimsim.errors import TraceError
from pimsim.trace import Trace
from pimsim.trace.check import DTYPES
from pimsim.trace.optypes import OP_TYPES

from .builders import small_rows

FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 9)
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([*OP_TYPES, *DTYPES, "x", "conv", "add", "weight", "activation", "constant"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def read(path: Path, data: bytes) -> Trace | None:
    path.write_bytes(data)
    message = ""
    try:
        return Trace.load(path)
    except TraceError as error:
        message = str(error)
    assert message.startswith(str(path))
    message.encode()  # can be printed
    return None


@FUZZ
@given(data=st.binary(max_size=200))
def test_random_bytes(tmp_path: Path, data: bytes) -> None:
    assert read(tmp_path / "t.jsonl", data) is None


@FUZZ
@given(rows=st.lists(VALUES, max_size=4), headed=st.booleans())
def test_random_lines(tmp_path: Path, rows: list[Any], headed: bool) -> None:
    rows = [small_rows()[0], *rows] if headed else rows
    read(tmp_path / "t.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All paths into nested lists and dicts."""
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [path, *(deeper for key, child in children for deeper in places(child, (*path, key)))]


PLACES = [path for path in places(small_rows()) if path]


@FUZZ
@given(
    changes=st.lists(
        st.tuples(st.sampled_from(PLACES), st.sampled_from(["set", "delete", "add", "copy"]), VALUES),
        min_size=1,
        max_size=3,
    ),
    source=st.sampled_from(PLACES),
)
def test_changed_traces(tmp_path: Path, changes: list[Any], source: tuple[Any, ...]) -> None:
    rows: Any = small_rows()

    def at(path: tuple[Any, ...]) -> Any:
        target = rows
        for key in path:
            target = target[key]
        return target

    for path, kind, value in changes:
        try:
            parent = at(path[:-1])
            if kind == "delete":
                del parent[path[-1]]
            elif kind == "add" and isinstance(at(path), dict):
                at(path)[str(value)] = value
            elif kind == "copy":
                parent[path[-1]] = copy.deepcopy(at(source))
            else:
                parent[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took that place away
    trace = read(tmp_path / "t.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    if trace is not None:  # then it is sound: it can be counted, saved and read again
        assert trace.macs >= 0
        trace.save(tmp_path / "u.jsonl")
        assert Trace.load(tmp_path / "u.jsonl").digest == trace.digest


@FUZZ
@given(at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_changed_bytes(tmp_path: Path, at: int, byte: int) -> None:
    data = bytearray("".join(json.dumps(row) + "\n" for row in small_rows()).encode())
    data[at % len(data)] = byte
    read(tmp_path / "t.jsonl", bytes(data))


NUMBERS = st.integers(-1, 5)
ANY_ATTRIBUTE = {
    "int": NUMBERS,
    "axis": NUMBERS,
    "ints": st.lists(NUMBERS, max_size=4),
    "axes": st.lists(NUMBERS, max_size=4),
    "float": st.floats(-2, 2),
    "str": st.sampled_from(["none", "tanh", "constant"]),
}


@pytest.mark.parametrize("type_", OP_TYPES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_op_type_with_random_shapes(tmp_path: Path, type_: str, data: st.DataObject) -> None:
    row = OP_TYPES[type_]
    shape = st.lists(st.integers(1, 5), max_size=4)
    count = data.draw(st.integers(row.inputs[0], min(row.inputs[1], row.inputs[0] + 2)))
    shapes = data.draw(st.lists(shape, min_size=count, max_size=count))
    lines: list[Any] = [{"schema": "pimsim-trace/1", "model": "m", "outputs": ["y"]}]
    operands = []
    for index, sizes in enumerate(shapes):
        tensor = {"shape": sizes, "dtype": "float32"}
        name = f"x{index}"
        lines.append({"name": name, "type": "Input", "inputs": [], "outputs": [tensor], "attributes": {}})
        operands.append({"role": "activation", "from": name, **tensor})
    outputs = [{"shape": sizes, "dtype": "float32"} for sizes in data.draw(st.lists(shape, max_size=2))]
    attributes = {name: data.draw(ANY_ATTRIBUTE[kind.kind]) for name, kind in row.attributes.items()}
    lines.append(
        {"name": "y", "type": type_, "inputs": operands, "outputs": outputs, "attributes": attributes}
    )
    trace = read(tmp_path / "t.jsonl", "".join(json.dumps(line) + "\n" for line in lines).encode())
    assert trace is None or trace.macs >= 0
