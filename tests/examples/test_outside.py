"""Does what a package outside pimsim brings, each in one file, work as if it were pimsim's own?

Once installed beside pimsim, as a user would; once by a file beside the user; and once here, for the twin.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx
import pytest

from pimsim import registry
from pimsim.chip import Chip
from pimsim.chip.topology.deadlock import circle
from pimsim.mapping.mapper import make_plan
from pimsim.trace import Trace
from tests.oracle.test_lowered import agree, small_cnn

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "examples" / "outside"
CHIPS = PACKAGE / "chips"
SIDE_BY_SIDE, ISAAC_RAMP = str(CHIPS / "side_by_side.yaml"), str(CHIPS / "isaac_ramp.yaml")
PROGRAM = [
    "-P",
    "-c",
    "from pimsim.cli import main; main()",
]  # -P: without the current folder, as the command has it

RAMP_8_BITS_FS = (2**8 + 8) * 781_250  # a step a code and 8 to return, of 1.28 GHz
MAC_CYCLES = (
    8 + (8 * 8 + 5 * 8 - 2) + (24 + 1)
)  # Neural Cache: an input comes in, is multiplied, is added to 24 bits
OUTSIDE = "pimsim_outside or bitserial or ctt or spidergon or side_by_side or isaac_ramp or has_a_site"
CONV1 = 64 * (9 * MAC_CYCLES + 24)  # cycles: 64 pixels of 9 weights each, then a sum leaves


def python(*arguments: str, folder: Path = ROOT, path: Path | None = None, **environment: str) -> Any:
    """Run Python beside this pimsim, and what is installed in a folder."""
    paths = os.pathsep.join(map(str, filter(None, (ROOT, path))))
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, **environment},
        timeout=300,
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the package and install it into a folder of its own."""
    folder = tmp_path_factory.mktemp("outside")
    source, target = folder / "source", folder / "target"
    shutil.copytree(PACKAGE, source)  # a build leaves files behind
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    done = python("-m", "pip", "install", *options, str(source), folder=folder)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plug the package in here, for one test."""
    monkeypatch.syspath_prepend(str(PACKAGE))
    for name, value in (
        ("_found", {}),
        ("_broken", {}),
        ("_registered", {group: {} for group in registry.GROUPS}),
        ("_loaded", []),
    ):
        monkeypatch.setattr(registry, name, value)
    for name in ("ramp", "ctt", "spidergon", "bitserial"):
        registry.load_module(f"pimsim_outside.{name}")


# -- installed -----------------------------------------------------------------------------------------------------


def test_isaac_with_ramps_takes_the_ramps_time(installed: Path) -> None:
    """A phase takes a ramp, 206.25 ns, where it is longer than a read of 100 ns; with six bits a read."""
    code = (
        "import sys; from pimsim import Chip; c = Chip.load(sys.argv[1], sys.argv[2:]).config;"
        "print(c.sites['tile'].mvm_period_fs(), c.sites['tile'].core.array.programming(c.clocks).row_fs)"
    )
    eight = python("-c", code, ISAAC_RAMP, path=installed)
    assert eight.stdout.split() == [str(16 * RAMP_8_BITS_FS), str(60 * 10**12)], eight.stderr
    six = python("-c", code, ISAAC_RAMP, "core.adc.bits=6", path=installed)
    assert six.stdout.split()[0] == str(16 * 100_000_000)
    run = python(*PROGRAM, "run", ISAAC_RAMP, "digits_cnn", "--json", path=installed)
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    conversions = sum(
        row["aj"] for row in result["energy"]["rows"] if (row["part"], row["op"]) == ("core.adc", "conv1")
    )
    samples = 64 * 16 * 256  # firings, phases, columns: 32 outputs of 8 slices
    assert conversions == samples * 2**8 * 10_000  # aJ: a step for each code, of 0.01 pJ


def test_the_plan_says_which_kind_does_each_op_and_why(installed: Path) -> None:
    done = python(*PROGRAM, "run", SIDE_BY_SIDE, "digits_cnn", "--plan", path=installed, COLUMNS="500")
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    analog, serial = 64 * 8 * 2**7 / 128, CONV1 / 2.5 / 256  # ns, of 128 and 256 arrays, shared out evenly
    times = f"analog {analog:.0f} ns, serial {serial:.1f} ns"
    why = f"least time an inference, work and inputs' way: {times}."
    assert f"serial (bitserial, 8-15): conv1: {why}" in text
    assert "analog (crossbar, 0-7): pool1, pool2: only analog can." in text


def test_both_kinds_work_in_one_run(installed: Path) -> None:
    """Every lane's cycles are charged, to the attojoule."""
    done = python(*PROGRAM, "run", SIDE_BY_SIDE, "digits_cnn", "--json", path=installed)
    assert done.returncode == 0, done.stderr
    rows = {(row["part"], row["op"]): row["aj"] for row in json.loads(done.stdout)["energy"]["rows"]}
    assert rows["serial.array", "conv1"] == CONV1 * 15_400_000
    assert rows["core.adc", "conv2"] > 0


def test_a_cold_run_waits_for_the_device_to_be_written(installed: Path) -> None:
    """Arrays are written side by side, their 128 rows one after another, 60 ms each; all else is short beside it."""
    done = python(*PROGRAM, "run", SIDE_BY_SIDE, "digits_cnn", "--cold", "--json", path=installed)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["latency_fs"] == pytest.approx(128 * 60e12, rel=1e-4)


def test_the_topology_is_typed_as_any_other(installed: Path) -> None:
    done = python(*PROGRAM, "noc", "spidergon:8", "--rate", "0.05", path=installed)
    assert done.returncode == 0, done.stderr
    wrong = python(*PROGRAM, "noc", "spidergon:7", "--rate", "0.05", path=installed)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "found 7, expected an even number" in wrong.stderr


def test_the_contracts_of_the_registry_hold_for_it(installed: Path) -> None:
    done = python(
        *("-m", "pytest", "-vv", "-p", "no:xdist", "tests/chip/test_chip_contract.py", "-k", OUTSIDE),
        path=installed,
        PIMSIM_CONTRACT_CHIPS=os.pathsep.join((SIDE_BY_SIDE, ISAAC_RAMP)),
    )
    assert done.returncode == 0, done.stdout
    names = re.findall(r"\[(.*)\] PASSED", done.stdout)
    for name in ("pimsim_outside.ramp.Ramp", "bitserial", "ctt", "spidergon", f"{SIDE_BY_SIDE}-serial"):
        assert any(name in each for each in names), name


# -- by a file beside the user -------------------------------------------------------------------------------------


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """A folder with one of its files, and a chip that uses it."""
    shutil.copy(PACKAGE / "pimsim_outside" / "ramp.py", tmp_path / "my_ramp.py")
    chip = Path(ISAAC_RAMP).read_text(encoding="utf-8").replace("device: ctt", "device: reram")
    (tmp_path / "mine.yaml").write_text(chip, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("door", ["option", "variable"])
def test_a_file_beside_the_user_is_plugged_in(door: str, beside: Path) -> None:
    options = ["--plugin", "my_ramp"] if door == "option" else []
    environment = {} if options else {"PIMSIM_PLUGINS": " my_ramp,"}
    run = [*PROGRAM, *options, "run", "mine.yaml", "digits_cnn", "--json"]
    done = python(*run, folder=beside, **environment)
    assert done.returncode == 0, done.stderr
    without = python(*PROGRAM, "run", "mine.yaml", "digits_cnn", folder=beside)
    assert without.returncode == 2
    assert "core.adc.kind: found kind 'ramp', expected one of: adc" in without.stderr


def test_processes_of_a_what_if_have_the_plug_ins_too(beside: Path) -> None:
    """Six bits take 56.25 ns, so that reading sets the pace: the saving is real in the process that ran it."""
    asked = [
        "whatif",
        "mine.yaml",
        "digits_cnn",
        "--set-grid",
        "sites.tile.core.adc.bits=6",
        "--jobs",
        "2",
        "--json",
    ]
    done = python(*PROGRAM, "--plugin", "my_ramp", *asked, folder=beside)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["changes"][0]["speedup"] > 1.2


# -- here ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("outside")
def test_the_twin_agrees_on_both_kinds_side_by_side() -> None:
    plan = make_plan(Chip.load(SIDE_BY_SIDE), small_cnn())
    assert {op.site for op in plan.ops if op.tiling is not None} == {"analog", "serial"}
    agree(plan, 2)
    agree(make_plan(Chip.load(SIDE_BY_SIDE), Trace.load("digits_cnn")), 1)


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("nodes", [4, 6, 8, 10, 16, 22])
def test_routes_of_a_spidergon_are_shortest_and_close_no_circle(nodes: int) -> None:
    topology = registry.find("topologies", "spidergon")(kind="spidergon", nodes=nodes)
    graph = topology.graph(nodes)
    shortest = dict(networkx.all_pairs_shortest_path_length(graph))
    for source in range(nodes):
        for target in range(nodes):
            way = topology.route(graph, f"t{source}", f"t{target}")
            assert len(way) - 1 == shortest[f"t{source}"][f"t{target}"]
            assert all(graph.has_edge(*pair) for pair in pairwise(way))
    assert circle(graph) is None
