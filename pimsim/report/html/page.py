"""The page: sections to HTML, with all that they need in one file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pimsim.errors import ResultError
from pimsim.report.html.pieces import Chart, Part, Section, Text
from pimsim.result.result import check_writable, write_whole

if TYPE_CHECKING:
    from pimsim.result.result import Result

FOLDER = Path(__file__).parent / "templates"


def write_report(results: Sequence[Result], path: str | Path, title: str | None = None) -> None:
    """Write a page about one or several results, all of it or nothing.

    Parameters
    ----------
    results : sequence of Result
        The first is compared with each of the others.
    path : path
        Where to.
    title : str, optional
        Of the page; by default what ran on what.

    Raises
    ------
    ResultError
        If a library is missing, a result is not whole, or the file cannot be written.
    """
    check_report(path)
    write_whole(Path(path), report_page(results, title).encode("utf-8", "replace"))


def check_report(path: str | Path) -> None:
    """Refuse a report that cannot be made, before anything is read.

    Raises
    ------
    ResultError
        If a library is missing or the file cannot be written.
    """
    _library()
    _templates()
    check_writable(path)


def report_page(results: Sequence[Result], title: str | None = None) -> str:
    """Return the page about one or several results, the same text for the same results; see `write_report`."""
    from pimsim.analysis.compare import label
    from pimsim.report.html.comparison import comparison
    from pimsim.report.html.style import BACKGROUNDS, CONFIG

    if not results:
        raise ResultError("found no results, expected one or more")
    labels = label(tuple(results))
    parts = [
        Part(f"run{i}", f"{result.model} on {name}", _sections(result, name))
        for i, (result, name) in enumerate(zip(results, labels, strict=True))
    ]
    if len(results) > 1:
        parts.insert(0, comparison(results))
    charts = {
        f"{part.name}-{section.name}-{piece.name}": {"mode": piece.mode, "spec": piece.spec}
        for part in parts
        for section in part.sections
        for piece in section.pieces
        if isinstance(piece, Chart)
    }
    page = _templates().get_template("page.html")
    return str(
        page.render(
            title=title or _title(results, labels),
            parts=parts,
            charts=_json({"config": CONFIG, "charts": charts}),
            style=_file("style.css"),
            script=_file("page.js"),
            library=_library(),
            backgrounds=BACKGROUNDS,
            version=results[0].identity["pimsim"],
        )
    )


def _sections(result: Result, name: str) -> list[Section]:
    """Return the sections about one result; a file that does not hold what it should is an error, not a crash."""
    try:
        return list(_make_sections(result))
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ResultError(
            f"does not hold what a result holds ({type(error).__name__}: {error})",
            where=f"{result.model} on {name}",
            mend="it may be from another version of pimsim, or was changed: run it again",
        ) from error


def _make_sections(result: Result) -> Iterator[Section]:
    from pimsim.chip import Chip
    from pimsim.report.html.controllers import controllers
    from pimsim.report.html.costs import costs
    from pimsim.report.html.latency import latency
    from pimsim.report.html.links import links
    from pimsim.report.html.origin import origin
    from pimsim.report.html.pipeline import pipeline
    from pimsim.report.html.places import places_of
    from pimsim.report.html.roof import roof
    from pimsim.report.html.stalls import stalls
    from pimsim.report.html.summary import summary
    from pimsim.report.html.tile_map import tile_map
    from pimsim.report.html.treemap import treemap

    config = Chip.from_dict(result.config).config
    places = places_of(config, result)
    drawn = (
        treemap(result, config.tiles)
        if result.area_um2["by_part"]
        else Text("Area is not modelled for any part of this chip, so it cannot be drawn to scale.")
    )
    yield summary(result)
    yield Section("chip", "The chip", [drawn, tile_map(result, places)])
    yield pipeline(result)
    yield latency(result)
    yield stalls(result)
    yield costs(result)
    yield links(result, places)
    yield roof(result)
    if "controllers" in result.data:
        yield controllers(result)
    yield origin(result)


def _title(results: Sequence[Result], labels: Sequence[str]) -> str:
    """Say what ran on what."""
    models = {result.model for result in results}
    if len(models) == 1:
        return f"{results[0].model} on {_and(labels)}"
    return _and([f"{result.model} on {name}" for result, name in zip(results, labels, strict=True)])


def _and(names: Sequence[str]) -> str:
    return " and ".join([*([", ".join(names[:-1])] if names[1:] else []), names[-1]])


def _json(data: Any) -> str:
    """Return data as JSON that no HTML parser takes for markup."""
    try:
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        raise ResultError("a result holds a figure that is no finite number", mend="run it again") from None
    return text.replace("<", "\\u003c")


def _file(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


@cache
def _templates() -> Any:
    """Return the environment of the templates; everything is escaped unless the template says otherwise."""
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise _missing("Jinja2") from None
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _library() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script."""
    try:
        from vl_convert import javascript_bundle
    except ImportError:
        raise _missing("vl-convert-python") from None
    return str(javascript_bundle("window.vegaEmbed = vegaEmbed;")).replace("</script", "<\\/script")


def _missing(name: str) -> ResultError:
    return ResultError(f"a report needs {name}, which is not installed", mend="pip install 'pimsim[report]'")
