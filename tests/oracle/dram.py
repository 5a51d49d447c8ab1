"""A DRAM controller cycle by cycle, in plain Python, and a checker that knows nothing but a standard's constraints.

Both read `pimsim.dram.schema.Standard` and share no code with the core or with what makes its tables. `Controller` says
again what ``docs/memory.md`` says of a cycle; it looks at every cycle and at every request that waits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np


@dataclass
class Bank:
    place: tuple[int, ...]  # channel, then one number a level
    row: int | None = None
    served: int = 0
    used: int = 0


@dataclass
class Request:
    number: int
    write: bool
    bank: Bank
    row: int
    column: int
    offered: int
    accepted: int = -1
    issued: int = -1
    done: int = -1
    outcome: str = "hit"


@dataclass
class Unit:
    banks: list[Bank]
    due: int
    owed: int = 0
    turn: int = 0


@dataclass
class Sent:
    time: int
    name: str
    place: tuple[int, ...]  # as deep as the command goes


def nest_of(standard) -> list[str]:
    return ["channel", *standard.levels]


def places(standard) -> list[tuple[int, ...]]:
    return [(0, *place) for place in product(*(range(count) for count in standard.levels.values()))]


def constraints(standard):
    """Every row as (depth, before, after, cycles, window, others); cycles from first cycle to first cycle."""
    rows = []
    length = {name: command.cycles for name, command in standard.commands.items()}
    for row in standard.constraints:
        cycles = eval(row.cycles, {}, standard.cycles)
        depth = nest_of(standard).index(row.level)
        for before, after in product(row.before, row.after):
            between = cycles + (length[before] - 1) - (length[after] - 1)
            rows.append((depth, before, after, between, row.window, row.others))
    for before, after in product(standard.commands, standard.commands):
        if standard.commands[before].bus == standard.commands[after].bus:
            rows.append((0, before, after, length[before], 1, False))
    return rows


def related(depth: int, others: bool, one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether a row of a level holds between two commands to these places."""
    if others:
        return one[:depth] == other[:depth] and one[depth] != other[depth]
    return one[: depth + 1] == other[: depth + 1]


def violations(standard, log):
    """Every constraint or state that a list of `Sent` breaks, in words; it knows no policy."""
    found = []
    rows = constraints(standard)
    by_after = {name: [row for row in rows if row[2] == name] for name in standard.commands}
    horizon = max(row[3] for row in rows)
    depth_of = {name: nest_of(standard).index(each.level) for name, each in standard.commands.items()}
    is_open = dict.fromkeys(places(standard), False)
    for position, now in enumerate(log):
        command = standard.commands[now.name]
        assert len(now.place) == depth_of[now.name] + 1
        recent = []
        for past in reversed(log[:position]):
            if past.time < now.time - horizon:
                break
            recent.append(past)
        for depth, before, _, cycles, window, others in by_after[now.name]:
            same = [p for p in recent if p.name == before and related(depth, others, p.place, now.place)]
            if len(same) >= window and now.time < same[window - 1].time + cycles:
                found.append(
                    f"{before} at {same[window - 1].time}, {now.name} at {now.time}, {cycles} needed"
                )
        for place in is_open:
            if place[: len(now.place)] == now.place:
                if command.needs != "any" and is_open[place] != (command.needs == "open"):
                    found.append(f"{now.name} at {now.time}: {place} is not {command.needs}")
                is_open[place] = command.leaves == "open"
    return found


def broken(standard, log):
    """The constraints that a long list breaks, as `violations` finds them but for states, row by row of the table.

    `log` has a row (cycle, command, bank) for each command, commands by their number.
    """
    names, size = list(standard.commands), len(log)
    depth_of = [nest_of(standard).index(each.level) for each in standard.commands.values()]
    nodes = [[place[: depth + 1] for place in places(standard)] for depth in range(len(standard.levels) + 1)]
    numbers = [{node: number for number, node in enumerate(dict.fromkeys(level))} for level in nodes]
    node_of = [np.array([numbers[d][node] for node in level])[log[:, 2]] for d, level in enumerate(nodes)]
    found = []
    for depth, before, after, cycles, window, others in constraints(standard):
        if cycles <= 0 or depth > depth_of[names.index(after)]:
            continue
        earlier = np.flatnonzero(log[:, 1] == names.index(before))
        later = np.flatnonzero(log[:, 1] == names.index(after))
        node = node_of[depth]
        for asked in _beside(numbers[depth], others):  # each command after, and the node that it looks at
            seen = asked[node[later]]
            keys = np.sort(node[earlier].astype(np.int64) * size + earlier)
            place = np.searchsorted(keys, seen.astype(np.int64) * size + later) - window
            last = keys[np.maximum(place, 0)] if len(keys) else np.full(len(later), -1)
            mine = (place >= 0) & (last // max(size, 1) == seen) & (seen >= 0)
            early = mine & (log[later, 0] < log[last % max(size, 1), 0] + cycles)
            found += [(before, after, cycles, int(time)) for time in log[later[early], 0]]
    return found


def _beside(numbers, others):
    """For each node the one that a row compares it with: itself, or one after another of those beside it."""
    if not others:
        return [np.arange(len(numbers))]
    beside = [
        [number for node, number in numbers.items() if node[:-1] == mine[:-1] and node != mine]
        for mine in numbers
    ]
    return [np.array(turn) for turn in zip(*beside, strict=True)]


@dataclass
class Controller:
    """One channel; `run` serves a list of (write, bank, row, column, cycle)."""

    standard: object
    policy: object
    outstanding: int = 0
    banks: list[Bank] = field(default_factory=list)
    log: list[Sent] = field(default_factory=list)

    def __post_init__(self):
        standard = self.standard
        self.banks = [Bank(place) for place in places(standard)]
        self.rows = constraints(standard)
        self.rows_after = {name: [r for r in self.rows if r[2] == name] for name in standard.commands}
        self.horizon = max(row[3] for row in self.rows)
        self.depth = {name: nest_of(standard).index(c.level) for name, c in standard.commands.items()}
        through = self.policy.controller_cycles
        self.read_latency = through + eval(standard.read_latency, {}, standard.cycles)
        self.write_latency = through + eval(standard.write_latency, {}, standard.cycles)
        self.coming, self.waiting, self.draining = [], [], False
        self.recent: list[Sent] = []
        self._make_units()

    def _make_units(self):
        standard, way = self.standard, self.policy.refresh
        if "all_bank" in standard.refresh:
            depth = self.depth[standard.refresh["all_bank"].command]
        else:
            depth = nest_of(standard).index(standard.data.level)
        keys = sorted({bank.place[: depth + 1] for bank in self.banks})
        self.units = []
        if way != "none":
            self.interval = eval(standard.refresh[way].interval, {}, standard.cycles)
            self.refresh = standard.refresh[way].command
            turns = len(keys) if standard.refresh[way].staggered else 1
            for turn, key in enumerate(keys, start=1):
                inside = [bank for bank in self.banks if bank.place[: depth + 1] == key]
                self.units.append(Unit(inside, due=self.interval * min(turn, turns) // turns))

    def command(self, does, leaves, depth=None):
        deep = len(self.standard.levels) if depth is None else depth
        for name, command in self.standard.commands.items():
            if (command.does, command.leaves) == (does, leaves) and self.depth[name] == deep:
                return name
        raise KeyError(does)

    # -- one cycle --------------------------------------------------------------------------------------------

    def run(self, asked):
        requests = [
            Request(number, write, self.banks[bank], row, column, cycle)
            for number, (write, bank, row, column, cycle) in enumerate(asked)
        ]
        self.coming, time = list(requests), 0
        while self.coming or self.waiting:
            self.step(time, requests)
            time += 1
            assert time < 1_000_000, "it does not end"
        return requests

    def step(self, time, requests=()):
        """One cycle; `requests` are those that count as outstanding."""
        self._owe(time)
        self._admit(time, requests)
        while True:
            self._choose_queue()
            choice = self._choose(time)
            if choice is None:
                break
            self._send(time, *choice)

    def _admit(self, time, requests):
        if not self.coming or self.coming[0].offered > time:
            return
        under_way = [r for r in requests if r.accepted >= 0 and (r.done < 0 or r.done > time)]
        if self.outstanding and len(under_way) >= self.outstanding:
            return
        new = self.coming[0]
        same = [r for r in self.waiting if (r.bank, r.row, r.column) == (new.bank, new.row, new.column)]
        if any(r.write for r in same):
            new.accepted, new.done = time, time + 1
            new.outcome = "merged" if new.write else "forwarded"
            self.coming.pop(0)
            return
        if new.write and same:
            return
        room = self.policy.write_queue if new.write else self.policy.read_queue
        if sum(r.write == new.write for r in self.waiting) < room:
            new.accepted = time
            self.waiting.append(self.coming.pop(0))

    def _choose_queue(self):
        writes = sum(r.write for r in self.waiting)
        reads = len(self.waiting) - writes
        if self.draining and (not writes or (reads and writes <= self.policy.write_low)):
            self.draining = False
        elif not self.draining and writes and (not reads or writes >= self.policy.write_high):
            self.draining = True

    def _owe(self, time):
        for unit in self.units:
            if unit.due == time:
                unit.owed += 1
                unit.due += self.interval

    def _held(self, bank):
        for unit in self.units:
            if unit.owed and any(bank is each for each in unit.banks):
                return self.policy.refresh == "all_bank" or unit.banks[unit.turn] is bank
        return False

    def _legal(self, time, name, place):
        place = place[: self.depth[name] + 1]
        for depth, before, _, cycles, window, others in self.rows_after[name]:
            same = [p for p in self.recent if p.name == before and related(depth, others, p.place, place)]
            if len(same) >= window and time < same[window - 1].time + cycles:
                return False
        return True

    def _choose(self, time):
        """The command to send now, its bank and its request; None if there is none."""
        for unit in self.units:
            if unit.owed:
                found = self._refresh_step(unit)
                if self._legal(time, found[0], found[1].place):
                    return found
        columns, rows, ahead, idle = [], [], [], []
        queue = [r for r in self.waiting if r.write == self.draining]
        for bank in self.banks:
            if self._held(bank):
                continue
            mine = [r for r in queue if r.bank is bank]
            if mine:
                name, request = self._need(bank, mine)
                kind = self.standard.commands[name].does
                (rows if kind in ("activate", "precharge") else columns).append(
                    (request.number, name, bank, request)
                )
            elif others := [r for r in self.waiting if r.bank is bank]:
                name, request = self._need(bank, others)  # to be ready when the other queue is served
                if self.standard.commands[name].does in ("activate", "precharge"):
                    ahead.append((request.number, name, bank, request))
            elif (
                bank.row is not None
                and self.policy.page == "timed"
                and time >= bank.used + self.policy.page_timeout
            ):
                idle.append((0, self.command("precharge", "closed"), bank, None))
        for _, name, bank, request in [
            *sorted(columns, key=first),
            *sorted(rows, key=first),
            *sorted(ahead, key=first),
            *idle,
        ]:
            if self._legal(time, name, bank.place):
                return name, bank, request
        return None

    def _refresh_step(self, unit):
        if self.policy.refresh == "per_bank":
            bank = unit.banks[unit.turn]
            return (self.refresh if bank.row is None else self.command("precharge", "closed")), bank, None
        if any(bank.row is not None for bank in unit.banks):
            return self.command("precharge", "closed", self.depth[self.refresh]), unit.banks[0], None
        return self.refresh, unit.banks[0], None

    def _need(self, bank, mine):
        """What a bank needs next; `mine` is what waits for it, oldest first."""
        if bank.row is None:
            return self.command("activate", "open"), mine[0]
        hits = [r for r in mine if r.row == bank.row]
        cap = self.policy.row_hit_cap
        if not hits or (hits[0] is not mine[0] and cap and bank.served >= cap):
            return self.command("precharge", "closed"), mine[0]
        does = "write" if self.draining else "read"
        last = self.policy.page == "closed" and len(hits) == 1
        return self.command(does, "closed" if last else "open"), hits[0]

    def _send(self, time, name, bank, request):
        command = self.standard.commands[name]
        sent = Sent(time, name, bank.place[: self.depth[name] + 1])
        self.log.append(sent)
        self.recent = [sent, *(p for p in self.recent if p.time > time - self.horizon)]
        if command.does == "activate":
            bank.row, bank.served, bank.used = request.row, 0, time
            request.outcome = "conflict" if request.outcome == "conflict" else "miss"
        elif command.does == "precharge":
            if request is not None:
                request.outcome = "conflict"
            for each in self.banks:
                if each.place[: len(sent.place)] == sent.place:
                    each.row = None
        elif command.does == "refresh":
            unit = next(u for u in self.units if any(bank is each for each in u.banks))
            unit.owed -= 1
            if self.policy.refresh == "per_bank":
                unit.turn = (unit.turn + 1) % len(unit.banks)
        else:
            bank.served += 1
            bank.used = request.issued = time
            request.done = time + (self.write_latency if request.write else self.read_latency)
            self.waiting = [r for r in self.waiting if r is not request]
            if command.leaves == "closed":
                bank.row = None


def first(choice):
    return choice[0]
