"""Every fault of a file is reported with file, line and field."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pimsim.errors import TraceError
from pimsim.trace import Trace

from .builders import small_rows, write_rows

Rows = list[dict[str, Any]]
HEADER, X, CONV, RELU, ADD, SPLIT, CONCAT = range(7)  # rows of the small trace; line numbers are one more


def put(row: int, path: str, value: object) -> Callable[[Rows], None]:
    """Return a change that sets ``a.0.b`` of a row."""

    def change(rows: Rows) -> None:
        *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        target: Any = rows[row]
        for key in parents:
            target = target[key]
        target[last] = value

    return change


def drop(row: int, path: str) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        target: Any = rows[row]
        for key in parents:
            target = target[key]
        del target[last]

    return change


def both(*changes: Callable[[Rows], None]) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        for part in changes:
            part(rows)

    return change


CASES: dict[str, tuple[Callable[[Rows], None], str]] = {
    # keys
    "unknown key in the header": (put(HEADER, "modle", 1), "1: unknown key 'modle'.*did you mean 'model'"),
    "unknown key in an op": (
        put(RELU, "atributes", {}),
        "4: unknown key 'atributes'.*did you mean 'attributes'",
    ),
    "unknown key in an operand": (
        put(RELU, "inputs.0.form", "x"),
        r"4: inputs\[0\]: unknown key 'form'.*did you mean 'from'",
    ),
    "unknown key in an output": (put(X, "outputs.0.role", "weight"), r"2: outputs\[0\]: unknown key 'role'"),
    "unknown attribute": (
        put(CONV, "attributes.stride", [1, 1]),
        "3: attributes: unknown attribute 'stride'.*did you mean 'strides'",
    ),
    "missing model": (drop(HEADER, "model"), "1: key 'model' is missing"),
    "missing schema": (drop(HEADER, "schema"), "1: key 'schema' is missing.*pimsim-trace/1"),
    "missing key in an op": (drop(ADD, "outputs"), "5: key 'outputs' is missing"),
    "missing shape": (drop(ADD, "inputs.1.shape"), r"5: inputs\[1\]: key 'shape' is missing"),
    "missing attribute": (drop(CONV, "attributes.group"), "3: attributes: attribute 'group' is missing"),
    "missing from": (drop(RELU, "inputs.0.from"), r"4: inputs\[0\]\.from: an activation must name"),
    # types
    "model is a number": (put(HEADER, "model", 7), r"1: model: found 7 \(whole number\)"),
    "name is empty": (put(RELU, "name", ""), "4: name: found ''"),
    "name holds a control character": (put(RELU, "name", "a\x1b[2J"), "4: name: found"),
    "name holds half a character": (put(RELU, "name", "\ud800"), "4: name: found"),
    "shape is a number": (put(X, "outputs.0.shape", 4), r"2: outputs\[0\]\.shape: found 4 .*expected a list"),
    "size is a boolean": (put(X, "outputs.0.shape", [True, 3]), r"2: outputs\[0\]\.shape\[0\]: found true"),
    "size is a float": (put(X, "outputs.0.shape", [1.0, 3]), r"2: outputs\[0\]\.shape\[0\]: found 1\.0"),
    "size is text": (
        put(X, "outputs.0.shape", ["batch"]),
        r"2: outputs\[0\]\.shape\[0\]: found 'batch' \(text\)",
    ),
    "attribute is a boolean": (put(CONV, "attributes.group", True), r"3: attributes\.group: found true"),
    "attribute is no list": (
        put(CONV, "attributes.pads", 1),
        r"3: attributes\.pads: found 1 .*expected a list",
    ),
    "attributes are a list": (put(RELU, "attributes", []), "4: attributes: found .*expected an object"),
    "inputs are an object": (put(RELU, "inputs", {}), "4: inputs: found .*expected a list"),
    "operand is null": (put(RELU, "inputs.0", None), r"4: inputs\[0\]: found null, expected an object"),
    "dtype is null": (put(X, "outputs.0.dtype", None), r"2: outputs\[0\]\.dtype: found null"),
    "unknown dtype": (
        put(X, "outputs.0.dtype", "float23"),
        r"2: outputs\[0\]\.dtype: .*did you mean 'float32'",
    ),
    "bits is null": (put(X, "outputs.0.bits", None), r"2: outputs\[0\]\.bits: found null"),
    "bits is zero": (put(X, "outputs.0.bits", 0), r"2: outputs\[0\]\.bits: found 0 .*from 1 to 64"),
    "unknown role": (put(CONV, "inputs.1.role", "weigth"), r"3: inputs\[1\]\.role: .*did you mean 'weight'"),
    "a weight where none can be": (
        both(put(ADD, "inputs.1.role", "weight"), drop(ADD, "inputs.1.from")),
        r"5: inputs\[1\]\.role: found 'weight'.*say 'constant'",
    ),
    "a weight from an op": (
        put(CONV, "inputs.1.from", "x"),
        r"3: inputs\[1\]\.from: a weight comes from no op",
    ),
    "weights of an unknown kind": (put(HEADER, "weights", "train"), "1: weights: .*did you mean 'trained'"),
    "symbol of no size": (put(HEADER, "symbols", {"batch": -1}), r"1: symbols\.batch: found -1"),
    "source is text": (put(HEADER, "source", "x.onnx"), "1: source: found 'x.onnx'"),
    "outputs are text": (put(HEADER, "outputs", "concat"), "1: outputs: found 'concat'.*expected a list"),
    # values
    "zero size": (put(X, "outputs.0.shape", [1, 0]), r"2: outputs\[0\]\.shape\[1\]: found 0 .*from 1 to"),
    "negative size": (
        put(X, "outputs.0.shape", [-1, 3]),
        r"2: outputs\[0\]\.shape\[0\]: found -1 .*from 1 to",
    ),
    "huge size": (put(X, "outputs.0.shape", [10**30]), r"2: outputs\[0\]\.shape\[0\]: found 10"),
    "huge tensor": (put(X, "outputs.0.shape", [2**30, 2**30]), r"2: outputs\[0\]\.shape: .*more than"),
    "zero stride": (put(CONV, "attributes.strides", [0, 1]), r"3: attributes\.strides\[0\]: found 0"),
    "negative padding": (put(CONV, "attributes.pads", [0, 0, 0, -1]), r"3: attributes\.pads\[3\]: found -1"),
    "axis beyond the rank": (
        put(CONCAT, "attributes.axis", 4),
        r"7: attributes\.axis: .*found 4, .*less than 4",
    ),
    "newer schema": (
        put(HEADER, "schema", "pimsim-trace/4"),
        "1: schema: the file is pimsim-trace/4, this pimsim reads up to pimsim-trace/3; use a newer pimsim",
    ),
    "another schema": (put(HEADER, "schema", "onnx"), "1: schema: found 'onnx'.*expected 'pimsim-trace/1'"),
    # graph
    "unknown op type": (put(RELU, "type", "Relo"), "4: type: unknown op type 'Relo'.*did you mean 'Relu'"),
    "op type is a list": (put(RELU, "type", []), "4: type: unknown op type"),
    "name given twice": (put(ADD, "name", "relu"), "5: name: 'relu' is already the name of the op at .*:4"),
    "operand from nowhere": (
        put(RELU, "inputs.0.from", "cnov"),
        r"4: inputs\[0\]\.from: there is no op 'cnov'.*did you mean 'conv'",
    ),
    "operand from no such output": (
        put(CONCAT, "inputs.1.output", 2),
        r"7: inputs\[1\]\.output: found 2, but 'split' has 2 outputs",
    ),
    "output from nowhere": (put(HEADER, "outputs", ["end"]), r"1: outputs\[0\]: there is no op 'end'"),
    "no outputs": (put(HEADER, "outputs", []), "1: outputs: found none"),
    "cycle": (
        put(RELU, "inputs.0.from", "add"),
        r"4: inputs: the graph has a cycle: relu -> add -> relu",
    ),
    "cycle of one": (put(RELU, "inputs.0.from", "relu"), "4: inputs: the graph has a cycle: relu -> relu"),
    "an op nobody reads": (put(ADD, "inputs.1.from", "conv"), "4: nothing reads 'relu'"),
    "no ops": (lambda rows: rows.__delitem__(slice(1, None)), "1: the model is empty"),
    "inputs only": (
        both(lambda rows: rows.__delitem__(slice(2, None)), put(HEADER, "outputs", ["x"])),
        "1: the model is empty",
    ),
    "input with an operand": (
        put(X, "inputs", [{"role": "activation", "from": "x", "shape": [1], "dtype": "float32"}]),
        "2: inputs: found 1 operands, expected 0 for Input",
    ),
    "too few operands": (put(ADD, "inputs", []), "5: inputs: found 0 operands, expected 2 for Add"),
    "two outputs of an op that has one": (
        put(RELU, "outputs", [{"shape": [1], "dtype": "float32"}] * 2),
        "4: outputs: found 2 outputs, expected one for Relu",
    ),
    "no activation": (
        both(put(RELU, "inputs.0.role", "constant"), drop(RELU, "inputs.0.from")),
        "4: inputs: a Relu without an activation",
    ),
    # shapes
    "operand unlike its producer": (
        both(put(RELU, "inputs.0.shape", [1, 4, 6, 5]), put(RELU, "outputs.0.shape", [1, 4, 6, 5])),
        r"4: inputs\[0\]\.shape: found 1x4x6x5, but 'conv' puts out 1x4x6x6",
    ),
    "operand's dtype unlike its producer's": (
        put(RELU, "inputs.0.dtype", "int8"),
        r"4: inputs\[0\]\.dtype: found int8, but 'conv' puts out float32",
    ),
    "conv channels": (
        put(CONV, "inputs.1.shape", [4, 2, 3, 3]),
        r"3: inputs\[1\]\.shape: Conv: found 4x2x3x3, expected 4x3x3x3",
    ),
    "conv groups": (
        put(CONV, "attributes.group", 2),
        r"3: attributes\.group: Conv: found 2, .*divide 3 channels",
    ),
    "conv kernel": (
        put(CONV, "attributes.kernel_shape", [3, 5]),
        r"3: inputs\[1\]\.shape: Conv: found 4x3x3x3, expected 4x3x3x5",
    ),
    "conv output": (
        put(CONV, "outputs.0.shape", [1, 4, 5, 6]),
        r"3: outputs\[0\]\.shape: found 1x4x5x6, expected 1x4x6x6",
    ),
    "conv padding of another rank": (
        put(CONV, "attributes.pads", [1, 1]),
        r"3: attributes\.pads: Conv: found 2",
    ),
    "elementwise": (
        put(ADD, "inputs.1.shape", [1, 3, 6, 6]),
        r"5: inputs\[1\]\.shape: Add: 1x3x6x6 does not broadcast with 1x4x6x6",
    ),
    "concat sum": (
        put(CONCAT, "outputs.0.shape", [1, 5, 6, 6]),
        r"7: outputs\[0\]\.shape: found 1x5x6x6, expected 1x4x6x6",
    ),
    "split sum": (
        put(SPLIT, "outputs.0.shape", [1, 3, 6, 6]),
        r"6: outputs: Split: 3 \+ 2 along axis 1 is not 4",
    ),
}


@pytest.mark.parametrize(("change", "message"), CASES.values(), ids=CASES.keys())
def test_fault_is_located(tmp_path: Path, change: Callable[[Rows], None], message: str) -> None:
    rows = small_rows()
    change(rows)
    path = write_rows(tmp_path / "t.jsonl", rows)
    with pytest.raises(TraceError) as caught:
        Trace.load(path)
    assert re.match(re.escape(f"{path}:") + message, str(caught.value)), str(caught.value)


def replaced(op: str, type_: str, inputs: list[list[int]], output: list[int], **attributes: object) -> Rows:
    """Return a trace of inputs and one op that reads them all."""

    def tensor(shape: list[int]) -> dict[str, object]:
        return {"shape": shape, "dtype": "float32"}

    names = [f"x{i}" for i in range(len(inputs))]
    rows: Rows = [{"schema": "pimsim-trace/1", "model": "m", "outputs": [op]}]
    for name, shape in zip(names, inputs, strict=True):
        rows.append(
            {"name": name, "type": "Input", "inputs": [], "outputs": [tensor(shape)], "attributes": {}}
        )
    operands = [{"role": "activation", "from": n, **tensor(s)} for n, s in zip(names, inputs, strict=True)]
    rows.append(
        {"name": op, "type": type_, "inputs": operands, "outputs": [tensor(output)], "attributes": attributes}
    )
    return rows


WINDOW = {"kernel_shape": [2], "strides": [2], "pads": [0, 0], "dilations": [1], "ceil_mode": 0}
GEMM = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 1}
SLICE = {"starts": [0], "ends": [9], "axes": [0], "steps": [1]}

MISFITS = {
    "gemm inner": (
        replaced("y", "Gemm", [[2, 3], [4, 5]], [2, 4], **GEMM),
        r"inputs\[1\]\.shape: Gemm: found 4x5, whose inner dimension is 5, expected 3",
    ),
    "gemm bias": (
        replaced("y", "Gemm", [[2, 3], [4, 3], [5]], [2, 4], **GEMM),
        r"inputs\[2\]\.shape: Gemm: 5 does not broadcast into 2x4",
    ),
    "gemm of a vector": (
        replaced("y", "Gemm", [[3], [4, 3]], [1, 4], **GEMM),
        r"inputs\[0\]\.shape: Gemm: found 3, expected a matrix",
    ),
    "gemm with a number beyond float32": (
        replaced("y", "Gemm", [[2, 3], [4, 3]], [2, 4], **{**GEMM, "alpha": 1e39}),
        r"attributes\.alpha: found 1e\+39 .*expected a finite number",
    ),
    "more MACs than 64 bits hold": (
        replaced(
            "y",
            "Conv",
            [[1, 2**20, 2**20], [1, 2**20, 2**20]],
            [1, 1, 2**30 + 1],
            kernel_shape=[2**20],
            strides=[1],
            pads=[2**29, 2**29],
            dilations=[1],
            group=1,
        ),
        r"outputs\[0\]\.shape: Conv of more than 2\^63 multiply-accumulates",
    ),
    "matmul inner": (
        replaced("y", "MatMul", [[2, 3], [4, 5]], [2, 5]),
        r"inputs\[1\]\.shape: MatMul: found 4x5, whose inner dimension is 4, expected 3",
    ),
    "matmul batch": (
        replaced("y", "MatMul", [[2, 2, 3], [3, 3, 5]], [2, 2, 5]),
        r"inputs\[1\]\.shape: MatMul: 3x3x5 does not broadcast",
    ),
    "concat elsewhere": (
        replaced("y", "Concat", [[2, 3], [2, 4]], [4, 3], axis=0),
        r"inputs\[1\]\.shape: Concat: 2x4 differs from 2x3 of inputs\[0\] elsewhere",
    ),
    "pool output": (
        replaced("y", "MaxPool", [[1, 1, 5]], [1, 1, 3], **WINDOW),
        r"outputs\[0\]\.shape: found 1x1x3, expected 1x1x2",
    ),
    "pool kernel too big": (
        replaced("y", "MaxPool", [[1, 1, 5]], [1, 1, 3], **{**WINDOW, "kernel_shape": [6]}),
        r"attributes\.kernel_shape\[0\]: MaxPool: the kernel reaches over 6",
    ),
    "reshape count": (
        replaced("y", "Reshape", [[2, 3]], [7]),
        r"outputs\[0\]\.shape: Reshape: 7 has 7 elements, expected 6",
    ),
    "flatten": (
        replaced("y", "Flatten", [[2, 3, 4]], [6, 4], axis=1),
        r"outputs\[0\]\.shape: found 6x4, expected 2x12",
    ),
    "squeeze of more than one": (
        replaced("y", "Squeeze", [[2, 3]], [3], axes=[0]),
        r"attributes\.axes\[0\]: Squeeze: axis 0 of 2x3 has size 2",
    ),
    "transpose twice": (
        replaced("y", "Transpose", [[2, 3]], [2, 2], perm=[0, 0]),
        r"attributes\.perm: Transpose: found \[0, 0\], which repeats",
    ),
    "slice beyond": (
        replaced("y", "Slice", [[8]], [8], **SLICE),
        r"attributes\.starts\[0\]: Slice: 0 to 9 is outside",
    ),
    "pad to nothing": (
        replaced("y", "Pad", [[2]], [1], pads=[-1, -1], mode="constant"),
        r"attributes\.pads: Pad: nothing is left",
    ),
    "global pool": (
        replaced("y", "GlobalAveragePool", [[1, 3, 4, 4]], [1, 3]),
        r"outputs\[0\]\.shape: found 1x3, expected 1x3x1x1",
    ),
    "mean": (
        replaced("y", "ReduceMean", [[2, 3]], [2, 1], axes=[1], keepdims=0),
        r"outputs\[0\]\.shape: found 2x1, expected 2 ",
    ),
}


@pytest.mark.parametrize(("rows", "message"), MISFITS.values(), ids=MISFITS.keys())
def test_misfit_is_located(tmp_path: Path, rows: Rows, message: str) -> None:
    path = write_rows(tmp_path / "t.jsonl", rows)
    with pytest.raises(TraceError) as caught:
        Trace.load(path)
    assert re.match(re.escape(f"{path}:{len(rows)}: ") + message, str(caught.value)), str(caught.value)


TEXTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", ": the file is empty"),
    "blank": (b"\n\n", ": the file is empty"),
    "not JSON": (b"hello\n", ":1: not JSON: Expecting value at column 1"),
    "YAML": (b"schema: pimsim-trace/1\n", ":1: not JSON"),
    "a list": (b"[1]\n", r":1: found \[1\] \(list\), expected an object"),
    "not UTF-8": (b'{"schema": "pimsim-trace/1"}\n\xff\n', ":2: byte 0xff is not UTF-8"),
    "NaN": (b'{"schema": NaN}\n', ":1: found NaN, expected a finite number"),
    "too many digits": (b'{"schema": ' + b"9" * 5000 + b"}\n", ":1: not JSON: a number of too many digits"),
    "nested too deeply": (b"[" * 100_000 + b"\n", ":1: not JSON"),
    "the same key twice": (b'{"schema": 1, "schema": 2}\n', ":1: key 'schema' .*stands there twice"),
    "a blank line": (b'{"schema": "pimsim-trace/1"}\n\n{}\n', ":2: not JSON"),
}


@pytest.mark.parametrize(("data", "message"), TEXTS.values(), ids=TEXTS.keys())
def test_what_is_no_trace(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(data)
    with pytest.raises(TraceError) as caught:
        Trace.load(path)
    assert re.match(re.escape(str(path)) + message, str(caught.value)), str(caught.value)


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    """Cut anywhere, the file is refused; only its last line's end may be missing."""
    whole = "".join(json.dumps(row) + "\n" for row in small_rows()).encode()
    path = tmp_path / "t.jsonl"
    for length in range(len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(TraceError):
            Trace.load(path)
    path.write_bytes(whole[:-1])
    assert Trace.load(path).model == "small"


def test_a_cut_line_is_called_truncated(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    write_rows(path, small_rows())
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(TraceError, match=r"t\.jsonl:7: the file is truncated"):
        Trace.load(path)


def test_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="is a folder"):
        Trace.load(tmp_path)
    with pytest.raises(TraceError, match="no such file"):
        Trace.load(tmp_path / "no.jsonl")
