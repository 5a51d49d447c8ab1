"""The page in a browser: it loads nothing, draws every chart, and works on a phone, in the dark and by keyboard."""

from __future__ import annotations

import base64
import copy
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from pimsim import Chip, Result, Trace, simulate
from pimsim.report.html.page import write_report
from pimsim.report.html.style import contrast

from ..trace.builders import small_trace

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not BROWSER or not DRIVER, reason="needs chromium and chromedriver"),
]

EVIL = "<img src=x onerror=window.broken=1></script><script>window.broken=1</script>"


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return [simulate(Chip.load(chip), Trace.load("squeezenet")) for chip in ("isaac", "puma")]


@pytest.fixture(scope="module")
def page(results: list[Result], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(results, path)
    return path


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def show(browser: Any, path: Path, *, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
    """Open a page and wait until its charts are drawn."""
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    emulate(browser, scheme=scheme)
    browser.get(path.as_uri())
    WebDriverWait(browser, 60).until(
        lambda driver: driver.execute_script("return document.documentElement.dataset.drawn") == "all"
    )


def emulate(browser: Any, media: str = "", scheme: str = "light") -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def colour(text: str) -> str:
    """``#rrggbb`` of what a browser computes: ``rgb(r, g, b)``."""
    return "#" + "".join(f"{int(number):02x}" for number in re.findall(r"\d+", text)[:3])


def focused(browser: Any) -> str:
    """What holds the focus: its tag, and the text or type of it."""
    return browser.execute_script(
        "const e = document.activeElement; return e.tagName + ' ' + (e.type || e.textContent.trim())"
    )


def test_it_loads_nothing_and_complains_of_nothing(browser, page):
    show(browser, page)
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requested = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert page.as_uri() in requested
    assert all(url == page.as_uri() or url.startswith("data:") for url in requested), requested


def test_it_is_small_enough_to_send(page):
    assert page.stat().st_size < 5_000_000


def test_every_chart_is_drawn(browser, page):
    show(browser, page)
    drawn = browser.execute_script("""
        return [...document.querySelectorAll("[data-chart]")].map((place) => [
          place.dataset.chart,
          place.querySelectorAll("svg .role-mark :is(path, line, rect)").length,
          place.querySelector("svg")?.clientWidth ?? 0,
          place.clientWidth,
        ])""")
    assert len(drawn) > 30
    for name, marks, width, room in drawn:
        assert marks > 0, name
        assert 0.5 * room < width <= room + 1, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_its_background(browser, page, scheme):
    show(browser, page, scheme=scheme)
    back = colour(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert (contrast(back, "#ffffff") > 10) == (scheme == "dark")
    for selector in ("h1", "figure > p", "nav a", "td", ".figures .note", ".chart .role-axis-label text"):
        text = browser.execute_script(
            "const s = getComputedStyle(document.querySelector(arguments[0]));"
            "return arguments[0].endsWith('text') ? s.fill : s.color",
            selector,
        )
        assert contrast(back, colour(text)) >= 4.5, selector


def test_print_is_dark_on_white_and_charts_are_drawn_for_paper(browser, page):
    show(browser, page, scheme="dark")
    emulate(browser, media="print", scheme="dark")
    style = "getComputedStyle(document.body)"
    back, text = browser.execute_script(f"return [{style}.backgroundColor, {style}.color]")
    assert (colour(back), colour(text)) == ("#ffffff", "#000000")
    emulate(browser)
    browser.execute_script(
        "addEventListener('beforeprint', () => { window.onPaper = document.querySelector('.wide svg').clientWidth })"
    )
    pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert pdf.startswith(b"%PDF")
    assert 500 < browser.execute_script("return window.onPaper") <= 700
    assert browser.execute_script("return document.querySelector('.wide svg').clientWidth") > 1000


def test_a_phone_scrolls_down_only(browser, page):
    show(browser, page, width=390, height=844)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    browser.execute_script("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    widths = browser.execute_script(
        "return [...document.querySelectorAll('svg')].map((svg) => svg.clientWidth)"
    )
    assert max(widths) <= 390


def test_a_window_that_shrinks_ends_as_one_that_was_small(browser, page):
    sizes = "return [...document.querySelectorAll('.chart svg')].map((s) => [s.clientWidth, s.clientHeight])"
    show(browser, page, width=700)
    small = browser.execute_script(sizes)
    show(browser, page)
    large = browser.execute_script(sizes)
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 700, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    assert large != small
    WebDriverWait(browser, 10).until(lambda driver: driver.execute_script(sizes) == small)


def test_it_can_be_used_with_the_keyboard_alone(browser, page):
    show(browser, page)

    def press(*keys: str) -> str:
        ActionChains(browser).send_keys(*keys).perform()
        return focused(browser)

    assert press(Keys.TAB) == "A Skip to the content"
    assert browser.execute_script("return document.activeElement.getBoundingClientRect().left") >= 0
    assert press(Keys.ENTER).startswith("MAIN")
    for _ in range(80):
        if (at := press(Keys.TAB)).startswith("SUMMARY Numbers"):
            break
    assert at.startswith("SUMMARY Numbers")
    press(Keys.ENTER)
    assert browser.execute_script("return document.activeElement.parentElement.open")
    assert press(Keys.TAB).startswith("DIV"), "a table that may be wide can be scrolled"
    for _ in range(120):
        if (at := press(Keys.TAB)) == "INPUT radio":
            break
    assert at == "INPUT radio"
    fills = (
        "return [...document.activeElement.closest('figure').querySelectorAll('svg .mark-rect path')]"
        ".map((path) => path.getAttribute('fill'))"
    )
    before = browser.execute_script(fills)
    press(Keys.ARROW_RIGHT)
    WebDriverWait(browser, 5).until(lambda driver: driver.execute_script(fills) != before)
    outline = (
        "const s = getComputedStyle(document.activeElement); return s.outlineStyle + ' ' + s.outlineWidth"
    )
    assert browser.execute_script(outline) == "solid 3px"


def test_a_bar_says_its_numbers(browser, page, results):
    show(browser, page)
    bars = browser.find_elements(By.CSS_SELECTOR, "[data-chart=run0-latency-latency-op] svg .mark-rect path")
    bar = max(bars, key=lambda each: each.size["width"])  # a short one can be narrower than the pointer
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", bar)
    ActionChains(browser).move_to_element(bar).perform()
    said = WebDriverWait(browser, 5).until(
        lambda driver: driver.find_element(By.CSS_SELECTOR, "#vg-tooltip-element.visible").text
    )
    sums: dict[tuple[str, str], int] = {}
    for row in results[0].attribution:
        key = row["op"], row["cause"]
        sums[key] = sums.get(key, 0) + row["fs"]
    op, _ = max(sums, key=lambda key: sums[key])
    assert op in said
    assert re.search(r"\d (ms|µs|ns)", said)
    assert re.search(r"\d %", said)


def test_names_do_nothing(browser, tmp_path):
    data = json.loads(json.dumps(copy.deepcopy(simulate(Chip.load("isaac"), small_trace()).data)))
    for table in ("ops", "plan", "attribution", "interval_attribution"):
        for row in data[table]:
            row["op"] += EVIL
    for row in data["tiles"]:
        row["ops"] = [op + EVIL for op in row["ops"]]
    data["over_time"]["firings_under_way"] = {
        op + EVIL: series for op, series in data["over_time"]["firings_under_way"].items()
    }
    data["model"] += EVIL
    write_report([Result(data)], tmp_path / "evil.html")
    show(browser, tmp_path / "evil.html")
    bars = browser.find_elements(By.CSS_SELECTOR, "[data-chart=run0-latency-latency-op] svg .mark-rect path")
    bar = max(bars, key=lambda each: each.size["width"])  # a short one can be narrower than the pointer
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", bar)
    ActionChains(browser).move_to_element(bar).perform()
    WebDriverWait(browser, 5).until(
        lambda driver: "<img" in driver.find_element(By.ID, "vg-tooltip-element").text
    )
    assert browser.execute_script("return window.broken") is None
    assert browser.find_elements(By.CSS_SELECTOR, "img") == []
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
