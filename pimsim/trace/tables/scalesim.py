"""From a SCALE-Sim topology (CSV) to a trace: a chain of convolutions or matrix products.

The format: https://github.com/scalesim-project/SCALE-Sim. A row is a layer; its columns count by position, the first
line names them. Files in use differ in much that does not matter: byte-order marks, line ends, tabs, spaces, trailing
commas, blank lines, headings between layers. What does matter is refused where it is missing.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pimsim.errors import TraceError
from pimsim.trace.op import Op
from pimsim.trace.schema import Trace
from pimsim.trace.tensor import Operand, Tensor

Padding = Literal["none", "same"]
CONV = (
    "IFMAP height",
    "IFMAP width",
    "filter height",
    "filter width",
    "channels",
    "number of filters",
    "stride",
)
GEMM = ("M", "N", "K")
MOST = 10**9


@dataclass(frozen=True)
class Layer:
    """A row of the file: `sizes` are those of `CONV` or of `GEMM`."""

    line: int
    name: str
    sizes: tuple[int, ...]
    batch: int


def from_scalesim(
    path: str | Path, *, padding: Padding = "none", model: str | None = None, command: str = ""
) -> Trace:
    """Read a SCALE-Sim topology as a trace.

    The file says neither how layers are joined nor what stands between them. A layer reads the latest op before it
    that puts out its input's shape; else the op right before it, pooled where the image is smaller, padded where it is
    larger, and through a DataMovement of unknown order otherwise. What no layer reads is an output. Weights are absent.

    Parameters
    ----------
    path : str or Path
        The CSV file, of convolutions (seven sizes a row) or of matrix products (M, N, K).
    padding : {"none", "same"}
        SCALE-Sim knows no padding: ``none`` does as it does, its output being
        ``ceil((input - filter + stride) / stride)``; ``same`` pads so that it is ``ceil(input / stride)``, and a note
        says how many MACs lie between the two.
    model : str, optional
        The trace's name; by default the file's.
    command : str
        Kept in the header.

    Raises
    ------
    TraceError
        If the file cannot be read, or a field is missing, symbolic, or out of range: names line and column.
    """
    path = Path(path)
    kind, layers, notes = _read(path)
    if padding == "same" and kind == "conv":
        notes.append(_padding_note(layers))
    notes += _depthwise_notes(layers) if kind == "conv" else []
    ops = _chain(layers, kind, padding)
    header = {
        "source": {"file": path.name, "format": "SCALE-Sim topology"},
        "command": command,
        "weights": "absent",
        "notes": notes,
    }
    return Trace.from_ops(model or path.stem, ops, header=header)


# -- the file ------------------------------------------------------------------------------------------------


def _read(path: Path) -> tuple[str, list[Layer], list[str]]:
    """Return the kind of file, its layers, and what was passed over, in words."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise TraceError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise TraceError("is not text in UTF-8", where=str(path)) from None
    lines = text.splitlines()
    delimiter = "\t" if "\t" in text and "," not in text else ","
    rows = [(number, _fields(path, number, line, delimiter)) for number, line in enumerate(lines, start=1)]
    rows = [(number, fields) for number, fields in rows if any(fields)]
    if not rows:
        raise TraceError("is empty, expected a line of headings and a line a layer", where=str(path))
    (_, headings), rows = rows[0], rows[1:]
    kind = "gemm" if len([each for each in headings if each]) <= 6 else "conv"
    columns = GEMM if kind == "gemm" else CONV
    notes: list[str] = []
    layers = []
    for number, fields in rows:
        if not any(fields[1:]):
            continue  # a heading between layers
        layers.append(_layer(path, number, fields, columns, headings))
        if _named(fields, headings, "sparsity"):
            note = "Sparsity is in the file and is not modelled."
            notes += [note] if note not in notes else []
    if not layers:
        raise TraceError("has no layers, expected a row for each", where=str(path))
    return kind, layers, notes


def _fields(path: Path, number: int, line: str, delimiter: str) -> list[str]:
    try:
        row = next(csv.reader(io.StringIO(line), delimiter=delimiter), [])
    except csv.Error as error:  # a field longer than the library takes
        raise TraceError(f"cannot be read as CSV: {error}", where=f"{path}:{number}") from None
    return [field.strip() for field in row]


def _layer(
    path: Path, number: int, fields: list[str], columns: tuple[str, ...], headings: list[str]
) -> Layer:
    sizes = tuple(
        _size(path, number, fields[i] if i < len(fields) else "", i + 1, name)
        for i, name in enumerate(columns, start=1)
    )
    batch = _named(fields, headings, "batch")
    where = headings.index(next((h for h in headings if "batch" in h.lower()), headings[0])) + 1
    count = _size(path, number, batch, where, "batch size") if batch else 1
    if columns is CONV and (sizes[2] > sizes[0] or sizes[3] > sizes[1]):
        raise TraceError(
            f"found a filter of {sizes[2]}x{sizes[3]} on an input of {sizes[0]}x{sizes[1]}, expected one that fits",
            where=f"{path}:{number}",
            mend="the input's size must hold the padding",
        )
    return Layer(number, fields[0] or f"layer{number}", sizes, count)


def _size(path: Path, number: int, text: str, column: int, name: str) -> int:
    """Read a size: a whole number from 1."""
    if text.isascii() and text.isdigit() and len(text) <= 1000 and 1 <= int(text) <= MOST:
        return int(text)
    found = f"found {text!r:.40}" if text else "found nothing"
    raise TraceError(
        f"{found}, expected {name}, a whole number from 1 to {MOST}",
        where=f"{path}:{number}: column {column}",
    )


def _named(fields: list[str], headings: list[str], word: str) -> str:
    """The field under an optional heading; empty if there is none."""
    for heading, field in zip(headings, fields, strict=False):
        if word in heading.lower():
            return field
    return ""


# -- the notes -----------------------------------------------------------------------------------------------


def _macs(layer: Layer, padding: Padding) -> int:
    height, width, rows, columns, channels, filters, stride = layer.sizes
    out = _out(height, rows, stride, padding) * _out(width, columns, stride, padding)
    return layer.batch * out * rows * columns * channels * filters


def _padding_note(layers: list[Layer]) -> str:
    none, same = sum(_macs(layer, "none") for layer in layers), sum(_macs(layer, "same") for layer in layers)
    return (
        f"The file has no padding; with padding 'same' the convolutions do {same:,} MACs, without it {none:,} "
        f"({100 * (none / same - 1):+.1f} %)."
    )


def _depthwise_notes(layers: list[Layer]) -> list[str]:
    """Warn of layers that look depthwise: one filter over many channels, which is not what a depthwise layer does."""
    looks = [
        layer.name
        for layer in layers
        if "dw" in layer.name.lower().replace("-", "_").split("_")
        or "depthwise" in layer.name.lower()
        or (layer.sizes[5] == 1 and layer.sizes[4] > 1 and layer.sizes[2] > 1)
    ]
    if not looks:
        return []
    names = ", ".join(looks[:5]) + (f" and {len(looks) - 5} more" if len(looks) > 5 else "")
    return [
        f"Looks depthwise, but stands there as an ordinary convolution and is taken as one: {names}. A depthwise layer "
        "has as many outputs as channels, a filter each."
    ]


# -- the chain -----------------------------------------------------------------------------------------------


def _chain(layers: list[Layer], kind: str, padding: Padding) -> list[Op]:
    """Join the layers, as far as their shapes tell."""
    ops: list[Op] = []
    taken: dict[str, int] = {}
    for layer in layers:
        entry = _entry(layer, kind)
        if not ops:
            ops.append(Op(_unique("input", taken), "Input", (), (entry,)))
        source = next((op for op in reversed(ops) if op.output.shape == entry.shape), None)
        if source is None:
            source = _adapted(ops[-1], entry, f"to {layer.name}", taken, padded=kind == "conv")
            if source is not ops[-1]:
                ops.append(source)
        ops.append(_op(layer, kind, padding, source, _unique(layer.name, taken)))
    return ops


def _adapted(before: Op, entry: Tensor, name: str, taken: dict[str, int], *, padded: bool) -> Op:
    """Return what a layer reads whose input is of a shape that no op puts out.

    A smaller image of as many channels is pooled; a larger one is the same with padding, if the layer can pad; any
    other shape is data moved in a way that is not known.
    """
    source, shape = Operand("activation", before.output, before.name), before.output.shape
    if padded and len(shape) == 4 and shape[:2] == entry.shape[:2]:
        sides = list(zip(shape[2:], entry.shape[2:], strict=True))
        if all(have <= want for have, want in sides):
            return before
        each = tuple(-(-have // want) for have, want in sides)
        rest = tuple(want * size - have for (have, want), size in zip(sides, each, strict=True))
        if all(0 <= missing < size for missing, size in zip(rest, each, strict=True)):
            window = {
                "kernel_shape": each,
                "strides": each,
                "pads": (0, 0, *rest),
                "dilations": (1, 1),
                "ceil_mode": 0,
            }
            return Op(_unique(name, taken), "MaxPool", (source,), (entry,), window)
    return Op(_unique(name, taken), "DataMovement", (source,), (entry,), {"onnx_type": "unknown"})


def _unique(name: str, taken: dict[str, int]) -> str:
    taken[name] = taken.get(name, 0) + 1
    return name if taken[name] == 1 else _unique(f"{name} ({taken[name]})", taken)


def _entry(layer: Layer, kind: str) -> Tensor:
    """What a layer reads."""
    if kind == "gemm":
        rows, _, inner = layer.sizes
        return Tensor((layer.batch * rows, inner))
    height, width, _, _, channels, _, _ = layer.sizes
    return Tensor((layer.batch, channels, height, width))


def _op(layer: Layer, kind: str, padding: Padding, before: Op, name: str) -> Op:
    source = Operand("activation", before.output, before.name)
    if kind == "gemm":
        rows, columns, inner = layer.sizes
        weight = Operand("weight", Tensor((columns, inner)))
        scales: dict[str, Any] = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 1}
        return Op(name, "Gemm", (source, weight), (Tensor((layer.batch * rows, columns)),), scales)
    height, width, down, across, channels, filters, stride = layer.sizes
    out = _out(height, down, stride, padding), _out(width, across, stride, padding)
    sides = zip(out, (down, across), before.output.shape[2:], (height, width), strict=True)
    pads = [
        _pads((count - 1) * stride + size - have, own - have, padding) for count, size, have, own in sides
    ]
    window = {
        "kernel_shape": (down, across),
        "strides": (stride, stride),
        "pads": (*(begin for begin, _ in pads), *(end for _, end in pads)),
        "dilations": (1, 1),
        "group": 1,
    }
    weight = Operand("weight", Tensor((filters, channels, down, across)))
    return Op(name, "Conv", (source, weight), (Tensor((layer.batch, filters, *out)),), window)


def _pads(missing: int, inside: int, padding: Padding) -> tuple[int, int]:
    """Padding before and behind one side: what its windows lack, of which so much is inside the file's own size.

    SCALE-Sim's last window hangs over the end.
    """
    missing = max(0, missing)
    begin = missing // 2 if padding == "same" else min(missing, inside // 2)
    return begin, missing - begin


def _out(length: int, size: int, stride: int, padding: Padding) -> int:
    """The outputs along one side."""
    return -(-length // stride) if padding == "same" else -(-(length - size + stride) // stride)
