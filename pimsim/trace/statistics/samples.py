"""Real inputs for a model, from an ``.npz`` file: checked against what the model takes, then run by run."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pimsim.errors import TraceError
from pimsim.trace.found import closest
from pimsim.trace.tensor import dims

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


LABELS = "labels"
"""Classes that are right, beside the inputs."""


@dataclass(frozen=True)
class Expected:
    """An input that a model takes.

    Parameters
    ----------
    name : str
        Its name.
    shape : tuple of int or str
        A symbolic size by its name.
    dtype : str
        By its numpy name.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str


@dataclass(frozen=True)
class Samples:
    """Inputs that fit a model; make them with `load`.

    Parameters
    ----------
    arrays : mapping of str to array
        By input; the first axis of each counts the samples.
    count : int
        How many samples there are.
    per_run : int
        How many the model takes at once.
    bindings : dict
        What the model's symbolic sizes are in a run.
    """

    arrays: Mapping[str, Array]
    count: int
    per_run: int
    bindings: dict[str, int]

    @classmethod
    def load(cls, path: Path, expected: Sequence[Expected]) -> Samples:
        """Read a file and check it.

        A model whose first sizes are symbolic takes one sample at a time, so that a run has the trace's sizes.

        Raises
        ------
        TraceError
            If it is no ``.npz`` file, lacks an input or has one too many, or its sizes or types do not fit.
        """
        where = str(path)
        arrays = _fit(read_arrays(path), expected, where)
        firsts = {array.shape[0] for array in arrays.values()}
        if len(firsts) > 1 or 0 in firsts:
            counts = ", ".join(f"{name} has {array.shape[0]}" for name, array in arrays.items())
            raise TraceError(f"expected as many samples of every input, one or more: {counts}", where=where)
        count = firsts.pop()
        fixed = {int(each.shape[0]) for each in expected if isinstance(each.shape[0], int)}
        if len(fixed) > 1:
            sizes_found = " and ".join(map(str, sorted(fixed)))
            message = f"the model takes {sizes_found} of its inputs at once: which first axis counts samples?"
            raise TraceError(message, where=where)
        per_run = next(iter(fixed), 1)
        if count % per_run:
            message = f"found {count} samples, but the model takes {per_run} at once"
            raise TraceError(message, where=where, mend=f"give a multiple of {per_run}")
        bindings: dict[str, int] = {}
        for each in expected:
            sizes = (per_run, *arrays[each.name].shape[1:])
            for axis, (size, wanted) in enumerate(zip(sizes, each.shape, strict=True)):
                if size != bindings.setdefault(str(wanted), size) or (
                    isinstance(wanted, int) and size != wanted
                ):
                    shape = dims((per_run, *each.shape[1:]))  # type: ignore[arg-type]
                    message = f"a run's '{each.name}' is {dims(sizes)}, but the model takes {shape}"
                    raise TraceError(f"{message} (axis {axis})", where=where)
        names = {size for each in expected for size in each.shape if isinstance(size, str)}
        return cls(arrays, count, per_run, {name: bindings[name] for name in bindings if name in names})

    def __iter__(self) -> Iterator[dict[str, Array]]:
        """Yield the inputs of one run after another."""
        for start in range(0, self.count, self.per_run):
            yield {name: array[start : start + self.per_run] for name, array in self.arrays.items()}


def read_arrays(path: Path) -> dict[str, Array]:
    """Read all arrays of an ``.npz`` file; pickled content is never loaded.

    Raises
    ------
    TraceError
        If it cannot be read, or is no such file.
    """
    import numpy as np

    try:
        file = np.load(path, allow_pickle=False)
        if isinstance(file, np.ndarray):
            message = "holds one array without a name"
            raise TraceError(message, where=str(path), mend="write it with numpy.savez")
        with file:
            return {name: file[name] for name in file.files}
    except OSError as error:
        raise TraceError(f"cannot be read: {error.strerror or error}", where=str(path)) from None
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if "allow_pickle" in reason:  # numpy's advice is to load it unsafely
            reason = "it holds Python objects, which are never loaded, or is no zip file"
        message = f"not an .npz file of plain arrays, or a truncated one: {reason}"
        raise TraceError(message, where=str(path), mend="write it with numpy.savez") from None


def _fit(arrays: Mapping[str, Array], expected: Sequence[Expected], where: str) -> dict[str, Array]:
    """Return the arrays in the model's order and types."""
    import numpy as np

    known = [each.name for each in expected]
    for name in arrays:
        if name not in (*known, LABELS):
            raise TraceError(f"the model has no input '{name}'", where=where, mend=closest(name, known))
    made = {}
    for each in expected:
        if each.name not in arrays:
            have = ", ".join(arrays) or "nothing"
            raise TraceError(f"the model's input '{each.name}' is missing, found {have}", where=where)
        array = arrays[each.name]
        if not each.shape:
            raise TraceError(f"the model's input '{each.name}' is a scalar: it has no samples", where=where)
        if array.ndim != len(each.shape):
            message = f"'{each.name}' has {array.ndim} dimensions, the model takes {len(each.shape)}"
            raise TraceError(message, where=where, mend="the first axis counts the samples")
        if not np.can_cast(array.dtype, each.dtype, "same_kind"):
            message = f"'{each.name}' is of type {array.dtype}, the model takes {each.dtype}"
            raise TraceError(message, where=where)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise TraceError(f"'{each.name}' has values that are infinite or not a number", where=where)
        made[each.name] = array.astype(each.dtype, copy=False)
    return made
