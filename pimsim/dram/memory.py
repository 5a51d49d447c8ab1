"""`pimsim.memory`: one call for a memory on its own, and what it returns."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pimsim.dram.channel import Served, serve
from pimsim.dram.figures import figures
from pimsim.dram.load import STANDARD, Overrides, load_standard
from pimsim.dram.patterns import make_requests
from pimsim.dram.policy import Policy
from pimsim.dram.requests import MOST_REQUESTS, Requests
from pimsim.dram.schema import Standard
from pimsim.dram.trace import read_trace
from pimsim.errors import ConfigError

if TYPE_CHECKING:
    import pandas

SCHEMA = "pimsim-memory-result/1"
WARM_UP = 0.1  # of the requests of a load, whose latency does not count
BEHIND = 0.02  # of the time of a load that its last tenth may wait for a place in a queue
MOST_KEPT = 2_000_000  # requests whose commands are kept, to say where the data bus's time went
LEAST_LOAD, MOST_LOAD = 1e-4, 2.0


class MemoryResult:
    """What a memory did on its own.

    Parameters
    ----------
    about : dict
        What was asked for, as plain data.
    run : Served, optional
        The run of a trace or a pattern; None for loads.
    loads : list of (float, Served)
        The share of the peak bandwidth that was asked for, and the run; empty without.
    """

    def __init__(
        self, about: dict[str, Any], run: Served | None, loads: Sequence[tuple[float, Served]] = ()
    ) -> None:
        self.about, self.run, self.loads = about, run, list(loads)

    @property
    def figures(self) -> dict[str, Any]:
        """The figures of the run.

        Raises
        ------
        ValueError
            If loads were measured.
        """
        if self.run is None:
            raise ValueError("each load has figures of its own: see rows")
        return figures(self.run)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The figures of each load; a saturated one has no latency."""
        found = []
        for load, served in self.loads:
            saturated = _is_behind(served)
            row = figures(served, skip=int(WARM_UP * len(served.requests)))
            if saturated:
                row |= {"latency_ns": None, "write_latency_ns": None}
            found.append({"load": load, "status": "saturated" if saturated else "stable", **row})
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data; ``docs/memory.md`` says what each figure means."""
        figures_ = {"rows": self.rows} if self.run is None else self.figures
        return {"schema": SCHEMA, **self.about, **figures_}

    def to_json(self) -> str:
        """Return everything as JSON."""
        return json.dumps(self.to_dict(), indent=1) + "\n"

    def to_pandas(self) -> pandas.DataFrame:
        """Return the loads, or the one run, as a frame; needs pandas."""
        import pandas

        return pandas.json_normalize(self.rows if self.run is None else [self.figures])


def memory(
    standard: str | Path | Standard,
    *,
    pattern: str = "stream",
    requests: int = 10_000,
    write_share: float = 0.0,
    trace: str | Path | Requests | None = None,
    loads: Sequence[float] = (),
    outstanding: int = 0,
    policy: Policy | None = None,
    overrides: Overrides = (),
    order: str = STANDARD,
    seed: int = 1,
    record: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> MemoryResult:
    """Measure one channel of a memory on its own, command by command.

    Parameters
    ----------
    standard : str, path or Standard
        A standard of pimsim's, the path of a file, or one that was loaded.
    pattern : str
        Which addresses: a key of `pimsim.dram.patterns.PATTERNS`.
    requests : int
        How many; of a burst each.
    write_share : float
        Part of them that are writes.
    trace : path or Requests, optional
        Instead of a pattern: a list of requests.
    loads : sequence of float
        Measure the latency at these shares of the peak bandwidth, with requests at random times; without, all requests
        are there from the beginning.
    outstanding : int
        Requests accepted and not yet done at a time, at most; 0 for any number.
    policy : Policy, optional
        The controller's.
    overrides : sequence of str or mapping
        Of the standard: ``timings.nRP=14``.
    order : str
        One of the standard's ``orders``; by default its own.
    seed : int
        Of what is drawn.
    record : bool
        Keep every command, in ``run.log``, also of more than `MOST_KEPT` requests.
    on_progress : callable, optional
        Called now and then with the requests that are accepted and their whole number.

    Raises
    ------
    ConfigError
        If something asked for makes no sense.
    SimulationError
        If the channel cannot go on.
    """
    if isinstance(standard, Standard) and (overrides or order != STANDARD):
        raise ConfigError("overrides and orders are of a standard that is loaded here", where="overrides")
    made = standard if isinstance(standard, Standard) else load_standard(standard, overrides, order)
    policy = policy or Policy()
    _check(requests, write_share, loads, outstanding, seed, trace)
    given = _given(trace, made)
    about = {
        "standard": made.summary(),
        "overrides": texts_of(overrides),
        "policy": policy.summary(),
        "mapping": made.mapping,
        "outstanding": outstanding,
        "not_modelled": list(made.not_modelled),
    }
    if given is not None:
        about |= {"trace": str(trace) if isinstance(trace, str | Path) else "requests"}
    else:
        about |= {"pattern": pattern, "write_share": write_share, "seed": seed}
    total = (len(given) if given is not None else requests) * max(1, len(loads))
    done, record = 0, record or total <= MOST_KEPT * max(1, len(loads))

    def tell(count: int) -> None:
        if on_progress is not None:
            on_progress(done + count, total)

    if not loads:
        asked = (
            given if given is not None else make_requests(made, pattern, requests, write_share, None, seed)
        )
        return MemoryResult(about, serve(made, policy, asked, outstanding, record, tell))
    measured = []
    for load in loads:
        asked = make_requests(made, pattern, requests, write_share, load, seed)
        measured.append((load, serve(made, policy, asked, outstanding, record, tell)))
        done += requests
    return MemoryResult(about, None, measured)


def _is_behind(served: Served) -> bool:
    """Whether requests wait outside ever longer: those of the last tenth for a good part of the run."""
    assert served.requests.cycle is not None
    last = -(-len(served.requests) // 10)
    waited = (served.accepted - served.requests.cycle)[-last:]
    return bool(waited.mean() > BEHIND * served.cycles)


def _given(trace: str | Path | Requests | None, standard: Standard) -> Requests | None:
    return read_trace(trace, standard) if isinstance(trace, str | Path) else trace


def texts_of(overrides: Overrides) -> list[str]:
    """Return overrides as a list of ``path=value``."""
    if isinstance(overrides, str):
        return [overrides]
    if isinstance(overrides, dict):
        return [f"{path}={value}" for path, value in overrides.items()]
    return list(overrides)


def _check(
    requests: int, write_share: float, loads: Sequence[float], outstanding: int, seed: int, trace: object
) -> None:
    """Refuse numbers out of their range.

    Raises
    ------
    ConfigError
        If one is.
    """
    for name, value, most in (
        ("--requests", requests, MOST_REQUESTS),
        ("--outstanding", outstanding, 1_000_000),
        ("--seed", seed, 2**32 - 1),
    ):
        if not 0 <= value <= most:
            raise ConfigError(f"found {value}, expected a whole number from 0 to {most}", where=name)
    if not 0 <= write_share <= 1:
        raise ConfigError(f"found {write_share:g}, expected a share from 0 to 1", where="--writes")
    if loads and trace is not None:
        raise ConfigError("found a trace and loads, expected one of them", where="--trace")
    if loads and not requests:
        raise ConfigError("found 0 requests, expected at least 1 to measure a load", where="--requests")
    for load in loads:
        if not LEAST_LOAD <= load <= MOST_LOAD:
            raise ConfigError(
                f"found {load:g}, expected {LEAST_LOAD:g} to {MOST_LOAD:g} of the peak bandwidth",
                where="--load",
            )
