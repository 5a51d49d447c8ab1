"""Contract of the records: what a machine and what is under way in it consist of, once they are numbers."""

from libc.stdint cimport int32_t, int64_t

# Causes that the kernel charges by itself; the numbers are places in `CAUSES`.
cdef enum:
    CONTENTION = 2
    DEPENDENCE = 3
    BACKPRESSURE = 4
    CLOCK = 5
    CONGESTION = 8
    ROW_MISS = 12
    BANK_CONFLICT = 13
    REFRESHED = 14
    TURNAROUND = 15

# Kinds of events; a payload is the index of a walker, hold, actor or site times eight plus the kind.
cdef enum:
    GO = 0  # a walker's visit is over for it
    RELEASE = 1  # a server becomes free
    ARRIVE = 2  # a walker reaches a clock edge
    SERVE = 3  # what the service that a walker is at has asked for
    KICK = 4  # an actor may be able to start: time 0, or the host allowed more
    SUBMIT = 5  # a job of a SimPy process begins
    WATCH = 6  # has a site been without work for nearly as long as somebody wants to know?
    LET_GO = -1  # nothing can start from time 0 any more: its node need not be kept

# What an actor's next firing waits for; every actor is in one of these states at any time.
cdef enum:
    WORKING = 0  # for nothing: as many firings are under way as may be, or as there are left
    STARVED = 1  # for a token
    BLOCKED = 2  # for a place
    DENIED = 3  # for the host
    OVER = 4  # there is none

# Kinds of records of the log.
cdef enum:
    STARTED = 0  # a firing starts
    VISITED = 1  # a visit is over for its visitor
    HELD = 2  # a resource, from its grant to its release
    CONVERTED = 3  # a bank of one group of arrays, from the first conversion of a multiplication to the last
    CROSSED = 4  # a channel of the network, from the head of a packet to its tail

# What the log is to keep.
cdef enum:
    VISITS = 1  # STARTED and VISITED
    TIMELINE = 2  # the others

cdef struct Resource:
    int64_t period  # of its clock, fs
    int64_t busy  # fs held, summed over servers
    int64_t waited  # fs that visitors waited
    int64_t visits
    int32_t servers
    int32_t idle  # servers that nobody holds
    int32_t link  # channel of the network that it is the entrance of, or -1
    int32_t cause
    int32_t part
    int32_t head  # waiting walkers, in order of service
    int32_t tail
    int32_t fresh  # walkers that arrived at this instant
    int32_t touched
    int32_t release_node
    int32_t release_actor
    int32_t release_label
    int32_t release_place
    int32_t place
    int32_t tile  # or the row for what is in none
    int32_t release_cause  # of the visit whose release `release_node` is, if it is not the resource's, or -1
    int32_t service  # that decides who is served next

cdef struct Cost:  # of a visit
    int64_t occupancy
    int64_t latency
    int64_t visits  # that are over
    int32_t flits
    int32_t charge  # its energy, or -1
    int32_t op  # that it counts for, or -1
    int32_t program  # whose step it is, or -1 of a job
    int32_t tally  # what else it is counted as, or -1
    int32_t bursts  # that it moves through a channel of a memory

cdef struct Step:
    int32_t resource
    int32_t mvm  # row of the table of multiplications, or -1
    int32_t route  # through the network, or -1
    int32_t terminal  # where it begins
    int32_t cost  # of a visit; with an argument the first of a table
    int32_t argument  # selector that says by inference which row of the table it is, or -1
    int32_t arguments  # how many rows it has
    int32_t cause  # of a visit, if it is not its resource's, or -1
    int32_t service  # that serves it
    int32_t access  # to a channel of a memory: row of its addresses, or -1

cdef struct Mvm:
    int64_t setup
    int64_t read
    int64_t convert
    int64_t tail
    int32_t phases
    int32_t bank  # resource that converts
    int32_t shared  # 1 if other actors convert there too
    int32_t unused

cdef struct Actor:
    int64_t firings
    int64_t period  # firings an inference
    int64_t started
    int64_t ended
    int64_t ended_before  # before this instant
    int64_t ended_time
    int64_t limit  # firings that the host has allowed
    int64_t milestone  # report every so many ends; 0 is never
    int64_t since  # it is in its state
    int64_t working  # fs in that state, like the next one
    int64_t denied
    int64_t allowed_at  # when the next of its allowances takes effect, or NEVER
    int64_t opens_at  # when it is opened, or NEVER
    int64_t opened  # when that was asked for
    int32_t depth
    int32_t path
    int32_t op
    int32_t first_input
    int32_t last_input
    int32_t first_output
    int32_t last_output
    int32_t touched
    int32_t end_node
    int32_t state
    int32_t lacking  # the row of the input or output that it waits for
    int32_t selector  # which of several paths from `path` on an inference takes; -1 is always the first
    int32_t permit_node  # what made the host allow more, or -1
    int32_t closed  # 1 if it starts no firing
    int32_t site  # or the row for those of none
    int32_t wanted_node  # why its next firing could have started, had it been open, or -1
    int32_t gate_node  # the end of the job that it was opened after, or -1
    int32_t gate_cause  # of its not having been open

cdef struct Input:
    int64_t freed
    int64_t starved  # fs that its actor's next firing waited for it
    int32_t stream
    int32_t need
    int32_t free
    int32_t unused

cdef struct Output:
    int64_t blocked  # fs that its actor's next firing waited for a place
    int32_t stream
    int32_t token
    int32_t path
    int32_t cast  # 1 if a cast brings it
    int32_t selector
    int32_t unused

cdef struct Cast:
    int32_t table
    int32_t first_tree

cdef struct Tree:
    int32_t resource
    int32_t terminal
    int32_t route
    int32_t first_piece
    int32_t last_piece
    int32_t first_leaf
    int32_t leaves
    int32_t cost

cdef struct Leaf:
    int64_t latency  # of one flit
    int32_t output
    int32_t hop

cdef struct Stream:
    int64_t capacity
    int64_t tokens  # an inference
    int64_t delivered  # tokens in order
    int64_t freed  # by the slowest consumer
    int64_t delivered_before  # before this instant
    int64_t freed_before
    int64_t first_place  # of its ring of delivered tokens
    int64_t bits  # of a token
    int64_t taken  # tokens whose place has been taken
    int64_t fill  # places taken and not free again
    int32_t part
    int32_t touched
    int32_t arrivals  # this instant's deliveries, a list of notes
    int32_t credits  # this instant's frees, a list of notes
    int32_t place
    int32_t tile

# Services that every machine has; others follow.
cdef enum:
    QUEUE = 0
    CROSSBAR = 1
    PORTS = 2
    DRAM = 3

cdef struct Note:
    int64_t index
    int32_t node
    int32_t next

cdef struct Walker:
    int64_t firing
    int64_t token  # of a packet; of a firing in a crossbar: when it got the array
    int64_t arrival
    int64_t grant
    int64_t ready  # crossbar: when the read of the coming phase is done
    int64_t inference
    int64_t position
    int64_t rest  # in the network: cycles that its tail fell behind
    int64_t begin  # of a firing
    int32_t actor
    int32_t output  # -1 for a firing
    int32_t step
    int32_t end
    int32_t node
    int32_t served_node  # of a firing: from there on it has waited for nobody
    int32_t label
    int32_t next
    int32_t hold  # in the network: on its entrance
    int32_t packet  # in the network
    int32_t chain  # in the network: its last wait
    int32_t phase
    int32_t in_bank
    int32_t op
    int32_t sample_node
    int32_t tree  # that it is on, or -1
    int32_t leaf  # of the tree that it goes to, or -1
    int32_t pieces  # that have still to come
    int32_t place  # where it is, as its label says what it does
    int32_t visit  # the row of its present step as it was when it asked
    int32_t resource  # that it asks for
    int32_t cost  # of its present step

cdef struct Hold:
    int64_t begin
    int64_t least  # how long it takes unless the network has no room: longer is congestion
    int64_t firing
    int32_t resource
    int32_t node
    int32_t actor
    int32_t label  # what the visit did, for an own visit that waits for its end
    int32_t walker  # that goes on at the same time, or -1
    int32_t place
    int32_t cost  # of the visit, or -1
    int32_t output
    int32_t cause  # if it is not its resource's, or -1
    int32_t unused

cdef struct Record:
    int64_t firing
    int64_t begin
    int64_t end
    int64_t amount  # fs in use, or flits
    int32_t kind
    int32_t actor
    int32_t output  # -1 for the firing itself
    int32_t step  # of its path; CROSSED: the virtual channel
    int32_t place
    int32_t op

cdef inline int64_t align(int64_t time, int64_t period) noexcept nogil:
    """The first clock edge at or after a time."""
    cdef int64_t rest = time % period
    return time if rest == 0 else time + period - rest

cdef inline int64_t full_sum(int64_t a, int64_t b) noexcept nogil:
    """Add times that may be more than can be counted: rather full than negative."""
    cdef int64_t most = 0x7FFFFFFFFFFFFFFF
    return a + b if a < most - b else most

cdef object as_rows(object rows, str name)
cdef object grown(object rows)
cdef object joined(object rows, object more)
