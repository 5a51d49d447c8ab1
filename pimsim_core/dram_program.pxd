"""Contract of command programs: columns in stages, sent to a channel as soon as its constraints let them."""

from libc.stdint cimport int8_t, int32_t, int64_t

from pimsim_core.dram_log cimport DramLog
from pimsim_core.dram_timing cimport DramTiming

# What a command does; one number of each for either mode.
cdef enum:
    OPEN_ROW = 0
    CLOSE_ROW = 1
    READ_STEP = 2
    WRITE_STEP = 3

cdef enum:
    FENCE = 2  # 1 is one whose own column is sent alone

# The ways in which banks are addressed.
cdef enum:
    SINGLE = 0  # one bank
    TOGETHER = 1  # all banks of a set, by its first one

cdef class DramProgram:
    cdef DramTiming timing
    cdef int32_t[:, ::1] number  # of a mode and what it does: the command
    cdef int32_t refresh
    cdef int32_t[::1] unit_of  # of a bank: what is refreshed with it
    # steps
    cdef int8_t[::1] write, mode, fence
    cdef int32_t[::1] bank, row
    cdef int64_t[::1] sent  # when each went
    cdef int32_t count, head
    cdef int64_t start  # when the first one is there; each cycle one more
    # rows that are open, for either mode
    cdef int32_t[:, ::1] open_row
    cdef int32_t[2] opened
    cdef int32_t[::1] opened_in  # of a unit
    # refresh
    cdef int64_t interval
    cdef int32_t postponed  # that may be owed while columns and rows go on
    cdef int64_t[::1] due
    cdef int32_t[::1] owed
    cdef int64_t in_vain  # refreshes since the last column
    # now
    cdef int64_t now, soonest
    cdef int32_t chosen, chosen_bank, chosen_step, chosen_mode, chosen_does
    cdef DramLog log

    cdef void owe(self, int64_t time) noexcept nogil
    cdef int64_t next_due(self) noexcept nogil
    cdef int32_t end_of_stage(self, int32_t begin) noexcept nogil
    cdef void consider(self, int32_t does, int32_t mode, int32_t bank, int32_t step, int64_t at) noexcept nogil
    cdef void look(self) noexcept nogil
    cdef void look_at_refresh(self) noexcept nogil
    cdef void look_at_columns(self, int32_t end) noexcept nogil
    cdef void look_at_rows(self, int32_t end) noexcept nogil
    cdef void look_at_idle(self, int32_t end) noexcept nogil
    cdef bint is_ahead(self, int32_t end) noexcept nogil
    cdef bint is_wanted(self, int32_t mode, int32_t bank, int32_t end) noexcept nogil
    cdef int send(self) except -1 nogil
    cdef int advance(self, int64_t steps) except -1 nogil
