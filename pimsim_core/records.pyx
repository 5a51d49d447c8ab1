"""The records of a machine as numpy sees them: their fields are those of the C structures."""

import numpy as np

from libc.stdint cimport int32_t, int64_t

# Causes that time on the critical path is charged to, in the order of their numbers.
CAUSES = (
    "compute", "transport", "contention", "dependence", "backpressure", "clock", "programming", "memory", "congestion",
    "maintenance", "waking", "launch", "row_miss", "bank_conflict", "refresh", "turnaround",
)

cdef int64_t[64] _room  # larger than any record; it stands for one of each kind in turn
_DTYPES = {
    "resource": np.asarray(<Resource[:1]> <Resource*> _room).dtype,
    "cost": np.asarray(<Cost[:1]> <Cost*> _room).dtype,
    "step": np.asarray(<Step[:1]> <Step*> _room).dtype,
    "mvm": np.asarray(<Mvm[:1]> <Mvm*> _room).dtype,
    "actor": np.asarray(<Actor[:1]> <Actor*> _room).dtype,
    "input": np.asarray(<Input[:1]> <Input*> _room).dtype,
    "output": np.asarray(<Output[:1]> <Output*> _room).dtype,
    "cast": np.asarray(<Cast[:1]> <Cast*> _room).dtype,
    "tree": np.asarray(<Tree[:1]> <Tree*> _room).dtype,
    "leaf": np.asarray(<Leaf[:1]> <Leaf*> _room).dtype,
    "stream": np.asarray(<Stream[:1]> <Stream*> _room).dtype,
    "note": np.asarray(<Note[:1]> <Note*> _room).dtype,
    "walker": np.asarray(<Walker[:1]> <Walker*> _room).dtype,
    "hold": np.asarray(<Hold[:1]> <Hold*> _room).dtype,
    "record": np.asarray(<Record[:1]> <Record*> _room).dtype,
}


def record_dtype(name):
    """Return the numpy dtype of the engine's records called `name`, e.g. ``"actor"``."""
    return _DTYPES[name]


cdef object as_rows(object rows, str name):
    """Return a view of records; `numpy.asarray` would read what a structure looks like again each time."""
    return np.frombuffer(rows, dtype=_DTYPES[name])


cdef object grown(object rows):
    """Return a copy of an array of records with as much room again."""
    old = np.asarray(rows)
    bigger = np.zeros(2 * len(old), dtype=old.dtype)
    bigger[: len(old)] = old
    return bigger


cdef object joined(object rows, object more):
    """Return an array of records with more at its end; `numpy.concatenate` would drop the padding of the structure."""
    old = np.frombuffer(rows, dtype=more.dtype)
    both = np.zeros(len(old) + len(more), dtype=more.dtype)
    both[: len(old)] = old
    both[len(old) :] = more
    return both
