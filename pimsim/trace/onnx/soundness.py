"""What the ONNX library does not check itself, and would not survive: a model that is cut may hold anything."""

from __future__ import annotations

import faulthandler
import math
import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, shape_inference

from pimsim.errors import ModelError, TraceError

MOST_OPSET = 2**31 - 1
MEMORY = 4 * 2**30
"""Bytes that inferring the shapes of a model, without its weights, may take."""
_BYTES: dict[int, int] = {
    TensorProto.FLOAT: 4,
    TensorProto.DOUBLE: 8,
    TensorProto.INT32: 4,
    TensorProto.INT64: 8,
}


def check_sound(model: ModelProto, where: str) -> None:
    """See that versions, element types, stored values and attributes are such as the library can be asked about.

    Raises
    ------
    TraceError
        At the first that is not.
    """
    for row in model.opset_import:
        if not 1 <= row.version <= MOST_OPSET:
            message = f"found opset {row.version} of '{row.domain or 'ai.onnx'}', expected a version from 1"
            raise TraceError(message, where=where)
    for node in _nodes(model.graph.node):
        for attribute in node.attribute:
            if attribute.ref_attr_name:
                message = (
                    f"attribute '{attribute.name}' of '{node.op_type}' stands for one of a function, "
                    "and the op is in none"
                )
                raise TraceError(message, where=where)
            for tensor in (attribute.t, *attribute.tensors):
                _check_tensor(tensor, f"attribute '{attribute.name}' of '{node.op_type}'", where)
    for tensor in model.graph.initializer:
        _check_tensor(tensor, f"'{tensor.name}'", where)


def _nodes(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """Yield nodes, and those of the graphs in them."""
    todo = list(nodes)
    while todo:
        node = todo.pop()
        yield node
        bodies: list[GraphProto] = [
            graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)
        ]
        todo += [inner for graph in bodies for inner in graph.node]


def _check_tensor(tensor: TensorProto, what: str, where: str) -> None:
    if tensor.data_type not in TensorProto.DataType.values():
        message = f"{what} has elements of type {tensor.data_type}, which ONNX does not have"
        raise TraceError(message, where=where, mend="a newer onnx may know it: pip install -U onnx")
    size = _BYTES.get(tensor.data_type)
    if size is not None and tensor.raw_data and len(tensor.raw_data) != size * math.prod(tensor.dims):
        found = f"{len(tensor.raw_data)} bytes for {math.prod(tensor.dims)} elements of {size}"
        raise TraceError(f"{what} has {found}", where=where, mend="the file is damaged: export it again")


def check_survived(model: ModelProto, where: str) -> None:
    """Infer shapes once in a process of its own: the library ends the process that gives it what it did not expect.

    Raises
    ------
    TraceError
        If that process did not come to a good end.
    """
    if not hasattr(os, "fork"):
        return
    child = os.fork()
    if child == 0:
        _infer_and_end(model)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == -signal.SIGXCPU:
        raise ModelError(f"the ONNX library finds no end of its shapes in {_seconds(model)} s", where=where)
    if status:
        how = signal.Signals(-status).name if status < 0 else "out of memory"
        raise ModelError(f"the ONNX library gave up on its shapes ({how})", where=where)


def _infer_and_end(model: ModelProto) -> None:
    """Infer shapes, whatever comes of it, and end the process: with 1 where there is not enough memory."""
    try:
        faulthandler.disable()  # it would tell of an end that is expected
        _limit(_seconds(model))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what the library says when it ends
        shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except MemoryError:
        os._exit(1)
    finally:
        os._exit(0)


def _seconds(model: ModelProto) -> int:
    """Return the processor time that shapes may take: much more than they do, 1 s for some 10 000 ops."""
    return 4 + len(model.graph.node) // 1000


def _limit(seconds: int) -> None:
    """Let the process have so much time and `MEMORY` bytes more than it has, and leave no core file."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    pages = Path("/proc/self/statm")
    if not pages.exists():
        return
    most = int(pages.read_text().split()[0]) * resource.getpagesize() + MEMORY
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY or most < limit:
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
