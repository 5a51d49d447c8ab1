"""Contract of a DRAM channel's controller: its banks, refresh, and what chooses the next command."""

from libc.stdint cimport int32_t, int64_t

from pimsim_core.dram_log cimport DramLog
from pimsim_core.dram_time cimport DramTime
from pimsim_core.dram_timing cimport DramTiming
from pimsim_core.dram_queues cimport DramQueues

# What a command does.
cdef enum:
    ACTIVATE = 0
    PRECHARGE = 1  # one bank
    PRECHARGE_ALL = 2  # all banks of a unit of refresh
    READ_COLUMN = 3
    WRITE_COLUMN = 4
    READ_LAST = 5  # and precharge
    WRITE_LAST = 6
    REFRESH = 7

cdef class DramChannel:
    # what it is
    cdef DramTiming timing
    cdef DramQueues queues
    cdef int32_t[::1] number  # of an action, above: its command; -1 if the standard has none
    cdef int32_t[::1] action  # of a command: what it does
    cdef int32_t[::1] unit_of  # of a bank: what is refreshed with it
    cdef int32_t[::1] first_of  # of a unit: its first bank; one more at the end
    cdef int64_t[::1] latency  # of reads and of writes, to the end of their data
    cdef int32_t low, high, cap, page
    cdef int64_t timeout, interval
    cdef bint one_bank  # refresh goes from bank to bank
    cdef int32_t draining  # which queue is served: 1 the writes
    # banks
    cdef int32_t[::1] open_row, served, held, wish, wisher
    cdef int64_t[::1] used
    cdef int64_t[::1] bound  # what a bank wishes for is not legal sooner
    # units of refresh
    cdef int32_t[::1] owed, turn, opened
    cdef int64_t[::1] due, since, active
    # now
    cdef int64_t now
    cdef int64_t gone  # the last cycle that was gone through
    # the command to send next, if nothing changes: when, and how early among those that are as soon
    cdef int32_t chosen, chosen_bank, chosen_request
    cdef int64_t soonest, age
    cdef bint stale  # something changed
    cdef bint stuck
    cdef int64_t in_vain  # refreshes since the last column
    cdef DramLog log
    cdef DramTime kept  # what its time went to, if that is kept
    cdef bint keeping

    cdef void turn_queue(self) noexcept nogil
    cdef void want(self, int32_t bank) noexcept nogil
    cdef void want_column(self, int32_t bank, int32_t hit) noexcept nogil
    cdef void owe(self, int64_t time) noexcept nogil
    cdef void hold(self, int32_t unit, bint held) noexcept nogil
    cdef int64_t next_due(self) noexcept nogil
    cdef void look_at_refresh(self, int64_t time) noexcept nogil
    cdef bint choose(self, int64_t time) noexcept nogil
    cdef void look(self, int64_t time) noexcept nogil
    cdef void look_at_bank(self, int32_t bank, int64_t time) noexcept nogil
    cdef void consider(
        self, int32_t command, int32_t bank, int32_t request, int64_t at, int64_t age, int64_t time
    ) noexcept nogil
    cdef void admit(self, int64_t time) noexcept nogil
    cdef int send(self, int64_t time) except -1 nogil
    cdef void open_bank(self, int32_t bank, int32_t row, int64_t time) noexcept nogil
    cdef void close_bank(self, int32_t bank, int64_t time) noexcept nogil
    cdef void serve(self, int32_t bank, int32_t request, int64_t time) noexcept nogil
    cdef int advance(self, int64_t steps) except -1 nogil
    cdef int cycle(self) except -1 nogil
    cdef int64_t following(self) noexcept nogil
    cdef int go(self, int64_t until, bint heeding) except -1 nogil
    cdef void wake(self, int64_t time) noexcept nogil
    cdef int make_room(self, int32_t more) except -1
