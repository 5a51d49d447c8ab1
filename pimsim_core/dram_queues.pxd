"""Contract of a DRAM channel's queues: what is asked for, what waits, and what came of it."""

from libc.stdint cimport int8_t, int32_t, int64_t

# What came of a request.
cdef enum:
    HIT = 0  # its row was open
    MISS = 1  # its bank was closed
    CONFLICT = 2  # another row was open
    FORWARDED = 3  # a read found its data in the write queue
    MERGED = 4  # a write replaced one that still waited

cdef class DramQueues:
    # requests, in the order in which they are offered
    cdef int32_t[::1] queue_of  # 0 reads, 1 writes
    cdef int32_t[::1] bank
    cdef int32_t[::1] row
    cdef int32_t[::1] column
    cdef int64_t[::1] offered
    cdef int64_t[::1] accepted
    cdef int64_t[::1] issued
    cdef int64_t[::1] done
    cdef int8_t[::1] outcome
    cdef int32_t count
    cdef int32_t coming  # the next one to be accepted
    cdef int32_t outstanding
    cdef int64_t last_accepted
    cdef bint refused  # until a place is free
    # for each queue and bank, the requests that wait, oldest first
    cdef int32_t[:, ::1] oldest
    cdef int32_t[:, ::1] newest
    cdef int32_t[::1] older
    cdef int32_t[::1] newer
    cdef int32_t[2] waiting
    cdef int32_t[2] room
    # when those under way are done, in that order: reads, writes, others
    cdef int64_t[:, ::1] ends
    cdef int32_t[3] ended
    cdef int32_t[3] ending
    cdef int64_t in_flight
    cdef int64_t waiting_since  # when the first of those that wait was accepted
    # visitors, of requests that come as they are made
    cdef int32_t[::1] visitor  # of a request: whose it is, or -1
    cdef int64_t[::1] outside  # bursts that are not accepted yet
    cdef int64_t[::1] left  # bursts that are not sent yet
    cdef int64_t[::1] latest  # when the last one is done
    cdef int32_t[::1] entered  # visitors all of whose bursts are accepted, since somebody looked
    cdef int32_t[::1] over  # likewise, all sent
    cdef int32_t n_entered
    cdef int32_t n_over
    cdef int32_t free_visitor
    cdef bint hungry  # more requests are there than have been given
    cdef int64_t[5] came  # how many requests came to what

    cdef int32_t find(self, int32_t queue, int32_t bank, int32_t row, int32_t column) noexcept nogil
    cdef bint enter(self, int32_t request, int64_t time) noexcept nogil
    cdef int32_t admit(self, int64_t time) noexcept nogil
    cdef int64_t door(self, int64_t time) noexcept nogil
    cdef void end(self, int32_t queue, int32_t request, int64_t time) noexcept nogil
    cdef void take(self, int32_t request, int64_t time, int64_t done) noexcept nogil
    cdef bint is_empty(self) noexcept nogil
    cdef bint is_idle(self) noexcept nogil
    cdef int32_t new_visitor(self, int64_t bursts) except -1
    cdef void forget(self, int32_t visitor) noexcept nogil
    cdef int32_t make_room(self, int32_t more) except -1
    cdef void push(self, int32_t visitor, int32_t write, int32_t bank, int32_t row, int32_t column, int64_t offered) noexcept nogil
