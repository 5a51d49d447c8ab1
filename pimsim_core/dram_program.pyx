"""Command programs on a DRAM channel: columns in an order that fences give, rows and refresh as they need them.

``docs/pim-dram.md`` says what is sent in a cycle, and ``tests/oracle/dram_program.py`` says it again cycle by cycle. Here
nothing is looked at between two commands: the one that is legal first is sent, and of several the one that comes first.
"""

import numpy as np

from libc.stdint cimport int8_t, int32_t, int64_t

from pimsim_core.dram_log cimport DramLog
from pimsim_core.dram_timing cimport DramTiming

cdef int64_t NEVER = 0x7FFFFFFFFFFFFFFF
cdef int64_t PATIENCE = 100_000  # refreshes since the last column


cdef class DramProgram:
    """A program under way.

    Parameters
    ----------
    timing : DramTiming
        Of an idle channel.
    number : int32, shape (2, 4 or more)
        For either mode, the commands that open a row, close it, read and write, and others that need no row.
    refresh : int
        The command that refreshes a unit; -1 for none.
    unit_of : int32, shape (banks,)
        What is refreshed together.
    due : int64, shape (units,)
        When each is due for the first time.
    interval : int
        Cycles from then to the next time.
    postponed : int
        Refreshes that a unit may be owed while columns and rows go on.
    steps : int32, shape (steps, 5)
        The columns: 0 for a read, 1 for a write, 2 and more for others; the mode; the bank (of a set, the first); the row,
        -1 for none; and what follows: 0 nothing, 1 a fence whose own column is sent alone, 2 a fence.
    start : int
        The cycle in which the first column is there; each cycle one more comes.
    recording : bool
        Keep every command.
    """

    def __init__(self, timing, number, refresh, unit_of, due, interval, postponed, steps, start, recording):
        table = np.array(steps, dtype=np.int32).reshape(-1, 5)
        self.timing, self.refresh, self.interval, self.start = timing, refresh, interval, start
        self.postponed = postponed
        self.number = np.array(number, dtype=np.int32)
        self.unit_of, self.due = np.array(unit_of, dtype=np.int32), np.array(due, dtype=np.int64)
        self.owed, self.opened_in = np.zeros((2, len(due)), dtype=np.int32)
        self.write, self.mode, self.fence = (np.ascontiguousarray(table[:, k], dtype=np.int8) for k in (0, 1, 4))
        self.bank, self.row = (np.ascontiguousarray(table[:, k]) for k in (2, 3))
        self.count, self.sent = <int32_t>len(table), np.full(len(table), -1, dtype=np.int64)
        self.open_row = np.full((2, timing.banks), -1, dtype=np.int32)
        self.log = DramLog(timing.commands, recording)

    def run(self, int64_t commands):
        """Send so many commands; return whether all columns are sent.

        Raises
        ------
        RuntimeError
            If no column can ever be sent again.
        """
        cdef int finished
        with nogil:
            finished = self.advance(commands)
        if self.in_vain > PATIENCE:
            raise RuntimeError("no column is sent any more; does refresh leave time for a row to be opened?")
        return bool(finished)

    @property
    def progress(self):
        """How many columns went, in order."""
        return self.head

    @property
    def times(self):
        """The cycle in which each column was sent; int64, shape (steps,)."""
        return np.array(self.sent)

    @property
    def counts(self):
        """How often each command was sent."""
        return self.log.counts

    @property
    def commands(self):
        """Every command so far: its cycle, its number, and the bank; int64, shape (commands, 3)."""
        return self.log.rows

    # -- refresh ----------------------------------------------------------------------------------------------

    cdef void owe(self, int64_t time) noexcept nogil:
        """Note the refreshes that are due."""
        cdef int32_t unit
        for unit in range(self.due.shape[0]):
            while self.due[unit] <= time:
                self.due[unit] += self.interval
                self.owed[unit] += 1

    cdef int64_t next_due(self) noexcept nogil:
        cdef int64_t soonest = NEVER
        cdef int32_t unit
        for unit in range(self.due.shape[0]):
            soonest = min(soonest, self.due[unit])
        return soonest

    # -- the next command -------------------------------------------------------------------------------------

    cdef int32_t end_of_stage(self, int32_t begin) noexcept nogil:
        """The column before the next fence: the last of the stage that one is in."""
        while begin < self.count - 1 and not self.fence[begin]:
            begin += 1
        return begin

    cdef inline void consider(
        self, int32_t does, int32_t mode, int32_t bank, int32_t step, int64_t at
    ) noexcept nogil:
        """Choose a command if it is legal sooner than the chosen one."""
        cdef int32_t command = self.refresh if does < 0 else self.number[mode, does]
        cdef int64_t legal = self.timing.earliest(command, bank)
        at = max(at, legal, self.now)
        if at < self.soonest:
            self.soonest = at
            self.chosen, self.chosen_bank, self.chosen_step = command, bank, step
            self.chosen_mode, self.chosen_does = mode, does

    cdef void look(self) noexcept nogil:
        """Choose the command to send next: refresh before columns before rows; what comes first is asked first."""
        cdef int32_t end = self.end_of_stage(self.head)
        self.soonest = NEVER
        self.look_at_refresh()
        self.look_at_columns(end)
        self.look_at_rows(end)
        self.look_at_idle(end)

    cdef void look_at_refresh(self) noexcept nogil:
        """Close the rows of a unit that is owed a refresh, then refresh it."""
        cdef int32_t unit, bank, mode, first
        for unit in range(self.due.shape[0]):
            if not self.owed[unit]:
                continue
            first = -1
            for bank in range(self.timing.banks):
                if self.unit_of[bank] != unit:
                    continue
                first = bank if first < 0 else first
                for mode in range(2):
                    if self.open_row[mode, bank] >= 0:
                        self.consider(CLOSE_ROW, mode, bank, -1, 0)
            if not self.opened_in[unit]:
                self.consider(-1, 0, first, -1, 0)

    cdef void look_at_columns(self, int32_t end) noexcept nogil:
        """Columns of the stage whose row is open; the fence's own is the last. They wait for a refresh that is not postponed."""
        cdef int32_t step, mode, bank
        for step in range(self.head, end + 1):
            mode, bank = self.mode[step], self.bank[step]
            if self.sent[step] >= 0 or (self.row[step] >= 0 and self.open_row[mode, bank] != self.row[step]):
                continue
            if step == end and step != self.head and self.fence[step] != FENCE:
                continue
            if self.owed[self.unit_of[bank]] <= self.postponed:
                self.consider(READ_STEP + self.write[step], mode, bank, step, self.start + step)

    cdef void look_at_rows(self, int32_t end) noexcept nogil:
        """Rows for the columns of the stage; once no row but that of the last one is needed, for the next stage too."""
        cdef int32_t step, mode, bank, unit, last = end
        if self.is_ahead(end) and end + 1 < self.count and self.mode[end + 1] == self.mode[end]:
            last = self.end_of_stage(end + 1)
        for step in range(self.head, last + 1):
            if step == last and step != self.head and self.fence[step] != FENCE:
                continue  # it waits for the others
            if self.row[step] < 0:
                continue
            mode, bank = self.mode[step], self.bank[step]
            unit = self.unit_of[bank]
            if self.sent[step] < 0 and self.open_row[mode, bank] < 0 and not self.opened[1 - mode]:
                if self.owed[unit] <= self.postponed:
                    self.consider(OPEN_ROW, mode, bank, step, self.start + step)

    cdef bint is_ahead(self, int32_t end) noexcept nogil:
        """Whether rows of the next stage may be opened: the last column is alone, or before a plain fence none needs a row."""
        cdef int32_t step
        if self.fence[end] != FENCE:
            return end == self.head
        for step in range(self.head, end + 1):
            if self.sent[step] < 0 and self.row[step] >= 0:
                return False
        return True

    cdef void look_at_idle(self, int32_t end) noexcept nogil:
        """Rows that no column of the stage wants are closed."""
        cdef int32_t mode, bank
        for mode in range(2):
            if not self.opened[mode]:
                continue
            for bank in range(self.timing.banks):
                if self.open_row[mode, bank] >= 0 and not self.is_wanted(mode, bank, end):
                    self.consider(CLOSE_ROW, mode, bank, -1, 0)

    cdef bint is_wanted(self, int32_t mode, int32_t bank, int32_t end) noexcept nogil:
        """Whether a column of the stage wants the open row; the last one, if no other column wants the bank."""
        cdef int32_t step
        cdef bint others = False, hit
        for step in range(self.head, end + 1):
            if self.sent[step] >= 0 or self.mode[step] != mode or self.bank[step] != bank or self.row[step] < 0:
                continue
            hit = self.row[step] == self.open_row[mode, bank]
            if hit and (step != end or not others or self.fence[step] == FENCE):
                return True
            others = True
        return False

    # -- sending ----------------------------------------------------------------------------------------------

    cdef int send(self) except -1 nogil:
        """Send the chosen command."""
        cdef int32_t bank = self.chosen_bank, mode = self.chosen_mode, does = self.chosen_does
        cdef int32_t unit = self.unit_of[bank]
        self.timing.issue(self.chosen, bank, self.now)
        self.log.note(self.now, self.chosen, bank)
        if does < 0:
            self.owed[unit] -= 1
            self.in_vain += 1
        elif does == OPEN_ROW:
            self.open_row[mode, bank] = self.row[self.chosen_step]
            self.opened[mode] += 1
            self.opened_in[unit] += 1
        elif does == CLOSE_ROW:
            self.open_row[mode, bank] = -1
            self.opened[mode] -= 1
            self.opened_in[unit] -= 1
        else:
            self.sent[self.chosen_step] = self.now
            self.in_vain = 0
            while self.head < self.count and self.sent[self.head] >= 0:
                self.head += 1
        return 0

    cdef int advance(self, int64_t commands) except -1 nogil:
        """From one command to the next, or to the next refresh that is due."""
        cdef int64_t due
        while commands > 0 and self.head < self.count and self.in_vain <= PATIENCE:
            self.owe(self.now)
            self.look()
            due = self.next_due()
            if due == NEVER and self.soonest == NEVER:
                self.in_vain = PATIENCE + 1
                break
            if due <= self.soonest:
                self.now = due
                continue
            self.now = self.soonest
            self.send()
            commands -= 1
        return self.head == self.count
