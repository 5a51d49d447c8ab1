"""Writing ``pimsim-trace`` files: one JSON object a line, keys in a fixed order, for diff."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pimsim.errors import TraceError
from pimsim.trace.model import SCHEMAS, Model
from pimsim.trace.observed_file import to_row
from pimsim.trace.op import Op
from pimsim.trace.probe import sizes
from pimsim.trace.tensor import Operand, Tensor


def write(trace: Model, path: Path) -> None:
    """Write a trace to a file: first beside it, then renamed, so that no half a file is ever there.

    Raises
    ------
    TraceError
        If the file cannot be written.
    """
    target = Path(os.path.realpath(path))
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    special = target.exists() and not target.is_file()  # a pipe or a device is not to be replaced
    try:
        with (target if special else beside).open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(line + "\n" for line in lines(trace))
        if not special:
            beside.replace(target)
    except OSError as error:
        message = f"cannot be written: {error.strerror or error}"
        raise TraceError(message, where=str(path), mend="give another place with -o") from None
    finally:
        if not special:
            _remove(beside)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # its folder is a file, or its name too long: then it is not there
        return


def lines(trace: Model) -> Iterator[str]:
    """Yield the lines of the file, without their ends."""
    header = trace.header
    first = {
        "schema": _schema(trace, "defaults" in header, "examples" in header),
        "model": trace.model,
        "source": header["source"],
        "command": header["command"],
        "symbols": header["symbols"],
        **({"defaults": header["defaults"]} if "defaults" in header else {}),
        **({"examples": header["examples"]} if "examples" in header else {}),
        "weights": header["weights"],
        **({"routing": header["routing"]} if "routing" in header else {}),
        "notes": header["notes"],
        "outputs": list(trace.outputs),
    }
    yield _dump(first)
    for op in trace.ops:
        yield _dump(_op(op))


def digest(trace: Model) -> str:
    """Return the SHA-256 of everything that a simulation can depend on: not source, command and notes."""
    header = {
        "schema": _schema(trace),
        "model": trace.model,
        "symbols": dict(sorted(trace.header["symbols"].items())),
        "weights": trace.header["weights"],
        **({"routing": trace.header["routing"]} if "routing" in trace.header else {}),
        "outputs": list(trace.outputs),
    }
    content = hashlib.sha256(_dump(header).encode())
    for op in trace.ops:
        content.update(b"\n" + _dump(_op(op)).encode())
    return content.hexdigest()


def _schema(trace: Model, second: bool = False, third: bool = False) -> str:
    """Return the oldest schema that has all that a trace has, or a header that needs the second or the third."""
    if third or any(isinstance(size, str) and "//" in size for op in trace.ops for _, size in sizes(op)):
        return SCHEMAS[2]
    named = any(
        "causal" in op.attributes or any(operand.name is not None for operand in op.inputs)
        for op in trace.ops
    )
    return SCHEMAS[1] if named or second else SCHEMAS[0]


def _dump(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _op(op: Op) -> dict[str, Any]:
    return {
        "name": op.name,
        "type": op.type,
        "inputs": [_operand(operand) for operand in op.inputs],
        "outputs": [_tensor(tensor) for tensor in op.outputs],
        "attributes": {name: op.attributes[name] for name in sorted(op.attributes)},
    }


def _operand(operand: Operand) -> dict[str, Any]:
    row: dict[str, Any] = {"role": operand.role}
    if operand.source is not None:
        row["from"] = operand.source
    if operand.index:
        row["output"] = operand.index
    if operand.name is not None:
        row["name"] = operand.name
    if operand.turned:
        row["turned"] = True
    return row | _tensor(operand.tensor)


def _tensor(tensor: Tensor) -> dict[str, Any]:
    row: dict[str, Any] = {"shape": list(tensor.shape), "dtype": tensor.dtype}
    if tensor.bits is not None:
        row["bits"] = tensor.bits
    if tensor.stats is not None:
        row["stats"] = to_row(tensor.stats)
    return row
