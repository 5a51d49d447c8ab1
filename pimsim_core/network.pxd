"""Contract of the network: routers, virtual channels and credits as numbers, one cycle after another."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t

cdef struct Channel:
    int64_t waited  # cycles that heads waited for it, beyond the pipeline
    int32_t source  # router, or -1: a terminal
    int32_t target  # router, or -1: a terminal
    int32_t delay  # cycles
    int32_t out_port  # at its source
    int32_t in_port  # at its target
    int32_t terminal  # that sends on it, or -1
    int32_t after_in  # the port behind `in_port`
    int32_t after_out  # the port behind `out_port`

cdef struct Arbiter:  # of a channel: as an output at its source, as an input at its target
    int64_t request  # scratch: as an output, its best
    int64_t key  # scratch: as an input, of its choice
    int32_t best  # scratch: as an output, branch
    int32_t choice  # scratch: as an input, output
    int32_t vc_pointer  # as an input: the virtual channel that comes first
    int32_t accept_pointer  # as an input: the output that comes first
    int32_t grant_pointer  # as an output: the input that comes first
    int32_t unused

cdef struct Lane:  # one virtual channel of a channel, with the buffer at its far end
    int64_t key
    int64_t carried  # flits
    int32_t head  # place of the front in the ring of flits
    int32_t tail  # place of the flit that comes next
    int32_t flits  # in the buffer or on the channel
    int32_t keeps  # 1; 0: flits are consumed as they arrive
    int32_t transit  # cycles from a grant until the flit is there, or is consumed and its credit has come back
    int32_t back  # cycles from a flit's leaving to its credit
    int32_t hungry  # 1: a branch waits for a flit that has not been sent
    int32_t starved  # 1: who sends on it waits for a credit that has not been sent
    int32_t owner  # branch that sends on it, or -1
    int32_t packet  # in front
    int32_t size  # of the packet in front, flits
    int32_t popped  # flits of the packet in front that all branches have passed on
    int32_t branches  # of the packet in front that still send; 0 is an idle lane
    int32_t grant_pointer  # as an output: the input lane that comes first
    int32_t accept_pointer  # as an input: the output lane that comes first
    int32_t best
    int32_t channel
    int32_t vc
    int32_t after_vc  # the one behind `vc`
    int32_t unused

cdef struct Head:  # of a packet, in a buffer; of the flits behind it nothing is known but when they arrive
    int32_t packet
    int32_t hop  # its first way out
    int32_t chain  # its last wait

cdef struct Branch:  # a packet at the front of a lane, on one of its ways out
    int64_t time  # from when it may ask
    uint32_t middle  # body flits of a packet that has this one way out; 0 where each flit needs a closer look
    int32_t sent  # flits
    int32_t lane
    int32_t out  # lane, or -1
    int32_t listed  # NOT, ASKING, READY or DOZING
    int32_t after
    int32_t router
    int32_t input  # channel
    int32_t channel  # the output
    int32_t in_port
    int32_t out_port
    int32_t after_in  # the port behind `in_port`
    int32_t after_out  # the port behind `out_port`
    int32_t vc
    int32_t after_vc
    int32_t before
    int32_t rank  # among the branches of its packet here
    int32_t hop
    int32_t sibling  # another way out of the same packet, or -1
    int32_t chain
    int64_t head_left
    int64_t key
    int32_t best
    int32_t granted  # next of those granted a virtual channel in this cycle

cdef struct Router:
    int64_t soonest  # cycle in which one of its branches may ask, or an earlier one
    int32_t inputs
    int32_t outputs
    int32_t asking  # first branch that asks for a virtual channel
    int32_t ready  # first branch that asks for the switch
    int32_t active
    int32_t unused

cdef struct Terminal:
    int64_t began  # to send the first packet
    int64_t time  # from when it may send a flit
    int32_t channel
    int32_t first  # packet
    int32_t last
    int32_t sent  # flits of the first packet
    int32_t lane  # of the first packet, or -1
    int32_t vc_pointer
    int32_t blocked  # 1: has a packet and waits for a credit that has not been sent
    int32_t unused

cdef struct Hop:
    int32_t channel
    int32_t vcs  # which of the channel's: 0 all, 1 the lower class, 2 the upper
    int32_t child  # first hop at the next router; -1 after the last
    int32_t sibling  # another hop of the same router, or -1

cdef struct Packet:
    int64_t created
    int64_t stay  # the longest that its tail waited at a router
    int32_t route
    int32_t size  # flits
    int32_t ends  # that have not been dealt with
    int32_t tag
    int32_t next
    int32_t slowest  # channel that the tail waited longest for
    int32_t waits  # all its waits
    int32_t unused

cdef struct Wait:
    int32_t channel
    int32_t cycles
    int32_t parent  # the wait before on the same way
    int32_t next  # of the same packet

cdef struct Arrival:
    int64_t cycle
    int64_t rest  # cycles of the latency that no head's wait explains
    int32_t packet
    int32_t hop
    int32_t chain
    int32_t tag

cdef struct Crossing:  # of a channel by a packet
    int64_t begin
    int64_t end
    int32_t channel
    int32_t vc
    int32_t tag
    int32_t flits

@cython.final  # so that its methods call one another directly
cdef class Network:
    cdef readonly int64_t now
    cdef int64_t soonest  # cycle in which a router or a terminal may have something to do, or an earlier one
    cdef int64_t bounded  # the last cycle in which a packet began or ended somewhere
    cdef readonly int64_t last_arrival
    cdef readonly int64_t packets_sent
    cdef readonly int64_t packets_done
    cdef int32_t vcs
    cdef int32_t lower  # virtual channels of the lower class
    cdef int32_t buffer
    cdef int32_t ask  # cycles from a head's arrival to its first request for a virtual channel
    cdef int32_t pipeline  # cycles from a head's arrival to its first request for the switch
    cdef int32_t leave  # cycles from a grant of the switch to the far end, beyond the channel's delay
    cdef int32_t enter  # cycles of a router's entrance
    cdef int32_t credit
    cdef bint speculative
    cdef bint tracking
    cdef bint recording
    cdef Channel[::1] channels
    cdef Arbiter[::1] arbiters
    cdef Lane[::1] lanes
    cdef int64_t[::1] times  # of a place in a ring: when its flit arrives, or, if it is free, when its credit does
    cdef Head[::1] heads
    cdef Branch[::1] branches
    cdef Router[::1] routers
    cdef Terminal[::1] terminals
    cdef Hop[::1] hops
    cdef int32_t[::1] route_first
    cdef int32_t[::1] route_ends
    cdef int32_t[::1] route_base  # its hops are counted from here
    cdef int32_t n_hops
    cdef int32_t n_routes
    cdef Packet[::1] packets
    cdef Wait[::1] waits
    cdef int32_t[:, ::1] wheel  # what comes due in each of the next cycles
    cdef int32_t[::1] wheel_count
    cdef int64_t wheel_mask
    cdef int64_t in_wheel
    cdef int32_t free_packet
    cdef int32_t free_wait
    cdef int32_t free_branch
    cdef int32_t[::1] active
    cdef int32_t n_active
    cdef int32_t[::1] sending
    cdef int32_t n_sending
    cdef int32_t[::1] ready  # branches of a router that ask for the switch in this cycle
    cdef int32_t[::1] touched  # outputs that somebody asks for in this cycle
    cdef int32_t n_touched
    cdef int32_t[::1] wanted  # lanes that somebody asks for
    cdef int32_t[::1] accepted
    cdef int64_t[::1] due  # packets to create: cycles, in order
    cdef int32_t[::1] due_terminal
    cdef int32_t[::1] due_route
    cdef int32_t[::1] due_size
    cdef int64_t next_due
    cdef int64_t[::1] entered
    cdef int64_t[::1] arrived
    cdef Arrival[::1] arrivals  # tails sent to a terminal since the driver looked last
    cdef int32_t n_arrivals
    cdef int32_t[::1] left  # tags of packets whose tail has left its terminal since then
    cdef int32_t n_left
    cdef bint keep_crossings
    cdef Crossing[::1] crossings  # since the driver looked last, if it wants to know
    cdef int32_t n_crossings
    cdef object log

    cdef int at(self, int64_t cycle, int32_t value) except -1
    cdef int widen(self) except -1
    cdef int32_t inject(self, int32_t terminal, int32_t route, int32_t size, int32_t tag, int64_t cycle) except -1
    cdef void forget(self, int32_t packet) noexcept nogil
    cdef int64_t next_cycle(self) noexcept nogil
    cdef int step(self, int64_t cycle) except -1
    cdef int send_from(self, int32_t t) except -1
    cdef int32_t free_lane(self, Terminal* terminal) noexcept nogil
    cdef bint look_for_credit(self, Terminal* terminal, int32_t l) noexcept nogil
    cdef int enter_buffer(self, int32_t l, int64_t time) except -1
    cdef int enter_head(self, int32_t l, int64_t time, int32_t packet, int32_t hop, int32_t chain) except -1
    cdef int flit_comes(self, int32_t l) except -1
    cdef int front(self, int32_t lane, int64_t cycle) except -1
    cdef int32_t place_of(self, int32_t out) noexcept nogil
    cdef int32_t place_in(self, Lane* lane, int32_t l, int32_t place) noexcept nogil
    cdef bint has_credit(self, int32_t l) noexcept nogil
    cdef void lead(self, int32_t b, int32_t lane, int32_t hop) noexcept nogil
    cdef int64_t time_to_go(self, Branch* branch, Lane* lane) noexcept nogil
    cdef void list_in(self, int32_t b, int32_t kind, int64_t time) noexcept nogil
    cdef void list_out(self, int32_t b) noexcept nogil
    cdef int enlist(self, int32_t b, int32_t kind, int64_t time) except -1
    cdef int consider(self, int32_t b) except -1
    cdef int32_t allocate_vcs(self, int32_t r) noexcept nogil
    cdef void turn(self, int32_t b) noexcept nogil
    cdef int32_t match_switch(self, int32_t r, int32_t n) noexcept nogil
    cdef void ask_switch(self, int32_t b, int32_t inputs, int32_t speculative) noexcept nogil
    cdef int traverse(self, int32_t b) except -1
    cdef int traverse_at_ends(self, int32_t b) except -1
    cdef int go_on(self, int32_t b, int64_t time) except -1
    cdef int begin(self, Branch* branch, Channel* output, Head* head, int64_t arrived) except -1
    cdef int end(self, int32_t b, int64_t arrived, int64_t time) except -1
    cdef void cross(self, int32_t channel, int32_t vc, int32_t tag, int32_t flits, int64_t begin) noexcept nogil
    cdef int pop(self, int32_t l, bint last) except -1
    cdef int credit_comes(self, int32_t l, int64_t time) except -1
    cdef int finish(self, int32_t b, int32_t packet, int64_t time) except -1
    cdef int32_t new_wait(self, int32_t packet, int32_t parent, int32_t channel, int64_t cycles) except -1
    cdef int work(self, int32_t r) except -1
