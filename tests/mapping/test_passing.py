"""What several tiles read alike goes from tile to tile: ports that send it, and links between chips, are spared."""

from __future__ import annotations

from collections import Counter

import pytest

from pimsim import Trace, simulate
from pimsim.mapping.lowering.lowering import lower
from pimsim.mapping.lowering.passing import FAN
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.planning.plan import Plan
from pimsim.netlist.netlist import Netlist
from tests.random_models import Builder, small_chip

CHIP = small_chip({"tile.count": 16, "network.topology": {"kind": "mesh", "width": 4, "height": 4}})
"""Of four arrays a tile; an array has 128 rows and 16 outputs."""
TOKENS, WIDTH = 6, 128


def two_layers(outputs: int) -> Trace:
    """Tokens of 128 features, 64 flits, that a layer of so many outputs reads: a tile for each 64."""
    model = Builder()
    x = model.relu(model.gemm(model.input(TOKENS, 16), WIDTH))
    return model.trace(outputs=[model.gemm(x, outputs)])


def filled(net: Netlist, name: str) -> dict[int, list[int]]:
    """Return the streams of tokens into an op's tiles, by the actor that fills them."""
    found: dict[int, list[int]] = {}
    for out in net.outputs:
        if f"-> {name} at tile" in net.streams[out.stream].name:
            found.setdefault(out.actor, []).append(out.stream)
    return found


def last_layer(plan: Plan) -> str:
    return next(op.node.name for op in reversed(plan.ops) if op.tiling is not None)


@pytest.mark.parametrize("outputs", [64, 128, 192, 448, 640])
def test_nobody_sends_a_token_to_more_than_two_tiles_of_a_copy(outputs: int) -> None:
    plan = make_plan(CHIP, two_layers(outputs))
    net, name = lower(plan, 1).net, last_layer(plan)
    op = next(each for each in plan.ops if each.node.name == name)
    givers = filled(net, name)
    assert all(len(streams) <= FAN * len(op.replicas) for streams in givers.values())
    tiles = {net.streams[stream].tile for streams in givers.values() for stream in streams}
    assert tiles == set(op.buffer_tiles)


def test_links_between_chips_carry_each_token_once() -> None:
    """Of a layer that fills one chip and most of two more: what goes over each link, against the tensor's tokens."""
    plan = make_plan(CHIP, two_layers(2500), chips=3)
    net, name = lower(plan, 1).net, last_layer(plan)
    op = next(each for each in plan.ops if each.node.name == name)
    assert {tile // 16 for tile in op.buffer_tiles} == {0, 1, 2}
    assert len(op.replicas) == 1
    crossing = Counter[str]()
    for out in net.outputs:
        if f"-> {name} at tile" in net.streams[out.stream].name and out.path is not None:
            for step in net.paths[out.path]:
                resource = net.resources[step.resource]
                if resource.part == "external":
                    crossing[resource.name.split(".")[0]] += int((net.tables[out.token] >= 0).sum())
    assert crossing
    assert set(crossing.values()) == {TOKENS}


def test_what_is_passed_on_arrives_in_every_inference() -> None:
    """Conservation: the network counts as many packets as the rows send tokens, inference after inference."""
    net = lower(make_plan(CHIP, two_layers(640)), 1).net
    tokens = sum(
        int((net.tables[out.token] >= 0).sum())
        for out in net.outputs
        if out.path is not None and any(step.route is not None for step in net.paths[out.path])
    )
    result = simulate(CHIP, two_layers(640), 3)
    assert len(result.outputs_fs) == 3
    assert result.data["engine"]["packets"] == 3 * tokens


def test_a_port_has_less_to_send_than_to_every_tile() -> None:
    """Ten tiles read 6 tokens of 64 flits: the source's port would be held 10 times that, and is held twice that."""
    plan = make_plan(CHIP, two_layers(640))
    net, name = lower(plan, 1).net, last_layer(plan)
    sent = Counter[int]()
    for actor, streams in filled(net, name).items():
        for out in net.outputs:
            if out.actor == actor and out.stream in streams and out.path is not None:
                steps = [step for step in net.paths[out.path] if step.route is not None]
                for step in steps:
                    sent[step.resource] += step.flits * int((net.tables[out.token] >= 0).sum())
    assert max(sent.values()) == FAN * TOKENS * WIDTH * 16 // 32
