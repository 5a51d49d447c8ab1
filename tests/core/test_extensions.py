"""The compiled core is compiled, whole, and described: a module, a contract (.pxd) and a stub (.pyi) each."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path

import pytest

import pimsim_core
from pimsim_core.critical_path import CriticalPath

FOLDER = Path(pimsim_core.__file__).parent
MODULES = sorted(path.stem for path in FOLDER.glob("*.pxd"))


def test_there_are_extensions_and_each_source_has_its_contract():
    assert {"engine", "event_queue"} <= set(MODULES)
    sources = {path.stem for path in FOLDER.glob("*.pyx")}
    assert sources in (set(), set(MODULES))  # a wheel carries no sources


@pytest.mark.parametrize("name", MODULES)
def test_is_a_compiled_module(name):
    module = importlib.import_module(f"pimsim_core.{name}")
    assert isinstance(module.__spec__.loader, ExtensionFileLoader)
    assert Path(module.__file__).name in [name + suffix for suffix in EXTENSION_SUFFIXES]
    assert Path(module.__file__).parent == FOLDER
    assert not (FOLDER / f"{name}.py").exists()  # nothing to fall back to in silence


@pytest.mark.parametrize("name", MODULES)
def test_the_contract_is_shipped_and_names_the_classes(name):
    contract = (FOLDER / f"{name}.pxd").read_text(encoding="utf-8")
    module = importlib.import_module(f"pimsim_core.{name}")
    for class_name in re.findall(r"^cdef class (\w+)", contract, re.MULTILINE):
        assert isinstance(getattr(module, class_name), type)


@pytest.mark.parametrize("name", MODULES)
def test_the_stub_says_what_the_module_offers_and_no_more(name):
    module = importlib.import_module(f"pimsim_core.{name}")
    stub = ast.parse((FOLDER / f"{name}.pyi").read_text(encoding="utf-8"))
    own = {key for key, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__}
    assert public(own) <= declared(stub)
    assert all(hasattr(module, each) for each in declared(stub))
    check_parameters(stub, module)
    for class_ in (node for node in stub.body if isinstance(node, ast.ClassDef)):
        compiled = getattr(module, class_.name)
        assert public(vars(compiled)) == public(declared(class_))
        check_parameters(class_, compiled)


def public(names):
    return {name for name in names if not name.startswith("_")}


def declared(node):
    """The names that a stub's module or class declares."""
    names = {each.name for each in node.body if isinstance(each, ast.FunctionDef | ast.ClassDef)}
    return names | {each.target.id for each in node.body if isinstance(each, ast.AnnAssign)}


def check_parameters(node, compiled):
    """The functions of a stub have the parameters of the compiled ones, optional where those are."""
    for function in (each for each in node.body if isinstance(each, ast.FunctionDef)):
        if function.name.startswith("_") or function.decorator_list:
            continue  # C slots and properties have no signature
        found = inspect.signature(getattr(compiled, function.name)).parameters.values()
        assert [each.arg for each in function.args.args] == [each.name for each in found]
        assert len(function.args.defaults) == sum(each.default is not each.empty for each in found)


@pytest.mark.skipif(os.environ.get("PIMSIM_BOUNDS_CHECKS") != "1", reason="built without bounds checks")
def test_the_kernels_check_their_bounds_where_they_are_built_so():
    with pytest.raises(IndexError):
        CriticalPath(labels=1, capacity=2).start(parent=1_000_000, begin=0, label=0)
