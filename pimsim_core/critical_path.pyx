"""The critical path without a log of the run.

Each start is a node that points back to what it waited for last; the time between the two is charged to the
node's label. A node lives while something live can reach it. Where the tree has a stem that every live node
shares, the stem is folded into the totals, so that memory is bounded by what is under way and not by the length
of the run. What is folded is the critical path itself, from time 0 on: it can be kept, for who wants to draw it.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t

from pimsim_core.event_queue cimport NEVER
from pimsim_core.records cimport grown

cdef int64_t[8] _room  # larger than either record
_NODE = np.asarray(<Node[:1]> <Node*> _room).dtype
STRETCH = np.asarray(<Stretch[:1]> <Stretch*> _room).dtype


cdef class CriticalPath:
    """A tree of starts, and the femtoseconds charged to each label and each place.

    Parameters
    ----------
    labels : int
        How many labels there are.
    capacity : int
        Nodes to make room for at first.
    places : int
        How many places there are; time spent at a place of -1 is charged to none.
    record : bool
        Keep the stretches of the path themselves, for `stretches`: memory grows with the run.
    """

    def __init__(self, int32_t labels, int64_t capacity=4096, int32_t places=0, bint record=False):
        self.nodes = np.zeros(max(capacity, 2), dtype=_NODE)
        self.totals = np.zeros((1, labels), dtype=np.int64)
        self.phase_begin = np.zeros(1, dtype=np.int64)
        self.place_totals = np.zeros(places, dtype=np.int64)
        self.recording = record
        self.now = NEVER
        self.stem = np.zeros(1024 if record else 1, dtype=STRETCH)
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
        self.nodes = grown(self.nodes)
        self._free_range(old)
        return 0

    cdef int32_t new(self, int32_t parent, int64_t begin, int32_t label, int32_t place) except -1 nogil:
        """Make a node, held once, whose time since `parent` began is charged to `label`, and spent at `place`."""
        if self.unused < 0:
            with gil:
                self.grow()
        cdef int32_t n = self.unused
        self.unused = self.nodes[n].parent
        self.nodes[n].begin = begin
        self.nodes[n].parent = parent
        self.nodes[n].label = label
        self.nodes[n].held = 1
        self.nodes[n].children = 0
        self.nodes[n].children_sum = 0
        self.nodes[n].place = place
        self.nodes[parent].children += 1
        self.nodes[parent].children_sum += n
        self.live += 1
        if self.live > self.peak:
            self.peak = self.live
        return n

    cdef void hold(self, int32_t node) noexcept nogil:
        self.nodes[node].held += 1

    cdef void drop(self, int32_t node) noexcept nogil:
        """Let go of a node; free what nothing can reach any more, fold what all live nodes share."""
        cdef int32_t parent, child
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
            if self.nodes[child].begin > self.now:  # what a process asks for now goes on from the root
                break
            self.fold(
                self.nodes[self.root].begin, self.nodes[child].begin, self.nodes[child].label, self.nodes[child].place
            )
            self.nodes[self.root].parent = self.unused
            self.unused = self.root
            self.live -= 1
            self.root = child
            self.nodes[child].parent = -1

    cdef void fold(self, int64_t begin, int64_t end, int32_t label, int32_t place) noexcept nogil:
        """Charge a stretch that every live node shares; one that spans phases is charged to each its share."""
        cdef int64_t low, upto = end
        cdef int64_t phase = self.phase_begin.shape[0] - 1
        if begin == end:
            return
        while phase >= 0 and upto > begin:
            low = max(begin, self.phase_begin[phase])
            if low < upto:
                self.totals[phase, label] += upto - low
                upto = low
            phase -= 1
        if place >= 0:
            self.place_totals[place] += end - begin
        if self.recording:
            self._keep_stretch(begin, end, label, place)

    cdef void _keep_stretch(self, int64_t begin, int64_t end, int32_t label, int32_t place) noexcept nogil:
        if self.n_stem == self.stem.shape[0]:
            with gil:
                self.stem = grown(self.stem)
        self.stem[self.n_stem].begin = begin
        self.stem[self.n_stem].end = end
        self.stem[self.n_stem].label = label
        self.stem[self.n_stem].place = place
        self.n_stem += 1

    def open_phase(self, int64_t time):
        """Charge what lies after a time, that has not been folded yet, to a phase of its own.

        Parameters
        ----------
        time : int
            In fs, not before the phase that is open now began.
        """
        self.totals = np.concatenate([np.asarray(self.totals), np.zeros((1, self.totals.shape[1]), dtype=np.int64)])
        self.phase_begin = np.append(np.asarray(self.phase_begin), np.int64(time))

    def move_phase(self, int64_t time):
        """Let the phase that is open now begin later, at a time: what lies before it belongs to the one before."""
        cdef int64_t last = self.phase_begin.shape[0] - 1
        totals = np.asarray(self.totals)
        totals[last - 1] += totals[last]
        totals[last] = 0
        self.phase_begin[last] = time

    def add_places(self, count):
        """Make room for one more place."""
        self.place_totals = np.append(np.asarray(self.place_totals), np.zeros(count, dtype=np.int64))

    def stretches(self, int32_t node=-1):
        """Return the way from time 0 to a node, one stretch after another; without `record`, only what is not folded.

        Returns
        -------
        numpy.ndarray of records ``begin``, ``end`` (fs), ``label``, ``place``
        """
        ahead = []
        while node >= 0 and self.nodes[node].parent >= 0:
            ahead.append(
                (
                    self.nodes[self.nodes[node].parent].begin,
                    self.nodes[node].begin,
                    self.nodes[node].label,
                    self.nodes[node].place,
                )
            )
            node = self.nodes[node].parent
        rows = np.array([row for row in ahead[::-1] if row[0] < row[1]], dtype=STRETCH)
        return np.concatenate([np.asarray(self.stem)[: self.n_stem], rows])

    def charges(self, int32_t node=-1):
        """Return the femtoseconds charged to each label on the way from time 0 to a node, phase by phase.

        Parameters
        ----------
        node : int
            A live node; -1 for the stem alone.

        Returns
        -------
        numpy.ndarray of int64, shape (phases, labels)
        """
        sums = np.array(self.totals)
        begins = np.asarray(self.phase_begin)
        for begin, end, label, _ in self.stretches(node)[self.n_stem :].tolist():
            for phase in range(len(begins)):
                until = begins[phase + 1] if phase + 1 < len(begins) else end
                sums[phase, label] += max(0, min(end, until) - max(begin, begins[phase]))
        return sums

    def place_charges(self, int32_t node=-1):
        """Return the femtoseconds spent at each place on the way from time 0 to a node, int64, (places,)."""
        sums = np.array(self.place_totals)
        rows = self.stretches(node)[self.n_stem :]
        rows = rows[rows["place"] >= 0]
        np.add.at(sums, rows["place"], rows["end"] - rows["begin"])
        return sums

    # The same from Python, for tests.

    def start(self, int32_t parent, int64_t begin, int32_t label):
        """Make a node and return its index; see the class."""
        return self.new(parent, begin, label, -1)

    def keep(self, int32_t node):
        """Hold a node once more."""
        self.hold(node)

    def release(self, int32_t node):
        """Let go of a node once."""
        self.drop(node)
