"""Is every stretch of the critical path a real dependence or a real wait, and is what lies off it really slack?

Oracle: the twin's log says who held what, and when; the engine's critical path is held against it, stretch by stretch.
Property: on machines without shared resources, whatever the path does not touch may be as fast as it likes. (Where
resources are shared, a faster visitor may come before another: there the path is one of the run as it was.)
"""

from __future__ import annotations

import copy
from collections import defaultdict

from hypothesis import HealthCheck, given, settings

from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import Mvm, Step
from pimsim_core.engine import CAUSES
from tests.oracle.machines import machines
from tests.oracle.test_twin import EXAMPLES, run_engine
from tests.oracle.twin import run_twin

PATHS = EXAMPLES * 2 // 5


class Witness:
    """What the twin's log says: visits by resource, and firings from their start to their end."""

    def __init__(self, net, log):
        self.net = net
        self.visits = defaultdict(list)  # resource -> (actor, grant, end, way)
        starts, ends = {}, defaultdict(int)
        for actor, firing, output, step, grant, leave in log:
            if step < 0:
                starts[actor, firing] = grant
                continue
            path = net.actors[actor].path
            if output >= 0:
                path = [out for out in net.outputs if out.actor == actor][output].path
            visit = net.paths[path][step]
            way = {channel for channel, _ in net.routes[visit.route]} if visit.route is not None else set()
            end = max(leave, grant + visit.occupancy)
            self.visits[visit.resource].append((actor, grant, end, way))
            if visit.mvm is not None:  # it holds the bank, phase by phase
                self.visits[visit.mvm.bank].append((actor, grant, end, way))
            if output < 0:
                ends[actor, firing] = max(ends[actor, firing], leave)
        self.firings = defaultdict(set)
        for (actor, firing), begin in starts.items():
            self.firings[actor].add((begin, ends[actor, firing]))

    def held(self, resource, begin, end, by=lambda actor: True):
        return any(by(a) and g <= begin and end <= e for a, g, e, _ in self.visits[resource])

    def crossed(self, link, begin, end):
        """A packet was on its way over a channel, or before its entrance, all the time."""
        return any(
            g <= begin and end <= e and (link in way or self.net.resources[resource].link == link)
            for resource, visits in self.visits.items()
            for _, g, e, way in visits
        )


def stretch_is_real(witness, cause, op, place, begin, end):
    net = witness.net
    streams = len(net.streams)
    resource = place - net.links - streams
    doers = {i for i, actor in enumerate(net.actors) if actor.op == op}
    if cause in ("compute", "transport"):
        return witness.held(resource, begin, end, by=doers.__contains__)
    if cause == "contention":
        return witness.held(resource, begin, end)
    if cause == "clock":
        period = net.resources[resource].period_fs
        return end % period == 0 and 0 < end - begin < period
    if cause == "backpressure":
        readers = {row.actor for row in net.inputs if row.stream == place - net.links}
        return any(
            first <= begin and end == last for actor in readers for first, last in witness.firings[actor]
        )
    if cause == "congestion":
        return witness.crossed(place, begin, end)
    return False


@settings(max_examples=PATHS, deadline=None, suppress_health_check=list(HealthCheck))
@given(machines())
def test_every_stretch_is_a_visit_or_a_wait_of_the_twins_log(net):
    engine = run_engine(net)
    if not engine.last_end:
        return
    log, _ = run_twin(net)
    witness = Witness(net, log)
    at = 0
    for begin, end, label, place in engine.critical_path().tolist():
        assert begin == at  # one after another, from time 0 to the end
        at = end
        cause = CAUSES[label // len(net.ops) // len(net.parts)]
        op = net.ops[label % len(net.ops)]
        assert stretch_is_real(witness, cause, op, place, begin, end), (cause, op, place, begin, end)
    assert at == engine.last_end


def test_a_firing_that_waited_for_the_conversions_before_holds_a_place_from_their_end_on():
    """Converters that others may share, two firings under way, two places, and packets that take 100 fs.

    The second firing begins at 110, samples at 126 when the first one's conversions (106 to 126) are over, and gives
    its place back at 147; the fourth token waits for that.
    """
    net = Netlist()
    unit, link = net.add_resource("unit", "unit", 1), net.add_resource("link", "link", 1, cause="transport")
    array, bank = net.add_resource("array", "array", 1), net.add_resource("bank", "adc", 1)
    mvm = Mvm(phases=1, setup=0, read=1, convert=20, tail=1, bank=bank, shared=True)
    make, send = net.add_path([Step(unit, 5, 5)]), net.add_path([Step(link, 1, 100)])
    multiply = net.add_path([Step(array, 0, 0, mvm)])
    maker = net.add_actor("maker", "maker", make, 4, period=4)
    taker = net.add_actor("taker", "taker", multiply, 4, period=4, depth=2, milestone=4)
    stream = net.add_stream("s", 2, 4)
    each = net.add_table(range(1, 5))
    net.add_input(taker, stream, each, each)
    net.add_output(maker, stream, net.add_table(range(4)), send)
    engine = run_engine(net)
    causes = [
        (begin, end, CAUSES[label // len(net.ops) // len(net.parts)])
        for begin, end, label, _ in engine.critical_path().tolist()
    ]
    assert (106, 126, "compute") in causes
    assert (126, 147, "backpressure") in causes


def off_the_path(net, engine):
    """The resources that the path does not touch; waiting for a firing to free a place touches that firing's parts."""
    spent = engine.place_charges()[net.links :]
    on = {r for r in range(len(net.resources)) if spent[len(net.streams) + r]}
    for row in net.inputs:
        if spent[row.stream]:
            for step in net.paths[net.actors[row.actor].path]:
                on |= {step.resource} | ({step.mvm.bank} if step.mvm is not None else set())
    return set(range(len(net.resources))) - on


def quickened(net, off):
    """The same machine with the least possible service at some resources."""
    quick = copy.copy(net)
    quick.paths = [tuple(quick_step(net, step, off) for step in path) for path in net.paths]
    return quick


def quick_step(net, step, off):
    period = net.resources[step.resource].period_fs
    if step.mvm is None:
        return step._replace(occupancy=period, latency=period) if step.resource in off else step
    if step.resource in off and step.mvm.bank in off:
        bank_period = net.resources[step.mvm.bank].period_fs
        return step._replace(mvm=step.mvm._replace(setup=0, read=period, convert=bank_period, tail=1))
    return step


@settings(max_examples=PATHS, deadline=None, suppress_health_check=list(HealthCheck))
@given(machines(shared=False))
def test_what_is_off_the_path_of_a_machine_that_shares_nothing_does_not_matter(net):
    engine = run_engine(net)
    if not engine.last_end or not engine.finished:
        return
    quick = run_engine(quickened(net, off_the_path(net, engine)))
    assert quick.last_end == engine.last_end


@settings(max_examples=PATHS, deadline=None, suppress_health_check=list(HealthCheck))
@given(machines(shared=False))
def test_what_is_on_the_path_of_a_machine_that_shares_nothing_never_makes_it_slower(net):
    engine = run_engine(net)
    if not engine.last_end or not engine.finished:
        return
    quick = run_engine(quickened(net, set(range(len(net.resources)))))
    assert quick.last_end <= engine.last_end
