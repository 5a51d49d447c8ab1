"""The token game: against a plain re-implementation, against counts by hand, and against deadlock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pimsim.netlist.freeze import freeze
from pimsim_core.engine import Engine
from pimsim_core.token_game import play
from tests.core.graphs import Edge, Op, arrays, graphs, machine, plain, pointwise, window

EVERY_KIND_OF_GRAPH = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])


def plain_play(ops, inferences):
    """The game as its docstring tells it, by recursion: to fire, first make each input have what it needs."""
    fired = [0] * len(ops)
    held = {(sink, number): 0 for sink, op in enumerate(ops) for number in range(len(op.edges))}
    most = dict.fromkeys(held, 0)

    def produced(op):
        inference, position = divmod(fired[op], len(ops[op].emits))
        return inference * ops[op].tokens + sum(ops[op].emits[:position])

    def wanted(op, edge, firing):
        firing = min(firing, inferences * len(ops[op].emits) - 1)
        inference, position = divmod(firing, len(ops[op].emits))
        return inference * ops[edge.source].tokens + edge.need[position]

    def no_longer_used(op, edge):
        inference, position = divmod(fired[op], len(ops[op].emits))
        if inference == inferences:
            return inferences * ops[edge.source].tokens
        return inference * ops[edge.source].tokens + edge.low[position]

    def fire(op):
        firing = fired[op]
        for edge in ops[op].edges:
            while fired[op] == firing and produced(edge.source) < wanted(
                op, edge, firing + ops[op].look_ahead
            ):
                fire(edge.source)
        if fired[op] > firing:  # it was eager meanwhile
            return
        fired[op] += 1
        for sink, number in held:
            edge = ops[sink].edges[number]
            if edge.source == op:
                most[sink, number] = max(most[sink, number], produced(op) - no_longer_used(sink, edge))
        behind = [op] + [sink for sink, number in held if ops[sink].edges[number].source == op]
        able = [(sink, fired[sink]) for sink in behind if ops[sink].eager and could_fire(sink)]
        for sink, firing in reversed(able):
            if fired[sink] == firing:
                fire(sink)

    def could_fire(op):
        if fired[op] == inferences * len(ops[op].emits):
            return False
        return all(produced(edge.source) >= wanted(op, edge, fired[op]) for edge in ops[op].edges)

    read = {edge.source for op in ops for edge in op.edges}
    for inference in range(inferences):
        for op in range(len(ops)):
            while op not in read and fired[op] < (inference + 1) * len(ops[op].emits):
                fire(op)
        for op in reversed(range(len(ops))):  # the machine does what nobody waits for, too
            while fired[op] < (inference + 1) * len(ops[op].emits):
                fire(op)
    return list(most.values())


def places(ops, inferences=2):
    return play(*arrays(ops), inferences).tolist()


def run(net):
    engine = Engine(freeze(net), len(net.parts), len(net.ops))
    while engine.next_time is not None:
        engine.run(deaf=True)
    return engine


@EVERY_KIND_OF_GRAPH
@given(graphs(), st.integers(1, 3))
def test_agrees_with_the_plain_game(ops, inferences):
    assert play(*arrays(ops), inferences).tolist() == plain_play(ops, inferences)


@EVERY_KIND_OF_GRAPH
@given(graphs(), st.integers(1, 5), st.data())
def test_a_machine_with_these_places_never_deadlocks(ops, inferences, data):
    """Whatever the services, depths and replicas, and for more inferences than the game played."""
    each = st.lists(st.integers(1, 3), min_size=len(ops), max_size=len(ops))
    found = [max(1, most) for most in places(ops)]
    net = machine(
        ops,
        found,
        inferences,
        services=data.draw(st.lists(st.integers(1, 20), min_size=len(ops), max_size=len(ops))),
        depths=data.draw(each),
        replicas=data.draw(each),
    )
    engine = run(net)
    assert engine.finished, engine.stuck()
    assert engine.firings == inferences * sum(len(op.emits) for op in ops)


@EVERY_KIND_OF_GRAPH
@given(graphs().filter(lambda ops: len(ops[1].edges) == 1), st.integers(1, 3))
def test_one_edge_needs_its_widest_reach_and_not_a_place_less(ops, inferences):
    """With one producer and one consumer the least is a formula: max of need - low over the firings."""
    producer, consumer = Op([True] * ops[0].tokens, []), ops[1]._replace(look_ahead=0, eager=False)
    (edge,) = consumer.edges
    least = max(need - low for need, low in zip(edge.need, edge.low, strict=True))
    # Tokens that only the next inference would need, or nobody, are not asked for.
    assert play(*arrays([producer, consumer]), 1).tolist() == [least]
    for found, finishes in ((least, True), (least - 1, False)):
        if found > 0:
            net = machine([producer, consumer], [found], inferences, services=[3, 2])
            assert run(net).finished == finishes


@pytest.mark.parametrize(("height", "width"), [(3, 3), (4, 5), (7, 6), (14, 14)])
def test_a_3x3_window_holds_two_rows_and_three_pixels(height, width):
    """The pixels from the window's first to its last, in row order: 2 * width + 3."""
    ops = [plain(height * width), plain(height * width, window(0, height, width, kernel=3, pad=1))]
    assert ops[1].edges[0].need[0] == width + 2  # before the first output: one row and two pixels
    assert places(ops) == [2 * width + 3]


@pytest.mark.parametrize(("height", "width", "kernel"), [(4, 4, 2), (6, 5, 3), (5, 9, 5)])
def test_a_window_without_padding(height, width, kernel):
    """From the first pixel under the window to the last: kernel - 1 rows and kernel pixels."""
    edge = window(0, height, width, kernel, pad=0)
    assert places([plain(height * width), plain(len(edge.need), edge)]) == [(kernel - 1) * width + kernel]


@pytest.mark.parametrize(("height", "width"), [(3, 3), (4, 5), (9, 7)])
def test_a_skip_over_a_3x3_window_waits_for_a_row_and_two_pixels(height, width):
    """The sum at pixel k needs the window at k, which needs pixel k + width + 1: so width + 2 pixels wait."""
    count = height * width
    ops = [
        plain(count),
        plain(count, window(0, height, width, kernel=3, pad=1)),
        plain(count, pointwise(1, count), pointwise(0, count)),
    ]
    assert places(ops) == [2 * width + 3, 1, width + 2]


def test_a_skip_over_two_windows_adds_their_reaches():
    """Each 3x3 window looks width + 1 pixels ahead; both together 2 * (width + 1), and the pixel itself."""
    height, width = 8, 6
    count = height * width
    ops = [
        plain(count),
        plain(count, window(0, height, width, kernel=3, pad=1)),
        plain(count, window(1, height, width, kernel=3, pad=1)),
        plain(count, pointwise(2, count), pointwise(0, count)),
    ]
    assert places(ops) == [2 * width + 3, 2 * width + 3, 1, 2 * (width + 1) + 1]


def test_a_chain_of_pointwise_ops_needs_one_place_each():
    ops = [plain(9), plain(9, pointwise(0, 9)), plain(9, pointwise(1, 9))]
    assert places(ops) == [1, 1]


def test_looking_ahead_asks_for_that_many_tokens_more():
    """Firing k waits for the input of firing k + 4: five tokens from k on."""
    ops = [plain(9), plain(9, pointwise(0, 9), look_ahead=4)]
    assert places(ops) == [5]


def test_an_op_that_needs_everything_holds_everything():
    """A softmax over a row of 8: the whole row comes before the first firing, and stays until the last."""
    ops = [plain(8), plain(8, Edge(0, [8] * 8, [0] * 8))]
    assert places(ops) == [8]


def test_an_op_that_sums_up_frees_as_it_goes():
    """Global pooling: a token comes, is added and forgotten; one comes out at the end."""
    ops = [plain(8), Op([False] * 7 + [True], [pointwise(0, 8)]), plain(1, pointwise(1, 1))]
    assert places(ops) == [1, 1]


def test_a_skip_around_a_global_sum_holds_the_whole_image():
    """Squeeze and excitation: the scale of the first pixel needs the sum over all of them."""
    count = 12
    ops = [
        plain(count),
        Op([False] * (count - 1) + [True], [pointwise(0, count)]),
        plain(count, Edge(1, [1] * count, [0] * count), pointwise(0, count)),
    ]
    assert places(ops) == [1, 1, count]


def test_a_place_too_few_in_a_skip_is_a_deadlock_and_the_engine_says_where():
    count = 16
    ops = [
        plain(count),
        plain(count, window(0, 4, 4, kernel=3, pad=1)),
        plain(count, pointwise(1, count), pointwise(0, count)),
    ]
    enough = places(ops)
    services = [1, 2, 1]
    assert run(machine(ops, enough, 2, services=services)).finished
    for edge in range(3):
        if enough[edge] > 1:
            fewer = [most - (number == edge) for number, most in enumerate(enough)]
            engine = run(machine(ops, fewer, 2, services=services))
            assert not engine.finished
            full = {stream for _, _, _, blocked in engine.stuck() for stream, *_ in blocked}
            assert full == {edge}


def test_the_answer_is_int64_one_an_edge():
    most = play(*arrays([plain(3), plain(3, pointwise(0, 3), pointwise(0, 3))]), 1)
    assert most.dtype == np.int64
    assert most.shape == (2,)
