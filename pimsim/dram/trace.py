"""Reading lists of requests: CSV files with the operation and the place of each."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from pimsim.dram.requests import MOST_REQUESTS, Requests, bank_number, check_bursts, places_of
from pimsim.dram.schema import CHANNEL, Standard
from pimsim.errors import ConfigError

SHORT = {
    "bg": "bankgroup",
    "ba": "bank",
    "ch": "channel",
    "ra": "rank",
    "pc": "pseudochannel",
    "ro": "row",
    "co": "column",
    "col": "column",
    "addr": "address",
}
OPERATIONS = {"R": False, "W": True, "READ": False, "WRITE": True, "RD": False, "WR": True}
MOST_BYTES = 2**30
MOST_CYCLE = 10**10  # some seconds of a memory's time, and tens of millions of refreshes
_NUMBER = re.compile(r"\d{1,18}|0[xX][0-9a-fA-F]{1,15}")


def read_trace(path: str | Path, standard: Standard) -> Requests:
    """Read requests from a CSV file, packed with gzip if its name ends in ``.gz``.

    Parameters
    ----------
    path : path
        The columns are ``op`` (R or W), and either ``address`` in bytes or ``row``, ``column`` and the levels of the
        standard (a missing level is 0; the channel is 0, as a run is of one); ``cycle`` if requests come at their own
        times. Others are not read.
    standard : Standard
        The memory that they go to.

    Raises
    ------
    ConfigError
        If the file cannot be read, is no such list, or a place is outside the memory: says the line and the column.
    """
    path = Path(path)
    limits = {**standard.levels, "row": standard.rows, "column": standard.columns}
    lines = csv.reader(io.StringIO(_text(path)), skipinitialspace=True)
    try:
        names = _header(next(lines, []), path, limits)
        table = _numbers(lines, names, limits, path)
    except csv.Error as error:
        raise ConfigError(f"is not a CSV file: {error}", where=f"{path}:{lines.line_num}") from None
    columns = {name: np.array(values, dtype=np.int64) for name, values in table.items()}
    count = len(columns["op"])
    if "address" in names:
        bursts = columns["address"] // standard.data.burst_bytes
        check_bursts(standard, bursts, f"{path}: address")
        places = places_of(standard, bursts)
    else:
        zero = np.zeros(count, dtype=np.int64)
        bank = bank_number(standard, {level: columns.get(level, zero) for level in standard.levels})
        places = bank, columns["row"], columns["column"]
    cycle = columns.get("cycle")
    if cycle is not None and count and (back := np.flatnonzero(np.diff(cycle) < 0)).size:
        raise ConfigError(
            "found a cycle before the last one's", where=f"{path}: request {back[0] + 2}: cycle"
        )
    return Requests(columns["op"].astype(bool), *places, cycle)


def _text(path: Path) -> str:
    """Return a file's text, unpacked."""
    try:
        with path.open("rb") as file:
            unpacked = gzip.GzipFile(fileobj=file) if path.name.endswith(".gz") else file
            raw = unpacked.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}", where=str(path)) from None
    except (EOFError, zlib.error) as error:
        raise ConfigError(f"cannot be unpacked: {error}", where=str(path)) from None
    if len(raw) > MOST_BYTES:
        raise ConfigError(f"found more than {MOST_BYTES} bytes, expected fewer", where=str(path))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"is not a CSV file (byte {error.start} is no UTF-8)", where=str(path)) from None


def _header(words: list[str], path: Path, limits: dict[str, int]) -> list[str]:
    """Return the columns by their long names, and refuse a list that lacks one."""
    names = [SHORT.get(word.strip().lower(), word.strip().lower()) for word in words]
    missing = [] if "op" in names else ["op"]
    if "address" not in names:
        missing += [name for name in ("row", "column") if name not in names]
    if missing or len(set(names)) < len(names):
        found = ", ".join(word.strip() for word in words)[:200] or "none"
        levels = ", ".join(name for name in limits if name not in ("row", "column"))
        raise ConfigError(
            f"found the columns {found}, expected op and either address or row, column ({levels}), each once",
            where=f"{path}:1",
        )
    return names


def _numbers(lines: Any, names: list[str], limits: dict[str, int], path: Path) -> dict[str, list[int]]:
    """Return the columns that count."""
    most = {"cycle": MOST_CYCLE, "address": 2**60, **({} if "address" in names else limits), CHANNEL: 1}
    wanted = [(place, name, most[name]) for place, name in enumerate(names) if name in most]
    operation = names.index("op")
    table: dict[str, list[int]] = {"op": [], **{name: [] for _, name, _ in wanted}}
    for line in lines:
        if not line:
            continue
        where = f"{path}:{lines.line_num}"
        if len(line) < len(names):
            raise ConfigError(f"found {len(line)} fields, expected {len(names)}", where=where)
        op = OPERATIONS.get(line[operation].strip().upper())
        if len(table["op"]) == MOST_REQUESTS:
            raise ConfigError(f"found more than {MOST_REQUESTS:,} requests, expected no more", where=where)
        if op is None:
            raise ConfigError(f"found {line[operation]!r:.40}, expected R or W", where=f"{where}: op")
        table["op"].append(op)
        for place, name, limit in wanted:
            text = line[place].strip()
            value = int(text, 0 if text[:2] in ("0x", "0X") else 10) if _NUMBER.fullmatch(text) else -1
            if not 0 <= value < limit:
                raise ConfigError(
                    f"found {text!r:.40}, expected a whole number from 0 to {limit - 1}",
                    where=f"{where}: {name}",
                )
            table[name].append(value)
    return table
