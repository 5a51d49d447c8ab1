"""Presets found by name: chips in ``configs/``, traces in ``traces/``, from a wheel or from a checkout."""

from __future__ import annotations

from pathlib import Path

from pimsim.errors import PimsimError, nearest

_PACKAGE = Path(__file__).resolve().parent


def folder(kind: str) -> Path:
    """Return the folder that holds the presets of a kind (``"configs"`` or ``"traces"``)."""
    inside = _PACKAGE / kind  # an installed wheel
    return inside if inside.is_dir() else _PACKAGE.parent / kind  # a checkout


def names(kind: str, suffix: str) -> list[str]:
    """List the presets of a kind, sorted."""
    return sorted(path.name.removesuffix(suffix) for path in folder(kind).glob(f"*{suffix}"))


def resolve(name: str | Path, kind: str, suffix: str, error: type[PimsimError]) -> Path:
    """Turn a preset's name or a path into the path of a file that exists.

    A name without a folder and without the suffix is looked up among the presets; anything else is a path.

    Raises
    ------
    PimsimError
        Of the class `error`, if there is neither such a preset nor such a file.
    """
    text = str(name)
    path = Path(text)
    is_name = path.name == text and not text.endswith(suffix) and text not in ("", ".", "..")
    if is_name and not path.is_file():
        preset = folder(kind) / f"{text}{suffix}"
        if preset.is_file():
            return preset
        known = names(kind, suffix)
        raise error(f"no preset and no file is called '{text}'", mend=nearest(text, known))
    if path.is_dir():
        raise error("is a folder, expected a file", where=text)
    if not path.is_file():
        raise error("no such file", where=text)
    return path
