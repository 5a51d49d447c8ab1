"""Parts as SimPy processes see them, against formulas on an idle machine and in contention."""

from __future__ import annotations

import pytest

from pimsim.errors import ConfigError
from pimsim.machine.machine import Machine
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.planning.generation import plan_generation
from pimsim_core.kernel import CAUSES
from tests.random_models import Builder, small_chip
from tests.transformers import decoder

NS = 1_000_000
WHOLE = {  # clocks whose edges coincide, so that no formula has to round
    "clocks.digital": {"period_ns": 1.0, "source": "test"},
    "clocks.adc": {"period_ns": 1.0, "source": "test"},
    "clocks.array": {"period_ns": 10.0, "source": "test"},
    "core.array.read_ns": 10.0,
}


def machine(**changes) -> Machine:
    model = Builder()
    model.conv(model.input(1, 8, 2, 2), 8, (1, 1))
    made = Machine(make_plan(small_chip({**WHOLE, **changes}), model.trace()))
    return made


def run(made: Machine, *events) -> list[int]:
    """When each event happens."""
    made.env.run(until=made.env.all_of(events))
    return [event.value for event in events]


def ns(time_ns: float) -> int:
    return round(time_ns * NS)


# -- the network ---------------------------------------------------------------------------------------------------


STAGES = {  # of a router, cycles: route, virtual channel, switch, traversal; link; both allocations at once
    "isaac's": ((0, 1, 1, 1), 1, False),
    "speculative": ((1, 1, 1, 1), 1, True),
    "deep": ((2, 3, 2, 4), 5, False),
    "deep, speculative": ((2, 3, 2, 4), 5, True),
    "no traversal, no link": ((0, 1, 1, 0), 0, False),
}


@pytest.mark.parametrize("fidelity", ["flit", "packet"])
@pytest.mark.parametrize("stages", STAGES)
@pytest.mark.parametrize("bits", [1, 32, 33, 320])
@pytest.mark.parametrize(("source", "target", "routers"), [(0, 1, 2), (0, 3, 3)])
def test_a_packet_takes_its_hops_then_its_tail_then_the_buffers_write(
    bits, source, target, routers, stages, fidelity
):
    """3 cycles for both ends, every router's stages, the links between them; the tail comes a flit a cycle.

    The buffer's port takes 256 bits an access and has it 2 cycles after the last one began.
    """
    (rd, va, sa, st), link, speculative = STAGES[stages]
    made = machine(
        **{
            "network.fidelity": fidelity,
            "network.route_cycles": rd,
            "network.vc_allocation_cycles": va,
            "network.switch_allocation_cycles": sa,
            "network.traversal_cycles": st,
            "network.link_cycles": link,
            "network.speculative": speculative,
            "network.buffer_flits": 100,
        }
    )
    (arrived,) = run(made, made.interconnect.send(source, target, bits))
    flits, accesses = -(-bits // 32), -(-bits // 256)
    router = rd + (max(va, sa) if speculative else va + sa) + st
    head = 3 + routers * router + (routers - 1) * link
    assert arrived == ns(head + flits - 1 + accesses - 1 + 2)


@pytest.mark.parametrize("fidelity", ["flit", "packet"])
def test_two_packets_over_one_link_go_one_after_another(fidelity):
    made = machine(**{"network.fidelity": fidelity})
    bits = 320
    alone = machine()
    (first,) = run(alone, alone.interconnect.send(0, 1, bits))
    one, two = run(made, made.interconnect.send(0, 1, bits), made.interconnect.send(0, 1, bits))
    assert one == first
    assert two == first + ns(10)  # ten flits of the one before


@pytest.mark.parametrize("sources", [(0, 2), (3, 0)])
def test_packets_of_two_tiles_share_the_link_to_a_third_flit_by_flit(sources):
    """Both take virtual channels of their own, so flits of both alternate and both come at the end of all 20.

    Then both want the buffer's port for two cycles each, so the second may wait for a cycle more.
    """
    made, alone = machine(), machine()
    (first,) = run(alone, alone.interconnect.send(0, 1, 320))
    away = {0: 0, 3: 0, 2: 4}  # cycles further from tile 1 than tile 0 is: 2 goes by way of router 3
    one, two = run(made, *(made.interconnect.send(source, 1, 320) for source in sources))
    both = max(one, two)
    assert both <= first + ns(10 + max(away[source] for source in sources) + 1)
    assert min(one, two) > first, "neither is kept waiting until the other is done"
    assert both >= first + ns(10), "20 flits take 20 cycles"


@pytest.mark.parametrize("fidelity", ["flit", "packet"])
def test_two_packets_over_different_links_do_not_meet(fidelity):
    made = machine(**{"network.fidelity": fidelity})
    alone = machine()
    (first,) = run(alone, alone.interconnect.send(0, 1, 320))
    assert run(made, made.interconnect.send(0, 1, 320), made.interconnect.send(2, 3, 320)) == [first, first]


@pytest.mark.parametrize(("link", "credit"), [(1, 0), (3, 0), (1, 4)])
@pytest.mark.parametrize("buffer", [1, 2, 3, 5, 12])
@pytest.mark.parametrize("flits", [1, 2, 7, 30])
def test_a_buffer_below_the_credit_loop_slows_a_packet_down_by_it(flits, buffer, link, credit):
    """A packet stays in one virtual channel: it sends what the buffer holds, then waits for the loop to close.

    The loop is there and back over the link, traversal, allocation, a cycle to send the credit, and its counting.
    """
    made = machine(
        **{"network.buffer_flits": buffer, "network.link_cycles": link, "network.credit_cycles": credit}
    )
    (arrived,) = run(made, made.interconnect.send(0, 3, 32 * flits))
    loop = 2 * link + 1 + 1 + 1 + credit
    head = 3 + 3 * 3 + 2 * link
    turns, rest = divmod(flits - 1, min(buffer, loop))
    accesses = -(-flits * 32 // 256)
    assert arrived == ns(
        head + turns * loop + rest + accesses - 1 + 2 if buffer < loop else head + flits + accesses
    )


def test_packets_that_meet_are_slower_with_small_buffers_and_never_so_by_packet():
    """Five packets to one tile: by flit they wait in buffers for credits, by packet they wait without bound."""
    times = {}
    for fidelity in ("flit", "packet"):
        for buffer in (1, 8):
            made = machine(**{"network.buffer_flits": buffer, "network.fidelity": fidelity})
            sends = [made.interconnect.send(source, 1, 320) for source in (0, 2, 3, 0, 2)]
            times[fidelity, buffer] = max(run(made, *sends))
    assert times["flit", 1] > times["flit", 8]
    assert times["packet", 1] == times["packet", 8]
    assert times["packet", 8] >= ns(3 + 2 * 3 + 1 + 5 * 10)  # all 50 flits leave over one link


def test_inside_a_tile_a_packet_takes_the_bus():
    """320 bits: one transfer of 384 bits and 1 cycle of latency; two accesses of 256 bits, 2 cycles."""
    made = machine()
    assert run(made, made.interconnect.send(2, 2, 320)) == [ns(1 + 1 + 1 + 2)]


def test_packets_of_the_machine_wait_for_a_process_and_the_wait_is_charged():
    quiet, busy = machine(), machine()
    quiet.run()
    home = busy.plan.ops[1].replicas[0].home
    for _ in range(50):
        for tile in {0, home}:
            busy.interconnect.send(tile, tile, 384 * 200)
    busy.run()
    assert busy.host.outputs[0] > quiet.host.outputs[0]
    charges = busy.engine.charges().sum(axis=0)
    assert charges.sum() == busy.host.outputs[0]
    assert (
        charges[CAUSES.index("contention")].sum()
        > quiet.engine.charges().sum(axis=0)[CAUSES.index("contention")].sum()
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((0, 4, 8), "no tile 4; there are 4, from 0 on"),
        ((-1, 0, 8), "no tile -1; there are 4, from 0 on"),
        ((0, 1, 0), "found 0 bits to send, expected at least 1"),
    ],
)
def test_what_cannot_be_sent_is_refused(arguments, error):
    with pytest.raises(ValueError, match=error):
        machine().interconnect.send(*arguments)


# -- arrays and converters -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("setup", [0.0, 3.0])
@pytest.mark.parametrize(("read", "cycles"), [(10.0, 1), (200.0, 1), (10.0, 3)])
def test_a_multiplication_takes_setup_phases_the_last_conversion_and_the_tail(setup, read, cycles):
    """16 phases of 128 samples; reads and conversions overlap, so a phase takes the longer of the two."""
    changes = {"core.array.read_ns": read, "core.array.setup_ns": setup, "core.adc.convert_cycles": cycles}
    made = machine(**changes)
    tile = next(t for t in made.tiles if t.crossbars)
    (end,) = run(made, tile.mvm())
    # A sample is taken at an edge of the array's clock, 10 ns; a phase that waits for its conversion rounds up.
    convert = 128 * cycles
    phase = read if read >= convert else -(-convert // 10) * 10
    tail = 10  # one cycle of the array's clock
    assert end == ns((10 if setup else 0) + read + 15 * phase + convert + tail)


def test_multiplications_follow_each_other_without_a_gap():
    made = machine(**{"core.array.read_ns": 200.0})
    tile = next(t for t in made.tiles if t.crossbars)
    one, two = run(made, tile.mvm(), tile.mvm())
    assert two - one == ns(16 * 200)


@pytest.mark.parametrize("banks", [1, 2], ids=["shared bank", "own banks"])
def test_calibration_delays_a_multiplication(banks):
    """The bank is held for 5 us from time 0: the first conversion waits for it."""
    changes = {"core.adc.banks": banks}
    quiet, made = machine(**changes), machine(**changes)
    tile = next(t for t in made.tiles if t.crossbars)
    (alone,) = run(quiet, quiet.tiles[tile.index].mvm())
    bank = tile.crossbars[0].bank
    done = bank.calibrate(5000.0)
    calibrated, end = run(made, done, tile.mvm())
    assert calibrated == ns(5000)
    assert end >= ns(5000) + ns(16 * 128)  # all conversions come after it
    assert end > alone


def test_a_conversion_by_a_process_takes_a_cycle_a_sample():
    made = machine()
    tile = next(t for t in made.tiles if t.crossbars)
    assert run(made, tile.crossbars[0].bank.convert(128)) == [ns(128)]


def test_programming_takes_a_write_a_row_and_multiplications_wait():
    made = machine(**{"core.array.write_ns": 95.0})
    tile = next(t for t in made.tiles if t.crossbars)
    quiet = machine()
    (alone,) = run(quiet, quiet.tiles[tile.index].mvm())
    written, end = run(made, tile.crossbars[0].program(8), tile.mvm())
    assert written == ns(8 * 100)  # whole cycles of 10 ns
    assert end == written + alone


def test_programming_without_a_write_time_is_not_modelled():
    made = machine(**{"core.array.device": "sram"})
    tile = next(t for t in made.tiles if t.crossbars)
    with pytest.raises(ConfigError) as caught:
        tile.crossbars[0].program(8)
    assert str(caught.value) == (
        "core.array.write_ns: writing is not modelled: the array has no time to write a row in; "
        "give one with --set core.array.write_ns=…"
    )


# -- tiles ---------------------------------------------------------------------------------------------------------


def test_a_read_takes_the_port_and_the_bus():
    """1024 bits: 4 accesses of 256 bits; 2 cycles to the first word, then the bus, as slow as the port, and 1 cycle."""
    made = machine()
    assert run(made, made.tiles[0].read(1024)) == [ns(2 + 4 + 1)]


def test_a_tile_knows_what_is_resident():
    made = machine()
    by_tile = {tile.index: tile.resident for tile in made.tiles}
    used = {chunk.tile for op in made.plan.ops for r in op.replicas for chunk in r.chunks}
    assert by_tile == {tile: (["conv1"] if tile in used else []) for tile in range(4)}


def test_a_tiles_groups_of_arrays_are_those_on_it_each_once():
    """Three layers and their copies; products written into arrays, where each sequence has a path of its own."""
    model = Builder()
    x = model.input(1, 8, 2, 2)
    for _ in range(3):
        x = model.conv(x, 8, (1, 1))
    one = Machine(make_plan(small_chip(WHOLE), model.trace()))
    written = small_chip({**WHOLE, "tile.products": "write", "core.array.write_ns": 10.0})
    programs = plan_generation(written, decoder(), 6, 4, requests=3, places=2)
    other = Machine(programs[0].plan, 3, programs=programs)
    for made in (one, other):
        found = [each.resource for tile in made.tiles for each in tile.crossbars]
        arrays = [
            i for i, row in enumerate(made.net.resources) if row.name.partition(" ")[0].endswith(".arrays")
        ]
        assert sorted(found) == arrays
        for tile in made.tiles:
            assert all(made.net.resources[each.resource].tile == tile.index for each in tile.crossbars)


def test_a_tile_without_weights_has_nothing_to_multiply():
    model = Builder()
    model.relu(model.input(1, 4, 2, 2))
    made = Machine(make_plan(small_chip(), model.trace()))
    assert made.tiles[0].crossbars == []
    with pytest.raises(IndexError):
        made.tiles[0].mvm()
