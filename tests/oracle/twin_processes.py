"""What SimPy processes may ask of the twin, in the words of `pimsim.machine.environment`: it shares no code with it.

An instant that is done is done. The twin hears of what it waits for when everything else of its instant is over; what
is asked from then on begins at the next clock edge of the part asked.
"""

from __future__ import annotations

from tests.oracle.twin import Twin, edge

AFTER = 40  # processes hear of an instant when everything else of it is done:
OUTPUT, JOB, WANT, ANSWER = range(
    4
)  # of outputs by actor, of jobs by number, of wants by site; then who asked now
MANY = 1_000_000


class ServingTwin(Twin):
    """A twin that answers processes: what they may wait for, and what they may do.

    `sites` says at which site each actor works; closed actors start no firing.
    """

    def __init__(self, net, selected=None):
        super().__init__(net, selected)
        self.heard = -1  # the last instant of which a process has heard something
        self.waiting = {}  # (actor, count) -> events
        self.reports = [0] * len(net.actors)
        self.closed, self.wants, self.told = set(), set(), set()
        self.opening = {}  # actor -> the process that opens it
        self.sleepers = {}  # site -> events

    def hear(self, event, kind, number=0):
        """Let an event happen when this instant is done, in its turn."""
        event._ok, event._value = True, None
        event.callbacks.insert(0, lambda _: setattr(self, "heard", self.env.now))
        self.env.schedule(event, priority=AFTER + kind + number / MANY)

    def tell(self, a, actor):
        if actor.milestone and self.ended[a] % actor.milestone == 0:
            self.reports[a] += 1
            for event in self.waiting.pop((a, self.reports[a]), ()):
                self.hear(event, OUTPUT, a)

    def reached(self, a, count):
        event = self.env.event()
        if self.reports[a] >= count:
            return self.sleep(0)
        self.waiting.setdefault((a, count), []).append(event)
        return event

    def edge_of(self, resource):
        """A process: come to where what is asked of a part begins; at an instant that is not done, that is now."""
        if self.heard == self.env.now:
            later = edge(self.env.now + 1, self.resources[resource].row.period_fs)
            yield self.env.timeout(later - self.env.now)

    def first_of(self, a):
        return self.paths[self.net.actors[a].path][0].resource

    def allow(self, a, firings):
        if self.heard == self.env.now:
            self.env.process(self.allow_later(a, firings, self.first_of(a)))
        else:
            self.allow_now(a, firings)

    def allow_later(self, a, firings, part):
        yield from self.edge_of(part)
        self.allow_now(a, firings)

    def allow_now(self, a, firings):
        self.allowed[a] = max(self.allowed[a], firings)
        self.fire_soon([a])

    # -- sites ---------------------------------------------------------------------------------------------------

    def can_fire(self, a, actor):
        if not super().can_fire(a, actor):
            return False
        if a in self.closed:
            if a not in self.wants:
                self.wants.add(a)
                if a not in self.opening:
                    self.tell_of(actor.site)
            return False
        self.wants.discard(a)
        return True

    def tell_of(self, site):
        self.told.add(site)
        for event in self.sleepers.pop(site, ()):
            self.hear(event, WANT, site)

    def wanted(self, site):
        event = self.env.event()
        if site in self.told:
            return self.sleep(0)
        self.sleepers.setdefault(site, []).append(event)
        return event

    def close(self, actors):
        for a in actors:
            withdrawn = self.opening.pop(a, None) is not None or a not in self.closed
            if withdrawn and a in self.wants:
                self.told.add(self.net.actors[a].site)
            self.closed.add(a)

    def open(self, actors, cause=None, job=None):
        for a in actors:
            self.told.discard(self.net.actors[a].site)
            if a in self.closed and a not in self.opening:
                self.opening[a] = object()
                self.env.process(self.open_later(a, self.opening[a], self.first_of(a)))

    def open_later(self, a, opening, part):
        yield from self.edge_of(part)
        if self.opening.get(a) is opening:
            del self.opening[a]
            self.closed.discard(a)
            self.fire_soon([a])

    # -- jobs ----------------------------------------------------------------------------------------------------

    def redirect(self, path, number, step):
        self.paths[path][number] = step

    def sleep(self, time):
        """What processes do at an instant comes before everything else of it, unless that is done."""
        event = self.env.event()
        event._ok, event._value = True, None
        done = time == 0 and self.heard == self.env.now
        self.env.schedule(event, priority=AFTER + ANSWER if done else 0, delay=time)
        return event

    def submit(self, number, steps, **_):
        """Send a job; the event happens when it is over. Jobs ask like an actor behind all others."""
        over = self.env.event()
        self.env.process(self.job(number, steps, over))
        return over

    def job(self, number, steps, over):
        yield from self.edge_of(steps[0].resource)
        yield from self.walk((len(self.net.actors), number, -1), steps)
        self.hear(over, JOB, number)
