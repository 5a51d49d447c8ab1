"""Loading a chip: presets and files, ``extends:`` and ``--set``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pimsim import presets
from pimsim.chip import convert, yaml_text
from pimsim.chip.problems import Layer, config_error
from pimsim.chip.schema import ChipConfig
from pimsim.errors import ConfigError, nearest

Overrides = Sequence[str] | Mapping[str, Any]
_DICT = "<dict>"
NAMED = ("sites", "clocks", "other")  # of these a chip has as many as it names


def load(name_or_path: str | Path, overrides: Overrides = ()) -> ChipConfig:
    """Load and check a preset or a chip file.

    Raises
    ------
    ConfigError
        If the file, or an override, is at fault.
    """
    return _build(_layers(_find(str(name_or_path)), []), overrides)


def from_mapping(data: Mapping[str, Any], overrides: Overrides = ()) -> ChipConfig:
    """Check a dictionary that describes a chip; it may extend a preset or a file.

    Raises
    ------
    ConfigError
        If the dictionary, or an override, is at fault.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f"found {type(data).__name__}, expected keys and values", where=_DICT)
    return _build(_with_base(Layer(_DICT, data), Path(), []), overrides)


def _build(layers: Sequence[Layer], overrides: Overrides = ()) -> ChipConfig:
    """Merge layers, first to last, put the overrides on top, and check the whole."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = merge(merged, layer.data)
    merged.pop("extends", None)
    _drop_null_sites(merged)
    config = _validate(merged, layers)
    if not overrides:
        return config
    layers = list(layers)
    for label, written, value in _parse(overrides):
        full = config.model_dump(by_alias=True)
        path = _whole(written, full, label)
        if not (len(path) == 2 and path[0] in NAMED and isinstance(value, Mapping)):  # one more may come
            _check_path(path, full, label)
        change = value
        for key in reversed(path):
            change = {key: change}
        layers.append(Layer(label, change))
        merged = _replace(merged, path, value)
        _drop_null_sites(merged)
        with suppress(ConfigError):  # what one override breaks, a later one may mend
            config = _validate(merged, layers)
    return _validate(merged, layers)


def _drop_null_sites(merged: dict[str, Any]) -> None:
    """Take away the sites that a file or an override sets to null."""
    sites = merged.get("sites")
    if isinstance(sites, Mapping):
        merged["sites"] = {name: site for name, site in sites.items() if site is not None}


def _whole(path: list[str], full: Mapping[str, Any], label: str) -> list[str]:
    """Complete a path that leaves out ``sites``, or the site as well where only one has such a key."""
    sites = full["sites"]
    if path[0] in full or path[0] == "schema":
        return path
    if path[0] in sites:
        return ["sites", *path]
    owners = [name for name, site in sites.items() if isinstance(site, Mapping) and path[0] in site]
    if len(owners) > 1 and len(path) > 1:  # several have its first key, but perhaps one has all of them
        deep = [name for name in owners if _has(sites[name], path)]
        owners = deep or owners
    if len(owners) > 1:
        raise ConfigError(
            f"'{'.'.join(path)}' may be a key of several sites: {', '.join(owners)}",
            where=label,
            mend=f"name the site: {owners[0]}.{'.'.join(path)}",
        )
    return ["sites", owners[0], *path] if owners else path


def _has(data: Any, path: Sequence[str]) -> bool:
    for key in path:
        if not isinstance(data, Mapping) or key not in data:
            return False
        data = data[key]
    return True


def _validate(data: Mapping[str, Any], layers: Sequence[Layer]) -> ChipConfig:
    """Check a merged chip against the schema."""
    try:
        return ChipConfig.model_validate(data)
    except ValidationError as error:
        refused = config_error(error, data, layers)
        raise refused from refused.__cause__
    except (OverflowError, RecursionError) as error:
        raise ConfigError(
            f"found a value that cannot be a chip's ({error})", where=layers[-1].label
        ) from None


def merge(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Merge mappings key by key, the top one winning; another ``kind`` replaces the whole mapping.

    A name alone below a mapping is its ``kind``.
    """
    if "kind" in top and "kind" in base and top["kind"] != base["kind"]:
        return dict(top)
    merged = dict(base)
    for key, value in top.items():
        below = _opened(merged.get(key))
        merged[key] = (
            merge(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
        )
    return merged


def _opened(value: Any) -> Any:
    """Return what a name alone stands for where keys are put beside it: ``reram`` is ``{kind: reram}``."""
    return {"kind": value} if isinstance(value, str) else value


def _find(name: str, beside: Path | None = None) -> Path:
    """Find a preset by name, or a file by its path, relative to the folder `beside` if one is given."""
    is_path = "/" in name or name.endswith((".yaml", ".yml"))
    try:
        return presets.resolve(beside / name if beside and is_path else name, "configs", ".yaml", ConfigError)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot be opened ({error})", where=name[:200]) from None


def _layers(path: Path, above: list[Path]) -> list[Layer]:
    """Read a file and what it extends, the base first."""
    label = str(path)
    resolved = path.resolve()
    if resolved in above:
        chain = " -> ".join(p.name for p in [*above[above.index(resolved) :], resolved])
        raise ConfigError(f"found a circle ({chain}), expected an end", where=f"{label}: extends")
    return _with_base(Layer(label, _read(path)), path.parent, [*above, resolved])


def _with_base(layer: Layer, folder: Path, above: list[Path]) -> list[Layer]:
    """Return a layer with those that it extends before it."""
    if convert.is_old(dict(layer.data)):
        raise convert.refusal(layer.label, dict(layer.data))
    base = layer.data.get("extends")
    if base is None:
        return [layer]
    where = f"{layer.label}: extends"
    if not isinstance(base, str):
        raise ConfigError("expected the name of a preset or the path of a file", where=where)
    try:
        below = _find(base, beside=folder)
    except ConfigError as error:
        raise ConfigError(str(error), where=where) from None
    return [*_layers(below, above), layer]


def _read(path: Path) -> dict[str, Any]:
    label = str(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", where=label) from None
    if len(raw) > yaml_text.MAX_BYTES:
        raise ConfigError(f"found {len(raw)} bytes, expected at most {yaml_text.MAX_BYTES}", where=label)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 text (byte {error.start})", where=label) from None
    data = yaml_text.parse(text, label)
    if data is None:
        raise ConfigError("the file is empty, expected a chip", where=label)
    if not isinstance(data, dict):
        kind = "a list" if isinstance(data, list) else "a single value"
        raise ConfigError(f"found {kind} at the top, expected keys and values", where=label)
    return data


def overridden_keys(overrides: Overrides) -> tuple[str, ...]:
    """Return the paths of all values that overrides set, those inside a mapping too.

    Raises
    ------
    ConfigError
        If one is not ``path.to.key=value``.
    """

    def inside(path: str, value: Any) -> Iterator[str]:
        if isinstance(value, Mapping) and value:
            for key, each in value.items():
                yield from inside(f"{path}.{key}", each)
        else:
            yield path

    return tuple(key for _, path, value in _parse(overrides) for key in inside(".".join(path), value))


def _parse(overrides: Overrides) -> list[tuple[str, list[str], Any]]:
    """Return each override's label, path and value."""
    if isinstance(overrides, Mapping):
        return [(f"override {path}", str(path).split("."), value) for path, value in overrides.items()]
    if isinstance(overrides, str):
        overrides = [overrides]
    parsed = []
    for text in overrides:
        path, sign, value = text.partition("=")
        label = f"--set {text}"
        if not sign or not path.strip():
            raise ConfigError("expected path.to.key=value", where=label)
        parsed.append((label, path.strip().split("."), yaml_text.parse(value, label)))
    return parsed


def _check_path(path: Sequence[str], full: Any, label: str) -> None:
    """Refuse a path that does not exist in a chip with all its keys."""
    for steps, key in enumerate(path):
        place = ".".join(path[:steps]) or "the chip"
        if full is None:
            raise ConfigError(
                f"'{place}' is not set, so it has no keys", where=label, mend="set it as a whole"
            )
        if not isinstance(full, Mapping):
            raise ConfigError(f"'{place}' is a value, it has no keys", where=label)
        if key == "kind" and isinstance(full, Mapping):  # of a part that needs none to be meant
            return
        if key not in full:
            mend = _at_the_top(key, full) if not steps else nearest(key, list(full))
            if moved := convert.MOVED.get(".".join(path).removeprefix("sites.")):
                mend = f"did you mean '{moved}'?"
            raise ConfigError(f"no key '{key}' in {place}", where=label, mend=mend)
        full = full[key]


def _at_the_top(key: str, full: Mapping[str, Any]) -> str:
    """Say what a key may be meant for that is not one a path begins with."""
    deeper = [path for path in _paths_to(key, full) if not path.startswith("clocks.")]
    if deeper:
        return f"did you mean '{_shortest(deeper[0].split('.'), full)}'?"
    inside = [each for site in full["sites"].values() if isinstance(site, Mapping) for each in site]
    return nearest(key, list(dict.fromkeys([*full, *full["sites"], *inside])))


def _shortest(path: list[str], full: Mapping[str, Any]) -> str:
    """Return a path without what an override may leave out."""
    for short in (path[2:], path[1:]):
        with suppress(ConfigError):
            if short and _whole(short, full, "") == path:
                return ".".join(short)
    return ".".join(path)


def _paths_to(key: str, full: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield the paths of a chip that end in a key."""
    for name, value in full.items():
        if name == key:
            yield above + name
        if isinstance(value, Mapping):
            yield from _paths_to(key, value, f"{above}{name}.")


def _replace(data: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    """Return the data with the value at a path replaced."""
    inner = _opened(data.get(path[0]))
    below = inner if isinstance(inner, Mapping) else {}
    return {**data, path[0]: value if len(path) == 1 else _replace(below, path[1:], value)}
