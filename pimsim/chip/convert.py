"""From a chip file of schema ``pimsim-chip/1`` to the present one: what was the one tile becomes a site named ``tile``.

Text for text, so that comments, sources and order stay as they are.
"""

from __future__ import annotations

import re
from pathlib import Path

from pimsim.chip import yaml_text
from pimsim.errors import ConfigError

OLD_KEYS = ("tiles", "tile", "core", "products", "memory")
"""Keys at the top of an old file that the present schema has elsewhere."""

MOVED = {"tiles": "tile.count", "memory.ports": "memory.count"}
"""What an override of an old file called otherwise, by what it is called now; the rest can be said as before."""

_BLOCK = re.compile(r"^([A-Za-z_]\w*):")


def is_old(data: dict[str, object]) -> bool:
    """Whether a chip file's data is of the old schema."""
    return data.get("schema") == "pimsim-chip/1" or any(key in data for key in OLD_KEYS)


def refusal(label: str, data: dict[str, object]) -> ConfigError:
    """Return the error for an old file: it says how to convert it."""
    keys = [key for key in OLD_KEYS if key in data]
    found = f"'{keys[0]}:' at the top" if keys else "schema pimsim-chip/1"
    return ConfigError(
        f"found {found}, expected it under 'sites:': the file is of an older version",
        where=label,
        mend=f"convert it: pimsim chip convert {'OLD.yaml' if label.startswith('<') else label} -o new.yaml",
    )


def convert(text: str, label: str) -> str:
    """Return the text of an old chip file as a new one.

    Raises
    ------
    ConfigError
        If the text is no YAML, or no old chip file.
    """
    data = yaml_text.parse(text, label)
    if not isinstance(data, dict) or not is_old(data):
        raise ConfigError(
            "found no old chip file: it has no " + ", ".join(f"'{k}:'" for k in OLD_KEYS), where=label
        )
    blocks = _blocks(text)
    moved = {name: lines for name, lines in blocks if name in OLD_KEYS}
    for name in ("tile", "core", "memory"):
        if name in moved and data[name] is not None and not isinstance(data[name], dict):
            raise ConfigError(f"found {data[name]!r:.40}, expected keys and values", where=f"{label}: {name}")
        if name in moved and len(moved[name]) and re.match(rf"{name}:\s*\{{", _head(moved[name])):
            raise ConfigError(
                "found braces, expected a key a line",
                where=f"{label}: {name}",
                mend="write its keys below one another",
            )
    sites = _sites(moved, fresh="extends" not in data)
    result: list[str] = []
    placed = False
    for name, lines in blocks:
        if name not in OLD_KEYS:
            result += [line.replace("pimsim-chip/1", "pimsim-chip/2") for line in lines]
        elif not placed:
            result += sites
            placed = True
    return "\n".join(result).rstrip("\n") + "\n"


def convert_file(path: Path) -> str:
    """Return the text of an old chip file as a new one; see `convert`.

    Raises
    ------
    ConfigError
        Also if the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read ({error!s:.100})", where=str(path)) from None
    return convert(text, str(path))


def _blocks(text: str) -> list[tuple[str, list[str]]]:
    """Cut a file at its keys at the top; comments and blank lines before a key belong to it."""
    blocks: list[tuple[str, list[str]]] = []
    waiting: list[str] = []
    for line in text.splitlines():
        match = _BLOCK.match(line)
        if match:
            blocks.append((match[1], [*waiting, line]))
            waiting = []
        elif not line.strip() or line.startswith("#"):
            waiting.append(line)
        else:
            if not blocks:
                blocks.append(("", []))
            blocks[-1][1].extend([*waiting, line])
            waiting = []
    blocks.append(("", waiting))
    return blocks


def _head(lines: list[str]) -> str:
    return next(line for line in lines if _BLOCK.match(line))


def _sites(moved: dict[str, list[str]], *, fresh: bool) -> list[str]:
    """Return the lines of ``sites:``."""
    lines = ["", "sites:"]
    if moved.keys() & {"tiles", "tile", "core", "products"}:
        lines.append("  tile:")
        if fresh:
            lines.append("    kind: crossbar")
        if "tiles" in moved:
            lines += [*_before(moved["tiles"], 4), "    count:" + _head(moved["tiles"]).partition(":")[2]]
        lines += _inside(moved.get("tile", []), 2)
        if "products" in moved:
            lines += [*_before(moved["products"], 4), "    " + _head(moved["products"])]
        if "core" in moved:
            lines += [*_before(moved["core"], 4), "    core:", *_inside(moved["core"], 4)]
    if "memory" in moved:
        if _head(moved["memory"]).partition(":")[2].strip():
            lines.append("  " + _head(moved["memory"]))
        else:
            lines += [*_before(moved["memory"], 2), "  memory:", "    kind: memory"]
            inside = _inside(moved["memory"], 2)
            lines += [re.sub(r"^(\s*)ports:", r"\1count:", line) for line in inside]
    lines.append("")
    return lines


def _before(lines: list[str], indent: int) -> list[str]:
    """The comments before a key, indented."""
    head = lines.index(_head(lines))
    return [" " * indent + line for line in lines[:head] if line.strip()]


def _inside(lines: list[str], more: int) -> list[str]:
    """What stands below a key, indented by so much more."""
    if not lines:
        return []
    head = lines.index(_head(lines))
    return [" " * more + line if line.strip() else line for line in lines[head + 1 :]]
