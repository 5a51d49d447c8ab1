"""Memory that computes as a kind of site: what an op takes there, where the planner puts it, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.chip import Chip
from pimsim.dram.compute import memory_program
from pimsim.errors import ConfigError, MappingError
from pimsim.kinds.hbm_pim.programs import EXACT, product
from pimsim.mapping.mapper import make_plan
from pimsim.run.experiment import Experiment
from pimsim.run.options import Options
from pimsim.run.simulate import simulate
from pimsim.units import fs_from_ns

from ..analysis.test_closures import closes
from ..oracle.test_lowered import compare as agree_with_twin
from ..random_models import Builder
from .pim import alone, beside, mlp
from .processors import matmul

CHANNELS = 8


def program_fs(name, **sizes):
    run = memory_program("hbm2_pim", name, channels=CHANNELS, read_back=name == "gemv", **sizes).run
    return fs_from_ns(run.cycles * run.standard.period_ns)


def charged(result):
    """The time on the critical path by cause and part."""
    found = {}
    for row in result.attribution:
        key = row["cause"], row["part"]
        found[key] = found.get(key, 0) + row["fs"]
    return found


def test_a_product_takes_its_start_its_inputs_its_program_and_its_results():
    """By a formula of the chip file, and the program as `pimsim memory` runs it; the host's way in and out aside."""
    chip = alone()
    site = chip.config.sites["pim"]
    result = simulate(chip, matmul(1, 1000, 300), 1)
    clocks, bits = chip.config.clocks, 16
    found = charged(result)
    work = program_fs("gemv", rows=1000, columns=300) + site.units.latency_cycles * 1_000_000
    assert found["compute", "pim.digital.units"] == work
    assert found["launch", "pim.launcher"] == fs_from_ns(100.0)
    moved = site.memory.read(300 * bits, clocks).after + site.memory.write(1000 * bits, clocks).after
    arrived = site.memory.write(300 * bits, clocks).after + site.memory.read(1000 * bits, clocks).after
    assert found["memory", "pim.memory"] == moved + arrived
    closes(result)


def test_ops_on_elements_in_the_banks_take_their_program():
    model = Builder()
    x = model.input(4, 4096)
    model.add("Relu", (x,), (4, 4096))
    result = simulate(alone(), model.trace("relu"), 1)
    found = charged(result)
    latency = 2_000_000
    assert found["compute", "pim.digital.units"] == program_fs("relu", elements=4 * 4096) + latency


@pytest.mark.parametrize("chip", [alone(), beside()], ids=["alone", "beside"])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_small_network_closes_and_agrees_with_the_twin(chip, rows, batch):
    agree_with_twin(chip, mlp(rows), batch)
    closes(simulate(chip, mlp(rows), batch))


@settings(max_examples=15, deadline=None)
@given(
    rows=st.integers(1, 12),
    width=st.integers(1, 700),
    hidden=st.integers(1, 900),
    flight=st.integers(1, 3),
    launch=st.sampled_from([1.0, 5000.0]),
    both=st.booleans(),
)
def test_any_shape_agrees_with_the_twin(rows, width, hidden, flight, launch, both):
    chip = (beside if both else alone)({"pim.in_flight": flight, "pim.launcher.launch_ns": launch})
    engine = agree_with_twin(chip, mlp(rows, width, hidden), 2)
    assert engine.finished


def where(chip, trace):
    """The site of each product, and why."""
    plan = make_plan(chip, trace)
    return {(op.site, op.why) for op in plan.ops if op.node.type == "MatMul"}


def test_the_planner_puts_a_vector_in_the_memory_and_four_on_the_processor_and_says_why():
    """A batch of four takes four programs, and the processor reads the matrix once."""
    chip = Chip.load("a100_pim")
    ((one, why_one),) = where(chip, matmul(1, 4096, 4096))
    ((four, why_four),) = where(chip, matmul(4, 4096, 4096))
    assert (one, four) == ("pim", "tile")
    for why in (why_one, why_four):
        assert "least time an inference, work and inputs' way: tile " in why
        assert ", pim " in why


def test_beside_a_processor_a_decoders_step_is_faster_and_a_prompt_as_fast():
    def took(chip, rows):
        return simulate(Chip.load(chip), mlp(rows, 4096, 4096), 1).latency_fs

    assert took("a100_pim", 1) < 0.9 * took("a100", 1)
    assert took("a100_pim", 64) == took("a100", 64)


def test_more_vectors_than_are_run_take_as_long_each_within_a_percent():
    """The approximation against the program itself."""
    from pimsim.dram.hbm_pim import gemv
    from pimsim.dram.load import load_standard
    from pimsim.dram.program import execute

    memory, vectors = load_standard("hbm2_pim"), 3 * EXACT
    exact = execute(memory, gemv(memory, 512, 1024, CHANNELS, vectors, read_back=True)).cycles
    assert product("hbm2_pim", "standard", 512, 1024, CHANNELS, vectors).ns == pytest.approx(exact, rel=0.01)
    plan = make_plan(alone(), matmul(vectors, 512, 1024))
    kind = plan.package.kinds["pim"]
    (node,) = [op.node for op in plan.ops if op.node.type == "MatMul"]
    assert "approximate" in kind.how(node, 16, 16)


def test_energy_of_a_program_is_that_of_its_commands_in_the_memory():
    """Beside what goes through its port: activates and bursts of eight pseudo-channels, as `pimsim memory` has them."""
    result = simulate(alone(), matmul(1, 1000, 300), 1)
    run = memory_program("hbm2_pim", "gemv", rows=1000, columns=300, channels=CHANNELS, read_back=True)
    site = alone().config.sites["pim"]
    accesses = 2 * site.memory.accesses(300 * 16) + 2 * site.memory.accesses(1000 * 16)
    spent = run.to_dict()["energy_pj"]["total"] * CHANNELS + 100.0 * accesses
    assert result.energy_pj["dynamic"]["pim.memory"] == pytest.approx(spent, rel=1e-9)


def test_peak_is_a_multiplication_in_each_lane_with_each_column():
    chip = Chip.load("a100_pim")
    site = chip.config.sites["pim"]
    assert site.macs_per_second() == 512 * 16 * 1e9 / 4  # tCCD_L = 4 ns
    assert site.channels == 64
    assert (
        2 * site.macs_per_second() / 1e9
        == memory_program("hbm2_pim", "add", elements=1).to_dict()["peak_gops"]
    )


def test_samsungs_order_takes_as_long_as_their_simulator():
    """13 166 cycles, less three on the way in and out, and the results of 64 outputs a pseudo-channel read back."""
    ours = memory_program("hbm2_pim", "gemv", rows=4096, columns=4096, order="samsung", read_back=True).run
    chip = Chip.load("a100_pim", {"pim.order": "samsung"})
    result = simulate(chip, matmul(1, 4096, 4096), 1)
    found = charged(result)
    assert found["compute", "pim.digital.units"] == ours.cycles * 1_000_000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"pim.standard": "hbm2"},
            "found 'hbm2', expected a memory with units that compute, such as hbm2_pim",
        ),
        ({"pim.standard": "hbm9"}, "found 'hbm9', expected a memory that computes"),
        ({"pim.order": "mine"}, "found the order 'mine', expected one of: standard, samsung"),
        ({"pim.digital.units.lanes": 8}, "pim.digital.units.lanes: found 8, expected the 16 of hbm2_pim"),
        ({"pim.digital.units.count": 60}, "found 60, expected 8 for each pseudo-channel"),
        ({"pim.memory.width_bits": 2048}, "no faster than 8 pseudo-channels of hbm2_pim, 128 GB/s"),
    ],
)
def test_a_site_that_does_not_fit_together_is_refused(changes, message):
    with pytest.raises(ConfigError) as caught:
        alone(changes)
    assert message in str(caught.value)


def test_a_memory_of_ones_own_is_part_of_the_identity(tmp_path, monkeypatch):
    """The file's content, not its path; a preset is known by its name and pimsim's version."""
    found = []
    for folder, recovery in (("one", 5), ("two", 9)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.yaml").write_text(f"extends: hbm2_pim\ntimings: {{nRTP: {recovery}}}\n")
        monkeypatch.chdir(tmp_path / folder)
        chip = alone({"pim.standard": "./own.yaml"})
        assert [row["timings"]["nRTP"] for row in chip.config.sites["pim"].read().values()] == [recovery]
        experiment = Experiment(chip, mlp(1), Options())
        found.append((experiment.digest, simulate(chip, mlp(1), 1).latency_fs))
    assert found[0][0] != found[1][0]
    assert found[0][1] < found[1][1]
    assert alone().config.sites["pim"].read() == {}


def one_op(kind, shapes, out, params=(), **attributes):
    model = Builder()
    sources = [model.input(*shape) for shape in shapes]
    model.add(kind, sources, out, params, **attributes)
    return model.trace("one")


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        (one_op("Softmax", [(1, 8)], (1, 8), axis=1), "does Softmax"),
        (one_op("MatMul", [(1, 8), (8, 4)], (1, 4)), "the right matrix is no weight"),
        (one_op("Add", [(2, 8), (8,)], (2, 8)), "its program takes two operands of one shape"),
    ],
)
def test_what_there_is_no_program_for_is_refused(trace, message):
    chip = alone()
    with pytest.raises(MappingError) as caught:
        make_plan(chip, trace)
    assert message in str(caught.value)


def test_operands_that_do_not_fit_are_refused():
    with pytest.raises(MappingError, match=r"holds 0.25 KiB, a vector is 0\.5"):
        make_plan(alone({"pim.buffer.capacity_kib": 0.25}), matmul(1, 16, 256))
    with pytest.raises(MappingError, match="are of 32 bits, and a lane of 'pim' takes 16"):
        simulate(alone({"precision.input_bits": 32}), matmul(1, 16, 256), 1)
