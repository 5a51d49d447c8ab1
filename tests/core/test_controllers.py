"""What controllers ask of the engine, against formulas: closing and opening, causes of their own, energy, redirection.

One unit with a clock of 10 fs; an actor's firing takes 50 fs of it.
"""

from __future__ import annotations

import numpy as np
import pytest

from pimsim.machine.environment import Environment
from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import Step
from pimsim_core.kernel import CAUSES
from tests.oracle.machines import engine_of

PERIOD, SERVICE = 10, 50


def line(firings=1, limit=None, *, stages=2):
    """Actors one behind the other, each on a unit and a site of its own, and unit `stages` that only jobs use."""
    net = Netlist()
    for stage in range(stages):
        unit = net.add_resource(f"unit{stage}", "unit", PERIOD)
        path = net.add_path([Step(unit, SERVICE, SERVICE, energy=(("unit", 2.0),))])
        net.add_actor(
            f"a{stage}", f"op{stage}", path, firings, milestone=1, site=stage, limit=None if stage else limit
        )
    net.add_resource("spare", "unit", PERIOD)
    same = net.add_table([0])
    one = net.add_table([1])
    for stage in range(stages - 1):
        stream = net.add_stream(f"s{stage}", firings, 1)
        net.add_output(stage, stream, same)
        net.add_input(stage + 1, stream, one, one)
    return net


def world(net):
    env = Environment(engine_of(net), energy_parts=list(net.energy_parts))
    env.host = len(net.ops) - 1
    return env


def causes(env):
    """The fs of the critical path by cause, those that are not 0."""
    sums = env.engine.charges().sum(axis=(0, 2, 3))
    assert sums.sum() == env.engine.last_end
    return {cause: int(fs) for cause, fs in zip(CAUSES, sums, strict=True) if fs}


def test_a_closed_site_that_is_opened_when_it_is_wanted_loses_the_time_to_wake():
    """The token comes at 50; the site takes 70 to wake, from 50 to 120: its firing runs from 120 to 170."""
    env = world(line())
    told = []

    def controller():
        env.close([1])
        told.append((yield env.wanted(1)))
        yield env.timeout(70)
        env.open([1], "waking")

    env.process(controller())
    env.run()
    assert told == [(1, 50)]
    assert env.engine.last_end == 170
    assert causes(env) == {"compute": 100, "waking": 70}


def test_opening_in_answer_to_an_instant_takes_effect_at_the_next_edge():
    """The site is wanted at 50 and opened at once: that instant is done, so it goes on at 60."""
    env = world(line())

    def controller():
        env.close([1])
        yield env.wanted(1)
        env.open([1], "waking")

    env.process(controller())
    env.run()
    assert env.engine.last_end == 110
    assert causes(env) == {"compute": 100, "clock": 10}


def test_a_site_that_is_opened_before_it_is_wanted_loses_nothing():
    env = world(line())

    def controller():
        env.close([0, 1])
        yield env.timeout(0)
        env.open([0], "waking")
        yield env.timeout(30)
        env.open([1], "waking")

    env.process(controller())
    env.run()
    assert causes(env) == {"compute": 100}


def test_what_a_site_waited_for_is_the_job_that_it_was_opened_after():
    """Written from 0 to 200, the site starts at 210: the path goes through the writing, though the token came at 50."""
    env = world(line())

    def controller():
        env.close([1])
        job = env.submit([Step(1, 200, 200, cause="programming")], env.host, keep=True)
        yield job
        env.open([1], "waking", job)

    env.process(controller())
    env.run()
    assert env.engine.last_end == 260
    assert causes(env) == {"programming": 200, "clock": 10, "compute": 50}


def test_a_job_that_ended_before_the_token_came_is_not_what_the_site_waited_for():
    """The job is over at 20, the token comes at 50, the site is opened at 90."""
    env = world(line())

    def controller():
        env.close([1])
        job = env.submit([Step(1, 20, 20)], env.host, keep=True)
        yield job
        yield env.timeout(70)
        env.open([1], "waking", job)

    env.process(controller())
    env.run()
    assert causes(env) == {"compute": 100, "waking": 40}


def test_a_job_in_answer_to_a_want_goes_on_from_what_the_site_wanted():
    """Wanted at 50, the job runs from 60 to 100, the site starts at 110; nothing is charged to the host."""
    env = world(line())

    def controller():
        env.close([1])
        actor, _ = yield env.wanted(1)
        job = env.submit([Step(1, 40, 40, cause="waking")], env.host, keep=True, after=actor)
        yield job
        env.open([1], "waking", job)

    env.process(controller())
    env.run()
    assert env.engine.last_end == 160
    assert causes(env) == {"compute": 100, "waking": 40, "clock": 20}


def test_an_opening_that_is_withdrawn_says_so_again():
    env = world(line())
    wanted = []

    def controller():
        env.close([1])
        yield env.wanted(1)
        env.open([1], "waking")
        env.close([1])
        wanted.append((yield env.wanted(1)))

    env.process(controller())
    env.run()
    assert wanted == [(1, 50)]
    assert not env.engine.finished
    assert env.engine.is_closed(1)


def test_only_a_job_that_was_kept_and_is_over_can_be_waited_for():
    env = world(line())
    job = env.submit([Step(1, 20, 20)], env.host)
    env.close([1])
    env.run()
    with pytest.raises(ValueError, match="job 1 is not over, or was not kept"):
        env.open([1], "waking", job)


def test_a_site_that_closes_after_every_firing_keeps_no_more_of_the_path():
    net = line(2000)
    env = world(net)

    def controller():
        while not env.engine.finished:
            env.close([1])
            yield env.wanted(1)
            job = env.submit([Step(2, 20, 20)], env.host, keep=True)
            yield job
            env.open([1], "waking", job)
            yield env.reached(1, int(env.engine.firings_done()[1]) + 1)

    env.process(controller())
    env.run()
    assert env.engine.finished
    assert causes(env)
    assert env.engine.live_starts < 2200  # the stream holds up to 2000 tokens, each with what delivered it


def test_a_site_knows_how_many_firings_it_has_and_since_when_none():
    env = world(line())
    seen = {}

    def look():
        for time in (20, 70, 120):
            yield env.timeout(time - env.now)
            seen[time] = [env.engine.site_figures(site) for site in range(env.engine.sites)]

    env.process(look())
    env.run()
    assert [under_way for under_way, _ in seen[20]] == [1, 0]
    assert seen[70] == [(0, 50), (1, 0)]
    assert seen[120] == [(0, 50), (0, 100)]


def test_who_waits_for_a_visit_with_a_cause_of_its_own_is_charged_that():
    """Calibrated from 0 to 200, the unit lets the actor in then; without the cause it would be contention."""
    for cause, charged in ((None, "contention"), ("maintenance", "maintenance")):
        env = world(line(stages=1, limit=0))

        def host(env=env, cause=cause):
            env.submit([Step(0, 200, 200, cause=cause)], env.host)
            yield env.timeout(10)
            env.allow(0, 1)

        env.process(host())
        env.run()
        assert causes(env) == {charged: 200, "compute": 50}
        assert env.engine.resource_figures()[1][0] == 250


def test_a_part_says_what_holds_it():
    env = world(line(stages=1))
    seen = []

    def look():
        env.submit([Step(0, 100, 100, cause="programming")], env.host)
        for time in (10, 60, 140, 160):
            yield env.timeout(time - env.now)
            seen.append(env.doing(0))

    env.process(look())
    env.run()
    assert seen == [{"compute": 1}, {"programming": 1}, {"programming": 1}, {}]


def test_the_energy_of_jobs_is_counted_and_spread_over_their_time():
    """Three jobs of 3 pJ in a part that acted before and 5 in one that did not; a part without a figure costs none."""
    env = world(line(stages=1))
    energy = (("unit", 3.0), ("new", 5.0), ("unknown", None))
    for _ in range(3):
        env.submit([Step(1, 20, 20, energy=energy)], env.host)
    env.run()
    assert env.energy_parts == ["unit", "new"]
    assert env.engine.visits_by_charge().tolist() == [
        [0, 0, 0, 1],
        [1, env.host, -1, 3],
    ]  # the actor's visit, and the jobs'
    assert env.unknown_parts == {"unknown"}
    _, parts, _, _, _, _ = env.engine.time_figures()
    assert parts.sum(axis=1) == pytest.approx([2.0 + 9.0, 15.0])


def test_a_redirected_step_goes_elsewhere_from_then_on_and_who_has_asked_is_served_as_it_was():
    """Firings of 50 on unit 0, the third asked at 100; from 110 on the spare unit takes 30 for each."""
    env = world(line(5, stages=1))

    def fail():
        yield env.timeout(110)
        env.engine.redirect(env.engine.first_step(0), resource=1, occupancy=30, latency=30)

    env.process(fail())
    env.run()
    assert env.engine.last_end == 3 * 50 + 2 * 30
    assert env.engine.resource_figures()[0].tolist() == [3, 2]
    assert env.engine.resource_figures()[1].tolist() == [150, 60]
    assert np.array_equal(env.engine.firings_done(), [5])
