"""What fuzzing has found, a case each: refused with a message that names the place."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, helper

from pimsim import Chip, Result, Trace, generate, simulate
from pimsim.analysis.compare import compare
from pimsim.errors import ConfigError, PimsimError, ResultError, TraceError
from pimsim.network.noc import noc
from pimsim.report.html.page import report_page
from pimsim.report.terminal import to_text
from pimsim.trace.onnx.export import from_onnx
from pimsim.trace.onnx.symbolic import symbolic
from pimsim.trace.tables.scalesim import from_scalesim

from ..trace.builders import model, small_rows, small_trace, write_rows
from ..transformers import decoder
from . import seeds
from .mutate import at

CHANGED: list[tuple[str, Any, str]] = [
    ("latency_fs", "long", "latency_fs: found the text 'long', expected a valid integer"),
    ("latency_fs", 0, "latency_fs: found 0, expected at least 1"),
    ("batch", None, "batch: found null, expected a valid integer"),
    ("ops", {}, "ops: found keys and values, expected a valid list"),
    ("ops.0.starved_by", [], r"ops\.0\.starved_by: found a list, expected keys and values"),
    ("ops.1.critical_fs", -1, r"ops\.1\.critical_fs: found -1, expected at least 0"),
    ("energy_pj.total", float("nan"), r"energy_pj\.total: found nan, expected a finite number"),
    ("energy.rows.0.aj", 1.5, r"energy\.rows\.0\.aj: found 1\.5, expected a valid integer"),
    ("energy.total_aj", 3, r"energy\.total_aj: found 3, expected the sum of the rows, \d+"),
    ("attribution", [], "attribution: found a list, expected"),
    ("attribution.0.fs", 1, "attribution: found times that sum to"),
    ("interval_attribution.0.fs", 1, "interval_attribution: found times that sum to"),
    ("phases.0.end_fs", 0, r"phases\.0\.end_fs: found 0, expected more than begin_fs"),
    ("over_time.dynamic_mw.network", [1.0], r"over_time\.dynamic_mw: found series of 1 and"),
    ("network.links.0.chip", 9, r"network\.links\.0\.chip: found 9, expected one of 1 chips"),
    ("tiles.0.buffer_bytes", 0.0, r"tiles\.0\.buffer_bytes: found 0\.0, expected"),
    ("model", "a\ud800b", "model: found a text with half a character"),
    ("config.notes", "\ud800", "config.notes: found a text with half a character"),
    ("config.technology_nm", float("inf"), r"config\.technology_nm: found inf, expected a finite number"),
    ("trace.ops", 10**40, r"trace\.ops: found an integer of more than 20 digits"),
    ("prediction", None, "prediction: found null, expected keys and values"),
    ("generation", None, "generation: found null, expected keys and values"),
    ("generation", {}, r"it has no 'generation\.prompt'"),
]


@pytest.mark.parametrize(("path", "value", "message"), CHANGED, ids=[f"{p}={v!r:.9}" for p, v, _ in CHANGED])
def test_a_result_with_a_value_of_another_kind(tmp_path: Path, path: str, value: Any, message: str) -> None:
    data = copy.deepcopy(seeds.results()[1 if path.startswith("phases") else 0])
    *before, last = (int(key) if key.isdecimal() else key for key in path.split("."))
    at(data, tuple(before))[last] = value
    (tmp_path / "r.json").write_text(json.dumps(data))
    with pytest.raises(ResultError, match=message) as caught:
        Result.load(tmp_path / "r.json")
    assert str(caught.value).startswith(f"{tmp_path / 'r.json'}: ")
    str(caught.value).encode()


def test_a_result_lacks_no_key_of_its_rows(tmp_path: Path) -> None:
    data = copy.deepcopy(seeds.results()[1])
    del data["plan"][0]["tiles"]
    (tmp_path / "r.json").write_text(json.dumps(data))
    with pytest.raises(ResultError, match=r"is not a whole result: it has no 'plan\.0\.tiles'"):
        Result.load(tmp_path / "r.json")


@pytest.mark.parametrize("key", ["energy_pj.on_chip", "generation.energy_over_tokens_pj"])
def test_a_result_lacks_no_figure_that_is_shown(tmp_path: Path, key: str) -> None:
    data = copy.deepcopy(seeds.results()[2 if key.startswith("generation") else 0])
    group, name = key.split(".")
    del data[group][name]
    (tmp_path / "r.json").write_text(json.dumps(data))
    with pytest.raises(ResultError, match=f"it has no '{group}.{name}'"):
        Result.load(tmp_path / "r.json")


@pytest.mark.parametrize("key", ["chip_by", "chip_latency_by"])
def test_an_older_result_does_not_say_what_bounds_a_chip(tmp_path: Path, key: str) -> None:
    data = copy.deepcopy(seeds.results()[0])
    del data["bounds"][key]
    (tmp_path / "r.json").write_text(json.dumps(data))
    text = to_text(Result.load(tmp_path / "r.json"), verbose=True)
    assert "any plan" in text
    assert "None" not in text


def test_the_result_of_one_token_a_prompt_is_read(tmp_path: Path) -> None:
    """None comes after the first, so there is no energy of one."""
    result = generate(Chip.load("hermes_llm"), decoder(layers=1), prompt=3, tokens=1)
    result.save(tmp_path / "r.json")
    assert Result.load(tmp_path / "r.json").generation["energy_per_token_pj"] is None


@pytest.mark.parametrize("number", range(3))
def test_a_result_that_nobody_changed_is_read(tmp_path: Path, number: int) -> None:
    Result(seeds.results()[number]).save(tmp_path / "r.json")
    assert Result.load(tmp_path / "r.json").data == seeds.results()[number]


# -- models --------------------------------------------------------------------------------------------------


def changed(tmp_path: Path, number: int, change: Any) -> Path:
    made = ModelProto.FromString(seeds.models()[number])
    change(made)
    path = tmp_path / "m.onnx"
    path.write_bytes(made.SerializeToString())
    return path


def unknown_type(made: Any) -> None:
    made.graph.initializer[1].data_type = 77


def unknown_type_inside(made: Any) -> None:
    attribute = made.graph.node[0].attribute.add(name="value", type=4)
    attribute.t.data_type = -1


def refers_to_no_function(made: Any) -> None:
    made.graph.node[0].attribute[0].ref_attr_name = "pads"


def says_more_than_it_has(made: Any) -> None:
    made.graph.initializer[1].dims[0] = 2**62  # inferring shapes goes through all of them


@pytest.mark.parametrize("version", [0, -(2**63), 2**33, 2**63 - 1])
def test_an_opset_out_of_range(tmp_path: Path, version: int) -> None:
    path = changed(tmp_path, 0, lambda made: setattr(made.opset_import[0], "version", version))
    with pytest.raises(TraceError, match=f"found opset {version} of 'ai.onnx', expected a version from 1"):
        from_onnx(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (unknown_type, "has elements of type 77, which ONNX does not have"),
        (unknown_type_inside, "attribute 'value' of 'Conv' has elements of type -1"),
        (says_more_than_it_has, f"has 16 bytes for {2**62} elements of 4"),
        (refers_to_no_function, "stands for one of a function, and the op is in none"),
    ],
)
def test_what_the_library_does_not_know(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(TraceError, match=message):
        from_onnx(changed(tmp_path, 0, change))


@pytest.mark.parametrize("name", ["aborts", "memory", "endless"])
def test_a_model_that_the_library_does_not_survive(name: str) -> None:
    """Inferring its shapes, the ONNX library ends the process, asks for more memory than there is, or never ends."""
    path = Path(__file__).parent / "cases" / f"{name}.onnx"
    with pytest.raises(TraceError, match="the ONNX library"):
        from_onnx(path, allow_unknown=True)


@pytest.mark.parametrize("count", [20, 200])
def test_as_many_dimensions_without_a_value_as_inputs(tmp_path: Path, count: int) -> None:
    """Ranges of a coarse grid have fewer values than there are dimensions; what is tried is bounded all the same."""
    asked: list[int] = []

    def refuses(values: Any) -> Trace:
        asked.append(len(set(values.values())))
        raise TraceError("it takes none")

    names = [f"n{number}" for number in range(count)]
    with pytest.raises(TraceError, match="with sizes that were tried, it takes none; say --bind n0=N"):
        symbolic(refuses, {}, names, "m.onnx")
    assert len(asked) <= 60
    assert asked[0] == count  # no two are the same


def test_a_grid_that_many_dimensions_must_be_on(tmp_path: Path) -> None:
    nodes = [helper.make_node("Reshape", [f"x{n}", "s"], [f"r{n}"]) for n in range(20)]
    nodes.append(helper.make_node("Concat", [f"r{n}" for n in range(20)], ["y"], axis=0))
    inputs: dict[str, Any] = {f"x{n}": [f"n{n}", 4] for n in range(20)}
    path = model(tmp_path / "m.onnx", nodes, inputs, {"y": None}, {"s": np.array([-1, 512])})
    trace = from_onnx(path)
    bound = trace.bind(dict.fromkeys(trace.symbols, 256))
    assert bound.ops[-1].output.shape == (20 * 256 * 4 // 512, 512)


@pytest.mark.parametrize(
    "shapes", [([7],), ([1, 4, 4, 4], [7]), ([1, 64], [2, 2, 4, 4, 1]), ([1, 4, 4, 4], [])]
)
@pytest.mark.parametrize("read", [(1, 4, 4, 4), (64,), ()])
def test_an_unknown_op_may_put_out_any_rank(tmp_path: Path, shapes: Any, read: tuple[int, ...]) -> None:
    names = [f"o{number}" for number in range(len(shapes))]
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Odd", ["r"], names, domain="mine")]
    nodes += [helper.make_node("Relu", [name], [f"y{name}"]) for name in names]
    outputs = {f"y{name}": list(shape) for name, shape in zip(names, shapes, strict=True)}
    path = model(tmp_path / "m.onnx", nodes, {"x": list(read)}, outputs, domains=("mine",))
    told = ModelProto.FromString(path.read_bytes())
    told.graph.value_info.extend(
        helper.make_tensor_value_info(name, 1, shape) for name, shape in zip(names, shapes, strict=True)
    )
    path.write_bytes(told.SerializeToString())
    trace = from_onnx(path, allow_unknown=True)
    result = simulate(Chip.load("isaac"), trace)
    assert sum(row["fs"] for row in result.attribution) == result.latency_fs


@pytest.mark.parametrize("asked", ["Shape", "Size"])
def test_a_value_of_more_elements_than_an_index_can_count(tmp_path: Path, asked: str) -> None:
    """2^40 x 2^40 of them: what asks for the shape is computed with an array of that shape."""
    nodes = [helper.make_node(asked, ["x"], ["n"]), helper.make_node("Reshape", ["n", "row"], ["to"])]
    nodes.append(helper.make_node("Reshape", ["x", "to"], ["y"]))
    arrays = {"row": np.array([-1])}
    path = model(tmp_path / "m.onnx", nodes, {"x": [2**40] * 2}, {"y": None}, arrays)
    with pytest.raises(TraceError, match=r"the shape of 'y' \(Reshape\) cannot be inferred"):
        from_onnx(path)


# -- texts and tables ----------------------------------------------------------------------------------------


def test_half_a_character_in_a_file_can_be_told(tmp_path: Path) -> None:
    rows = small_rows()
    rows[2]["outputs"][0]["shape"][0] = "\ud800"
    with pytest.raises(TraceError, match=r"\\ud800") as caught:
        Trace.load(write_rows(tmp_path / "t.jsonl", rows))
    assert "\\ud800" in str(caught.value).encode().decode()


@pytest.mark.parametrize("kind", [PimsimError, ConfigError, TraceError])
def test_every_error_can_be_printed(kind: type[PimsimError]) -> None:
    str(kind("a\ud800", where="b\udc80", mend="c\udfff")).encode()


@pytest.mark.parametrize(
    ("field", "message"), [("x" * 140_000, "cannot be read as CSV"), ("9" * 5000, "found '999")]
)
def test_a_long_field_of_a_table(tmp_path: Path, field: str, message: str) -> None:
    head = "Layer, M, N, K"
    (tmp_path / "t.csv").write_text(f"{head}\none, 1, 2, 3\ntwo, {field}, 2, 3\n")
    with pytest.raises(TraceError, match=message) as caught:
        from_scalesim(tmp_path / "t.csv")
    assert str(caught.value).startswith(f"{tmp_path / 't.csv'}:3")


# -- chips and networks --------------------------------------------------------------------------------------


def test_energies_and_areas_that_come_to_nothing_are_reported() -> None:
    """1e-300 pJ are 0 aJ: shares of nothing, operations by no energy."""
    least = {
        key: 1e-300
        for key, value in _flat(Chip.load("isaac").to_dict())
        if isinstance(value, float)
        and key.rpartition(".")[2].startswith(("energy", "area_um2", "static_power"))
    }
    assert len(least) > 20
    free, usual = simulate(Chip.load("isaac", least), small_trace()), Result(seeds.results()[0])
    assert free.tops["per_watt"] is None
    assert "undefined" in to_text(free, verbose=True)
    report_page([free])
    assert str(compare(free, usual))
    assert str(compare(usual, free))


def _flat(data: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if not isinstance(data, dict):
        return [(prefix, data)]
    return [pair for key in data for pair in _flat(data[key], f"{prefix}.{key}" if prefix else key)]


@pytest.mark.parametrize("bandwidth", [1e-300, 1e-10])
def test_a_bandwidth_that_makes_a_byte_last_for_ever(bandwidth: float) -> None:
    with pytest.raises(ConfigError, match=r"external\.bandwidth_gb_per_s: found .*, expected at least"):
        Chip.load("isaac", {"external.bandwidth_gb_per_s": bandwidth})


def test_buffers_beyond_the_memory_are_refused_before_anything_runs() -> None:
    """486 channels of isaac x 64 x 100 000 flits of 16 bytes are 46 GiB."""
    chip = Chip.load("isaac", {"network.vcs": 64, "network.buffer_flits": 100_000})
    with pytest.raises(ConfigError, match=r"need 46\.3 GiB of memory, expected at most 4\.0 GiB"):
        simulate(chip, small_trace())


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"batch": 1_000_000}, "64,000,000 packets need .* GiB"),
        ({"batch": 1000, "packet_size": 1_000_000}, "64,000,000,000 flits cross"),
        ({"rates": [0.1], "packet_size": 1_000_000}, "flits cross .* links at least, which takes hours"),
        ({"rates": [1.0], "period": 1_000_000}, "packets need"),
    ],
)
def test_work_of_hours_is_refused_before_it_starts(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        noc("mesh:8x8", **asked)
