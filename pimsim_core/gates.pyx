"""Gates: what the host allows, and sites that a controller closes and opens."""

import numpy as np

from libc.stdint cimport int32_t, int64_t

from pimsim_core.event_queue cimport NEVER
from pimsim_core.records cimport CLOCK, DENIED, DEPENDENCE, KICK, LET_GO, WATCH, align
from pimsim_core.streams cimport Streams


cdef class Gates(Streams):
    """Streams and actors that may be held up from outside."""

    def permit(self, int32_t actor, int64_t limit, int64_t time, bint after_output=False):
        """Allow an actor to start its firings below `limit` from `time` on.

        With `after_output`, the last milestone is what made the host do so: the critical path goes on through it. At
        an instant that is done, they are allowed from the next clock edge on of what the actor visits first.

        Raises
        ------
        ValueError
            If `time` lies before the present.
        """
        cdef int64_t begin = self.effective(actor, time)
        cdef int64_t before = self.actors[actor].limit
        cdef int32_t node = self.last_node if after_output and self.last_node >= 0 else -1
        if begin > time:
            node = self.until_edge(actor, self.path.root if node < 0 else node, time, begin)
        elif node >= 0:
            self.path.hold(node)
        coming = self.allowances.setdefault(actor, [])
        for _, more, _ in coming:
            before = max(before, <int64_t>more)
        coming.append((begin, limit, node))
        self.actors[actor].allowed_at = min(self.actors[actor].allowed_at, begin)
        self.queue.push(begin, <int64_t>actor * 8 + KICK)
        if before < self.actors[actor].firings <= limit:
            self.gated -= 1
            if self.gated == 0:
                self.queue.push(begin, LET_GO)

    cdef int64_t effective(self, int32_t actor, int64_t time) except -1:
        """When what is asked of an actor takes effect: an instant that is done is done."""
        if time < self.now:
            raise ValueError(f"time {time} fs lies before the present, {self.now} fs")
        if time > self.done:
            return time
        return align(time + 1, self.resources[self.first_resource_of(actor)].period)

    cdef int32_t until_edge(self, int32_t actor, int32_t parent, int64_t time, int64_t begin) except -1:
        """Make a node for what was asked of an actor at a time, because of `parent`, and began at an edge."""
        cdef int32_t r = self.first_resource_of(actor), op = self.actors[actor].op
        cdef int32_t asked = self.path.new(parent, time, self.label_of(DEPENDENCE, self.n_parts - 1, op), -1)
        cdef int32_t node = self.path.new(
            asked, begin, self.label_of(CLOCK, self.resources[r].part, op), self.resources[r].place
        )
        self.path.drop(asked)
        return node

    def close(self, actors):
        """Let actors start no more firings; those under way go on.

        An opening that is still to come is withdrawn.

        Returns
        -------
        list of (site, actor, time)
            Of the actors whose opening was withdrawn, those that could have started since a time; see `take_notices`.
        """
        cdef int32_t a
        wants = []
        for a in actors:
            if not self.actors[a].closed:
                self.actors[a].closed = 1
                self.closed += 1
            elif self.actors[a].opens_at != NEVER:
                self.actors[a].opens_at = NEVER
                if self.actors[a].gate_node >= 0:
                    self.path.drop(self.actors[a].gate_node)
                    self.actors[a].gate_node = -1
                if self.actors[a].wanted_node >= 0:
                    self.site_wanting[self.actors[a].site] += 1
                    wants.append((self.site_of(a), a, self.path.nodes[self.actors[a].wanted_node].begin))
        return wants

    def open(self, actors, int64_t time, int32_t cause, job=None):
        """Let closed actors start firings again from `time` on, or the next edge if that instant is done.

        Parameters
        ----------
        actors : iterable of int
            Those that are open already stay so.
        time : int
            In fs.
        cause : int
            What the time is charged to that an actor has lost: from when it could have started, or from the end of the
            job if that is later, to `time`.
        job : int, optional
            A job that was kept: the critical path of who waited for it goes on through it. It is kept no longer.

        Raises
        ------
        ValueError
            If `time` lies before the present, or the job was not kept or is not over.
        """
        cdef int32_t a, node = -1
        cdef int64_t begin
        if job is not None:
            if job not in self.job_nodes:
                raise ValueError(f"job {job} is not over, or was not kept")
            node = self.job_nodes.pop(job)
        for a in actors:
            begin = self.effective(a, time)
            if not self.actors[a].closed or self.actors[a].opens_at != NEVER:
                continue
            if self.actors[a].wanted_node >= 0:
                self.site_wanting[self.actors[a].site] -= 1
            self.actors[a].opens_at, self.actors[a].opened = begin, time
            self.actors[a].gate_cause, self.actors[a].gate_node = cause, node
            if node >= 0:
                self.path.hold(node)
            self.queue.push(begin, <int64_t>a * 8 + KICK)
        if node >= 0:
            self.path.drop(node)

    def is_closed(self, int32_t actor):
        """Return whether an actor starts no firing until it is opened."""
        return bool(self.actors[actor].closed)

    def site_of(self, int32_t actor):
        """Return the site of an actor, -1 if it is in none."""
        return self.actors[actor].site if self.actors[actor].site < self.n_sites else -1

    @property
    def sites(self):
        """The sites that actors name: one more than the highest number."""
        return self.n_sites

    def site_figures(self, int32_t site):
        """Return what happens at a site.

        Returns
        -------
        under_way : int
            Firings.
        since : int
            When the last firing ended there, fs; where none is under way the site has had none since then.
        """
        return self.site_firings[site], self.site_since[site]

    def watch(self, int32_t site, int64_t since, int64_t span):
        """Let `take_notices` name a site once, 1 fs before it has had no firing under way for `span` fs.

        What was before `since` does not count. One femtosecond earlier, so that who is told can do something at the
        instant itself before a firing starts at it.
        """
        self.watch_from[site], self.watch_span[site] = since, span
        self.queue.push(max(self.now + 1, since + span - 1), <int64_t>site * 8 + WATCH)

    cdef int look_at_site(self, int32_t site) except -1:
        """Tell that a site has been without work, or look again when it can have been."""
        cdef int64_t since = max(self.site_since[site], self.watch_from[site])
        if self.site_firings[site]:
            since = self.now
        if self.now < since + self.watch_span[site] - 1:
            return self.queue.push(since + self.watch_span[site] - 1, <int64_t>site * 8 + WATCH)
        self.quiet.append(site)
        self.noticed = True
        return 0

    # -- what becomes of it in an instant --------------------------------------------------------------------------

    cdef int want(self, int32_t a, int32_t node) except -1:
        """Note that a closed actor could start now, and because of what; tell the host unless it is being opened."""
        self.actors[a].wanted_node = node
        self.set_state(a, DENIED, -1)
        return self.tell_want(a) if self.actors[a].opens_at == NEVER else 0

    cdef int tell_want(self, int32_t a) except -1:
        """The first actor of a site that could start is told of; one without a site always is."""
        cdef int32_t site = self.actors[a].site
        self.site_wanting[site] += 1
        if site == self.n_sites or self.site_wanting[site] == 1:
            self.wants.append((site if site < self.n_sites else -1, a, self.now))
            self.noticed = True
        return 0

    cdef int take_allowances(self, int32_t a) except -1:
        """The host's allowances that have come hold from now on."""
        cdef int64_t begin, limit, following = NEVER
        cdef int32_t node
        later = []
        for begin, limit, node in self.allowances.pop(a):
            if begin > self.now:  # a redirection may let what was asked later come sooner
                later.append((begin, limit, node))
                following = min(following, begin)
                continue
            self.actors[a].limit = max(self.actors[a].limit, limit)
            if self.actors[a].permit_node >= 0:
                self.path.drop(self.actors[a].permit_node)
            self.actors[a].permit_node = node
        self.actors[a].allowed_at = following
        if later:
            self.allowances[a] = later
        return 0

    cdef int take_opening(self, int32_t a) except -1:
        """An actor may start again from now on."""
        self.actors[a].closed = 0
        self.actors[a].opens_at = NEVER
        self.closed -= 1
        if self.actors[a].wanted_node < 0 and self.actors[a].gate_node >= 0:  # it has lost no time
            self.path.drop(self.actors[a].gate_node)
            self.actors[a].gate_node = -1
        return 0

    cdef int32_t opened_start(self, int32_t a) except -1:
        """Return a held node for the start of a firing that could have started before, had its actor been open."""
        cdef int32_t node = self.actors[a].wanted_node, gate = self.actors[a].gate_node
        self.actors[a].wanted_node = self.actors[a].gate_node = -1
        if gate >= 0:
            if self.path.nodes[gate].begin > self.path.nodes[node].begin:
                node, gate = gate, node
            self.path.drop(gate)
        node = self.charged_until(node, min(self.actors[a].opened, self.now), self.actors[a].gate_cause, a)
        return self.charged_until(node, self.now, CLOCK, a)

    cdef int32_t charged_until(self, int32_t node, int64_t time, int32_t cause, int32_t a) except -1:
        """Go on from a held node to a time, at a cause of what an actor visits first; return the held node there."""
        cdef int32_t r = self.first_resource_of(a), following
        if self.path.nodes[node].begin >= time:
            return node
        following = self.path.new(
            node, time, self.label_of(cause, self.resources[r].part, self.actors[a].op), self.resources[r].place
        )
        self.path.drop(node)
        return following
