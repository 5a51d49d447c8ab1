"""A command program on a channel, cycle by cycle and in plain Python; it shares no code with the core.

``docs/pim-dram.md`` says what is sent in a cycle; here every cycle and every column is looked at.
"""

from __future__ import annotations

from .dram import constraints, nest_of, places, related

DOES = ("activate", "precharge", 0, 1)  # columns by their number: 0 reads, 1 writes, others need no row


class Channel:
    """One channel; `run` sends a list of (does, together, bank, row, fence)."""

    def __init__(self, standard, together, refresh=True):
        self.standard, self.places, self.rows = standard, places(standard), constraints(standard)
        self.depth = {name: nest_of(standard).index(each.level) for name, each in standard.commands.items()}
        self.names = {
            **{(False, does): name for does, name in zip(DOES, ("ACT", "PRE", "RD", "WR"), strict=True)},
            **{(True, does): name for does, name in zip((*DOES, *range(2, 10)), together, strict=False)},
        }
        self.horizon, self.recent = max(row[3] for row in self.rows), []
        self.log, self.open = [], {}  # (together, bank): row
        every = standard.refresh["all_bank"]
        interval = eval(every.interval, {}, standard.cycles)
        self.whole = standard.commands[every.command].level == "channel"
        ranks = (1 if self.whole else standard.levels["rank"]) if refresh else 0
        self.due = [interval * (rank + 1) // ranks if every.staggered else interval for rank in range(ranks)]
        self.interval, self.owed = interval, [0] * ranks

    def legal(self, time, name, bank):
        place = self.places[bank][: self.depth[name] + 1]
        for depth, before, after, cycles, window, others in self.rows:
            if after != name:
                continue
            same = [
                past
                for past, other, where in self.recent
                if other == before
                and related(depth, others, self.places[where][: self.depth[other] + 1], place)
            ]
            if len(same) >= window and time < same[-window] + cycles:
                return False
        return True

    def rank(self, bank):
        return 0 if self.whole else self.places[bank][1]

    def free(self, bank):
        return not self.owed or self.owed[self.rank(bank)] <= self.standard.pim.postponed

    def stages(self, program):
        """For each column the number of its stage; for each stage its last column, and whether its fence is plain."""
        numbers, ends = [], []
        for n, step in enumerate(program):
            numbers.append(len(ends))
            if step[4] or n == len(program) - 1:
                ends.append((n, step[4] == 2))
        return numbers, ends

    def wishes(self, time, left, numbers, ends):
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
        number = numbers[left[0][0]]
        end, plain = ends[number]
        waiting = [each for each in left if numbers[each[0]] == number]
        for n, (does, together, bank, row, _) in waiting:
            alone = n == end and len(waiting) > 1 and not plain
            is_open = row < 0 or self.open.get((together, bank)) == row
            if is_open and not alone and self.free(bank) and time >= start + n:
                yield self.names[together, does], bank, ("column", n)
        after = [each for each in left if numbers[each[0]] == number + 1]
        quiet = all(step[3] < 0 for _, step in waiting) if plain else len(waiting) == 1
        ahead, last, is_plain = waiting, end, plain
        if quiet and after and after[0][1][1] == self.modes[end]:
            ahead, (last, is_plain) = waiting + after, ends[number + 1]
        for n, (_, together, bank, row, _) in ahead:
            if row < 0 or (n == last and n != left[0][0] and not is_plain):
                continue
            other = any(key[0] != together for key in self.open)
            if (together, bank) not in self.open and not other and self.free(bank) and time >= start + n:
                yield self.names[together, "activate"], bank, ("open", together, row)
        for together, bank in sorted(self.open):
            mine = [(n, r) for n, (_, t, b, r, _) in waiting if (t, b) == (together, bank) and r >= 0]
            wanted = [n for n, r in mine if r == self.open[together, bank]]
            if len(mine) > 1 and wanted == [end] and not plain:  # only the last, and others want another row
                wanted = []
            if not wanted:
                yield self.names[together, "precharge"], bank, ("close", together)

    def run(self, program):
        left, time, sent = list(enumerate(program)), 0, {}
        numbers, ends = self.stages(program)
        self.modes = [step[1] for step in program]
        while left:
            for rank, due in enumerate(self.due):
                if time == due:
                    self.owed[rank] += 1
                    self.due[rank] += self.interval
            while left:
                choice = next(
                    (w for w in self.wishes(time, left, numbers, ends) if self.legal(time, w[0], w[1])), None
                )
                if choice is None:
                    break
                name, bank, (what, *more) = choice
                self.log.append((time, name, bank))
                self.recent = [past for past in self.recent if past[0] > time - self.horizon] + self.log[-1:]
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
