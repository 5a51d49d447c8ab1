"""Contract of the ports of memories whose channels are run command by command."""

from libc.stdint cimport int32_t, int64_t

from pimsim_core.service cimport Service

cdef struct Visit:  # to a channel: one for each of the numbers that its queues give
    int32_t walker
    int32_t hold
    int64_t begin  # the cycle in which it was granted
    int64_t[5] before  # what the channel's time had gone to by then
    int64_t[5] spent  # what it went to until the last of its bursts was sent

cdef struct Door:  # of a channel: the visit whose bursts come in
    int32_t visitor
    int32_t write
    int64_t first  # burst of its addresses
    int64_t span  # bursts that they repeat after
    int64_t at  # the next burst, from the first
    int64_t left  # that are not offered yet

cdef class DramPorts(Service):
    cdef list channels
    cdef list visits  # of each channel
    cdef list resources
    cdef int64_t[::1] periods
    cdef int64_t[::1] times  # when each channel has something to do
    cdef int32_t[::1] channel_of  # of a resource, or -1
    cdef int64_t[:, ::1] accesses  # first burst, span, write, actors that share them
    cdef int64_t[::1] turns  # of an actor: which of those that share positions it is
    cdef int64_t[::1] used  # bursts of a channel that have an owner
    cdef Door[::1] doors
    cdef int64_t[:, :, ::1] cuts  # of a channel, from the lowest digit of an address up: size, and what it counts

    cdef int fill(self, int32_t c) except -1
    cdef int run(self, int32_t c, int64_t until) except -1
    cdef int check(self, int32_t c, int stuck) except -1
    cdef int enter(self, int32_t c, int32_t v) except -1
    cdef int over(self, int32_t c, int32_t v) except -1
    cdef int32_t charge(self, int32_t c, int32_t v, int32_t node, int64_t begin, int64_t rest) except -1
