"""The critical path without a log of the run.

Each start is a node that points back to what it waited for last; the time between the two is charged to the
node's label. A node lives while something live can reach it. Where the tree has a stem that every live node
shares, the stem is folded into the totals, so that memory is bounded by what is under way and not by the length
of the run.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t

_NODE = np.dtype(
    [
        ("begin", np.int64),
        ("children_sum", np.int64),
        ("parent", np.int32),
        ("label", np.int32),
        ("held", np.int32),
        ("children", np.int32),
        ("link", np.int32),
        ("_pad", np.int32),
    ]
)


cdef class CriticalPath:
    """A tree of starts, and the femtoseconds charged to each label.

    Parameters
    ----------
    labels : int
        How many labels there are.
    capacity : int
        Nodes to make room for at first.
    links : int
        How many links of a network there are, whose waits are kept apart as well.
    """

    def __init__(self, int32_t labels, int64_t capacity=4096, int32_t links=0):
        self.nodes = np.zeros(max(capacity, 2), dtype=_NODE)
        self.totals = np.zeros(labels, dtype=np.int64)
        self.link_totals = np.zeros(links, dtype=np.int64)
        self.unused = -1
        self._free_range(1)
        self.root = 0  # time 0
        self.nodes[0].parent = -1
        self.nodes[0].held = 1
        self.live = 1
        self.peak = 1

    def _free_range(self, int64_t first):
        cdef int64_t i
        for i in range(self.nodes.shape[0] - 1, first - 1, -1):
            self.nodes[i].parent = self.unused
            self.unused = <int32_t>i

    cdef int grow(self) except -1:
        cdef int64_t old = self.nodes.shape[0]
        if 2 * old > 0x7FFFFFFF:
            raise MemoryError("the critical path holds more than 2**30 live starts")
        bigger = np.zeros(2 * old, dtype=_NODE)
        bigger[:old] = np.asarray(self.nodes)
        self.nodes = bigger
        self._free_range(old)
        return 0

    cdef int32_t new(self, int32_t parent, int64_t begin, int32_t label) except -1:
        """Make a node, held once, whose time since `parent` began is charged to `label`."""
        if self.unused < 0:
            self.grow()
        cdef int32_t n = self.unused
        self.unused = self.nodes[n].parent
        self.nodes[n].begin = begin
        self.nodes[n].parent = parent
        self.nodes[n].label = label
        self.nodes[n].held = 1
        self.nodes[n].children = 0
        self.nodes[n].children_sum = 0
        self.nodes[n].link = -1
        self.nodes[parent].children += 1
        self.nodes[parent].children_sum += n
        self.live += 1
        if self.live > self.peak:
            self.peak = self.live
        return n

    cdef int32_t new_at(self, int32_t parent, int64_t begin, int32_t label, int32_t link) except -1:
        """Make a node as `new` does, whose time was spent waiting for a link."""
        cdef int32_t n = self.new(parent, begin, label)
        self.nodes[n].link = link
        return n

    cdef void hold(self, int32_t node) noexcept:
        self.nodes[node].held += 1

    cdef void drop(self, int32_t node) noexcept:
        """Let go of a node; free what nothing can reach any more, fold what all live nodes share."""
        cdef int32_t parent, child
        cdef int64_t time
        self.nodes[node].held -= 1
        while self.nodes[node].held == 0 and self.nodes[node].children == 0:
            parent = self.nodes[node].parent
            if parent < 0:
                break
            self.nodes[parent].children -= 1
            self.nodes[parent].children_sum -= node
            self.nodes[node].parent = self.unused
            self.unused = node
            self.live -= 1
            node = parent
        while self.nodes[self.root].held == 0 and self.nodes[self.root].children == 1:
            child = <int32_t>self.nodes[self.root].children_sum
            time = self.nodes[child].begin - self.nodes[self.root].begin
            self.totals[self.nodes[child].label] += time
            if self.nodes[child].link >= 0:
                self.link_totals[self.nodes[child].link] += time
            self.nodes[self.root].parent = self.unused
            self.unused = self.root
            self.live -= 1
            self.root = child
            self.nodes[child].parent = -1

    def charges(self, int32_t node=-1):
        """Return the femtoseconds charged to each label on the way from time 0 to a node.

        Parameters
        ----------
        node : int
            A live node; -1 for the stem alone.

        Returns
        -------
        numpy.ndarray of int64, shape (labels,)
        """
        sums = np.array(self.totals)
        while node >= 0 and self.nodes[node].parent >= 0:
            sums[self.nodes[node].label] += (
                self.nodes[node].begin - self.nodes[self.nodes[node].parent].begin
            )
            node = self.nodes[node].parent
        return sums

    def link_charges(self, int32_t node=-1):
        """Return the femtoseconds spent waiting for each link on the way from time 0 to a node, int64, (links,)."""
        sums = np.array(self.link_totals)
        while node >= 0 and self.nodes[node].parent >= 0:
            if self.nodes[node].link >= 0:
                sums[self.nodes[node].link] += (
                    self.nodes[node].begin - self.nodes[self.nodes[node].parent].begin
                )
            node = self.nodes[node].parent
        return sums

    # The same from Python, for tests.

    def start(self, int32_t parent, int64_t begin, int32_t label):
        """Make a node and return its index; see the class."""
        return self.new(parent, begin, label)

    def keep(self, int32_t node):
        """Hold a node once more."""
        self.hold(node)

    def release(self, int32_t node):
        """Let go of a node once."""
        self.drop(node)
