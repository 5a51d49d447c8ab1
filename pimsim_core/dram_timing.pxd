"""Contract of DRAM timing: when each command may come next, from the rows of a standard's constraints."""

cimport cython
from libc.stdint cimport int32_t, int64_t

@cython.final  # so that the controller asks without a call
cdef class DramTiming:
    cdef readonly int32_t commands
    cdef readonly int32_t banks
    cdef readonly int32_t levels
    cdef int32_t[:, ::1] path  # of a bank: its node at each level
    cdef int32_t[:, ::1] spot  # where its commands begin in `ready`
    cdef int32_t[::1] level_of  # of a command: how deep it goes
    cdef int32_t[::1] width  # of a level: how many stand beside each other in one of the level above
    cdef int32_t[::1] first  # of a level: its first node
    cdef int32_t[::1] row_ptr  # of a command: its rows
    cdef int32_t[:, ::1] rows  # level, after, cycles, others
    cdef int32_t[::1] window_ptr  # of a command: its windows
    cdef int32_t[:, ::1] windows  # level, after, cycles, size, where its past begins
    cdef int64_t[::1] past  # of a window's node: the times of the last commands, a ring
    cdef int64_t[::1] ready  # of a node and a command: not sooner

    cdef void issue(self, int32_t command, int32_t bank, int64_t time) noexcept nogil

    cdef inline int64_t earliest(self, int32_t command, int32_t bank) noexcept nogil:
        """The first cycle in which a command to a bank (or what holds it) breaks no row."""
        cdef int64_t soonest = 0, at
        cdef int32_t level
        for level in range(self.level_of[command] + 1):
            at = self.ready[self.spot[bank, level] + command]
            soonest = at if at > soonest else soonest
        return soonest
