"""Processors that share every op: what each does, what they exchange and for how long, and what is refused.

Expected shapes are those of Megatron-LM (M. Shoeybi et al., 2019), expected times the formula of a ring, said at each
test; what happens when is held against the plain SimPy twin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from pimsim.chip import Chip
from pimsim.errors import ConfigError, MappingError, TraceError
from pimsim.kinds.processor.collectives import exchange
from pimsim.mapping.mapper import make_plan
from pimsim.run.generate import generate
from pimsim.run.simulate import simulate
from pimsim.trace.bind import bind
from pimsim.trace.parallel import shared_out
from pimsim.trace.schema import Trace
from tests.analysis.test_closures import closes
from tests.cli.runner import call
from tests.kinds.processors import processor
from tests.kinds.test_processor import beside_arrays
from tests.kinds.test_tensor import gpu
from tests.oracle.test_lowered import compare
from tests.random_models import Builder
from tests.transformers import decoder

PROTOCOLS = {
    "short": {"start_ns": 100.0, "step_ns": 50.0, "gb_per_s": 8.0},
    "long": {"start_ns": 500.0, "step_ns": 100.0, "gb_per_s": 80.0},
}
CHIPS: dict[str, Callable[[dict[str, Any]], Chip]] = {"systolic": processor, "tensor": gpu}


def sharing(count: int, **more: Any) -> dict[str, Any]:
    """What makes a chip one of so many processors that share ops; keywords change keys, ``__`` for a dot."""
    return {
        "tile.count": count,
        "tile.share": "tensor",
        "tile.links": {"clock": "core", "energy_per_bit_pj": 1.0, "protocols": PROTOCOLS},
        "tile.digital.vector.operations": {"Accumulate": 1.0},
        "network.topology": {"kind": "mesh", "width": count, "height": 1},
        **{key.replace("__", "."): value for key, value in more.items()},
    }


def bound(kv_heads: int | None = None) -> Trace:
    sizes = {"batch": 1, "seq": 16, "kv": 8}
    return bind(decoder(2, 4, 32, vocabulary=20, kv_heads=kv_heads, causal=True), sizes)


def products(outputs: int, rows: int = 8) -> Trace:
    """Two products by weights, the first cut by columns, the second by rows."""
    model = Builder()
    x = model.input(rows, 64)
    hidden = model.add("MatMul", (x,), (rows, 128), [("weight", (64, 128))])
    model.add("MatMul", (hidden,), (rows, outputs), [("weight", (128, outputs))])
    return model.trace("two")


# -- what each does ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", [2, 4])
@pytest.mark.parametrize("kv_heads", [None, 4])
def test_each_has_its_columns_rows_and_heads(degree: int, kv_heads: int | None) -> None:
    whole = bound(kv_heads)
    shares = shared_out(whole, degree)
    kinds = Counter(op.type for op in shares.ops)
    assert kinds["AllReduce"] == 2 * 2  # behind attention and behind the feed-forward part of each layer
    assert kinds["AllGather"] == (20 % degree == 0)  # of the logits
    assert shares.by_name["h0.attn.wq.product"].weight.tensor.shape == (32, 32 // degree)  # type: ignore[union-attr]
    assert shares.by_name["h0.attn.out.product"].weight.tensor.shape == (32 // degree, 32)  # type: ignore[union-attr]
    assert shares.by_name["h0.attn.scores"].output.shape == (1, 4 // degree, 16, 24)
    assert shares.by_name["h0.ln2"].output.shape == whole.by_name["h0.ln2"].output.shape
    assert degree * shares.macs == whole.macs
    assert degree * shares.weights == whole.weights


def test_what_cannot_be_cut_is_done_by_all_and_parts_are_gathered_for_it() -> None:
    """A matrix of odd columns stays whole; a normalization over what is cut needs all of it."""
    model = Builder()
    x = model.add("MatMul", (model.input(4, 8),), (4, 6), [("weight", (8, 6))])
    normed = model.add("LayerNormalization", (x,), (4, 6), [("constant", (6,))], axis=1, epsilon=1e-5)
    model.add("MatMul", (normed,), (4, 5), [("weight", (6, 5))])
    shares = shared_out(model.trace(), 2)
    assert [op.type for op in shares.ops] == ["Input", "MatMul", "AllGather", "LayerNormalization", "MatMul"]
    assert [op.output.shape for op in shares.ops] == [(4, 8), (4, 3), (4, 6), (4, 6), (4, 5)]


# -- what they exchange --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "outputs"), [(2, 64), (4, 4096), (8, 8192)])
def test_a_ring_takes_what_its_formula_says(count: int, outputs: int) -> None:
    """launch + start + 2 (p - 1) (S / p / bandwidth + step), by the faster protocol, and the memory's latencies."""
    chip, trace = processor(sharing(count)), products(outputs)
    result = simulate(chip, trace)
    (row,) = (row for row in result.ops if row["op"].endswith("/AllReduce"))
    part = -(-8 * outputs * 2 // count)
    times = [
        each["start_ns"] + 2 * (count - 1) * (part / each["gb_per_s"] + each["step_ns"])
        for each in PROTOCOLS.values()
    ]
    took = (row["end_fs"] - row["begin_fs"]) / 1e6
    latencies = 2 * (count - 1) * 12  # a step begins when the memory answers, and ends as it is written
    assert 100 + min(times) <= took <= 1.01 * (100 + min(times)) + latencies
    node = next(op.node for op in make_plan(chip, trace).ops if op.node.type == "AllReduce")
    site: Any = chip.config.sites["tile"]
    assert exchange(site, node, 16).protocol == ("short" if times[0] <= times[1] else "long")


def test_energy_and_bytes_of_an_exchange() -> None:
    """Each of p sends 2 (p - 1) p-ths: in all 2 (p - 1) S bits over the links, and as many are read and written."""
    result = simulate(processor(sharing(4)), products(64))
    bits = 8 * 64 * 16
    (links,) = (
        row for row in result.energy["rows"] if row["part"] == "tile.links" and row["kind"] == "dynamic"
    )
    assert links["aj"] == 2 * 3 * bits * 1_000_000
    (row,) = (row for row in result.ops if row["op"].endswith("/AllReduce"))
    assert row["bytes_in"] == row["bytes_out"] - bits / 8 == 2 * 3 * bits / 8  # and the host takes the result


@pytest.mark.parametrize("kind", CHIPS)
@pytest.mark.parametrize(("count", "kv_heads"), [(2, 2), (4, None)])
def test_the_twin_agrees_and_all_closes(kind: str, count: int, kv_heads: int | None) -> None:
    chip = CHIPS[kind](sharing(count))
    compare(chip, bound(kv_heads), 2)
    result, alone = simulate(chip, bound(kv_heads)), simulate(CHIPS[kind]({}), bound(kv_heads))
    closes(result)
    assert result.macs == alone.macs
    assert any(row["part"] == "tile.links" for row in result.attribution)
    assert result.interval_fs >= max(result.bounds["interval_fs"], result.bounds["chip_interval_fs"])
    assert result.prediction["interval_fs"] == pytest.approx(result.interval_fs, rel=0.2)


def test_large_products_are_faster_on_more() -> None:
    """Nearly p times, where products take the time and exchanges little."""
    trace = products(512, 2048)
    one, four = simulate(processor(), trace), simulate(processor(sharing(4)), trace)
    fast = {"only": {"start_ns": 1.0, "step_ns": 1.0, "gb_per_s": 1e6}}
    linked = simulate(processor(sharing(4, tile__links={"clock": "core", "protocols": fast})), trace)
    assert one.latency_fs > four.latency_fs > linked.latency_fs
    assert one.latency_fs / linked.latency_fs > 2.5


def test_they_generate() -> None:
    small = decoder(1, 4, 32, vocabulary=20)
    result = generate(gpu(sharing(2)), small, 16, 4, requests=2, places=2)
    closes(result)
    assert result.macs == generate(gpu(), small, 16, 4, requests=2, places=2).macs


# -- mistakes ------------------------------------------------------------------------------------------------------


def test_a_model_with_nothing_to_share_is_refused() -> None:
    with pytest.raises(TraceError, match="none of its matrices can be cut into 3 equal parts"):
        simulate(processor(sharing(3)), products(64))


def test_heads_that_cannot_be_dealt_out_are_refused() -> None:
    with pytest.raises(TraceError, match=r"4 heads cannot be dealt out evenly to 8 processors"):
        simulate(processor(sharing(8)), bound())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tile.links": None}, "expected links between the 2 processors"),
        ({"tile.digital.vector.operations": {}}, "Accumulate"),
    ],
)
def test_processors_that_cannot_exchange_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        processor({**sharing(2), **changes})


def test_processors_beside_arrays_do_not_share_ops() -> None:
    changes = {
        key.replace("tile.", "cpu.", 1): value for key, value in sharing(2).items() if "network" not in key
    }
    chip = beside_arrays(**{**changes, "network.topology": {"kind": "mesh", "width": 5, "height": 1}})
    with pytest.raises(MappingError, match="beside one another cannot share each op"):
        simulate(chip, products(64))


def test_one_message_at_the_command_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["run", "a100", "gpt2", "--bind", "batch=1", "--bind", "seq=1", "--bind", "kv=8"]
    changes = ["--set", "tile.count=5", "--set", "tile.share=tensor", "--set", "network.topology.nodes=5"]
    done = call(capsys, monkeypatch, *asked, *changes)
    assert done.code == 2
    assert "12 heads cannot be dealt out evenly to 5 processors" in done.err
    assert "Traceback" not in done.err
