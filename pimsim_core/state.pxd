"""Contract of the state: the tables of a machine and of what is under way in it, which kernel and services share."""

from libc.stdint cimport int32_t, int64_t

from pimsim_core.critical_path cimport CriticalPath
from pimsim_core.event_queue cimport EventQueue
from pimsim_core.records cimport (
    Actor, Cast, Cost, Hold, Input, Leaf, Note, Output, Record, Resource, Step, Stream, Tree, Walker,
)
from pimsim_core.time_bins cimport TimeBins

cdef class State:
    cdef EventQueue queue
    cdef CriticalPath path
    cdef int64_t[::1] next_times  # when each service has something to do by itself, or NEVER
    cdef readonly int64_t now
    cdef int64_t done  # the last instant or cycle of the network that has been processed, or -1
    cdef int64_t alone  # before this time, services have nothing to look at but what they do by themselves
    cdef readonly int64_t events
    cdef readonly int64_t firings
    cdef readonly int64_t packets
    cdef Resource[::1] resources
    cdef Step[::1] steps
    cdef Cost[::1] costs
    cdef int32_t[::1] path_ptr
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
    cdef int64_t own_steps  # of the machine's own paths; those of jobs follow
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
    cdef object quiet  # sites that have been without work
    cdef dict allowances  # of an actor: when each takes effect, its limit, and the node behind it
    cdef object kept_jobs  # whose ends are kept
    cdef object job_nodes
    cdef int32_t n_sites
    cdef int32_t[::1] site_firings  # under way
    cdef int32_t[::1] site_wanting  # closed actors that could start and are not being opened
    cdef int64_t[::1] site_since  # the last end
    cdef int64_t[::1] watch_from
    cdef int64_t[::1] watch_span
    cdef readonly int64_t closed  # actors
    cdef readonly bint noticed  # there is something to look at in the lists above

    cdef int32_t new_walker(self, int32_t actor, int32_t output, int64_t firing, int32_t path, int32_t op) except -1
    cdef int32_t new_hold(self, int32_t resource, int32_t w, int32_t label, int32_t cost) except -1
    cdef int32_t new_note(self, int32_t following, int64_t index, int32_t node) except -1
    cdef void touch_actor(self, int32_t a) noexcept nogil
    cdef void touch_resource(self, int32_t r) noexcept nogil
    cdef void touch_stream(self, int32_t s) noexcept nogil
    cdef int32_t label_of(self, int32_t cause, int32_t part, int32_t op) noexcept nogil
    cdef int32_t path_of(self, int32_t path, int32_t selector, int64_t inference) noexcept nogil
    cdef bint is_empty(self, int32_t path) noexcept nogil
    cdef int32_t own_cause(self, int32_t w) noexcept nogil
    cdef void wait_over(self, int32_t w) noexcept nogil
    cdef int32_t op_of(self, int32_t a) noexcept nogil
    cdef int32_t first_resource_of(self, int32_t a) noexcept nogil
    cdef int32_t cost_of(self, int32_t w) noexcept nogil
    cdef int spend(self, int32_t cost, int32_t tile, int64_t begin, int64_t end) except -1 nogil
    cdef int keep_record(
        self, int32_t kind, int32_t actor, int64_t firing, int32_t output, int32_t step, int32_t place, int32_t op,
        int64_t begin, int64_t end, int64_t amount,
    ) except -1
    cdef void thin_log(self) noexcept nogil
    cdef int log_visit(self, int32_t w, int64_t leave) except -1
    cdef int begin_visit(self, int32_t w, int32_t r, int32_t parent, int32_t label, int32_t place) except -1 nogil
    cdef int go_on(self, int32_t w, int64_t time) except -1 nogil
    cdef int serve_at(self, int32_t w, int64_t time) except -1 nogil

    # What the kernel does; services ask for it.
    cdef int ask(self, int32_t w, int32_t r) except -1
    cdef int advance(self, int32_t w) except -1
    cdef int finish(self, int32_t w) except -1
    cdef int grant(self, int32_t w, int32_t r) except -1
    cdef int release(self, int32_t h) except -1
