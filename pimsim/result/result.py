"""Result: one file that loads without the chip or the trace at hand."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pimsim import __version__
from pimsim.errors import ResultError

if TYPE_CHECKING:
    import pandas

    from pimsim.result.recording import Recording

FORMAT = "pimsim-result"
VERSION = 1  # of what stands in it; more figures are no new version
SCHEMA = f"{FORMAT}/{VERSION}"

TABLES = (
    "attribution",
    "interval_attribution",
    "phases",
    "plan",
    "ops",
    "tiles",
    "energy",
    "energy_by_op",
    "area",
    "windows",
    "resources",
    "links",
    "power",
)


def digest_of(about: dict[str, Any]) -> str:
    """Return the SHA-256 of plain data, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


class Result:
    """The outcome of one run.

    Parameters
    ----------
    data : dict
        What the JSON file holds; ``docs/results.md`` says what each figure means.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.recording: Recording | None = None
        """What a run with a timeline has recorded; it is not saved."""

    def __getattr__(self, name: str) -> Any:
        """Give the figures as attributes: ``result.latency_fs``."""
        data = self.__dict__.get("data", {})
        if name in data:
            return data[name]
        raise AttributeError(f"a result has no '{name}'; it has: {', '.join(data)}")

    def __getitem__(self, name: str) -> Any:
        """Give the figures by their keys: ``result["latency_fs"]``."""
        return self.data[name]

    def __contains__(self, name: object) -> bool:
        """Say whether there is a figure of that key: ``"latency_fs" in result``."""
        return name in self.data

    def __repr__(self) -> str:
        return (
            f"Result({self.data['model']!r} on {self.data['chip']!r}, {self.data['identity']['digest'][:12]})"
        )

    def __str__(self) -> str:
        from pimsim.report.terminal import to_text

        return to_text(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Result) and self.data == other.data

    __hash__ = None  # type: ignore[assignment]

    # -- tables ------------------------------------------------------------------------------------------------

    @property
    def weight_widths(self) -> list[int]:
        """Widths of the weights, bits, in ascending order."""
        found = {row["weight_bits"] for row in self.data["plan"] if row.get("weight_bits") is not None}
        return sorted(found) or [self.data["weight_bits"]]

    @property
    def input_widths(self) -> list[int]:
        """Widths of what ops read, bits, in ascending order."""
        found = {row["input_bits"] for row in self.data["plan"] if row.get("input_bits") is not None}
        return sorted(found) or [self.data["input_bits"]]

    def rows(self, table: str = "attribution") -> list[dict[str, Any]]:
        """Return a table as a list of rows.

        Parameters
        ----------
        table : str
            One of `TABLES`; ``docs/results.md`` says what stands in each.

        Raises
        ------
        KeyError
            If there is no such table.
        """
        if table in ("attribution", "interval_attribution", "plan", "ops", "tiles", "windows"):
            return list(self.data[table])
        if table == "phases":
            return [
                {"phase": phase["phase"], **row}
                for phase in self.data["phases"]
                for row in phase["attribution"]
            ]
        if table == "energy_by_op":
            return list(self.data["energy"]["rows"])
        if table == "power":
            return self._power_rows()
        if table == "energy":
            energy = self.data["energy_pj"]
            rows = [
                {
                    "part": part,
                    "dynamic_pj": energy["dynamic"].get(part),
                    "static_pj": energy["static"].get(part),
                    "total_pj": total,
                }
                for part, total in energy["by_part"].items()
            ]
            missing = [
                {"part": part, "dynamic_pj": None, "static_pj": None, "total_pj": None}
                for part in energy["not_modelled"]
            ]
            return sorted(rows, key=lambda row: -row["total_pj"]) + missing
        if table == "area":
            area = self.data["area_um2"]
            return [{"part": part, "area_um2": size} for part, size in area["by_part"].items()] + [
                {"part": part, "area_um2": None} for part in area["not_modelled"]
            ]
        if table == "links":
            return list(self.data["network"]["links"])
        if table == "resources":
            return [{"part": part, **figures} for part, figures in self.data["resources"].items()]
        raise KeyError(f"no table '{table}'; there are: {', '.join(TABLES)}")

    def _power_rows(self) -> list[dict[str, Any]]:
        """Dynamic power over time, a row a bin."""
        over_time = self.data["over_time"]
        width, series = over_time["bin_fs"], over_time["dynamic_mw"]
        bins = max((len(values) for values in series.values()), default=0)
        return [
            {
                "begin_fs": i * width,
                "end_fs": (i + 1) * width,
                "static_mw": over_time["power"]["static_mw"],
                **{f"{part}_mw": values[i] for part, values in series.items()},
            }
            for i in range(bins)
        ]

    def to_pandas(self, table: str = "attribution") -> pandas.DataFrame:
        """Return a table as a data frame; see `rows`.

        Raises
        ------
        ResultError
            If pandas is not installed.
        """
        return data_frame(self.rows(table))

    # -- files -------------------------------------------------------------------------------------------------

    def to_json(self) -> str:
        """Return the result as JSON, the same text for the same result."""
        return json.dumps(self.data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def save(self, path: str | Path) -> None:
        """Write the result, gzipped if the name ends in ``.gz``, all of it or nothing.

        Raises
        ------
        ResultError
            If the file cannot be written.
        """
        path = Path(path)
        raw = self.to_json().encode()
        if path.suffix == ".gz":
            raw = gzip.compress(raw, mtime=0)  # without a date, so that equal results are equal files
        write_whole(path, raw)

    @classmethod
    def load(cls, path: str | Path) -> Result:
        """Read a result.

        Raises
        ------
        ResultError
            If the file is not a whole result of this version's schema.
        """
        path = Path(path)
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise ResultError(f"cannot be read: {error.strerror}", where=str(path)) from None
        try:
            if raw[:2] == b"\x1f\x8b":
                raw = gzip.decompress(raw)
            data = json.loads(raw)
        except (ValueError, OSError, EOFError, zlib.error, RecursionError, MemoryError):
            raise ResultError("is not a pimsim result, or is cut short", where=str(path)) from None
        check_schema(data.get("schema") if isinstance(data, dict) else None, str(path))
        if "interrupted" in data:
            about = data["interrupted"]
            message = about.get("message", "") if isinstance(about, dict) else ""
            raise ResultError(f"is of a run that was interrupted: {message!s:.1000}", where=str(path))
        from pimsim.result.check import check_result

        check_result(data, str(path))
        return cls(data)


def data_frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> pandas.DataFrame:
    """Return rows as a data frame.

    Raises
    ------
    ResultError
        If pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise ResultError("pandas is not installed", mend="pip install 'pimsim[pandas]'") from None
    return pandas.DataFrame(rows, columns=columns)


def check_schema(found: object, where: str) -> None:
    """See that a file's schema is the one of this version.

    Raises
    ------
    ResultError
        If it is not: says whether the file, or pimsim, is too old.
    """
    if found == SCHEMA:
        return
    form, _, version = str(found).partition("/")
    if form != FORMAT or not version.isdecimal():
        raise ResultError(
            f"is not a pimsim result: found schema {found!r:.60}, expected '{SCHEMA}'",
            where=where,
            mend="results are written by 'pimsim run CHIP TRACE -o FILE'",
        )
    raise ResultError(
        f"found schema '{found}', expected '{SCHEMA}'",
        where=where,
        mend=f"it was written by a newer pimsim: upgrade this one ({__version__})",
    )


def check_writable(path: str | Path) -> None:
    """See, before a long run, whether a result can be written to a place; leave no trace of it.

    Raises
    ------
    ResultError
        If it cannot.
    """
    path, folder = Path(path), Path(path).parent
    if path.is_dir():
        raise ResultError("is a folder, expected a file", where=str(path))
    if not folder.is_dir():
        raise ResultError(f"cannot be written: there is no folder '{folder}'", where=str(path))
    if path.exists():
        if not os.access(path, os.W_OK):
            raise ResultError("cannot be written: permission denied", where=str(path))
        if not path.is_file():
            return  # a device or a pipe
    probe = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ResultError(f"cannot be written: {error.strerror}", where=str(path)) from None


def write_whole(path: Path, raw: bytes) -> None:
    """Write a file through a temporary one beside it, so that it is never half there.

    Raises
    ------
    ResultError
        If it cannot be written.
    """
    target = path
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    if path.exists() and not path.is_file():
        if path.is_dir():
            raise ResultError("is a folder, expected a file", where=str(path))
        temporary = path  # a device or a pipe is written straight
    try:
        with open(temporary, "wb") as file:
            file.write(raw)
            file.flush()
            if temporary != target:
                os.fsync(file.fileno())
        if temporary != target:
            os.replace(temporary, target)
    except OSError as error:
        if temporary != target:
            temporary.unlink(missing_ok=True)
        raise ResultError(f"cannot be written: {error.strerror}", where=str(path)) from None
    except BaseException:
        if temporary != target:
            temporary.unlink(missing_ok=True)
        raise
