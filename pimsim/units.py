"""Time is an int64 count of femtoseconds; everything else carries its unit in its name."""

from __future__ import annotations

FS_PER_NS = 1_000_000
FS_PER_US = 1_000_000_000
FS_PER_MS = 1_000_000_000_000
FS_PER_S = 1_000_000_000_000_000

MAX_FS = 2**63 - 1


def fs_from_ns(nanoseconds: float) -> int:
    """Round a time in nanoseconds to whole femtoseconds."""
    return round(nanoseconds * FS_PER_NS)


def cycles(duration_fs: int, period_fs: int) -> int:
    """Return the whole cycles of a clock that cover a duration, at least one."""
    return max(1, -(-duration_fs // period_fs))


def format_time(fs: float) -> str:
    """Write a time with the unit that leaves one to three digits before the point."""
    for unit, size in (
        ("s", FS_PER_S),
        ("ms", FS_PER_MS),
        ("us", FS_PER_US),
        ("ns", FS_PER_NS),
        ("ps", 1000),
    ):
        if abs(fs) >= size:
            return f"{fs / size:.4g} {unit}"
    return f"{fs:.0f} fs"


_UNITS = {"fs": 1, "ps": 1000, "ns": FS_PER_NS, "us": FS_PER_US, "ms": FS_PER_MS, "s": FS_PER_S}


def parse_time(text: str) -> int:
    """Read a time with its unit, ``"1.5us"``, as whole femtoseconds.

    Raises
    ------
    ValueError
        If it is none: says what was expected.
    """
    stripped = text.strip()
    unit = next((each for each in ("fs", "ps", "ns", "us", "ms", "s") if stripped.endswith(each)), "")
    try:
        time = round(float(stripped.removesuffix(unit)) * _UNITS[unit])
    except (KeyError, ValueError, OverflowError):
        raise ValueError("expected a time with its unit (fs, ps, ns, us, ms, s)") from None
    if not 0 <= time <= MAX_FS:
        raise ValueError(f"expected a time from 0 to {format_time(MAX_FS)}")
    return time


_PREFIXES = (
    ("T", 1e12),
    ("G", 1e9),
    ("M", 1e6),
    ("k", 1e3),
    ("", 1.0),
    ("m", 1e-3),
    ("u", 1e-6),
    ("n", 1e-9),
    ("p", 1e-12),
)


def format_si(value: float, unit: str) -> str:
    """Write a value given in a plain unit (J, W, B, …) with the fitting SI prefix."""
    if value == 0:
        return f"0 {unit}"
    for prefix, size in _PREFIXES:
        if abs(value) >= size:
            return f"{value / size:.4g} {prefix}{unit}"
    return f"{value:.3g} {unit}"
