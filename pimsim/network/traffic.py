"""Who sends to whom: the synthetic patterns that networks are measured with, and lists of packets."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pimsim.chip.topology import Topology
from pimsim.chip.topology.butterfly import Butterfly
from pimsim.chip.topology.fattree import FatTree
from pimsim.chip.topology.mesh import CMesh, Grid
from pimsim.errors import ConfigError, nearest

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pattern:
    """A rule for the target of every packet; Dally and Towles (2004), section 3.2.

    Parameters
    ----------
    name : str
        As the user gave it.
    target : callable
        Of a random generator, the packets' sources, and each packet's number at its source; all terminals are numbers
        along the rows of the network.
    by_number : bool
        Whether it looks at the packets' numbers.
    """

    name: str
    target: Callable[[np.random.Generator, Ints, Ints], Ints]
    by_number: bool = False


def order(topology: Topology) -> Ints:
    """Return the tiles along the rows of the network: patterns count terminals so, `Topology` may not.

    They differ on a concentrated mesh whose routers serve a square of tiles.
    """
    tiles = np.arange(topology.places, dtype=np.int64)
    if not isinstance(topology, CMesh):
        return tiles
    side = round(topology.concentration**0.5)
    if side**2 != topology.concentration:
        return tiles
    x, y = tiles % (side * topology.width), tiles // (side * topology.width)
    routers = y // side * topology.width + x // side
    places: Ints = routers * topology.concentration + y % side * side + x % side
    return places


def sides(topology: Topology) -> list[int]:
    """Return the sizes of the dimensions that `tornado` and `neighbor` move along, the fastest first."""
    if isinstance(topology, FatTree):
        return [topology.arity] * topology.levels
    if isinstance(topology, Butterfly):
        return [topology.arity] * topology.stages
    if isinstance(topology, Grid):
        side = round(topology.tiles_per_router**0.5)
        if side**2 == topology.tiles_per_router:
            return [side * size for size in topology.shape]
    return [topology.places]


PATTERNS = {
    "uniform": "any terminal, itself included",
    "transpose": "(x, y) to (y, x)",
    "bitcomp": "bit complement: the terminal opposite",
    "bitrev": "the bits of the number in reverse",
    "shuffle": "the bits rotated left by one",
    "tornado": "just under half-way around every dimension",
    "neighbor": "one further in every dimension",
    "hotspot": "hotspot:5,6 these terminals alone; hotspot:5,6@0.2 a fifth of the packets, the rest uniform",
    "alltoall": "packet i of s to s + 1 + i",
}


def pattern(text: str, topology: Topology) -> Pattern:
    """Return the pattern that a text names.

    Raises
    ------
    ConfigError
        If there is none, the network is of no size for it, or a hotspot names no terminal.
    """
    name = re.split(r"[:(]", text, maxsplit=1)[0]
    where = "--pattern"
    if name not in PATTERNS:
        raise ConfigError(f"found '{text}'", where=where, mend=nearest(name, list(PATTERNS)))
    if name != "hotspot" and name != text:
        raise ConfigError(f"found '{text}', expected '{name}' alone", where=where)
    n = topology.places
    if name == "uniform":
        return Pattern(text, lambda rng, s, i: rng.integers(0, n, len(s)))
    if name == "hotspot":
        return _hotspot(text, n)
    if name == "alltoall":
        return Pattern(text, lambda rng, s, i: (s + 1 + i % max(1, n - 1)) % n, True)
    table = _permutation(name, topology)
    return Pattern(text, lambda rng, s, i: table[s])


def _permutation(name: str, topology: Topology) -> Ints:
    n = topology.places
    every = np.arange(n, dtype=np.int64)
    if name == "bitcomp":
        return n - 1 - every
    if name == "transpose":
        side = round(n**0.5)
        if side**2 != n:
            raise ConfigError(f"transpose needs a square number of terminals, found {n}", where="--pattern")
        swapped: Ints = every % side * side + every // side
        return swapped
    if name in ("tornado", "neighbor"):
        moved, weight = np.zeros(n, dtype=np.int64), 1
        for size in sides(topology):
            step = (size + 1) // 2 - 1 if name == "tornado" else 1
            moved += (every // weight % size + step) % size * weight
            weight *= size
        return moved
    bits = n.bit_length() - 1
    if 1 << bits != n:
        raise ConfigError(f"{name} needs a power of two of terminals, found {n}", where="--pattern")
    if name == "shuffle":
        return (every << 1 | every >> max(0, bits - 1)) & (n - 1) if bits else every
    reverse = np.zeros(n, dtype=np.int64)
    for bit in range(bits):
        reverse |= (every >> bit & 1) << (bits - 1 - bit)
    return reverse


def _hotspot(text: str, n: int) -> Pattern:
    spec, at, share_text = text.partition("@")
    found = re.fullmatch(r"hotspot(?::|\(\{*)([\d,\s]*)\}*\)?", spec)
    words = re.findall(r"\d+", found[1]) if found else []
    if not words:
        raise ConfigError(
            f"found '{text}', a hotspot that names no terminal", where="--pattern", mend="write hotspot:5,6"
        )
    for word in words:
        if len(word) > 9 or int(word) >= n:
            raise ConfigError(
                f"found terminal {word:.20}, expected one of the {n}, 0 to {n - 1}", where="--pattern hotspot"
            )
    try:
        share = float(share_text) if at else 1.0
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise ConfigError(
            f"found a share of '{share_text:.20}', expected a number above 0 and at most 1",
            where="--pattern hotspot",
        )
    hot = np.array([int(word) for word in words], dtype=np.int64)

    def target(rng: np.random.Generator, s: Ints, i: Ints) -> Ints:
        to_hot = rng.random(len(s)) < share
        return np.where(to_hot, hot[rng.integers(0, len(hot), len(s))], rng.integers(0, n, len(s)))

    return Pattern(text, target)


def packet_list(path: Path, terminals: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Read packets from a CSV file with the columns ``cycle``, ``source``, ``target`` and ``flits``.

    Returns
    -------
    cycle, source, target, flits : numpy.ndarray of int64, shape (packets,)
        In order of cycles.

    Raises
    ------
    ConfigError
        If the file cannot be read or a field is no number in its range: says the line and the column.
    """
    columns = ("cycle", "source", "target", "flits")
    most = {"cycle": 2**40, "source": terminals - 1, "target": terminals - 1, "flits": 1_000_000}
    least = {"cycle": 0, "source": 0, "target": 0, "flits": 1}
    rows = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            names = [name.strip() for name in reader.fieldnames or []]
            missing = [name for name in columns if name not in names]
            if missing:
                raise ConfigError(
                    f"found the columns {', '.join(names) or 'of an empty file'}, expected {', '.join(columns)}",
                    where=f"{path}:1",
                )
            reader.fieldnames = names
            for row in reader:
                values = []
                for name in columns:
                    text = (row[name] or "").strip()
                    value = int(text) if re.fullmatch(r"-?\d{1,18}", text) else None
                    if value is None or not least[name] <= value <= most[name]:
                        raise ConfigError(
                            f"found {text!r:.40}, expected a whole number from {least[name]} to {most[name]}",
                            where=f"{path}:{reader.line_num}: {name}",
                        )
                    values.append(value)
                rows.append(values)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"is not a CSV file: {error}", where=str(path)) from None
    if not rows:
        raise ConfigError("found no packet, expected at least one line behind the heading", where=str(path))
    table = np.array(rows, dtype=np.int64)
    table = table[np.argsort(table[:, 0], kind="stable")]
    return table[:, 0], table[:, 1], table[:, 2], table[:, 3]
