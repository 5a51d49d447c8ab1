"""Stored tensors that are one: an exporter that folds what it computes of a weight writes it down for each reader."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from pathlib import Path

from onnx import TensorProto, numpy_helper

_SAMPLE = 1 << 12  # bytes from the beginning and the end, told apart before all is compared
_LEAST = 64  # elements; fewer may be alike by chance
_BYTES = 1 << 20  # compared at a time


def twins(stored: Mapping[str, TensorProto], folder: Path) -> dict[str, str]:
    """Return the stored matrices that are, byte by byte, one before them, with its name.

    What holds one value only (zeros, a filling) may be another weight all the same, and stays by itself.

    Parameters
    ----------
    stored : mapping of str to TensorProto
        The initializers of a model.
    folder : Path
        Where their files are.
    """
    groups: dict[Hashable, list[str]] = {}
    for name, tensor in stored.items():
        if len(tensor.dims) < 2 or math.prod(tensor.dims) < _LEAST:
            continue
        groups.setdefault((tensor.data_type, tuple(tensor.dims)), []).append(name)
    found: dict[str, str] = {}
    for names in groups.values():
        if len(names) > 1:
            found |= _alike(names, stored, folder)
    return found


def _alike(names: list[str], stored: Mapping[str, TensorProto], folder: Path) -> dict[str, str]:
    """Return those of some tensors of one form that are one before them."""
    seen: dict[bytes, list[str]] = {}
    found: dict[str, str] = {}
    for name in names:
        data = _Bytes(stored[name], folder)
        sample = data.part(0, _SAMPLE) + data.part(max(data.size - _SAMPLE, 0), _SAMPLE)
        if not data.size or len(set(zip(*[iter(sample)] * 8, strict=False))) < 2:
            continue
        first = next((n for n in seen.get(sample, ()) if data.same(_Bytes(stored[n], folder))), None)
        if first is None:
            seen.setdefault(sample, []).append(name)
        else:
            found[name] = first
    return found


class _Bytes:
    """The bytes of a tensor, in the model or in a file beside it; none if they are not there."""

    def __init__(self, tensor: TensorProto, folder: Path) -> None:
        self._path: Path | None = None
        self._offset = 0
        self._data = b""
        if tensor.data_location == TensorProto.EXTERNAL:
            about = {entry.key: entry.value for entry in tensor.external_data}
            path = folder / about.get("location", "")
            self._offset = int(about.get("offset") or 0)
            self.size = int(about.get("length") or 0)
            if path.is_file() and path.stat().st_size >= self._offset + self.size:
                self._path = path
            else:
                self.size = 0
        else:
            self._data = tensor.raw_data or numpy_helper.to_array(tensor).tobytes()
            self.size = len(self._data)

    def part(self, start: int, count: int) -> bytes:
        """Return some bytes from a place on."""
        if self._path is None:
            return self._data[start : start + count]
        with self._path.open("rb") as file:
            file.seek(self._offset + start)
            return file.read(min(count, self.size - start))

    def same(self, other: _Bytes) -> bool:
        """Whether all bytes are the same."""
        places = range(0, self.size, _BYTES)
        return self.size == other.size and all(
            self.part(at, _BYTES) == other.part(at, _BYTES) for at in places
        )
