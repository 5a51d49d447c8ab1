"""The page about results: one file that loads nothing, says everything, and takes no name for markup."""

from __future__ import annotations

import copy
import itertools
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pimsim import Chip, Result, ResultError, Trace, simulate
from pimsim.report.html import style
from pimsim.report.html.page import report_page, write_report

from ..trace.builders import small_trace

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


class Page(HTMLParser):
    """What a parser finds in a page: tags, what is loaded, the text by element, and the embedded data."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: dict[str, list[str]] = {}
        self.data = ""
        self.feed(text)
        self.charts: dict[str, Any] = json.loads(self.data)["charts"]

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, "tags do not nest"

    def handle_data(self, data):
        inside = self.open[-1] if self.open else ""
        if inside == "script" and self.tags[-1][1].get("id") == "charts":
            self.data += data
        elif inside not in {"script", "style"}:
            self.text.setdefault(inside, []).append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(texts) for texts in self.text.values())


@pytest.fixture(scope="module")
def result() -> Result:
    return simulate(Chip.load("isaac"), small_trace())


@pytest.fixture(scope="module")
def batch() -> Result:
    return simulate(Chip.load("puma"), small_trace(), batch=4)


@pytest.fixture(scope="module")
def page(result: Result) -> str:
    return report_page([result])


@pytest.fixture(scope="module")
def parsed(page: str) -> Page:
    return Page(page)


def changed(result: Result, **figures: Any) -> Result:
    """A copy of a result with other figures."""
    return Result({**copy.deepcopy(result.data), **figures})


def test_nothing_is_loaded(page, parsed):
    for tag, attributes in parsed.tags:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (tag, value)
    styles = re.search(r"<style>(.*?)</style>", page, re.S)
    assert styles is not None
    assert not re.search(r"url\(|@import", styles[1])
    assert "http" not in parsed.data


def test_every_section_is_there_and_linked(parsed):
    ids = {attributes["id"] for _, attributes in parsed.tags if "id" in attributes}
    links = {attributes["href"] for tag, attributes in parsed.tags if tag == "a"}
    assert {link[1:] for link in links} <= ids
    names = ("summary", "chip", "pipeline", "latency", "stalls", "costs", "network", "roofline", "origin")
    assert {f"#run0-{name}" for name in names} <= links
    assert len(ids) == sum("id" in attributes for _, attributes in parsed.tags), "an id stands twice"


def test_every_chart_has_a_name_and_a_table_of_its_numbers(parsed):
    figures = [attributes for tag, attributes in parsed.tags if tag == "figure"]
    places = [attributes for _, attributes in parsed.tags if "data-chart" in attributes]
    assert len(figures) == len(places) == len(parsed.charts) >= 12
    for place in places:
        assert place["role"] == "img"
        assert len(place["aria-label"]) > 20
    assert {place["data-chart"] for place in places} == set(parsed.charts)
    order = [tag for tag, _ in parsed.tags if tag in {"figure", "details", "table"}]
    assert "figure figure" not in " ".join(order)
    assert "figure details table" in " ".join(order)


def test_headings_go_down_one_level_at_a_time(parsed, result, batch):
    for found in (parsed, Page(report_page([result, batch]))):
        levels = [int(tag[1]) for tag, _ in found.tags if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_figures_are_the_results(parsed, result):
    text = parsed.words
    assert f"{result.latency_fs * 1e-9:.4g} µs" in text
    assert f"{result.peak['tops']:.4g} TOPS" in text
    assert f"{result.area_um2['total'] * 1e-6:.4g} mm²" in text
    for row in result.attribution:
        assert row["op"] in text
    charged = [
        int(cell[:-3].replace(",", "")) for cell in parsed.text["td"] if re.fullmatch(r"[\d,]+ fs", cell)
    ]
    by_part = sum(row["fs"] for row in result.attribution)
    assert by_part == result.latency_fs
    assert sum(charged) >= 2 * (result.latency_fs + result.interval_fs), "tables by part and by op are whole"


def test_the_bars_of_the_latency_sum_to_it(parsed, result):
    for name in ("latency-part", "latency-op"):
        spec = parsed.charts[f"run0-latency-{name}"]["spec"]
        unit = spec["encoding"]["x"]["title"].rpartition(", ")[2]
        size = {"microseconds": 1e9, "nanoseconds": 1e6, "milliseconds": 1e12}[unit]
        total = sum(row["v"] for row in spec["data"]["values"])
        assert total * size == pytest.approx(result.latency_fs, rel=1e-3)


def test_areas_are_to_scale(parsed, result):
    rows = parsed.charts["run0-chip-area-map"]["spec"]["data"][0]["values"]
    assert {row["id"]: row["area"] for row in rows if row["parent"]} == result.area_um2["by_part"]


def test_every_tile_is_at_a_place_of_its_own(parsed, result):
    rows = parsed.charts["run0-chip-tile-map"]["spec"]["data"][-1]["values"]
    assert [row["n"] for row in rows] == [str(i) for i in range(result.config["sites"]["tile"]["count"])]
    assert len({(row["x"], row["y"]) for row in rows}) == len(rows)
    ran = {str(row["tile"]): row["busy"].get("core.array", 0) for row in result.tiles}
    assert {row["n"]: row["u"] for row in rows if row["u"] is not None} == pytest.approx(ran, rel=1e-4)


def test_what_is_not_modelled_is_said_in_words(result):
    parts = result.energy_pj["not_modelled"]
    assert parts
    text = Page(report_page([result])).words
    for part in parts:
        assert re.search(rf"Not modelled, and not in it:[^.]*{re.escape(part)}", text)
    assert "not modelled" in text


def test_nothing_modelled_at_all(result):
    """A chip without any figure of energy or area."""
    parts = [*result.energy_pj["by_part"], *result.energy_pj["not_modelled"]]
    none = {"total": 0, "by_part": {}, "not_modelled": parts}
    over_time = copy.deepcopy(result.over_time)
    over_time["dynamic_mw"], over_time["power"] = {}, dict.fromkeys(over_time["power"], 0)
    bare = changed(
        result,
        energy_pj={**none, "dynamic": {}, "static": {}, "dynamic_by_op": {}},
        energy={"total_aj": 0, "rows": []},
        area_um2=none,
        over_time=over_time,
        tops={**result.tops, "per_watt": None},
        peak={**result.peak, "watts": 0},
    )
    found = Page(report_page([bare]))
    assert "run0-chip-area-map" not in found.charts
    assert "run0-costs-power" not in found.charts
    for what in ("Energy and power are not modelled", "Area is not modelled for any part"):
        assert what in found.words
    cards = dict(zip(found.text["dt"], (text for text in found.text["dd"]), strict=False))
    assert cards
    assert found.text["dd"].count("not modelled") >= 4


def test_names_are_no_markup(result):
    raw = json.dumps(result.data)
    for name in ("small", "conv"):
        raw = raw.replace(f'"{name}"', json.dumps(EVIL + name))
    data = json.loads(raw)
    data["model"] = data["trace"]["model"] = EVIL
    data["chip"] = EVIL
    for row in data["ops"]:
        row["op"] += EVIL
    for row in data["plan"]:
        row["op"] += EVIL
    data["over_time"]["firings_under_way"] = {
        op + EVIL: series for op, series in data["over_time"]["firings_under_way"].items()
    }
    evil = report_page([Result(data)], title=EVIL)
    found = Page(evil)
    assert [tag for tag, _ in found.tags].count("script") == 3
    assert not any(tag == "img" for tag, _ in found.tags)
    assert "<script>alert" not in evil
    assert EVIL in "".join(found.text["h1"])
    assert "<" not in found.data


def test_the_same_results_give_the_same_bytes(result, batch, tmp_path):
    for name in ("a.html", "b.html"):
        write_report([result, batch], tmp_path / name)
    a, b = ((tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert a == b
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_several_results_are_compared_first(result, batch):
    from pimsim.analysis.compare import compare

    found = Page(report_page([result, batch]))
    comparison = compare(result, batch)
    assert "".join(found.text["h1"]).strip() == "".join(found.text["title"]) == "small on isaac and puma"
    text = found.words
    assert comparison.sentence in text
    for line in comparison.normalised:
        assert line in text
    assert text.index(comparison.sentence) < text.index("What is not modelled")
    pair = comparison.pairs[0]
    for name, difference in (("latency", pair.latency), ("interval", pair.interval)):
        for key in ("by", "op"):
            spec = found.charts[f"compare-pair0-{name}-{key}"]["spec"]
            unit = {"n": 1e6, "m": 1e9, "p": 1e3}[spec["encoding"]["x"]["title"].rpartition(", ")[2][0]]
            total = sum(row["v"] for row in spec["data"]["values"])
            assert total * unit == pytest.approx(difference.difference, rel=1e-2, abs=unit)


def test_results_of_two_models_are_refused(result):
    other = changed(result, model="other")
    with pytest.raises(ResultError, match="different models"):
        report_page([result, other])


def test_a_batch_shows_its_phases(batch):
    found = Page(report_page([batch]))
    assert "run0-latency-phases" in found.charts
    assert "a batch of 4 inferences" in found.words


def test_several_chips_and_a_network_by_packet():
    two = simulate(Chip.load("isaac", ["network.fidelity=packet"]), small_trace(), chips=2)
    found = Page(report_page([two]))
    assert "approximate" in found.words
    tiles = found.charts["run0-chip-tile-map"]["spec"]["data"][-1]["values"]
    assert len(tiles) == 2 * two.config["sites"]["tile"]["count"]


@pytest.mark.parametrize(
    "kind", ["{kind: ring, nodes: 168}", "{kind: crossbar, nodes: 168}", "{kind: htree, arity: 4, levels: 4}"]
)
def test_other_topologies_have_places_too(kind):
    other = simulate(Chip.load("isaac", [f"network.topology={kind}"]), small_trace())
    rows = Page(report_page([other])).charts["run0-chip-tile-map"]["spec"]["data"][-1]["values"]
    assert len({(row["x"], row["y"]) for row in rows}) == other.config["sites"]["tile"]["count"]


@pytest.mark.parametrize("module", ["jinja2", "vl_convert"])
def test_a_missing_library_names_the_extra(module, result, tmp_path, monkeypatch):
    from pimsim.report.html import page

    page._library.cache_clear()
    page._templates.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ResultError, match=r"pip install 'pimsim\[report\]'"):
        write_report([result], tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_a_result_that_is_not_whole_is_told(result, tmp_path):
    broken = changed(result, ops=[{"op": "conv"}])
    with pytest.raises(ResultError, match="small on isaac: does not hold what a result holds"):
        write_report([broken], tmp_path / "page.html")
    with pytest.raises(ResultError, match="does not hold what a result holds"):
        write_report([result, broken], tmp_path / "page.html")
    endless = copy.deepcopy(result.network)
    endless["links"][0]["utilisation"] = float("inf")
    with pytest.raises(ResultError, match="no finite number"):
        write_report([changed(result, network=endless)], tmp_path / "page.html")
    with pytest.raises(ResultError, match="found no results"):
        write_report([], tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_a_page_there_already_stays_if_the_new_one_cannot_be_made(result, tmp_path):
    path = tmp_path / "page.html"
    path.write_text("before")
    with pytest.raises(ResultError):
        write_report([changed(result, tiles=None)], path)
    assert path.read_text() == "before"


def test_many_ops_are_limited_and_the_rest_is_said():
    many = simulate(Chip.load("hermes64"), Trace.load("squeezenet"))
    found = Page(report_page([many]))
    spec = found.charts["run0-pipeline-pipeline"]["spec"]
    names = {row["n"] for row in spec["layer"][0]["data"]["values"]}
    assert len(names) <= 40 < len(many.ops)
    assert f"the other {len(many.ops) - 40} of {len(many.ops)} stand in the table" in found.words
    order = [row["op"] for row in many.ops]
    shown = spec["layer"][0]["encoding"]["y"]["sort"]
    assert shown == [op for op in order if op in shown]


def test_colours_hold_on_both_backgrounds():
    for colour in {*style.SERIES, *style.CAUSES.values(), *style.HEAT, style.GREY}:
        for name, background in style.BACKGROUNDS.items():
            assert style.contrast(colour, background) >= 3, (colour, name)
    assert style.contrast("#000000", "#ffffff") == pytest.approx(21)  # WCAG's own example


def test_the_templates_are_in_the_package_data():
    import tomllib

    root = Path(__file__).parents[2]
    data = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert data["package-data"]["pimsim.report.html"] == ["templates/*"]
    assert "pimsim.report.html" in data["packages"]
