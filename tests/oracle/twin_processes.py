"""What SimPy processes may ask of the twin, in the words of `pimsim.machine.environment`: it shares no code with it.

An instant that is done is done. The twin hears of what it waits for when everything else of its instant is over; what
is asked from then on begins at the next clock edge of the part asked.
"""

from __future__ import annotations

from tests.oracle.twin import Twin, edge

AFTER = 40  # processes hear of an instant when everything else of it is done


class ServingTwin(Twin):
    """A twin that answers processes: `reached`, `allow` and `submit`."""

    def __init__(self, net, selected=None):
        super().__init__(net, selected)
        self.heard = -1  # the last instant of which a process has heard something
        self.waiting = {}  # (actor, count) -> events
        self.reports = [0] * len(net.actors)

    def hear(self, event, value=None):
        """Let an event happen when this instant is done."""
        event._ok, event._value = True, value
        event.callbacks.insert(0, lambda _: setattr(self, "heard", self.env.now))
        self.env.schedule(event, priority=AFTER)

    def tell(self, a, actor):
        if actor.milestone and self.ended[a] % actor.milestone == 0:
            self.reports[a] += 1
            for event in self.waiting.pop((a, self.reports[a]), ()):
                self.hear(event)

    def reached(self, a, count):
        event = self.env.event()
        if self.reports[a] >= count:
            return event.succeed()
        self.waiting.setdefault((a, count), []).append(event)
        return event

    def edge_of(self, resource):
        """A process: come to where what is asked of a part begins; at an instant that is not done, that is now."""
        if self.heard == self.env.now:
            later = edge(self.env.now + 1, self.resources[resource].row.period_fs)
            yield self.env.timeout(later - self.env.now)

    def first_of(self, a):
        return self.net.paths[self.net.actors[a].path][0].resource

    def allow(self, a, firings):
        if self.heard == self.env.now:
            self.env.process(self.allow_later(a, firings))
        else:
            self.allow_now(a, firings)

    def allow_later(self, a, firings):
        yield from self.edge_of(self.first_of(a))
        self.allow_now(a, firings)

    def allow_now(self, a, firings):
        self.allowed[a] = max(self.allowed[a], firings)
        self.fire_soon([a])

    def submit(self, number, steps):
        """Send a job; the event happens when it is over. Jobs ask like an actor behind all others."""
        over = self.env.event()
        self.env.process(self.job(number, steps, over))
        return over

    def job(self, number, steps, over):
        yield from self.edge_of(steps[0].resource)
        yield from self.walk((len(self.net.actors), number, -1), steps)
        self.hear(over)
