"""Does the core count visits by step and argument, for the op whose path it is? Against sums by hand."""

from __future__ import annotations

from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import Step
from tests.oracle.machines import engine_of

PERIOD = 10
ARGUMENTS = [2, 0, 2, 1]  # by inference


def growing():
    """Two ops: the visits of one take 10 fs and 1 pJ more for each step of its argument, the other's stay the same."""
    net = Netlist()
    unit = net.add_resource("unit", "unit", PERIOD, servers=2)
    selector = net.add_selector(len(ARGUMENTS))

    def at(argument):
        time = PERIOD * (1 + argument)
        return [Step(unit, time, time, energy=(("unit", 1.0 + argument),))]

    net.add_actor("grows", "grows", net.add_growing(at, "alike", selector, 0, 2), len(ARGUMENTS), milestone=1)
    path = net.add_path(at(0))
    net.add_actor("one", "one", path, 5)
    net.add_actor("other", "other", path, 3)
    engine = engine_of(net)
    for inference, argument in enumerate(ARGUMENTS):
        engine.select(selector, inference, argument)
    engine.run(deaf=True)
    return net, engine


def test_an_inference_takes_the_costs_of_its_argument():
    _, engine = growing()
    times = [row[5] - row[4] for row in engine.visit_log if row[0] == 0 and row[3] == 0]
    assert times == [PERIOD * (1 + argument) for argument in ARGUMENTS]


def test_visits_are_counted_for_each_op_by_what_they_cost():
    net, engine = growing()
    first, _, picojoules = engine.charge_figures()
    counted = {
        (net.ops[op], picojoules[first[charge]]): visits
        for charge, op, _, visits in engine.visits_by_charge().tolist()
    }
    of_arguments = {("grows", 1.0 + argument): ARGUMENTS.count(argument) for argument in range(3)}
    assert counted == {**of_arguments, ("one", 1.0): 5, ("other", 1.0): 3}


def test_what_a_step_took_before_it_was_redirected_is_still_counted():
    net, engine = growing()
    step = engine.first_step(net.actors[1].path)
    before = engine.visits_by_charge().tolist()
    engine.redirect(step, occupancy=70, latency=70)
    assert engine.visits_by_charge().tolist() == before


def test_ops_with_equal_paths_have_paths_of_their_own():
    net, _ = growing()
    assert net.actors[1].path != net.actors[2].path
    assert net.paths[net.actors[1].path] == net.paths[net.actors[2].path]
