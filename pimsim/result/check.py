"""Seeing that a file that is read is a whole result, of the right types, whose figures go together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from pimsim.chip.problems import said
from pimsim.errors import ResultError
from pimsim.result.numbers import MOST
from pimsim.result.schema import ResultFile

DEEPEST = 64  # levels of the chip's and the trace's data


def check_result(data: Mapping[str, Any], where: str) -> None:
    """See that what a file holds is a whole result whose figures go together.

    Parameters
    ----------
    data : mapping
        What stands in the file.
    where : str
        What errors call it.

    Raises
    ------
    ResultError
        If it is none: names the first key at fault, what was found and what was expected.
    """
    try:
        ResultFile.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(map(str, first["loc"]))[:200]
        if first["type"] == "missing":
            message = f"is not a whole result: it has no '{path}'"
            mend = "it may be from an older pimsim: run it again"
            raise ResultError(message, where=where, mend=mend) from None
        _refuse(where, path, said(first))
    for path, message in (*_unreadable(data, "", 0), *_contradictions(data)):
        _refuse(where, path, message)


def _refuse(where: str, path: str, message: str) -> None:
    raise ResultError(message, where=f"{where}: {path}", mend="the file was changed: run it again")


def _unreadable(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Find what no report can write: texts that are no Unicode, endless numbers, what is nested without end."""
    if isinstance(value, dict | list):
        if depth == DEEPEST:
            yield path[:200], f"found more than {DEEPEST} levels, expected fewer"
            return
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(inner, int | bool) and -MOST <= inner <= MOST and isinstance(key, int):
                continue  # most of a file
            yield from _unreadable(inner, f"{path}.{key}" if path else str(key), depth + 1)
            if isinstance(key, str):
                yield from _unreadable(key, f"{path}.(a key)", depth + 1)
    elif isinstance(value, str):
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            yield path, "found a text with half a character (a lone surrogate), expected Unicode"
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield path, f"found {value}, expected a finite number"
    elif isinstance(value, int) and not -MOST <= value <= MOST:
        yield path, f"found an integer of more than {len(str(MOST)) - 1} digits, expected a smaller one"


def _contradictions(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Find figures that do not go together, so that a report could not show them."""
    for rows, whole, unit in (
        (data["attribution"], data["latency_fs"], "latency_fs"),
        (data["interval_attribution"], data["interval_fs"], "interval_fs"),
    ):
        if (total := sum(row["fs"] for row in rows)) != whole:
            name = "attribution" if unit == "latency_fs" else "interval_attribution"
            yield name, f"found times that sum to {total} fs, expected {whole} fs, the {unit}"
    for number, phase in enumerate(data["phases"]):
        if phase["end_fs"] <= phase["begin_fs"]:
            yield f"phases.{number}.end_fs", f"found {phase['end_fs']}, expected more than begin_fs"
    over_time = data["over_time"]
    for key in ("dynamic_mw", "tile_dynamic_mw", "firings_under_way"):
        counts = {len(series) for series in over_time[key].values()}
        if len(counts) > 1:
            yield (
                f"over_time.{key}",
                f"found series of {min(counts)} and {max(counts)} bins, expected as many in each",
            )
    if (total := sum(row["aj"] for row in data["energy"]["rows"])) != data["energy"]["total_aj"]:
        yield "energy.total_aj", f"found {data['energy']['total_aj']}, expected the sum of the rows, {total}"
    for number, row in enumerate(data["network"]["links"]):
        if row["chip"] >= data["chips"]:
            yield (
                f"network.links.{number}.chip",
                f"found {row['chip']}, expected one of {data['chips']} chips",
            )
    if "generation" in data:
        for key in ("first_token_fs", "tokens_per_s"):
            if data.get(key) is None:
                yield key, "found none, expected a figure, as tokens were generated"
        if "token_fs" not in data:
            yield "token_fs", "found none, expected times, or null"
