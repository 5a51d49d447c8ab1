"""Oracle: whole generations agree with a host and a machine in plain SimPy, visit by visit."""

from __future__ import annotations

import pytest

from pimsim.machine.generation import Generation, Requests
from pimsim.machine.machine import Machine
from pimsim.mapping.lowering.lowering import lower_programs
from pimsim.mapping.planning.generation import plan_generation, routing_of
from pimsim.mapping.planning.options import PlanOptions
from tests.oracle.test_experts import mixture
from tests.oracle.test_transformers import NARROW, small_chip
from tests.oracle.twin_host import GeneratingTwin
from tests.transformers import decoder

SMALL = decoder(1, heads=4, width=32, vocabulary=20)
TURNS = {
    **{"tile.count": 2, "network.topology": {"kind": "mesh", "width": 2, "height": 1}},
    **{"core.arrays": 2, "core.adc.banks": 2, "core.array.write_ns": 40},
}
CASES = {  # chip, model, prompt, tokens, when prompts come (fs), places, plan
    "one sequence": ({}, SMALL, 4, 6, [0], 1, {}),
    "continuous batching": ({}, SMALL, 3, 4, [0, 0, 1_500_000_000, 9_000_000_000], 2, {}),
    "cache off the chip": (NARROW, decoder(1, heads=4, width=64, vocabulary=20), 200, 3, [0, 0], 2, {}),
    "written": ({"products": "write", "core.array.write_ns": 40}, SMALL, 4, 4, [0, 0], 2, {}),
    "written past an array": (
        {"products": "write", "core.array.write_ns": 40},
        *(SMALL, 254, 5, [0], 1, {}),  # the third step's token is the 257th: a second array of 256 rows
    ),
    "reloaded": (TURNS, SMALL, 3, 3, [0, 0], 1, {"chips": 1, "reload": True}),
    "experts": ({}, mixture(), 3, 4, [0, 0], 2, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_generation_visit_by_visit(case):
    changes, trace, prompt, tokens, arrivals, places, more = CASES[case]
    programs = plan_generation(
        small_chip(**changes),
        trace,
        prompt,
        tokens,
        requests=len(arrivals),
        places=places,
        options=PlanOptions(**more),
    )
    machine = Machine(programs[0].plan, len(arrivals), record=True, programs=programs)
    routing = routing_of(trace, prompt, tokens)
    generation = Generation(machine, Requests(prompt, tokens, tuple(arrivals), places), routing)
    machine.run(generation.serve())

    def experts(sequence, step):
        return {(layer, e) for layer, row in enumerate(routing(sequence)[:, step]) for e in row.tolist()}

    twin = GeneratingTwin(
        lower_programs(programs), prompt, tokens, arrivals, places, experts if routing else None
    )
    log = twin.run()
    assert twin.finished
    assert twin.token_times == [sequence.token_fs for sequence in generation.sequences]
    assert sorted(machine.engine.visit_log) == sorted(log)
