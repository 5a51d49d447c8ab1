"""Contract of the kernel: what a machine is made of once it is numbers, and what happens in an instant."""

from libc.stdint cimport int32_t, int64_t

from pimsim_core.critical_path cimport CriticalPath
from pimsim_core.event_queue cimport EventQueue
from pimsim_core.network cimport Network
from pimsim_core.time_bins cimport TimeBins

# Causes that the kernel charges by itself; the numbers are places in `CAUSES`.
cdef enum:
    CONTENTION = 2
    DEPENDENCE = 3
    BACKPRESSURE = 4
    CLOCK = 5
    CONGESTION = 8

# Kinds of events; a payload is the index of a walker, hold or actor times eight plus the kind.
cdef enum:
    GO = 0  # a walker's visit is over for it
    RELEASE = 1  # a server becomes free
    ARRIVE = 2  # a walker reaches a clock edge
    SAMPLE = 3  # a crossbar's sample-and-holds take the bit lines' values
    KICK = 4  # an actor may be able to start: time 0, or the host allowed more
    SUBMIT = 5  # a job of a SimPy process begins
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
    int64_t drained  # crossbar: when the sample-and-holds are empty again
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
    int32_t unsampled  # crossbar: walker whose last phase has not begun to convert, or -1
    int32_t sampler  # crossbar: walker that waits for it, or -1
    int32_t place
    int32_t tile  # or the row for what is in none
    int32_t drainer  # crossbar: the walker that the sample-and-holds are drained of last, or -1
    int32_t drained_node  # crossbar: since when that takes its time
    int32_t release_cause  # of the visit whose release `release_node` is, if it is not the resource's, or -1

cdef struct Step:
    int64_t occupancy
    int64_t latency
    int32_t resource
    int32_t mvm  # row of the table of multiplications, or -1
    int32_t route  # through the network, or -1
    int32_t terminal  # where it begins
    int32_t flits
    int32_t charge  # the energy of a visit, or -1
    int32_t cause  # of a visit, if it is not its resource's, or -1
    int32_t unused

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
    int64_t asked  # limit that the host has asked for
    int64_t asked_at  # when that takes effect, or NEVER
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
    int32_t charge

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
    int32_t charge
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

cdef inline int64_t align(int64_t time, int64_t period) noexcept:
    """The first clock edge at or after a time."""
    cdef int64_t rest = time % period
    return time if rest == 0 else time + period - rest

cdef class Kernel:
    cdef EventQueue queue
    cdef CriticalPath path
    cdef Network network  # or None
    cdef int64_t network_period
    cdef int64_t network_next  # time of its next cycle with something to do, or NEVER
    cdef readonly int64_t now
    cdef int64_t done  # the last instant or cycle of the network that has been processed, or -1
    cdef readonly int64_t events
    cdef readonly int64_t firings
    cdef readonly int64_t packets
    cdef Resource[::1] resources
    cdef Step[::1] steps
    cdef int32_t[::1] path_ptr
    cdef Mvm[::1] mvms
    cdef Actor[::1] actors
    cdef Input[::1] inputs
    cdef Output[::1] outputs
    cdef int32_t[::1] first_cast
    cdef int32_t[::1] last_cast
    cdef Cast[::1] casts
    cdef Tree[::1] trees
    cdef int32_t[::1] pieces
    cdef Leaf[::1] leaves
    cdef Stream[::1] streams
    cdef int64_t[::1] select_ptr
    cdef int32_t[::1] selected  # by selector and inference
    cdef int64_t[::1] table
    cdef int64_t[::1] table_ptr
    cdef int32_t[::1] consumer_ptr
    cdef int32_t[::1] consumers  # input rows of a stream
    cdef int32_t[::1] input_actor
    cdef int32_t[::1] producer_ptr
    cdef int32_t[::1] producers  # actors of a stream
    cdef unsigned char[::1] ring
    cdef Walker[::1] walkers
    cdef Hold[::1] holds
    cdef Note[::1] notes
    cdef int32_t free_walker
    cdef int32_t free_hold
    cdef int32_t free_note
    cdef int32_t[::1] hot_actors
    cdef int32_t[::1] hot_resources
    cdef int32_t[::1] hot_streams
    cdef int32_t n_hot_actors
    cdef int32_t n_hot_resources
    cdef int32_t n_hot_streams
    cdef int32_t n_parts
    cdef int32_t n_ops
    cdef int32_t n_actors
    cdef int32_t first_resource  # its place; resources follow
    cdef int32_t[::1] charge_ptr
    cdef int32_t[::1] charge_part
    cdef double[::1] charge_pj
    cdef double[::1] charge_sum
    cdef int64_t[::1] charge_visits  # that are over
    cdef TimeBins part_energy  # pJ, by the parts of `charge_part`
    cdef TimeBins tile_energy  # pJ; the last row is what is in no tile
    cdef TimeBins activity  # fs of firings under way, by op
    cdef TimeBins fill  # bits times fs in buffers, by tile
    cdef int64_t[::1] tile_fill
    cdef int64_t[::1] tile_most
    cdef int64_t[::1] tile_since
    cdef int64_t[::1] op_begin
    cdef int64_t[::1] op_end
    cdef int64_t[:, ::1] op_waited  # fs in queues, by part and op
    cdef int64_t[:, ::1] op_held_up  # fs in queues, by op and by the op that held what it waited for
    cdef int64_t unfinished
    cdef readonly int64_t gated  # actors that the host does not let go on to their end yet
    cdef int32_t last_node
    cdef readonly int64_t last_end
    cdef int32_t recording  # VISITS, TIMELINE
    cdef int64_t record_begin
    cdef int64_t record_end
    cdef int64_t record_every
    cdef int64_t record_most
    cdef Record[::1] log
    cdef int64_t n_log
    cdef object milestones
    cdef object finished_jobs
    cdef object wants  # (site, actor, time): a closed actor could start
    cdef object kept_jobs  # whose ends are kept
    cdef object job_nodes
    cdef int32_t n_sites
    cdef int32_t[::1] site_firings  # under way
    cdef int32_t[::1] site_wanting  # closed actors that could start and are not being opened
    cdef int64_t[::1] site_since  # the last end
    cdef readonly int64_t closed  # actors
    cdef readonly bint noticed  # there is something to look at in the lists above

    cdef int32_t new_walker(self, int32_t actor, int32_t output, int64_t firing, int32_t path, int32_t op) except -1
    cdef int32_t new_hold(self, int32_t resource, int32_t w, int32_t label, int32_t charge) except -1
    cdef int32_t new_note(self, int32_t following, int64_t index, int32_t node) except -1
    cdef void touch_actor(self, int32_t a) noexcept
    cdef void touch_resource(self, int32_t r) noexcept
    cdef void touch_stream(self, int32_t s) noexcept
    cdef int32_t label_of(self, int32_t cause, int32_t part, int32_t op) noexcept
    cdef int32_t path_of(self, int32_t path, int32_t selector, int64_t inference) noexcept
    cdef bint is_empty(self, int32_t path) noexcept
    cdef int dispatch(self, int64_t payload) except -1
    cdef int32_t resource_of(self, int32_t w) noexcept
    cdef int request(self, int32_t w) except -1
    cdef int request_later(self, int32_t w) except -1
    cdef int to_edge(self, int32_t w, int32_t r, int64_t edge) except -1
    cdef int arrive(self, int32_t w) except -1
    cdef int advance(self, int32_t w) except -1
    cdef int finish(self, int32_t w) except -1
    cdef int end_firing(self, int32_t w, int32_t node) except -1
    cdef int deliver(self, int32_t s, int64_t token, int32_t node) except -1
    cdef int give_back(self, int32_t i, int64_t upto, int32_t node) except -1
    cdef int release(self, int32_t h) except -1
    cdef void thin_log(self) noexcept
    cdef int try_start(self, int32_t a) except -1
    cdef int32_t first_resource_of(self, int32_t a) noexcept
    cdef int want(self, int32_t a, int32_t node) except -1
    cdef int tell_want(self, int32_t a) except -1
    cdef int take_opening(self, int32_t a) except -1
    cdef int32_t opened_start(self, int32_t a) except -1
    cdef int32_t charged_until(self, int32_t node, int64_t time, int32_t cause, int32_t a) except -1
    cdef int job_is_over(self, int64_t job, int32_t node) except -1
    cdef int32_t own_cause(self, int32_t w) noexcept
    cdef (int32_t, int32_t) wait_of(self, int32_t r, int32_t op) noexcept
    cdef int set_state(self, int32_t a, int32_t state, int32_t lacking) except -1
    cdef int note_fill(self, int32_t s) except -1
    cdef int spend(self, int32_t charge, int32_t tile, int64_t begin, int64_t end) except -1
    cdef int keep_record(
        self, int32_t kind, int32_t actor, int64_t firing, int32_t output, int32_t step, int32_t place, int32_t op,
        int64_t begin, int64_t end, int64_t amount,
    ) except -1
    cdef int32_t start_cause(self, int32_t a, int32_t previous) except -2
    cdef int32_t op_of(self, int32_t a) noexcept
    cdef int grant_all(self, int32_t r) except -1
    cdef void wait_over(self, int32_t w) noexcept
    cdef int note_drainer(self, int32_t r, int32_t w) except -1
    cdef int enter_visit(self, int32_t w, int32_t r) except -1
    cdef int grant_visit(self, int32_t w, int32_t r) except -1
    cdef int enter_network(self, int32_t w, int32_t r) except -1
    cdef int enter_with_copies(self, int32_t w, int32_t r) except -1
    cdef int start_casts(self, int32_t w, int32_t node, int64_t position) except -1
    cdef int piece_comes(self, int32_t carrier, int32_t i) except -1
    cdef int leave_network(self, int32_t w) except -1
    cdef int network_cycle(self, int64_t time) except -1
    cdef int grant_mvm(self, int32_t w, int32_t r) except -1
    cdef int schedule_sample(self, int32_t w, int32_t r) except -1
    cdef int sample(self, int32_t w) except -1
    cdef int grant_conversion(self, int32_t w, int32_t bank) except -1
    cdef int instant(self, int64_t time) except -1
    cdef void clear_instant(self) noexcept
    cdef int log_visit(self, int32_t w, int64_t leave) except -1
