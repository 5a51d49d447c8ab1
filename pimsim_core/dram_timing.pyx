"""DRAM timing: when each command may come next, from the rows of a standard's constraints.

A node is a channel, a rank, a bank group, … or a bank. For every node and command it is kept how soon the command may
come; a command that is issued moves that up at its own nodes, row by row. Asking is then one look at each level.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t

cdef int64_t LONG_AGO = -(1 << 60)


cdef class DramTiming:
    """What has been issued to a channel, as far as it still matters.

    Parameters
    ----------
    path : int32, shape (banks, levels)
        The node of each level that a bank is in; nodes of a level are numbered from 0. Level 0 is the channel.
    level_of : int32, shape (commands,)
        The level that each command goes to.
    width : int32, shape (levels,)
        How many nodes of a level are in one of the level above.
    rows : int32, shape (rows, 6)
        Level, command before, command after, cycles, window, and whether it holds for the others beside the node.
    """

    def __init__(self, path, level_of, width, rows):
        nodes = np.array(path, dtype=np.int32)
        table = np.array(rows, dtype=np.int32).reshape(-1, 6)
        self.banks, self.levels = nodes.shape
        self.level_of = np.array(level_of, dtype=np.int32)
        self.commands = <int32_t>len(level_of)
        self.width = np.array(width, dtype=np.int32)
        counts = nodes.max(axis=0) + 1
        begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        self.first = begins
        self.path = np.ascontiguousarray(nodes + begins[: self.levels], dtype=np.int32)
        self.spot = np.asarray(self.path) * self.commands
        plain, wide = table[table[:, 4] == 1], table[table[:, 4] > 1]
        self.spot = np.asarray(self.path) * self.commands
        plain, wide = plain[np.argsort(plain[:, 1], kind="stable")], wide[np.argsort(wide[:, 1], kind="stable")]
        each = np.arange(self.commands + 1)
        self.row_ptr = np.searchsorted(plain[:, 1], each).astype(np.int32)
        self.window_ptr = np.searchsorted(wide[:, 1], each).astype(np.int32)
        self.rows = np.ascontiguousarray(plain[:, [0, 2, 3, 5]], dtype=np.int32)
        room = counts[wide[:, 0]] * (wide[:, 4] + 1)  # a ring for each node, and where it stands
        places = np.cumsum(room) - room
        self.windows = np.ascontiguousarray(np.column_stack([wide[:, [0, 2, 3, 4]], places]), dtype=np.int32)
        self.past = np.full(room.sum(), LONG_AGO, dtype=np.int64)
        self.ready = np.zeros(int(self.first[self.levels]) * self.commands, dtype=np.int64)

    cdef void issue(self, int32_t command, int32_t bank, int64_t time) noexcept nogil:
        """Note that a command is sent."""
        cdef int32_t row, node, after, begin, other
        cdef int64_t at, ring, place
        for row in range(self.row_ptr[command], self.row_ptr[command + 1]):
            node = self.path[bank, self.rows[row, 0]]
            after, at = self.rows[row, 1], time + self.rows[row, 2]
            if self.rows[row, 3]:
                begin = self.first[self.rows[row, 0]]
                begin = node - (node - begin) % self.width[self.rows[row, 0]]
                for other in range(begin, begin + self.width[self.rows[row, 0]]):
                    if other != node and self.ready[other * self.commands + after] < at:
                        self.ready[other * self.commands + after] = at
            elif self.ready[node * self.commands + after] < at:
                self.ready[node * self.commands + after] = at
        for row in range(self.window_ptr[command], self.window_ptr[command + 1]):
            node = self.path[bank, self.windows[row, 0]]
            ring = self.windows[row, 4] + (node - self.first[self.windows[row, 0]]) * (self.windows[row, 3] + 1)
            place = self.past[ring + self.windows[row, 3]]
            place = 0 if place < 0 or place + 1 >= self.windows[row, 3] else place + 1
            self.past[ring + place] = time
            self.past[ring + self.windows[row, 3]] = place
            place = 0 if place + 1 == self.windows[row, 3] else place + 1  # the oldest of them
            at = self.past[ring + place] + self.windows[row, 2]
            if self.ready[node * self.commands + self.windows[row, 1]] < at:
                self.ready[node * self.commands + self.windows[row, 1]] = at

    def earliest_at(self, int32_t command, int32_t bank):
        """Return the first cycle in which a command to a bank breaks no row."""
        self._check(command, bank)
        return self.earliest(command, bank)

    def issue_at(self, int32_t command, int32_t bank, int64_t time):
        """Note that a command is sent in a cycle; commands come in order of time."""
        self._check(command, bank)
        self.issue(command, bank, time)

    def _check(self, command, bank):
        """Refuse a command or a bank that there is none of."""
        if not (0 <= command < self.commands and 0 <= bank < self.banks):
            raise IndexError(f"command {command} to bank {bank}")
