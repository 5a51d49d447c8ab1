"""Reading YAML strictly: the core types of YAML 1.2, no duplicate keys, no aliases, no tags."""

from __future__ import annotations

import re
from typing import Any

import yaml

from pimsim.errors import ConfigError

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
_BASE: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BASE):  # type: ignore[misc, valid-type]
    """YAML 1.2's core scalars: ``1e6`` is a number, ``010`` is ten, and ``no`` and ``1:30`` are text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (yaml's own name)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping, refusing keys that stand twice or are not text."""
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.MarkedYAMLError(
                    problem=f"found the key {key!r:.60}, expected text", problem_mark=key_node.start_mark
                )
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"found the key '{key:.60}' a second time, expected it once",
                    problem_mark=key_node.start_mark,
                )
            seen.add(key)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=True)
        return mapping


def _int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))


def _float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    return float(str(loader.construct_scalar(node)).replace(".inf", "inf").replace(".nan", "nan").lower())


_NUMBER = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]{1,300}", "-+0123456789"),
    ("float", rf"{_NUMBER}|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+0123456789."),
):
    for _character in _first:
        _Loader.yaml_implicit_resolvers.setdefault(_character.strip("\0"), []).append(
            (f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"))
        )
_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


def parse(text: str, where: str) -> Any:
    """Return the value that a YAML text holds.

    Parameters
    ----------
    text : str
        The text.
    where : str
        What to call it in an error.

    Raises
    ------
    ConfigError
        If it is not YAML, or uses aliases, tags, duplicate keys or absurd nesting.
    """
    try:
        _check_events(text, where)
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        problem = (error.problem or "cannot be read").split("\n")[0]
        raise ConfigError(f"not valid YAML: {problem}", where=f"{where}{line}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = str(error).split("\n")[0][:200]
        raise ConfigError(f"not valid YAML: {problem}", where=where) from None


def _check_events(text: str, where: str) -> None:
    """Refuse what could blow up while it is built: aliases, tags, deep nesting."""
    depth = 0
    for event in yaml.parse(text, Loader=_BASE):
        problem = None
        if isinstance(event, yaml.AliasEvent):
            problem = "found an alias, expected the value itself"
        elif (tag := getattr(event, "tag", None)) not in (None, "!"):
            problem = f"found the tag {tag!s:.60}, expected none"
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            problem = f"found more than {MAX_DEPTH} levels, expected a chip"
        if problem:
            line = f":{event.start_mark.line + 1}" if event.start_mark else ""
            raise ConfigError(f"not valid YAML for a chip: {problem}", where=f"{where}{line}")
