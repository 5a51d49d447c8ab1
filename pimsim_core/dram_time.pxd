"""Contract of what the time of a DRAM channel goes to."""

from libc.stdint cimport int32_t, int64_t

cdef enum:
    MOVING = 0  # data, or nothing of what follows
    MISSED = 1  # a row is opened
    CONFLICTED = 2  # another row is closed first
    REFRESHING = 3
    TURNING = 4  # the data bus turns between reads and writes
    USES = 5

cdef class DramTime:
    cdef int64_t burst  # cycles
    cdef int64_t to_open, to_recover  # from a precharge, and from a refresh, to an activate
    cdef int64_t[2] to_column  # from an activate to a read, and to a write
    cdef int64_t[5] spent
    cdef int64_t until  # up to here
    cdef int32_t last_way  # of the last column: 1 a write
    cdef int64_t[::1] activated  # of each bank: its row
    cdef int64_t[::1] closed  # of each bank: when it could be opened after a row that was in the way
    cdef int64_t[::1] refreshed  # of each bank: until when
    cdef int64_t refreshing  # until when the last refresh takes

    cdef void refresh(self, int32_t begin, int32_t end, int64_t time) noexcept nogil
    cdef void column(self, int32_t bank, int32_t way, int64_t accepted, int64_t waiting, int64_t time) noexcept nogil
    cdef int64_t cut(self, int64_t begin, int64_t end, int64_t most, int32_t use) noexcept nogil
    cdef void before(self, int64_t time, bint idle, int64_t* found) noexcept nogil
