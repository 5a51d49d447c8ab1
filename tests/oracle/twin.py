"""The machine model in plain SimPy: slow, readable, and sharing no code with the engine.

It reads the same rows (`pimsim.netlist.netlist`) and keeps the same log, so that the two can be compared
start by start. An instant's three beats are three SimPy priorities: what ends comes first, then the actors
that can fire, then the resources that grant.
"""

from __future__ import annotations

import simpy

from pimsim.netlist.addresses import regions, turns
from tests.oracle.router import Packet, Routers, merged, way_of
from tests.oracle.twin_memory import TwinChannel

FIRE, GRANT, ROUTE = 10, 20, 30  # priorities of the second and third beat; SimPy's own are 0 and 1
FOREVER = 2**63 - 1


def edge(time: int, period: int) -> int:
    """The first clock edge at or after a time."""
    return -(-time // period) * period


class TwinResource:
    """Servers that grant by (arrival, actor, firing, output), behind a clock."""

    def __init__(self, twin, row):
        self.twin, self.env, self.row = twin, twin.env, row
        self.idle = row.servers
        self.waiting = []
        self.grant_due = False
        # A crossbar's sample-and-holds: when they are empty again, or an event while that is not known.
        self.drained = 0
        self.converting = None

    def request(self, key):
        """A process: come to a clock edge, wait for a server and take it."""
        yield from self.to_edge()
        turn = self.env.event()
        self.waiting.append(((self.env.now, *key), turn))
        self.grant_soon()
        yield turn

    def to_edge(self):
        wait = edge(self.env.now, self.row.period_fs) - self.env.now
        if wait:
            yield self.env.timeout(wait)

    def grant_soon(self):
        if not self.grant_due:
            self.grant_due = True
            later = self.env.event()
            later._ok, later._value = True, None
            later.callbacks.append(self.grant)
            self.env.schedule(later, priority=GRANT)

    def grant(self, _):
        self.grant_due = False
        self.waiting.sort(key=lambda entry: entry[0])
        while self.waiting and self.idle:
            self.idle -= 1
            self.waiting.pop(0)[1].succeed()

    def release_after(self, time):
        """Free the server after `time`."""
        yield self.env.timeout(time)
        self.release_now()

    def release_now(self):
        self.idle += 1
        self.grant_soon()


class TwinNetwork:
    """The plain Python routers on SimPy's clock: a cycle after everything else of its instant."""

    def __init__(self, env, rows, ways):
        self.env, self.period = env, rows.period_fs
        fabric, model = rows.fabric, rows.fabric.router
        size, channels, injection = len(fabric.routers), [], []
        for copy in range(rows.copies):
            for source, target, *rest in fabric.ports:
                ends = [end + copy * size if end >= 0 else -1 for end in (source, target)]
                channels.append((*ends, *rest))
            injection += [channel + copy * len(fabric.channels) for channel in fabric.injection]
        names = ("vcs", "buffer", "rd", "va", "sa", "st", "credit", "speculative")
        self.routers = Routers(channels, injection, **{name: getattr(model, name) for name in names})
        self.ways = ways
        self.sent, self.came = {}, {}
        self.due = None
        self.next_tag = 0

    def send(self, step):
        """Return the events of the tail leaving its terminal and of its arrival."""
        now = self.env.now // self.period
        tag = self.next_tag
        self.next_tag += 1
        end = tag, self.ways[step.route][-1][0]
        self.sent[tag], self.came[end] = self.env.event(), self.env.event()
        packet = Packet(tag, way_of(self.ways[step.route]), step.flits, now)
        self.routers.inject(step.terminal, packet)
        if self.due != self.env.now:  # nobody will look at this cycle otherwise
            self.tick_at(self.env.now)
        return self.sent[tag], self.came[end]

    def cast(self, tree):
        """Send the pieces of a packet that branches; return the event of the last tail's leaving, and the arrivals.

        The arrivals are an event for each leaf, at which all pieces have come there.
        """
        now = self.env.now // self.period
        onward = merged([leaf.way for leaf in tree.leaves])
        flits, waits = 0, {leaf.way[-1][0]: [] for leaf in tree.leaves}
        for size in tree.pieces:
            tag = self.next_tag
            self.next_tag += 1
            self.sent[tag] = self.env.event()
            for channel, events in waits.items():
                self.came[tag, channel] = self.env.event()
                events.append(self.came[tag, channel])
            self.routers.inject(tree.terminal, Packet(tag, onward, size, now + flits))
            flits += size
        if self.due != self.env.now:
            self.tick_at(self.env.now)
        return self.sent[tag], [self.env.all_of(waits[leaf.way[-1][0]]) for leaf in tree.leaves]

    def tick_at(self, time):
        self.due = time
        later = self.env.event()
        later._ok, later._value = True, None
        later.callbacks.append(self.tick)
        self.env.schedule(later, priority=ROUTE, delay=time - self.env.now)

    def tick(self, _):
        if self.env.now != self.due:
            return
        routers = self.routers
        now = self.env.now // self.period
        routers.cycle(now)
        for tag, cycle in routers.left:
            self.env.process(self.happen(self.sent.pop(tag), cycle + 1))
        routers.left.clear()
        for tag, ends in routers.arrived.items():
            for channel, cycle in ends:
                self.env.process(self.happen(self.came.pop((tag, channel)), cycle))
        routers.arrived.clear()
        if not routers.idle:
            self.tick_at((now + 1) * self.period)

    def happen(self, event, cycle):
        yield self.env.timeout(cycle * self.period - self.env.now)
        event.succeed()


class TwinStream:
    """Tokens in order, in a buffer with a finite number of places."""

    def __init__(self, row):
        self.capacity, self.tokens = row.capacity, row.tokens
        self.arrived = set()
        self.delivered = 0
        self.freed = {}  # input -> tokens it has freed
        self.writers = set()

    @property
    def ends(self):
        """The actors that a change here may concern."""
        return self.writers | {row.actor for row in self.freed}

    @property
    def limit(self):
        # A place is free once its token has come.
        return min(*self.freed.values(), self.delivered) + self.capacity

    def deliver(self, token):
        self.arrived.add(token)
        while self.delivered in self.arrived:
            self.arrived.remove(self.delivered)
            self.delivered += 1


class Twin:
    """Run a netlist to its end, or until nothing can go on.

    `selected` says by selector which of the paths side by side each inference takes; without it, the first.
    """

    def __init__(self, net, selected=None):
        self.net = net
        self.selected = selected or {}
        self.env = simpy.Environment(initial_time=0)
        self.resources = [TwinResource(self, row) for row in net.resources]
        self.network = None
        if net.network is not None and net.network.by_flit:
            self.network = TwinNetwork(self.env, net.network, net.routes)
        self.channels = {
            number: TwinChannel(self.env, row)
            for number, row in enumerate(net.resources)
            if row.channel is not None
        }
        self.regions = {(row.path, row.step): row for row in regions(net)} if self.channels else {}
        self.turns = turns(net)
        self.paths = [list(path) for path in net.paths]  # as they are now: a process may redirect steps
        self.number_of = {id(path): number for number, path in enumerate(self.paths)}
        self.streams = [TwinStream(row) for row in net.streams]
        self.inputs = [[] for _ in net.actors]
        self.outputs = [[] for _ in net.actors]
        for row in net.inputs:
            self.inputs[row.actor].append(row)
            self.streams[row.stream].freed[row] = row.freed
        for row in net.outputs:
            self.outputs[row.actor].append(row)
            self.streams[row.stream].writers.add(row.actor)
        self.casts = [[] for _ in net.actors]
        for cast in net.casts:
            self.casts[cast.actor].append(cast)
        self.allowed = [actor.firings for actor in net.actors]  # firings that a host lets go on
        self.started = [0] * len(net.actors)
        self.ended = [0] * len(net.actors)
        self.log = []
        self.fire_due = False
        self.hopeful = set()  # actors for which something has changed since they last tried
        self.fire_soon(range(len(net.actors)))

    def run(self):
        self.env.run()
        return self.log

    @property
    def finished(self):
        return all(done == actor.firings for done, actor in zip(self.ended, self.net.actors, strict=True))

    def fire_soon(self, actors):
        self.hopeful.update(actors)
        if not self.fire_due:
            self.fire_due = True
            later = self.env.event()
            later._ok, later._value = True, None
            later.callbacks.append(self.fire)
            self.env.schedule(later, priority=FIRE)

    def fire(self, _):
        self.fire_due = False
        hopeful, self.hopeful = sorted(self.hopeful), set()
        for a in hopeful:
            actor = self.net.actors[a]
            while self.can_fire(a, actor):
                k = self.started[a]
                self.started[a] += 1
                self.log.append((a, k, -1, -1, self.env.now, self.env.now))
                self.env.process(self.firing(a, actor, k))

    def place_of(self, actor, k):
        return divmod(k, actor.period)

    def path_of(self, row, inference):
        """The steps of what an actor or output does in an inference; None if an output needs none at all."""
        if row.path is None:
            return None
        choice = self.selected[row.selector][inference] if row.selector in self.selected else 0
        return self.paths[row.path + choice]

    def tell(self, a, actor):
        """A firing has ended: a host may want to know."""

    def token_of(self, row, inference, position):
        token = int(self.net.tables[row.token][position])
        return None if token < 0 else token + inference * self.streams[row.stream].tokens

    def can_fire(self, a, actor):
        k = self.started[a]
        if k >= self.allowed[a] or k - self.ended[a] >= actor.depth:
            return False
        inference, position = self.place_of(actor, k)
        for row in self.inputs[a]:
            stream = self.streams[row.stream]
            if stream.delivered < self.net.tables[row.need][position] + inference * stream.tokens:
                return False
        for row in self.outputs[a]:
            token = self.token_of(row, inference, position)
            if token is not None and token >= self.streams[row.stream].limit:
                return False
        return True

    def firing(self, a, actor, k):
        inference, position = self.place_of(actor, k)
        yield from self.walk((a, k, -1), self.path_of(actor, inference))
        self.ended[a] += 1
        self.tell(a, actor)
        for number, row in enumerate(self.outputs[a]):
            token = self.token_of(row, inference, position)
            path = self.path_of(row, inference)
            nothing = path is not None and len(path) == 0  # it passes by whom it would go to
            if token is None or (row.cast is not None and not nothing):
                continue
            if path is None or nothing:
                self.streams[row.stream].deliver(token)
                self.fire_soon(self.streams[row.stream].ends)
            else:
                self.env.process(self.packet((a, k, number), row, path, token))
        for cast in self.casts[a]:
            number = int(self.net.tables[cast.tree][position])
            if number >= 0 and self.path_of(
                self.outputs[a][cast.trees[number].leaves[0].output], inference
            ) not in ((), []):
                self.env.process(self.multicast(a, k, cast.trees[number]))
        for row in self.inputs[a]:
            stream = self.streams[row.stream]
            free = int(self.net.tables[row.free][position]) + inference * stream.tokens
            stream.freed[row] = max(stream.freed[row], free if k + 1 < actor.firings else FOREVER)
            self.fire_soon(stream.writers)
        self.fire_soon([a])

    def multicast(self, a, k, tree):
        """A packet that branches: it holds the entrance until all of it is inside."""
        first = tree.leaves[0].output
        yield from self.resources[tree.resource].request((a, k, first))
        granted = self.env.now
        sent, arrivals = self.network.cast(tree)
        sent.callbacks.append(lambda _: self.resources[tree.resource].release_now())
        for leaf, came in zip(tree.leaves, arrivals, strict=True):
            self.env.process(self.copy(a, k, leaf.output, granted, came))

    def copy(self, a, k, output, granted, came):
        yield came
        self.log.append((a, k, output, -1, granted, self.env.now))
        row = self.outputs[a][output]
        inference, position = self.place_of(self.net.actors[a], k)
        path = self.path_of(row, inference)
        if path is not None:
            yield from self.walk((a, k, output), path)
        token = self.token_of(row, inference, position)
        self.streams[row.stream].deliver(token)
        self.fire_soon(self.streams[row.stream].ends)

    def packet(self, key, row, path, token):
        yield from self.walk(key, path)
        self.streams[row.stream].deliver(token)
        self.fire_soon(self.streams[row.stream].ends)

    def walk(self, key, path):
        """Visit the path's resources one after another."""
        for number in range(len(path)):
            step = path[number]
            resource = self.resources[step.resource]
            yield from resource.request(key)
            granted = self.env.now
            if step.access is not None:
                inside, done = self.channels[step.resource].visit(
                    self.addresses(key, self.number_of[id(path)], number, step.access.bursts),
                    step.access.write,
                )
                inside.callbacks.append(lambda _, port=resource: port.release_now())
                yield done
            elif step.mvm is not None:
                yield from self.multiply(key, resource, step.mvm)
            elif step.route is not None:
                sent, came = self.network.send(step)
                sent.callbacks.append(lambda _, entrance=resource: entrance.release_now())
                yield came
            else:
                self.env.process(resource.release_after(step.occupancy))
                yield self.env.timeout(step.latency)
            self.log.append((*key, number, granted, self.env.now))

    def addresses(self, key, path, step, bursts):
        """The bursts that a firing's visit moves: behind those of the firing before, replicas in turns."""
        actor, firing, _ = key
        region = self.regions[path, step]
        _, position = self.place_of(self.net.actors[actor], firing)
        at = (position * region.sharers + self.turns[actor]) * bursts
        return [region.first + (at + number) % region.span for number in range(bursts)]

    def multiply(self, key, array, mvm):
        """A multiplication, phase by phase: read, sample once the holds are drained, convert."""
        bank = self.resources[mvm.bank]
        yield self.env.timeout(mvm.setup)
        for phase in range(mvm.phases):
            yield self.env.timeout(mvm.read)
            if array.converting is not None:  # the last phase of the multiplication before
                yield array.converting
            sampled = edge(max(self.env.now, array.drained), array.row.period_fs)
            yield self.env.timeout(sampled - self.env.now)
            array.converting = self.env.event()
            conversion = self.env.process(self.convert(key, array, bank, mvm))
            if phase + 1 == mvm.phases:
                array.release_now()
        yield conversion
        yield self.env.timeout(mvm.tail)

    def convert(self, key, array, bank, mvm):
        done = array.converting
        if mvm.shared:
            yield from bank.request(key)
            self.env.process(bank.release_after(mvm.convert))
        else:
            yield from bank.to_edge()
        array.drained = self.env.now + mvm.convert
        array.converting = None
        done.succeed()
        yield self.env.timeout(mvm.convert)


def run_twin(net, selected=None):
    """Return ``(log, finished)`` of a netlist."""
    twin = Twin(net, selected)
    log = twin.run()
    return log, twin.finished
