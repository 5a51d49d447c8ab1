"""Topologies as a user types them: ``mesh:8x8``, ``fattree:4,2``, or a file with a list of links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pimsim.chip.topology import Topology
from pimsim.chip.topology.base import describe
from pimsim.errors import ConfigError, nearest
from pimsim.registry import plugged

MOST_TERMINALS = 4096


def specs() -> dict[str, type[Topology]]:
    """Return the kinds that can be typed, by name."""
    return {kind: shape for kind, shape in plugged("topologies").items() if shape.spec}


def from_spec(text: str) -> Topology:
    """Return the topology that a text names: a kind with its numbers, ``package:N/…``, or the path of a file.

    A file holds a link a line: two routers by number and, if it is not the network's, the link's delay in cycles; what
    follows ``#`` is a remark. One terminal sits at each router.

    Raises
    ------
    ConfigError
        If there is no such kind or file, or it makes no network.
    """
    kind, _, rest = text.partition(":")
    if kind == "package":
        found = re.fullmatch(r"(\d{1,7})/(.+)", rest)
        if found is None:
            raise ConfigError(
                f"found '{text:.200}', expected package:chips/topology, such as package:2/mesh:4x4",
                where="TOPOLOGY",
            )
        data: dict[str, Any] = {"kind": "package", "chips": int(found[1]), "of": _numbers(found[2])}
    elif kind in specs():
        data = _numbers(text)
    elif _is_file(text):
        data = {"kind": "graph", "edges": _edges(Path(text))}
    else:
        examples = ", ".join(each.spec for each in specs().values())
        hint = (
            nearest(kind, [*specs(), "package"]) if rest else "name one or give the path of a list of links"
        )
        raise ConfigError(
            f"found '{text:.200}', expected {examples}, package:2/mesh:4x4 or a file",
            where="TOPOLOGY",
            mend=hint,
        )
    try:
        topology: Topology = plugged("topologies")[data["kind"]].model_validate(data)
    except ValidationError as error:
        place = ".".join(str(step) for step in error.errors()[0]["loc"] if step not in specs())
        raise ConfigError(describe(error), where=f"{text}: {place}" if place else text) from None
    if topology.places > MOST_TERMINALS:
        raise ConfigError(f"found {topology.places} terminals, expected at most {MOST_TERMINALS}", where=text)
    return topology


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # such as a name that is too long
        return False


def _numbers(text: str) -> dict[str, Any]:
    kind, _, rest = text.partition(":")
    if kind not in specs():
        raise ConfigError(f"found '{text:.200}'", where="TOPOLOGY", mend=nearest(kind, list(specs())))
    example, names = specs()[kind].spec, specs()[kind].numbers
    words = re.split(r"[x,]", rest) if rest else []
    if len(words) != len(names) or not all(re.fullmatch(r"\d{1,7}", word) for word in words):
        raise ConfigError(
            f"found '{text:.200}', expected {kind}:{'x'.join(names)}, whole numbers, such as {example}",
            where="TOPOLOGY",
        )
    return {"kind": kind, **{name: int(word) for name, word in zip(names, words, strict=True)}}


def _edges(path: Path) -> list[list[int]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise ConfigError("is not a text file with a link a line", where=str(path)) from None
    edges = []
    for number, line in enumerate(lines, 1):
        words = re.split(r"[\s,]+", line.partition("#")[0].strip())
        if words == [""]:
            continue
        if not 2 <= len(words) <= 3 or not all(re.fullmatch(r"\d{1,6}", word) for word in words):
            raise ConfigError(
                f"found '{line.strip():.60}', expected two routers and perhaps a delay, whole numbers from 0",
                where=f"{path}:{number}",
            )
        edges.append([int(word) for word in words])
    if not edges:
        raise ConfigError("found no link, expected at least one line with two routers", where=str(path))
    return edges
