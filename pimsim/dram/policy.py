"""What the controller of a channel does where a standard leaves it free; printed in every report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from pimsim.errors import ConfigError, nearest

PAGES = ("open", "closed", "timed")
REFRESHES = ("all_bank", "per_bank", "none")
LARGEST = {"page_timeout": 1_000_000_000, "row_hit_cap": 1_000_000}


@dataclass(frozen=True)
class Policy:
    """First ready, first come first served, and its bounds.

    Parameters
    ----------
    read_queue, write_queue : int
        Requests that wait for their column, at most.
    write_high, write_low : int
        Writes are served from so many on, until no more than so many wait; and while no read waits.
    row_hit_cap : int
        Columns of an open row before an older request for another row of the bank is served first; 0 for any number.
    page : str
        ``open``: a row stays open until another one is wanted; ``closed``: it is closed with the last column that waits
        for it; ``timed``: after `page_timeout` cycles in which nobody wanted it.
    page_timeout : int
        Cycles; only with timed pages.
    refresh : str
        ``all_bank``, ``per_bank`` or ``none``.
    controller_cycles : int
        What a request takes through the controller itself, there and back; added to its latency.

    Raises
    ------
    ConfigError
        If a value makes no sense.
    """

    read_queue: int = 32
    write_queue: int = 32
    write_high: int = 32
    write_low: int = 6
    row_hit_cap: int = 16
    page: str = "open"
    page_timeout: int = 200
    refresh: str = "all_bank"
    controller_cycles: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("page", "refresh"):
                known = PAGES if field.name == "page" else REFRESHES
                if value not in known:
                    raise _refused(field.name, value, nearest(str(value), list(known)))
                continue
            least = 0 if field.name in ("row_hit_cap", "write_low", "controller_cycles") else 1
            most = LARGEST.get(field.name, 65_536)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise _refused(field.name, value, f"expected a whole number from {least} to {most}")
        if not self.write_low < self.write_high <= self.write_queue:
            found = f"{self.write_low}, {self.write_high} and a queue of {self.write_queue}"
            expected = "expected the low one below the high one, and that no more than write_queue"
            raise _refused("write_low, write_high", found, expected)

    def summary(self) -> dict[str, Any]:
        """Return what it says, as plain data."""
        return {"scheduler": "FR-FCFS", **asdict(self)}


def _refused(name: str, found: object, mend: str) -> ConfigError:
    return ConfigError(f"found {found!r}"[:200], where=f"policy: {name}", mend=mend)


def parse_policy(text: str) -> Policy:
    """Read a policy from ``key=value,…``; what is not named is as by default.

    Raises
    ------
    ConfigError
        If a key is unknown or a value makes no sense.
    """
    known = {field.name: field.type for field in fields(Policy)}
    given: dict[str, Any] = {}
    for word in text.split(",") if text.strip() else ():
        name, equals, value = (part.strip() for part in word.partition("="))
        if name not in known or not equals:
            raise ConfigError(f"found '{word}'", where="--policy", mend=nearest(name, list(known)))
        if known[name] == "int":
            if not value.isdecimal() or len(value) > 12:
                raise ConfigError(f"found '{word}', expected {name}=a whole number", where="--policy")
            given[name] = int(value)
        else:
            given[name] = value
    if "write_queue" in given:  # the marks keep their share of it
        size = given["write_queue"]
        given.setdefault("write_high", size)
        given.setdefault("write_low", min(max(0, given["write_high"] - 1), size * 6 // 32))
    return Policy(**given)
