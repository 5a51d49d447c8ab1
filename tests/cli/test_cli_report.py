"""``pimsim report``: a page, or one message."""

from __future__ import annotations

import json

import pytest

from pimsim import Chip, simulate

from ..trace.builders import small_trace
from .runner import call


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    for chip in ("isaac", "puma"):
        simulate(Chip.load(chip), small_trace()).save(folder / f"{chip}.json.gz")
    return folder


def test_it_writes_a_page_and_says_nothing(saved, tmp_path, capsys, monkeypatch):
    page = tmp_path / "page.html"
    page.write_text("before")
    names = [str(saved / f"{chip}.json.gz") for chip in ("isaac", "puma")]
    assert call(capsys, monkeypatch, "report", *names, "-o", str(page)) == (0, "", "")
    text = page.read_text()
    assert "<title>small on isaac and puma</title>" in text
    assert text.endswith("</html>")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_title_of_ones_own(saved, tmp_path, capsys, monkeypatch):
    page = tmp_path / "page.html"
    name = str(saved / "isaac.json.gz")
    done = call(capsys, monkeypatch, "report", name, "-o", str(page), "--title", "A & B")
    assert done == (0, "", "")
    assert "<title>A &amp; B</title>" in page.read_text()


def test_what_goes_wrong_is_one_message(saved, tmp_path, capsys, monkeypatch):
    good, out = str(saved / "isaac.json.gz"), str(tmp_path / "page.html")
    (tmp_path / "cut.json").write_text('{"schema": "pimsim-result/1"')
    (tmp_path / "old.json").write_text('{"schema": "pimsim-result/1"}')
    odd = json.loads(simulate(Chip.load("isaac"), small_trace()).to_json())
    odd["tiles"] = [{"tile": 0}]
    (tmp_path / "odd.json").write_text(json.dumps(odd))
    before = sorted(tmp_path.iterdir())
    for arguments, message in (
        ([str(tmp_path / "gone.json"), "-o", out], "gone.json: cannot be read: No such file"),
        ([str(tmp_path / "cut.json"), "-o", out], "cut.json: is not a pimsim result, or is cut short"),
        (
            [good, str(tmp_path / "old.json"), "-o", out],
            "old.json: is not a whole result: it has no 'identity'",
        ),
        (
            [str(tmp_path / "odd.json"), "-o", out],
            "odd.json: is not a whole result: it has no 'tiles.0.chip'",
        ),
        ([good, "-o", str(tmp_path)], "is a folder, expected a file"),
        ([good, "-o", str(tmp_path / "gone" / "page.html")], "there is no folder"),
        ([good, "-o", good], "is one of the results, which the page would replace"),
    ):
        done = call(capsys, monkeypatch, "report", *arguments)
        assert (done.code, done.out) == (2, "")
        assert message in done.err
        assert done.err.startswith("error: ")
        assert done.err.count("\n") == 1
        assert sorted(tmp_path.iterdir()) == before


def test_a_missing_library_names_the_extra(saved, tmp_path, capsys, monkeypatch):
    import sys

    from pimsim.report.html import page

    page._templates.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    done = call(
        capsys, monkeypatch, "report", str(saved / "isaac.json.gz"), "-o", str(tmp_path / "page.html")
    )
    assert done.code == 2
    assert "pip install 'pimsim[report]'" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("arguments", "missing"), [([], "RESULT"), (["x.json"], "-o")])
def test_what_is_missing_is_named(arguments, missing, capsys, monkeypatch):
    done = call(capsys, monkeypatch, "report", *arguments)
    assert done.code == 2
    assert missing in done.err
