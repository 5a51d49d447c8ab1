"""The face of what serves visitors: a queue, a crossbar, the network's ports, or something with tables of its own.

A walker asks for a resource at an edge of its clock. In the third beat of an instant the resource's service is told that
there are newcomers (`serve`) and decides who is served. Who gets a server goes to the service of its step
(`grant`), which says when the server is free again (`State.new_hold`, a RELEASE) and when the walker goes on
(`State.go_on`). In between, it may have itself called for a walker (`State.serve_at`, then `event`), and it may have a
clock of its own (`State.next_times`, then `advance`). Whatever it does to others lies later than the present instant.
"""

from libc.stdint cimport int32_t, int64_t

from pimsim_core.event_queue cimport NEVER
from pimsim_core.state cimport State


cdef class Service:
    """What serves visitors; each method of the face does nothing, or refuses what this service is not asked for."""

    def attach(self, State core, int32_t number):
        """Join a machine, as the service of that number; its tables are there."""
        self.core, self.number = core, number
        core.next_times[number] = NEVER

    def extend(self):
        """The machine has more resources than before."""

    cdef int serve(self, int32_t r) except -1:
        """Let those go on who wait for a resource, as far as it has room: the third beat, once an instant."""
        raise NotImplementedError

    cdef int grant(self, int32_t w, int32_t r) except -1:
        """A walker, whose step is this service's, has got a server of a resource."""
        raise NotImplementedError

    cdef int event(self, int32_t w) except -1:
        """What this service asked for with `State.serve_at`: the first beat."""
        raise NotImplementedError

    cdef int leave(self, int32_t w) except -1:
        """A visit is over for its visitor."""
        return 0

    cdef int advance(self, int64_t time) except -1:
        """The time in `State.next_times` has come: the end of the third beat. Says when the next one is."""
        raise NotImplementedError
