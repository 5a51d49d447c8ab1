"""The controller of a DRAM channel: first ready, first come first served, from command to command.

``docs/memory.md`` says what the controller does in a cycle, and ``tests/oracle/dram.py`` says it again cycle by cycle.
Here nothing is looked at between two cycles in which something can happen: each bank has at most one command that it
wishes for next, and the channel goes to the first cycle in which one of them breaks no constraint.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t

from pimsim_core.dram_log cimport DramLog
from pimsim_core.dram_time cimport DramTime
from pimsim_core.dram_timing cimport DramTiming
from pimsim_core.dram_queues cimport CONFLICT, HIT, MISS, DramQueues

ACTIONS = ("activate", "precharge", "precharge_all", "read", "write", "read_last", "write_last", "refresh")
PAGES = ("open", "closed", "timed")

cdef int64_t NEVER = 0x7FFFFFFFFFFFFFFF
cdef int64_t PATIENCE = 100_000  # refreshes while a request waits
cdef int64_t BY_CLASS = <int64_t>1 << 40  # columns before rows before idle rows, each by age
cdef enum:
    OPEN_PAGE = 0
    CLOSED_PAGE = 1
    TIMED_PAGE = 2


cdef class DramChannel:
    """The controller of a channel, with its banks.

    Parameters
    ----------
    timing : DramTiming
        Of an idle channel.
    queues : DramQueues
        The requests that it serves.
    number : int32, shape (8,)
        The command for each of `ACTIONS`; -1 for none.
    unit_of : int32, shape (banks,)
        What is refreshed together; banks of a unit are neighbours.
    latency : int64, shape (2,)
        Cycles from a read, and from a write, to the end of its data.
    low, high : int
        Writes that wait: served from `high` on, until no more than `low` are left.
    cap : int
        Columns of a row before an older request for another row is served first; 0 for any number.
    page : int
        One of `PAGES`, by its number.
    timeout : int
        Cycles after which an idle row is closed, with timed pages.
    interval : int
        Cycles between refreshes of a unit; 0 for none.
    due : int64, shape (units,)
        When each is due for the first time.
    one_bank : bool
        A refresh is of one bank, in turns.
    recording : bool
        Keep every command.
    """

    def __init__(
        self, timing, queues, number, unit_of, latency, low, high, cap, page, timeout, interval, due, one_bank, recording
    ):
        cdef int32_t banks = timing.banks
        self.timing, self.queues = timing, queues
        self.number = np.array(number, dtype=np.int32)
        actions = np.full(timing.commands, -1, dtype=np.int32)
        for action, command in enumerate(number):
            if command >= 0:
                actions[command] = action
        self.action = actions
        self.unit_of = np.array(unit_of, dtype=np.int32)
        units = int(np.max(self.unit_of)) + 1
        self.first_of = np.searchsorted(unit_of, np.arange(units + 1)).astype(np.int32)
        self.latency = np.array(latency, dtype=np.int64)
        self.low, self.high, self.cap, self.page = low, high, cap, page
        self.timeout, self.interval, self.one_bank = timeout, interval, one_bank
        self.open_row, self.wish = np.full(banks, -1, dtype=np.int32), np.full(banks, -1, dtype=np.int32)
        self.wisher, self.served = np.full(banks, -1, dtype=np.int32), np.zeros(banks, dtype=np.int32)
        self.held, self.used = np.zeros(banks, dtype=np.int32), np.zeros(banks, dtype=np.int64)
        self.bound = np.zeros(banks, dtype=np.int64)
        self.owed, self.turn = np.zeros(units, dtype=np.int32), np.zeros(units, dtype=np.int32)
        self.opened, self.since = np.zeros(units, dtype=np.int32), np.zeros(units, dtype=np.int64)
        self.active = np.zeros(units, dtype=np.int64)
        self.due = np.array(due if interval else [NEVER] * units, dtype=np.int64)
        self.stale = True
        self.log = DramLog(timing.commands, recording)

    def keep_time(self, DramTime kept):
        """Keep what the time goes to."""
        self.kept, self.keeping = kept, True

    def run(self, int64_t steps):
        """Go on for so many cycles in which something happens; return whether all is done.

        Raises
        ------
        RuntimeError
            If no request can ever be served again.
        """
        cdef int finished
        with nogil:
            finished = self.advance(steps)
        if self.stuck:
            raise RuntimeError("no request is served any more; does refresh leave time for a row to be opened?")
        return bool(finished)

    @property
    def counts(self):
        """How often each command was sent."""
        return self.log.counts

    def active_cycles(self, int64_t until):
        """Return in how many cycles before one each unit of refresh had a row open."""
        return np.asarray(self.active) + np.where(np.asarray(self.opened) > 0, until - np.asarray(self.since), 0)

    @property
    def commands(self):
        """Every command so far: its cycle, its number, and the bank; int64, shape (commands, 3)."""
        return self.log.rows

    # -- what each bank wishes for ----------------------------------------------------------------------------

    cdef void turn_queue(self) noexcept nogil:
        """Serve the writes, or the reads again."""
        cdef int32_t draining = self.draining, bank
        if draining:
            draining = self.queues.waiting[1] > (self.low if self.queues.waiting[0] else 0)
        else:
            draining = self.queues.waiting[1] >= self.high or (self.queues.waiting[1] > 0 and not self.queues.waiting[0])
        if draining != self.draining:
            self.draining, self.stale = draining, True
            for bank in range(self.timing.banks):
                self.want(bank)

    cdef void want(self, int32_t bank) noexcept nogil:
        """Find the command that a bank needs next: for the queue that is served, else to be ready for the other one."""
        cdef int32_t request = self.queues.oldest[self.draining, bank], hit
        cdef bint served = request >= 0
        self.wish[bank] = self.wisher[bank] = -1
        self.bound[bank] = 0
        if self.held[bank]:
            return
        if not served:
            request = self.queues.oldest[1 - self.draining, bank]
        if request < 0:
            if self.page == TIMED_PAGE and self.open_row[bank] >= 0:
                self.wish[bank] = self.number[PRECHARGE]
            return
        if self.open_row[bank] < 0:
            self.wish[bank], self.wisher[bank] = self.number[ACTIVATE], request
            return
        hit = request
        while hit >= 0 and self.queues.row[hit] != self.open_row[bank]:
            hit = self.queues.newer[hit]
        if hit < 0 or (hit != request and self.cap and self.served[bank] >= self.cap):
            self.wish[bank], self.wisher[bank] = self.number[PRECHARGE], request
        elif served:
            self.want_column(bank, hit)

    cdef void want_column(self, int32_t bank, int32_t hit) noexcept nogil:
        """A column for a request; with closed pages the last one of its row precharges."""
        cdef int32_t other = self.queues.newer[hit], last = READ_LAST + self.draining
        self.wisher[bank] = hit
        self.wish[bank] = self.number[READ_COLUMN + self.draining]
        if self.page == CLOSED_PAGE:
            while other >= 0 and self.queues.row[other] != self.open_row[bank]:
                other = self.queues.newer[other]
            if other < 0:
                self.wish[bank] = self.number[last]

    # -- refresh ----------------------------------------------------------------------------------------------

    cdef void owe(self, int64_t time) noexcept nogil:
        """Note the refreshes that are due."""
        cdef int32_t unit
        for unit in range(self.due.shape[0]):
            while self.due[unit] <= time:
                self.due[unit] += self.interval
                self.owed[unit] += 1
                if self.owed[unit] == 1:
                    self.hold(unit, True)

    cdef void hold(self, int32_t unit, bint held) noexcept nogil:
        """Keep requests from the banks that are to be refreshed next, or let them again."""
        cdef int32_t bank, begin = self.first_of[unit], end = self.first_of[unit + 1]
        if self.one_bank:
            begin += self.turn[unit]
            end = begin + 1
        self.stale = True
        for bank in range(begin, end):
            self.held[bank] = held
            self.want(bank)

    cdef int64_t next_due(self) noexcept nogil:
        cdef int64_t soonest = NEVER
        cdef int32_t unit
        for unit in range(self.due.shape[0]):
            soonest = min(soonest, self.due[unit])
        return soonest

    cdef void look_at_refresh(self, int64_t time) noexcept nogil:
        """What each unit that is owed a refresh needs next; it comes before all else."""
        cdef int32_t unit, bank, command
        for unit in range(self.due.shape[0]):
            if not self.owed[unit]:
                continue
            bank, command = self.first_of[unit], self.number[REFRESH]
            if self.one_bank:
                bank += self.turn[unit]
                if self.open_row[bank] >= 0:
                    command = self.number[PRECHARGE]
            elif self.opened[unit]:
                command = self.number[PRECHARGE_ALL]
            self.consider(command, bank, -1, self.timing.earliest(command, bank), unit - BY_CLASS, time)

    # -- commands ---------------------------------------------------------------------------------------------

    cdef bint choose(self, int64_t time) noexcept nogil:
        """Whether a command can be sent now: the chosen one. If not, it can at `soonest`, if nothing changes before."""
        if self.stale:
            self.look(time)
        return self.soonest <= time

    cdef void look(self, int64_t time) noexcept nogil:
        """Choose the command to send next: the first that is legal, and of several the one that comes first."""
        cdef int32_t bank
        self.soonest, self.stale = NEVER, False
        self.look_at_refresh(time)
        for bank in range(self.timing.banks):
            if self.wish[bank] >= 0 and self.bound[bank] <= self.soonest:
                self.look_at_bank(bank, time)

    cdef void look_at_bank(self, int32_t bank, int64_t time) noexcept nogil:
        """What a bank wishes for: columns, rows, rows for the other queue, idle rows; each by age."""
        cdef int32_t command = self.wish[bank], request = self.wisher[bank]
        cdef int64_t at = self.timing.earliest(command, bank), age = request
        if request < 0:
            at, age = max(at, self.used[bank] + self.timeout), 3 * BY_CLASS + bank
        elif self.action[command] <= PRECHARGE:
            age += BY_CLASS if self.queues.queue_of[request] == self.draining else 2 * BY_CLASS
        self.bound[bank] = at
        self.consider(command, bank, request, at, age, time)

    cdef inline void consider(
        self, int32_t command, int32_t bank, int32_t request, int64_t at, int64_t age, int64_t time
    ) noexcept nogil:
        """Choose a command if it is legal sooner than the chosen one, or as soon and comes first."""
        if at < time:
            at = time
        if at < self.soonest or (at == self.soonest and age < self.age):
            self.soonest, self.age = at, age
            self.chosen, self.chosen_bank, self.chosen_request = command, bank, request

    cdef void admit(self, int64_t time) noexcept nogil:
        """Let a request in; only its bank can wish for something else then."""
        cdef int32_t bank = self.queues.admit(time)
        if bank < 0 or self.held[bank]:
            return
        self.want(bank)
        if bank == self.chosen_bank:
            self.stale = True
        elif not self.stale and self.wish[bank] >= 0:
            self.look_at_bank(bank, time)

    cdef int send(self, int64_t time) except -1 nogil:
        """Send the chosen command."""
        cdef int32_t command = self.chosen, bank = self.chosen_bank, request = self.chosen_request, each
        cdef int32_t action = self.action[command], unit = self.unit_of[bank]
        self.stale = True
        self.timing.issue(command, bank, time)
        self.log.note(time, command, bank)
        if action == ACTIVATE:
            if self.keeping:
                self.kept.activated[bank] = time
            self.open_bank(bank, self.queues.row[request], time)
            if self.queues.outcome[request] == HIT:
                self.queues.outcome[request] = MISS
        elif action == PRECHARGE:
            self.close_bank(bank, time)
            if request >= 0:
                if self.keeping:
                    self.kept.closed[bank] = time + self.kept.to_open
                self.queues.outcome[request] = CONFLICT
        elif action == PRECHARGE_ALL:
            for each in range(self.first_of[unit], self.first_of[unit + 1]):
                if self.open_row[each] >= 0:
                    self.close_bank(each, time)
        elif action == REFRESH:
            self.owed[unit] -= 1
            self.in_vain += 1
            if self.keeping:
                each = bank if self.one_bank else self.first_of[unit]
                self.kept.refresh(each, bank + 1 if self.one_bank else self.first_of[unit + 1], time)
            self.hold(unit, False)
            if self.one_bank:
                self.turn[unit] = (self.turn[unit] + 1) % (self.first_of[unit + 1] - self.first_of[unit])
            if self.owed[unit]:
                self.hold(unit, True)
        else:
            self.serve(bank, request, time)
            if action >= READ_LAST:
                self.close_bank(bank, time)
        self.want(bank)
        return 0

    cdef void open_bank(self, int32_t bank, int32_t row, int64_t time) noexcept nogil:
        cdef int32_t unit = self.unit_of[bank]
        self.open_row[bank], self.served[bank], self.used[bank] = row, 0, time
        self.opened[unit] += 1
        if self.opened[unit] == 1:
            self.since[unit] = time

    cdef void close_bank(self, int32_t bank, int64_t time) noexcept nogil:
        cdef int32_t unit = self.unit_of[bank]
        self.open_row[bank] = -1
        self.opened[unit] -= 1
        if not self.opened[unit]:
            self.active[unit] += time - self.since[unit]

    cdef void serve(self, int32_t bank, int32_t request, int64_t time) noexcept nogil:
        """Send a request's column."""
        self.served[bank] += 1
        self.used[bank] = time
        self.in_vain = 0
        if self.keeping:
            self.kept.column(bank, self.queues.queue_of[request], self.queues.accepted[request], self.queues.waiting_since, time)
        self.queues.take(request, time, time + self.latency[self.queues.queue_of[request]])

    cdef int cycle(self) except -1 nogil:
        """All that happens in a cycle."""
        self.owe(self.now)
        self.admit(self.now)
        self.turn_queue()
        while self.choose(self.now):
            self.send(self.now)
            self.turn_queue()
        return 0

    cdef int64_t following(self) noexcept nogil:
        """The next cycle in which something can happen."""
        return min(self.soonest, self.queues.door(self.now), self.next_due())

    cdef int advance(self, int64_t steps) except -1 nogil:
        """From one cycle in which something can happen to the next."""
        cdef int64_t soonest
        while steps > 0:
            steps -= 1
            self.cycle()
            if self.queues.is_empty():
                return 1
            soonest = self.following()
            if soonest == NEVER or (self.in_vain > PATIENCE and not self.queues.is_idle()):
                self.stuck = True
                return 1
            self.now = soonest
        return 0

    # -- requests that come as they are made -----------------------------------------------------------------------

    cdef int go(self, int64_t until, bint heeding) except -1 nogil:
        """Go on before a cycle; return whether nothing can be served any more.

        If heeding, no further than to the first cycle in which a visitor is in, or served, or more requests are wanted.
        """
        while self.now < until:
            self.cycle()
            self.gone, self.now = self.now, self.following()
            if self.in_vain > PATIENCE and not self.queues.is_idle():
                return 1
            if heeding and (
                self.queues.n_entered or self.queues.n_over
                or (self.queues.hungry and self.queues.coming == self.queues.count)
            ):
                break
        return self.now == NEVER and not self.queues.is_idle()

    cdef void wake(self, int64_t time) noexcept nogil:
        """There is something to look at in a cycle that was not gone through."""
        self.now = min(self.now, time)

    cdef int make_room(self, int32_t more) except -1:
        """Make room for so many requests."""
        cdef int32_t bank, less = self.queues.make_room(more)
        if less:
            for bank in range(self.timing.banks):
                self.wisher[bank] = max(self.wisher[bank] - less, -1)
            self.stale = True
        return 0
