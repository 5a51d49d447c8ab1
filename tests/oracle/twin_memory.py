"""A channel of a memory behind a port, for the twin: the plain controller, a step a cycle, on SimPy's clock."""

from __future__ import annotations

from tests.oracle.dram import Controller, Request, nest_of, places

CHANNEL = 40  # priority: behind all that is granted in an instant


class TwinChannel:
    """Bursts of visits come in one a cycle; who has the port lets it go a cycle after its last one is in."""

    def __init__(self, env, row):
        self.env, self.period, self.standard = env, row.period_fs, row.channel.standard
        self.controller = Controller(self.standard, row.channel.policy)
        self.bank_at = {bank.place: bank for bank in self.controller.banks}
        self.visits, self.number = [], 0
        self.gone = -1  # the last cycle that was gone through
        self.due = None
        assert [bank.place for bank in self.controller.banks] == places(self.standard)

    def place(self, burst):
        """Cut an address as the mapping says, the lowest digit last."""
        sizes = {**self.standard.levels, "row": self.standard.rows, "column": self.standard.columns}
        cut = {}
        for name in reversed(self.standard.mapping):
            burst, cut[name] = divmod(burst, sizes[name])
        bank = self.bank_at[0, *(cut[level] for level in nest_of(self.standard)[1:])]
        return bank, cut["row"], cut["column"]

    def visit(self, bursts, write):
        """Ask for bursts at these addresses; return the events of the port being free, and of the last data."""
        now = self.env.now // self.period
        self.idle_until(now)
        mine = []
        for burst in bursts:
            mine.append(Request(self.number, write, *self.place(burst), offered=now))
            self.number += 1
        self.controller.coming += mine
        inside, done = self.env.event(), self.env.event()
        self.visits.append([mine, inside, done])
        if self.due != now:
            self.tick_at(now)
        return inside, done

    def idle_until(self, cycle):
        """Nobody asks for anything; refresh goes on."""
        if self.controller.coming or self.controller.waiting:
            return
        while self.gone + 1 < cycle:
            units = self.controller.units
            busy = self.controller.policy.page == "timed" or any(unit.owed for unit in units)
            nearest = min((unit.due for unit in units), default=cycle)
            self.gone = self.gone + 1 if busy else max(self.gone + 1, min(nearest, cycle - 1))
            self.controller.step(self.gone)

    def tick_at(self, cycle):
        self.due = cycle
        later = self.env.event()
        later._ok, later._value = True, None
        later.callbacks.append(self.tick)
        self.env.schedule(later, priority=CHANNEL, delay=cycle * self.period - self.env.now)

    def tick(self, _):
        self.gone = self.due
        self.due = None
        self.controller.step(self.gone)
        for visit in self.visits:
            mine, inside, done = visit
            if inside is not None and all(each.accepted >= 0 for each in mine):
                visit[1] = None
                self.env.process(self.happen(inside, self.gone + 1))
            if done is not None and all(each.done >= 0 for each in mine):
                visit[2] = None
                self.env.process(self.happen(done, max(each.done for each in mine)))
        self.visits = [visit for visit in self.visits if visit[1] or visit[2]]
        if self.controller.coming or self.controller.waiting:
            self.tick_at(self.gone + 1)

    def happen(self, event, cycle):
        yield self.env.timeout(cycle * self.period - self.env.now)
        event.succeed()
