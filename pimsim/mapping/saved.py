"""A plan as data: what the planner decided, in a file that a hand may edit and a mapper may make.

What follows from the chip, the trace and these decisions (how weights are cut, what must fit where) is not in it: it is
worked out again, and checked, when the plan is used. ``docs/mapping.md`` says what each key means.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pimsim.chip.problems import said
from pimsim.errors import MappingError, nearest

SCHEMA = "pimsim-mapping/1"
WIDTH = 110  # of a line of the file: what is longer is broken up

Number = Annotated[int, Field(ge=0, le=10**7)]
Count = Annotated[int, Field(ge=1, le=10**7)]
Bits = Annotated[int, Field(ge=1, le=64)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class CoreRow(_Row):
    """Arrays of a core, and which blocks of a weight they hold, in their order."""

    tile: Number
    core: Number
    arrays: str
    blocks: str


class CopyRow(_Row):
    """A copy of an op's weight: its arrays, what these are called, and the tile where its sums come together."""

    home: Number
    slots: Annotated[str, Field(min_length=1)]
    cores: Annotated[list[CoreRow], Field(min_length=1)]


class ElsewhereRow(_Row):
    """An input that lies in several tiles' buffers, a token in each by turns."""

    input: Number
    slice: Number = 0
    tiles: Annotated[list[Number], Field(min_length=1)]


class OpRow(_Row):
    """Where an op is done, in how many copies, and with how many places for its inputs."""

    op: str
    type: str
    site: str | None = None
    why: str = ""
    round: Number = 0
    attached: bool = False
    slices: Count = 1
    positions: Literal["stripes"] | list[str] | None = None
    dealt: bool = False
    copies: list[CopyRow | str] = []
    tiles: list[Number] = []
    right_in: str | None = None
    rows_at_once: Count = 1
    elsewhere: list[ElsewhereRow] = []
    places: list[dict[str, dict[str, Count]]] = []


class Named(_Row):
    """What a plan is for: its name, to be read, and its digest, which counts."""

    name: str
    digest: str


class Asked(_Row):
    """The options that the plan was made with."""

    chips: Count | None = None
    weight_bits: Bits | None = None
    input_bits: Bits | None = None
    reload: bool = False
    effort: Literal["quick", "normal", "thorough"] = "quick"


class Generating(_Row):
    """Prompts that the plan is for: their tokens, those that follow, and how many sequences have a cache at once."""

    prompt: Count
    tokens: Count
    places: Count


class Content(_Row):
    """All that a file holds."""

    version: Annotated[str, Field(alias="schema")]
    pimsim: str
    chip: Named
    trace: Named
    options: Asked
    generation: Generating | None = None
    chips: Annotated[int, Field(ge=1, le=100_000)]
    ops: Annotated[list[OpRow], Field(min_length=1)]


class SavedPlan:
    """A plan as data, checked for its form alone: whether it can run is seen with the chip and the trace.

    Parameters
    ----------
    content : Content
        What it holds.
    source : str
        Where it came from, for messages.
    """

    def __init__(self, content: Content, source: str = "mapping") -> None:
        self.content, self.source = content, source

    @classmethod
    def load(cls, path: str | Path) -> SavedPlan:
        """Read a plan from a file.

        Raises
        ------
        MappingError
            If it cannot be read or is no plan.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise MappingError(f"cannot be read: {error.strerror or error}", where=str(path)) from None
        except UnicodeDecodeError:
            raise MappingError(*_not_a_plan("bytes that are no text"), where=str(path)) from None
        try:
            data = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            line = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
            raise MappingError(
                f"found no JSON{line} ({reason}), expected a plan", where=str(path), mend=_MEND
            ) from None
        return cls.from_dict(data, source=str(path))

    @classmethod
    def from_dict(cls, data: Any, source: str = "mapping") -> SavedPlan:
        """Return a plan from plain data, as `to_dict` gives it.

        Raises
        ------
        MappingError
            If it is no plan: which key, what was found, what was expected.
        """
        if not isinstance(data, Mapping) or not str(data.get("schema", "")).startswith("pimsim-mapping/"):
            kind = data.get("schema") if isinstance(data, Mapping) else None
            raise MappingError(
                f"found {f'a file of {kind!r:.40}' if kind else 'something else'}, expected a plan ({SCHEMA})",
                where=source,
                mend=_MEND,
            )
        if data["schema"] != SCHEMA:
            raise MappingError(f"found {data['schema']!r:.40}, expected {SCHEMA}", where=source, mend=_MEND)
        try:
            return cls(Content.model_validate(data), source)
        except ValidationError as error:
            raise _error_of(error, data, source) from None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data; what is as it is by default is left out."""
        return self.content.model_dump(by_alias=True, exclude_defaults=True)

    def with_(self, **changes: Any) -> SavedPlan:
        """Return a copy with some keys changed, such as ``ops``; rows may be plain data."""
        return type(self).from_dict(self.to_dict() | changes, self.source)

    def to_json(self) -> str:
        """Return it as text: a line an op where that fits, else a line a copy."""
        return _lines(self.to_dict(), "") + "\n"

    def save(self, path: str | Path) -> None:
        """Write it to a file; equal plans give equal bytes.

        Raises
        ------
        MappingError
            If the file cannot be written.
        """
        try:
            Path(path).write_text(self.to_json(), encoding="utf-8")
        except OSError as error:
            raise MappingError(f"cannot be written: {error.strerror or error}", where=str(path)) from None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what it holds."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SavedPlan) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        content = self.content
        return f"SavedPlan({content.trace.name!r} on {content.chip.name!r}, {self.digest[:12]})"


_MEND = "pimsim map CHIP TRACE -o plan.json makes one"


def _not_a_plan(found: str) -> tuple[str]:
    return (f"found {found}, expected a plan",)


def _error_of(error: ValidationError, data: Any, source: str) -> MappingError:
    """Say the first thing that is wrong: where, what was found, what was expected."""
    first = next((each for each in error.errors() if "str" not in each["loc"][-1:]), error.errors()[0])
    way, at, inner = "", data, first["loc"]
    for step in inner:
        if isinstance(at, list) and isinstance(step, int) and step < len(at):
            at, way = at[step], f"{way}[{step}]"
            if isinstance(at, Mapping) and isinstance(at.get("op"), str):
                way += f" ('{at['op']:.60}')"
        elif isinstance(at, Mapping) and step in at:
            at, way = at[step], f"{way}.{step}"
        elif step == inner[-1] and first["type"] in ("missing", "extra_forbidden"):
            way = f"{way}.{step}"
    way = way.lstrip(".")
    where = f"{source}: {way}" if way else source
    if first["type"] == "missing":
        return MappingError("is missing", where=where, mend="add it, or make the plan again")
    if first["type"] == "extra_forbidden":
        known = sorted(
            {*OpRow.model_fields, *CopyRow.model_fields, *CoreRow.model_fields, *Content.model_fields}
        )
        return MappingError("is no key of a plan", where=where, mend=nearest(str(inner[-1]), known))
    return MappingError(said(first), where=where)


def _lines(value: Any, indent: str) -> str:
    """Write plain data with as many values on a line as fit."""
    short = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(short) <= WIDTH or not isinstance(value, list | dict) or not value:
        return short
    inner = indent + " "
    if isinstance(value, dict):
        rows = [
            f"{json.dumps(key, ensure_ascii=False)}: {_lines(each, inner)}" for key, each in value.items()
        ]
        return "{\n" + ",\n".join(inner + row for row in rows) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + _lines(each, inner) for each in value) + f"\n{indent}]"
