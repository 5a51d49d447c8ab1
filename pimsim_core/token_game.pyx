"""How many places each buffer needs, found by playing the data flow without time.

The game fires an op only when somebody demands it, beginning at the outputs, and notes the most tokens that each
edge ever holds. That schedule needs no more places than it used; and a data-flow graph whose buffers allow one
schedule to its end cannot deadlock under any other (Lee and Parks, Dataflow process networks, Proc. IEEE 83, 1995).
With a look-ahead, each op demands the inputs of that many firings more: room for what is under way in a pipeline.
An eager op fires as soon as it can, so that what it makes waits behind it and not before it.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t


cdef int32_t lacking(
    int32_t op,
    int64_t k,
    int64_t[::1] periods,
    int32_t[::1] edge_ptr,
    int32_t[::1] edge_source,
    int64_t[::1] edge_tokens,
    int64_t[::1] need,
    int64_t[::1] table_ptr,
    int64_t[::1] produced,
) noexcept nogil:
    """Return an op that has to put out more before another can fire for the k-th time; -1 if there is none."""
    cdef int32_t e
    cdef int64_t wanted
    for e in range(edge_ptr[op], edge_ptr[op + 1]):
        wanted = (k // periods[op]) * edge_tokens[e] + need[table_ptr[e] + k % periods[op]]
        if produced[edge_source[e]] < wanted:
            return edge_source[e]
    return -1


def play(
    int64_t[::1] periods,
    int32_t[::1] edge_ptr,
    int32_t[::1] edge_source,
    int64_t[::1] edge_tokens,
    int64_t[::1] need,
    int64_t[::1] low,
    int64_t[::1] table_ptr,
    int64_t[::1] emitted,
    int64_t[::1] emitted_ptr,
    int64_t[::1] look_ahead,
    int64_t[::1] eager,
    int64_t inferences,
):
    """Return the most tokens that each edge holds.

    Parameters
    ----------
    periods : int64, shape (ops,)
        Firings of each op an inference.
    edge_ptr : int32, shape (ops + 1,)
        Edges of each op, its inputs, as a CSR row.
    edge_source, edge_tokens : shape (edges,)
        The op that fills an edge, and the tokens it puts there an inference.
    need, low : int64, with table_ptr of shape (edges,)
        Per firing of the consumer: tokens that must be there, and the first token still of use.
    emitted : int64, with emitted_ptr of shape (ops,)
        Per firing of an op: the tokens it has put out by its end, this inference.
    look_ahead : int64, shape (ops,)
        Firings ahead of its own whose inputs an op demands.
    eager : int64, shape (ops,)
        1 for an op that fires as soon as it can.
    inferences : int
        How many inferences to play, one after another.

    Returns
    -------
    numpy.ndarray of int64, shape (edges,)
    """
    cdef int32_t ops = <int32_t>periods.shape[0]
    cdef int32_t edges = <int32_t>edge_source.shape[0]
    most_array = np.zeros(edges, dtype=np.int64)
    cdef int64_t[::1] most = most_array
    cdef int64_t[::1] fired = np.zeros(ops, dtype=np.int64)
    cdef int64_t[::1] produced = np.zeros(ops, dtype=np.int64)
    cdef int64_t[::1] freed = np.zeros(edges, dtype=np.int64)
    # Ops that are to fire, and which of their firings; eager ones may lie on top of those that demand.
    cdef int32_t[::1] stack = np.zeros(2 * (ops + edges) + 2, dtype=np.int32)
    cdef int64_t[::1] firing = np.zeros(2 * (ops + edges) + 2, dtype=np.int64)
    cdef int32_t[::1] reader = np.repeat(np.arange(ops, dtype=np.int32), np.diff(np.asarray(edge_ptr)))
    # Consumers of each op, to see what a new token does to every edge it lands on.
    order = np.argsort(np.asarray(edge_source), kind="stable").astype(np.int32)
    counts = np.bincount(np.asarray(edge_source), minlength=ops)
    cdef int32_t[::1] out_edges = order
    cdef int64_t[::1] out_ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    cdef int32_t depth, op, e, sink, target, turn
    cdef int64_t k, position, inference, total, held
    for e in range(edges):
        freed[e] = low[table_ptr[e]]
    for inference in range(inferences):
        for turn in range(2 * ops):
            # First what the outputs of the graph demand; then, from the last op on, the firings that nobody waits for.
            sink = turn if turn < ops else 2 * ops - 1 - turn
            if turn < ops and out_ptr[sink + 1] > out_ptr[sink]:
                continue
            while fired[sink] < (inference + 1) * periods[sink]:
                stack[0], firing[0] = sink, fired[sink]
                depth = 1
                while depth > 0:
                    if depth + edges + 2 > stack.shape[0]:
                        stack = np.concatenate([stack, np.zeros_like(stack)])
                        firing = np.concatenate([firing, np.zeros_like(firing)])
                    op = stack[depth - 1]
                    k = fired[op]
                    if k > firing[depth - 1]:  # it was eager meanwhile
                        depth -= 1
                        continue
                    total = inferences * periods[op]
                    target = lacking(
                        op, min(k + look_ahead[op], total - 1), periods, edge_ptr, edge_source, edge_tokens, need,
                        table_ptr, produced,
                    )
                    if target >= 0:
                        stack[depth], firing[depth] = target, fired[target]
                        depth += 1
                        continue
                    depth -= 1
                    position = k % periods[op]
                    fired[op] = k + 1
                    produced[op] = (k // periods[op]) * emitted[emitted_ptr[op] + periods[op] - 1] + emitted[
                        emitted_ptr[op] + position
                    ]
                    for e in range(out_ptr[op], out_ptr[op + 1]):
                        held = produced[op] - freed[out_edges[e]]
                        if held > most[out_edges[e]]:
                            most[out_edges[e]] = held
                    k += 1
                    for e in range(edge_ptr[op], edge_ptr[op + 1]):
                        if k == total:
                            freed[e] = inferences * edge_tokens[e]
                        else:
                            freed[e] = (k // periods[op]) * edge_tokens[e] + low[table_ptr[e] + k % periods[op]]
                    for e in range(out_ptr[op] - 1, out_ptr[op + 1]):
                        target = op if e < out_ptr[op] else reader[out_edges[e]]
                        k = fired[target]
                        if not eager[target] or k == inferences * periods[target]:
                            continue
                        if lacking(
                            target, k, periods, edge_ptr, edge_source, edge_tokens, need, table_ptr, produced
                        ) < 0:
                            stack[depth], firing[depth] = target, k
                            depth += 1
    return most_array
