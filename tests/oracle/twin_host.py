"""The host of a generation in plain SimPy: beside the twin, and sharing no code with the machine's.

It knows nothing of visits whose costs change: what a visit costs is looked up for the tokens in its own cache.
"""

from __future__ import annotations

import simpy

from tests.oracle.twin_processes import ServingTwin


class GeneratingTwin(ServingTwin):
    """Prompts come, each is taken in and goes round token by token, in one of so many places.

    Parameters
    ----------
    lowered : Lowered
        The prompt's program and that of a step.
    prompt, tokens, arrivals, places
        What is asked for; when each prompt comes, fs.
    experts : callable, optional
        Gives the experts of a sequence's step: (sequence, step) to a set of (layer, expert).
    """

    def __init__(self, lowered, prompt, tokens, arrivals, places, experts=None):
        super().__init__(lowered.net)
        self.ends, self.prompt, self.tokens, self.experts = lowered.ends, prompt, tokens, experts
        self.growing = {row.path: row for row in lowered.net.growing}
        self.cached = {}  # inference of a step -> tokens in its cache
        self.taken = {selector: {} for ends in self.ends for selector in ends.experts.values()}
        for ends in self.ends:
            for source in ends.sources:
                self.allowed[source] = 0
        self.sent = [0, 0]
        self.places = simpy.Container(self.env, capacity=places, init=places)
        self.token_times = [[] for _ in arrivals]
        for number, arrival in enumerate(arrivals):
            self.env.process(self.sequence(number, arrival))

    def path_of(self, row, inference):
        if row.path in self.growing:
            return self.growing[row.path].at(self.cached[inference])
        if row.selector in self.taken:
            return self.net.paths[row.path + self.taken[row.selector].get(inference, 0)]
        return super().path_of(row, inference)

    def sequence(self, number, arrival):
        yield self.env.timeout(arrival)
        yield self.places.get(1)
        yield from self.one_pass(0, number)
        for step in range(self.tokens - 1):
            inference = self.sent[1]
            self.cached[inference] = self.prompt + step
            for expert in self.experts(number, step) if self.experts else ():
                self.taken[self.ends[1].experts[expert]][inference] = 1
            yield from self.one_pass(1, number)
        yield self.places.put(1)

    def one_pass(self, program, number):
        self.sent[program] += 1
        ends, count = self.ends[program], self.sent[program]
        outputs = [self.reached(sink, count) for sink in ends.sinks]
        for source in ends.sources:
            self.allow(source, count * self.net.actors[source].period)
        yield self.env.all_of(outputs)
        self.token_times[number].append(self.env.now)
