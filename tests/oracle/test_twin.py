"""Oracle: the engine and the plain SimPy twin agree on every start and end, to the femtosecond."""

from __future__ import annotations

import os

import numpy as np
from hypothesis import HealthCheck, given, settings

from pimsim_core.engine import CAUSES
from tests.oracle.machines import engine_of, machines
from tests.oracle.twin import run_twin

EXAMPLES = int(os.environ.get("PIMSIM_TWIN_EXAMPLES", "500"))


def run_engine(net):
    engine = engine_of(net)
    while engine.next_time is not None:
        engine.run(deaf=True)
    return engine


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(machines())
def test_engine_agrees_with_the_twin(net):
    engine = run_engine(net)
    log, finished = run_twin(net)
    assert sorted(engine.visit_log) == sorted(log)
    assert engine.finished == finished
    assert bool(engine.stuck()) != finished
    check_closure(engine, net)
    visits, busy, _ = engine.resource_figures()
    for row, number, held in zip(net.resources, visits, busy, strict=True):
        assert held <= row.servers * engine.now
        assert (number == 0) == (held == 0)


def check_closure(engine, net):
    """The charges on the path to the last milestone add up to its time, none of them negative."""
    (charges,) = engine.charges()
    assert charges.shape[0] == len(CAUSES)
    assert (np.asarray(charges) >= 0).all()
    if engine.last_end:
        assert charges.sum() == engine.last_end
    spent = engine.place_charges()
    assert (spent >= 0).all()
    assert spent[: net.links].sum() == charges[CAUSES.index("congestion")].sum()
    nowhere = charges[CAUSES.index("dependence")].sum()  # waiting for the host
    assert spent.sum() + nowhere == charges.sum()
