"""Imports in pimsim point backwards along one line: from cli to trace and chip, never the other way, and in no circle.

Imports inside functions and under ``TYPE_CHECKING`` count too: they say just as much about who knows whom. Kinds of
sites know the layers up to mapping, and no layer knows a kind.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import networkx as nx
import pytest

import pimsim
import pimsim_core

PACKAGE = Path(pimsim.__file__).parent
CORE = Path(pimsim_core.__file__).parent

LINE = [
    {"errors", "units", "presets", "collection"},
    {"registry"},
    {"trace", "chip"},
    {"network", "dram", "values"},
    {"netlist"},
    {"mapping"},
    {"kinds"},
    {"machine"},
    {"result"},
    {"run"},
    {"analysis"},
    {"report"},
    {"cli", "__main__"},
]
# The same inside a layer; what is not named here comes before all that is.
INSIDE = {
    "trace": [{"onnx", "torch", "tables"}, {"statistics"}],
    "mapping": [
        {"flow"},
        {"planning"},
        {"given"},
        {"lowering"},
        {"seating"},
        {"spare"},
        {"styles"},
        {"best", "next_copy"},
        {"mapper"},
    ],
}
# The only places where an earlier layer calls a later one. What is printed is a report, when something is printed.
LET_THROUGH = {
    ("pimsim.result.result", "pimsim.report.terminal"),
    ("pimsim.analysis.breakdown", "pimsim.report.breakdown"),
    ("pimsim.analysis.compare", "pimsim.report.comparison"),
    ("pimsim.analysis.whatif", "pimsim.report.whatif"),
}
# Controllers run the machine, all of it, and it starts them; its parts take what they need.
WHOLE_MACHINE = {
    (f"pimsim.machine.{part}", "pimsim.machine.machine")
    for part in (
        "controllers.base",
        "controllers.start",
        "controllers.detour",
        "controllers.faults",
        "controllers.pacing",
    )
}
PLACE = {name: place for place, names in enumerate(LINE) for name in names}
PLACE_INSIDE = {
    (layer, name): place
    for layer, line in INSIDE.items()
    for place, names in enumerate(line)
    for name in names
}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def module_of(path):
    """``pimsim.chip.parts`` for ``pimsim/chip/parts/__init__.py``."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(source, module, is_package=False, of=()):
    """Every ``(line, module)`` that a source imports; relative imports and pimsim's public names resolved.

    Where ``from a import b`` names a module among those given, that is what it imports.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")
                parents = parents[: len(parents) - node.level + is_package]
                base = ".".join([*parents, *([base] if base else [])])
            for alias in node.names:
                # ``from pimsim import Chip`` is an import of where Chip lives; dunders have no layer.
                home = pimsim._HOMES.get(alias.name, f"pimsim.{alias.name}")
                if base != "pimsim":
                    yield node.lineno, f"{base}.{alias.name}" if f"{base}.{alias.name}" in of else base
                elif not alias.name.startswith("__"):
                    yield node.lineno, home


def complaints(source, module, is_package=False):
    """Say what is wrong with a source's imports; ``import pimsim`` hides what is used, so only cli may."""
    top = module.split(".")[1]
    found = []
    for line, imported in imported_modules(source, module, is_package):
        package, _, rest = imported.partition(".")
        if package != "pimsim" or (module, imported) in LET_THROUGH:
            continue
        layer = rest.split(".")[0] or "cli"
        if layer not in PLACE:
            found.append(f"{module}:{line} imports {imported}, which has no place on the line")
        elif layer == "kinds" != top:
            found.append(f"{module}:{line} imports {imported}, but kinds plug in: nothing else knows them")
        elif PLACE[layer] > PLACE[top]:
            found.append(f"{module}:{line} imports {imported}, which comes after {top}")
        elif layer == top and module != f"pimsim.{top}" and inside(imported) > inside(module):
            found.append(f"{module}:{line} imports {imported}, which comes after it in {top}")
    return found


def inside(module):
    """Where a module's part of its layer stands in `INSIDE`; a layer's own ``__init__`` is its front door."""
    layer, part = (*module.split(".")[1:3], "")[:2]
    return PLACE_INSIDE.get((layer, part), -1)


def import_graph():
    """Which module imports which, in the package, without what is let through."""
    sources = {module_of(path): path for path in FILES}
    graph = nx.DiGraph()
    for module, path in sources.items():
        for _, imported in imported_modules(
            path.read_text(encoding="utf-8"), module, path.name == "__init__.py", of=sources
        ):
            if imported in sources and imported != module:
                graph.add_edge(module, imported)
    return graph


def circles(graph):
    """Return a circle of imports for each knot of them, written out."""
    knots = (graph.subgraph(knot) for knot in nx.strongly_connected_components(graph) if len(knot) > 1)
    return sorted(
        " -> ".join([*(a for a, _ in circle), circle[0][0]]) for circle in map(nx.find_cycle, knots)
    )


def test_every_module_has_a_place_on_the_line():
    homeless = {module_of(path) for path in FILES if module_of(path).split(".")[1] not in PLACE}
    assert not homeless, f"give {sorted(homeless)} a place on the line of imports in {Path(__file__).name}"


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_point_backwards(path):
    source = path.read_text(encoding="utf-8")
    found = complaints(source, module_of(path), path.name == "__init__.py")
    assert not found, "\n".join(found)


def test_nothing_is_imported_in_a_circle():
    graph = import_graph()
    graph.remove_edges_from(LET_THROUGH | WHOLE_MACHINE)
    assert circles(graph) == []


@pytest.mark.parametrize("exception", sorted(LET_THROUGH | WHOLE_MACHINE), ids=" -> ".join)
def test_what_is_let_through_is_still_needed(exception):
    assert import_graph().has_edge(*exception), f"take {exception} out of the list in {Path(__file__).name}"


def test_a_circle_is_found():
    graph = nx.DiGraph([("a", "b"), ("b", "c"), ("c", "b"), ("d", "a")])
    assert circles(graph) in (["b -> c -> b"], ["c -> b -> c"])


def test_the_core_knows_nothing_of_the_package():
    statement = re.compile(r"^\s*(?:from|c?import)\s+pimsim(?![\w])", re.MULTILINE)
    assert statement.search("from pimsim.chip import Chip")
    for path in [*CORE.glob("*.p*")]:
        if path.suffix in {".py", ".pyx", ".pxd", ".pyi"}:
            assert not statement.search(path.read_text(encoding="utf-8")), path.name


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("import pimsim.cli", "pimsim.chip.load"),
        ("def f():\n    from pimsim.mapping import plan", "pimsim.trace"),
        ("if TYPE_CHECKING:\n    from pimsim.result.result import Result", "pimsim.machine.x"),
        ("from ..mapping import plan", "pimsim.chip.load"),
        ("from pimsim import simulate", "pimsim.mapping.planning.plan"),
        ("from pimsim import report", "pimsim.machine.host"),
        ("import pimsim", "pimsim.report.tables"),
        ("from pimsim.mapping.lowering.reload import Rounds", "pimsim.mapping.planning.planner"),
        ("from pimsim.mapping.planning.plan import Plan", "pimsim.mapping.flow.build"),
        ("def f():\n    from pimsim.trace.onnx import from_onnx", "pimsim.trace.reader"),
        ("from pimsim.trace.statistics.attach import How", "pimsim.trace.torch.load"),
        ("from pimsim.kinds.crossbar import Crossbar", "pimsim.mapping.planning.planner"),
        ("from pimsim.kinds.memory import Memory", "pimsim.cli.chip"),
        ("from pimsim.machine.machine import Machine", "pimsim.kinds.crossbar.kind"),
    ],
)
def test_a_forward_import_is_found(source, module):
    assert len(complaints(source, module)) == 1


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("import numpy, pimsim.units", "pimsim.chip.load"),
        ("from pimsim.trace import Trace", "pimsim.chip.load"),
        ("from . import schema", "pimsim.chip.load"),
        ("from pimsim.kinds.crossbar.core import Core", "pimsim.kinds.crossbar.site"),
        ("from pimsim.mapping.planning.kind import Kind", "pimsim.kinds.crossbar.kind"),
        ("from pimsim.registry import plugged", "pimsim.chip.slot"),
        ("from pimsim import Chip, presets", "pimsim.cli.chip"),
        ("from pimsim import __version__", "pimsim.trace.onnx.export"),
        ("from pimsim_core.engine import Engine", "pimsim.machine.host"),
        ("from pimsim.mapping.flow.build import build", "pimsim.mapping.planning.planner"),
        ("from pimsim.trace.torch.factory import load", "pimsim.trace.statistics.torch"),
        ("from pimsim.trace.onnx.export import from_onnx", "pimsim.trace"),
    ],
)
def test_a_backward_import_is_let_through(source, module):
    assert complaints(source, module) == []
