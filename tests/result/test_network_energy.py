"""Is the energy of the network that of the flits that moved? Counted by the plan, and by the router core as it ran."""

from __future__ import annotations

import pytest

import pimsim
from tests.oracle.test_lowered import small_cnn
from tests.random_models import small_chip

PIECES = {
    "network.energy_per_flit_pj": None,
    "network.buffer_energy_per_flit_pj": 1.0,
    "network.crossbar_energy_per_flit_pj": 0.5,
    "network.link_energy_per_flit_mm_pj": 2.0,
    "network.link_mm": 1.5,
}


@pytest.mark.parametrize("changes", [{}, {"network.multicast": True}, {"network.fidelity": "packet"}])
def test_every_flit_pays_for_each_router_and_each_link_that_it_crosses(changes):
    result = pimsim.simulate(small_chip({**PIECES, **changes}), small_cnn())
    dynamic = result.energy_pj["dynamic"]
    out_of_routers = [row for row in result.rows("links") if row["from"].startswith("r")]
    routers = sum(row["flits"] for row in out_of_routers)
    links = sum(row["flits"] for row in out_of_routers if row["to"].startswith("r"))
    assert links > 0
    assert dynamic["network.buffer"] == pytest.approx(1.0 * routers)
    assert dynamic["network.crossbar"] == pytest.approx(0.5 * routers)
    assert dynamic["network.link"] == pytest.approx(2.0 * 1.5 * links)
