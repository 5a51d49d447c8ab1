"""Converters over whole arrays of sums: code by code, added up over phases and slices."""

import numpy as np

from libc.stdint cimport int64_t, uint8_t

cdef float ROUND = 12582912.0  # 1.5 * 2**23: what is added to it and taken away again is whole, ties to even


def add_converted(
    const float[:, :, :, ::1] sums,
    const double[::1] low,
    const double[::1] span,
    int64_t top,
    const double[::1] phases,
    const double[::1] slices,
    const uint8_t[:, ::1] flipped,
    double whole,
    const double[:, ::1] applied,
    double[:, ::1] result,
):
    """Convert sums and add them to results.

    Parameters
    ----------
    sums : float32 array, shape (phases, vectors, slices, outputs)
        What comes to the converters.
    low, span : float64 arrays, shape (slices,)
        The least sum that has a code, and how far it is from there to the largest.
    top : int
        The largest code, below 2**22.
    phases, slices : float64 arrays
        What a digit and a level of each are worth.
    flipped : uint8 array, shape (slices, outputs)
        Columns that hold the complement.
    whole : float
        The level that complements add up to.
    applied : float64 array, shape (phases, vectors)
        The digits of all rows together.
    result : float64 array, shape (vectors, outputs)
        What is added to.
    """
    cdef int64_t n_phases = sums.shape[0], n_slices = sums.shape[2], n_outputs = sums.shape[3]
    cdef int64_t p, v, s, o
    cdef float first, wide, most = <float> top, code
    cdef double worth, each, total, inputs
    cdef double[::1] codes = np.empty(max(n_outputs, 1))
    cdef const float* row
    if (sums.shape[0], sums.shape[1]) != (applied.shape[0], applied.shape[1]) or phases.shape[0] != n_phases:
        raise ValueError("phases, vectors: expected the same of sums, digits and worths")
    if (low.shape[0], span.shape[0], slices.shape[0], flipped.shape[0]) != (n_slices,) * 4:
        raise ValueError("slices: expected the same of sums, ranges, worths and complements")
    if (result.shape[0], result.shape[1], flipped.shape[1]) != (sums.shape[1], n_outputs, n_outputs):
        raise ValueError("vectors, outputs: expected the same of sums and results")
    if n_outputs == 0 or n_phases == 0:
        return
    with nogil:
        for v in range(sums.shape[1]):
            for s in range(n_slices):
                first, wide = <float> low[s], <float> span[s]
                total, inputs = 0, 0
                for o in range(n_outputs):
                    codes[o] = 0
                for p in range(n_phases):
                    worth = phases[p]
                    total += worth
                    inputs += worth * applied[p, v]
                    row = &sums[p, v, s, 0]
                    for o in range(n_outputs):
                        code = (row[o] - first) * most / wide  # in this order, so that ties are exact
                        code = code if code > 0 else 0
                        code = code if code < most else most
                        code = (code + ROUND) - ROUND
                        codes[o] += worth * code
                for o in range(n_outputs):
                    each = codes[o] * (span[s] / top) + low[s] * total
                    if flipped[s, o]:
                        each = whole * inputs - each
                    result[v, o] += slices[s] * each
