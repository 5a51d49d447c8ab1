"""Processes that answer the machine: does it do at the same time what the twin does, visit by visit?

An instant that is done is done: what a process asks for in answer comes to its part at the part's next clock edge.
Oracle: the plain SimPy twin, on random machines with random processes; on shipped chips, the run without them.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pimsim.chip import Chip
from pimsim.machine.environment import Environment
from pimsim.machine.machine import Machine
from pimsim.mapping.mapper import make_plan
from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import Step
from pimsim.trace import Trace
from tests.oracle.machines import engine_of, machines
from tests.oracle.test_twin import EXAMPLES, check_closure
from tests.oracle.twin_processes import ServingTwin

MOST = 10  # acts of a process


class Served(Environment):
    """The engine's environment, with jobs numbered by who sends them, so that ties do not hang on who hears first."""

    def __init__(self, net):
        super().__init__(engine_of(net))
        self.host_op = len(net.ops) - 1
        self.first_steps = {}  # of a job

    def submit(self, number, steps, **more):
        self._next_job = number - 1
        event = super().submit(steps, self.host_op, **more)
        self.first_steps[number] = self.engine.first_step(self.path_of(steps, self.host_op))
        return event

    def sleep(self, time):
        return self.timeout(time)

    def redirect(self, path, number, step):
        self.engine.redirect(
            self.engine.first_step(path) + number,
            resource=step.resource,
            route=step.route,
            terminal=step.terminal,
            occupancy=step.occupancy,
            latency=step.latency,
            flits=step.flits,
        )


def serve(world, net, scripts):
    """Run processes in either world: each waits, then acts, as often as its script says."""

    def process(which, script):
        over = None
        for number, (wait, amount, act, choice) in enumerate(script):
            if wait == "time":
                yield world.sleep(amount)
            elif wait == "job" and over is not None:
                yield over
            elif wait == "output" and net.actors:
                actor = amount % len(net.actors)
                row = net.actors[actor]
                if row.milestone and row.firings >= row.milestone:
                    yield world.reached(actor, 1 + amount % (row.firings // row.milestone))
            if act == "job":
                paths = [path for path in net.paths if path]
                over = world.submit(MOST * which + number + 1, paths[choice % len(paths)])
            elif act == "allow" and net.actors:
                actor = choice % len(net.actors)
                world.allow(actor, choice % (net.actors[actor].firings + 1))
            elif act == "redirect":
                redirect(world, net, amount, choice)

    for which, script in enumerate(scripts):
        world.env.process(process(which, script))


def redirect(world, net, which, like):
    """Let a step go where another of its sort goes: a visit, or a packet."""
    steps = [
        (path, number, step)
        for path, row in enumerate(net.paths)
        for number, step in enumerate(row)
        if step.mvm is None
    ]
    if steps:
        path, number, step = steps[which % len(steps)]
        others = [other for _, _, other in steps if (other.route is None) == (step.route is None)]
        world.redirect(path, number, others[like % len(others)])


def control(world, net, rules):
    """A controller a site in either world: closes and opens its actors, at times, when wanted, or after a job."""

    def process(site, actors, rules):
        for number, (wait, amount, act) in enumerate(rules):
            if wait == "wanted":
                yield world.wanted(site)
            else:
                yield world.sleep(amount)
            if act == "close":
                world.close(actors)
                continue
            job = None
            if act == "work and open":
                paths = [path for path in net.paths if path]
                after = actors[0] if amount % 2 else None
                job = world.submit(
                    1000 * (site + 1) + number, paths[amount % len(paths)], keep=True, after=after
                )
                yield job
            world.open(actors, "waking", job)

    for site, rows in enumerate(rules):
        actors = [number for number, row in enumerate(net.actors) if row.site == site]
        if actors:
            world.env.process(process(site, actors, rows))


@st.composite
def controllers(draw):
    """Draw what the controllers of a few sites do; most close first, and open when the site is wanted."""
    one = st.tuples(
        st.sampled_from(["time", "wanted", "wanted"]),
        st.integers(0, 30),
        st.sampled_from(["close", "open", "work and open"]),
    )
    sites = []
    for _ in range(draw(st.integers(1, 3))):
        turns = draw(st.lists(one, max_size=8))
        sites.append([("time", draw(st.integers(0, 20)), "close"), *turns, ("time", 5, "open")])
    return sites


@st.composite
def scripts(draw):
    """Draw what a few processes do: (what they wait for, which, what they then do, with which)."""
    one = st.tuples(
        st.sampled_from(["time", "job", "output", "output"]),
        st.integers(0, 40),
        st.sampled_from(["job", "job", "allow", "redirect"]),
        st.integers(0, 40),
    )
    return draw(st.lists(st.lists(one, min_size=1, max_size=MOST), min_size=1, max_size=3))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(machines(), scripts(), controllers(), st.sets(st.integers(0, 12)))
def test_random_processes_and_controllers_agree_with_the_twin(net, scripts, rules, denied):
    net.actors = [
        row._replace(limit=0 if number in denied else None, site=number % (len(rules) + 1) - 1)
        for number, row in enumerate(net.actors)
    ]
    served, twin = Served(net), ServingTwin(net)
    served.env = served
    for number in denied & set(range(len(net.actors))):
        twin.allowed[number] = 0
    for world in (served, twin):
        serve(world, net, scripts)
        control(world, net, rules)
    served.run()
    log = twin.run()
    found = []
    for actor, firing, output, step, grant, leave in served.engine.visit_log:
        first = served.first_steps[firing] if actor == len(net.actors) else 0
        found.append((actor, firing, output, step - first, grant, leave))
    assert sorted(found) == sorted(log)
    assert served.engine.finished == twin.finished
    check_closure(served.engine, net)


@pytest.mark.parametrize("act", ["allow", "open"])
def test_what_is_asked_of_an_actor_before_its_step_is_redirected_begins_at_the_edge_of_the_part_that_it_had(
    act,
):
    """At 3 fs a process hears, asks, and redirects in one breath: 5 is the next edge of the old part, 4 of the new."""
    net = Netlist()
    quick, slow = net.add_resource("quick", "unit", 1), net.add_resource("slow", "unit", 5)
    first, second = net.add_path([Step(quick, 3, 3)]), net.add_path([Step(slow, 5, 5)])
    net.add_actor("first", "first", first, 1, milestone=1)
    net.add_actor("second", "second", second, 1, limit=0 if act == "allow" else None, site=0)
    served, twin = Served(net), ServingTwin(net)
    served.env = served
    if act == "allow":
        twin.allowed[1] = 0

    def process(world):
        if act == "open":
            world.close([1])
        yield world.reached(0, 1)
        if act == "allow":
            world.allow(1, 1)
        else:
            world.open([1], "waking")
        world.redirect(second, 0, net.paths[first][0])

    for world in (served, twin):
        world.env.process(process(world))
    served.run()
    assert sorted(served.engine.visit_log) == sorted(twin.run())
    assert (1, 0, -1, -1, 5, 5) in served.engine.visit_log


@pytest.mark.parametrize("firings", [1, 2])
def test_what_is_allowed_once_more_behind_a_redirection_leaves_what_was_allowed_before_as_it_is(firings):
    """At 3 fs a process allows a firing, redirects and allows more: 4 is the old part's next edge, 5 the new one's."""
    net = Netlist()
    quick, slow = net.add_resource("quick", "unit", 1), net.add_resource("slow", "unit", 5)
    first, second = net.add_path([Step(quick, 3, 3)]), net.add_path([Step(quick, 1, 1)])
    net.add_actor("first", "first", first, 1, milestone=1)
    net.add_actor("second", "second", second, 2, limit=0)
    served, twin = Served(net), ServingTwin(net)
    served.env = served
    twin.allowed[1] = 0

    def process(world):
        yield world.reached(0, 1)
        world.allow(1, 1)
        world.redirect(second, 0, Step(slow, 5, 5))
        world.allow(1, firings)
        yield world.sleep(20)
        world.allow(1, 2)

    for world in (served, twin):
        world.env.process(process(world))
    served.run()
    assert sorted(served.engine.visit_log) == sorted(twin.run())
    assert (1, 0, -1, -1, 4, 4) in served.engine.visit_log
    assert (1, 1, -1, -1, 10, 10) in served.engine.visit_log or firings == 1


@pytest.mark.parametrize("first_to_come", ["redirection", "allowance"])
def test_of_one_instant_outputs_are_heard_by_actor_then_jobs(first_to_come):
    """At 6 fs a job and an output come; one redirects and one allows, and the one that asked last acts first.

    The next edge of the part that is allowed is 7 before the redirection and 10 behind it.
    """
    net = Netlist()
    quick, slow = net.add_resource("quick", "unit", 1), net.add_resource("slow", "unit", 5)
    other, third = net.add_resource("other", "unit", 1), net.add_resource("third", "unit", 1)
    work, second = net.add_path([Step(quick, 6, 6)]), net.add_path([Step(other, 1, 1)])
    net.add_actor("first", "first", work, 1, milestone=1)
    net.add_actor("second", "second", second, 1, limit=0)
    served, twin = Served(net), ServingTwin(net)
    served.env = served
    twin.allowed[1] = 0

    def by_output(world):
        yield world.reached(0, 1)
        act(world, first_to_come == "redirection")

    def by_job(world):
        yield world.submit(1, [Step(third, 6, 6)])
        act(world, first_to_come == "allowance")

    def act(world, redirects):
        if redirects:
            world.redirect(second, 0, Step(slow, 5, 5))
        else:
            world.allow(1, 1)

    for world in (served, twin):
        world.env.process(by_job(world))
        world.env.process(by_output(world))
    served.run()
    assert served.engine.finished
    found = [row for row in sorted(served.engine.visit_log) if row[0] == 1]
    assert found == [row for row in sorted(twin.run()) if row[0] == 1]
    assert found[0][4] == (10 if first_to_come == "redirection" else 7)


# -- shipped chips ---------------------------------------------------------------------------------------------------

CORNERS = {  # two tiles far from those that digits_cnn takes, and bits that keep a channel busy for several cycles
    "hermes64": (14, 15, 2048),
    "hermes64_4phase": (14, 15, 2048),
    "hermes_llm": (62, 63, 2048),
    "isaac": (166, 167, 320),
    "puma": (136, 137, 320),
}


def visits(machine):
    return sorted(row for row in machine.engine.visit_log if row[0] < len(machine.net.actors))


@pytest.mark.parametrize("chip", CORNERS)
def test_ping_pong_in_a_corner_leaves_every_other_visit_as_it_was(chip):
    """A thousand packets go to and fro, each sent when the one before has come, on channels that nobody else uses."""
    plan = make_plan(Chip.load(chip), Trace.load("digits_cnn"))
    quiet, busy = Machine(plan, record=True), Machine(plan, record=True)
    source, target, bits = CORNERS[chip]
    times = []

    def player():
        for turn in range(1000):
            ends = (source, target) if turn % 2 else (target, source)
            times.append((yield busy.interconnect.send(*ends, bits)))

    playing = busy.env.process(player())
    quiet.run()
    busy.run()
    busy.env.run(until=playing)
    assert visits(busy) == visits(quiet)
    assert busy.host.outputs == quiet.host.outputs
    gaps = {after - before for before, after in zip(times, times[2:], strict=False)}
    assert len(times) == 1000
    assert len(gaps) == 1, "each rally takes as long as the first"
