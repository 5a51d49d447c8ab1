"""A command program on a channel, cycle by cycle and in plain Python; it shares no code with the core.

``docs/pim-dram.md`` says what is sent in a cycle; here every cycle and every column is looked at.
"""

from __future__ import annotations

from .dram import constraints, nest_of, places, related

COLUMNS = {False: "read", True: "write"}


class Channel:
    """One channel; `run` sends a list of (write, together, bank, row, fence)."""

    def __init__(self, standard, refresh=True):
        self.standard, self.places, self.rows = standard, places(standard), constraints(standard)
        self.depth = {name: nest_of(standard).index(each.level) for name, each in standard.commands.items()}
        self.names = {
            (False, "activate"): "ACT",
            (False, "precharge"): "PRE",
            (False, "read"): "RD",
            (False, "write"): "WR",
            **{(True, does): name for does, name in standard.pim.commands.model_dump().items()},
        }
        self.log, self.open = [], {}  # (together, bank): row
        every = standard.refresh["all_bank"]
        interval = eval(every.interval, {}, standard.cycles)
        ranks = standard.levels["rank"] if refresh else 0
        self.due = [interval * (rank + 1) // ranks if every.staggered else interval for rank in range(ranks)]
        self.interval, self.owed = interval, [0] * ranks

    def legal(self, time, name, bank):
        place = self.places[bank][: self.depth[name] + 1]
        for depth, before, after, cycles, window, others in self.rows:
            if after != name:
                continue
            same = [
                past
                for past, other, where in self.log
                if other == before
                and related(depth, others, self.places[where][: self.depth[other] + 1], place)
            ]
            if len(same) >= window and time < same[-window] + cycles:
                return False
        return True

    def rank(self, bank):
        return self.places[bank][1]

    def free(self, bank):
        return not self.owed or self.owed[self.rank(bank)] <= self.standard.pim.postponed

    def stage(self, steps):
        """The columns up to the next fence, numbers in the program."""
        found = []
        for number, step in steps:
            found.append((number, step))
            if step[4]:
                break
        return found

    def wishes(self, time, left):
        """What may be sent, what comes first before the rest: (name, bank, what becomes of it)."""
        start = self.standard.pim.to_queue
        for rank, owed in enumerate(self.owed):
            if owed:
                mine = sorted(key for key in self.open if self.rank(key[1]) == rank)
                for together, bank in sorted(mine, key=lambda key: (key[1], key[0])):
                    yield self.names[together, "precharge"], bank, ("close", together)
                if not mine:
                    first = next(b for b in range(len(self.places)) if self.rank(b) == rank)
                    yield self.standard.refresh["all_bank"].command, first, ("refresh", rank)
        now = self.stage(left)
        waiting = now
        for n, (write, together, bank, row, _) in waiting:
            last = n == now[-1][0] and len(waiting) > 1
            if self.open.get((together, bank)) == row and not last and self.free(bank) and time >= start + n:
                yield self.names[together, COLUMNS[write]], bank, ("column", n)
        ahead = list(now)
        if len(waiting) == 1 and len(left) > len(now) and left[len(now)][1][1] == waiting[0][1][1]:
            ahead += self.stage(left[len(now) :])
        for place, (n, (_, together, bank, row, _)) in enumerate(ahead):
            other = any(key[0] != together for key in self.open)
            if place == len(ahead) - 1 and len(ahead) > 1:
                continue
            if (together, bank) not in self.open and not other and self.free(bank) and time >= start + n:
                yield self.names[together, "activate"], bank, ("open", together, row)
        for together, bank in sorted(self.open):
            mine = [(n, r) for n, (_, t, b, r, _) in waiting if (t, b) == (together, bank)]
            wanted = [n for n, r in mine if r == self.open[together, bank]]
            if len(mine) > 1 and wanted == [
                now[-1][0]
            ]:  # only the last one, and others want another row first
                wanted = []
            if not wanted:
                yield self.names[together, "precharge"], bank, ("close", together)

    def run(self, program):
        left, time, sent = list(enumerate(program)), 0, {}
        while left:
            for rank, due in enumerate(self.due):
                if time == due:
                    self.owed[rank] += 1
                    self.due[rank] += self.interval
            while left:
                choice = next((w for w in self.wishes(time, left) if self.legal(time, w[0], w[1])), None)
                if choice is None:
                    break
                name, bank, (what, *more) = choice
                self.log.append((time, name, bank))
                if what == "column":
                    sent[more[0]] = time
                    left = [each for each in left if each[0] != more[0]]
                elif what == "open":
                    self.open[more[0], bank] = more[1]
                elif what == "close":
                    del self.open[more[0], bank]
                else:
                    self.owed[more[0]] -= 1
            time += 1
            assert time < 100_000, "it does not end"
        return [sent[n] for n in range(len(program))]
