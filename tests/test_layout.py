"""The product in files of one concept, none longer than can be read at a sitting; tests where CI finds them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import pimsim
import pimsim_core

LIMIT = 400
# A network's cycle is one loop over tables that all its rules share; cut up, each piece would pass them on.
LARGER = {"pimsim_core/network.pyx"}
FILES = {
    path.relative_to(Path(package.__file__).parents[1]).as_posix(): path
    for package in (pimsim, pimsim_core)
    for path in sorted(Path(package.__file__).parent.rglob("*"))
    if path.suffix in {".py", ".pyx", ".pxd"}
}


def lines(name):
    return len(FILES[name].read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("name", sorted(FILES.keys() - LARGER))
def test_a_file_is_no_longer_than_the_limit(name):
    assert lines(name) <= LIMIT, f"{name} has {lines(name)} lines: cut it by concept"


@pytest.mark.parametrize("name", sorted(LARGER))
def test_what_may_be_larger_is_larger(name):
    assert lines(name) > LIMIT, f"take {name} out of the list in {Path(__file__).name}"


TESTS = sorted(Path(__file__).parent.rglob("test_*.py"))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_what_is_skipped_without_torch_is_marked(path):
    """CI runs what is marked once more, where torch is installed."""
    source = path.read_text(encoding="utf-8")
    skips = re.search(r"importorskip\(\s*\"(torch|transformers)|PACKAGES = .*torch|NEEDS_TORCH =", source)
    assert not skips or path == Path(__file__) or "mark.torch" in source, f"mark the tests in {path.name}"


def test_a_wheel_holds_every_folder_of_the_package():
    """They are listed one by one, and an editable install does not notice that one is missing."""
    root = Path(__file__).parents[1]
    listed = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {name.rpartition("/")[0].replace("/", ".") for name in FILES if name.endswith("__init__.py")}
    assert folders <= set(listed)
