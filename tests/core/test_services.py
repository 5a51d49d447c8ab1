"""Does a service that the kernel does not know work by its face alone? Two of a few lines, built for the test."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from Cython.Build import cythonize
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

import pimsim_core
from pimsim.netlist.freeze import freeze
from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import Step
from pimsim_core.engine import Engine
from tests.oracle.twin import run_twin

PERIOD, WORK, LATENCY, EVERY = 10, 30, 70, 100
FIRST_OWN = 4  # after those that every machine has


@pytest.fixture(scope="module")
def pipe(tmp_path_factory):
    """The module `tests/core/services/pipe.pyx`, compiled against the contracts that are shipped."""
    folder = tmp_path_factory.mktemp("services")
    source = folder / "pipe.pyx"
    source.write_text((Path(__file__).parent / "services" / "pipe.pyx").read_text(encoding="utf-8"))
    (extension,) = cythonize(
        [Extension("pipe", [str(source)], extra_compile_args=["-O0"])],
        include_path=[str(Path(pimsim_core.__file__).parents[1])],
        compiler_directives={"language_level": "3", "wraparound": False, "cdivision": True},
        quiet=True,
    )
    command = build_ext(Distribution({"ext_modules": [extension]}))
    command.build_lib = command.build_temp = str(folder)
    command.ensure_finalized()
    command.run()
    spec = importlib.util.spec_from_file_location("pipe", command.get_ext_fullpath("pipe"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def line(firings, latency):
    """Two actors with units of their own, whose paths share one thing that holds whoever comes for `latency`."""
    net = Netlist()
    shared = net.add_resource("pipe", "pipe", PERIOD, servers=1000)
    for number in range(2):
        unit = net.add_resource(f"unit{number}", "unit", PERIOD)
        path = [Step(unit, WORK, WORK), Step(shared, latency, latency)]
        net.add_actor(f"a{number}", f"op{number}", net.add_path(path), firings, depth=firings, milestone=1)
    return net


def engine_with(net, service):
    """An engine in which the resource called ``pipe`` and the steps to it are a service's."""
    arrays = freeze(net)
    arrays["resources"]["service"][0] = FIRST_OWN
    arrays["steps"]["service"][arrays["steps"]["resource"] == 0] = FIRST_OWN
    sizes = {"tiles": net.tiles, "energy_parts": 0}
    engine = Engine(arrays, len(net.parts), len(net.ops), record=True, services=[service], **sizes)
    while engine.next_time is not None:
        engine.run(deaf=True)
    return engine


def test_a_pipe_agrees_with_arithmetic_and_with_the_twin(pipe):
    """The unit of each actor is the bottleneck: firing k leaves it at 30 (k + 1), and the pipe 70 later."""
    net = line(4, LATENCY)
    engine = engine_with(net, pipe.Pipe(LATENCY))
    log, finished = run_twin(net)  # the same as a resource with a server for everybody
    assert engine.finished
    assert finished
    assert sorted(engine.visit_log) == sorted(log)
    ends = [row[5] for row in engine.visit_log if row[0] == 0 and row[3] == 1]
    assert ends == [WORK * (k + 1) + LATENCY for k in range(4)]
    assert engine.charges().sum() == engine.last_end == WORK * 4 + LATENCY
    assert engine.resource_figures()[0].tolist() == [8, 4, 4]


def test_a_service_with_a_clock_of_its_own_is_called_when_its_time_comes(pipe):
    """The ferry leaves at 100 with who came at 30, 60 and 90, stops at 150 and is there at 200."""
    service = pipe.Ferry(EVERY)
    engine = engine_with(line(3, LATENCY), service)
    ends = np.array([row[5] for row in engine.visit_log if row[0] == 1 and row[3] == 1])
    assert ends.tolist() == [2 * EVERY] * 3
    assert (service.trips, service.stops) == (1, 6)
    assert engine.finished
    assert engine.charges().sum() == engine.last_end == 2 * EVERY
