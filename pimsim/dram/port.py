"""What a port gives that is a channel of a standard: a stream's rate and energy, a lone read's latency."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from pimsim.dram.channel import serve
from pimsim.dram.figures import figures
from pimsim.dram.load import load_standard, names
from pimsim.dram.patterns import make_requests
from pimsim.dram.policy import Policy

REQUESTS = 20_000


@dataclass(frozen=True)
class Measured:
    """A channel under two extremes, with the policy by default.

    Parameters
    ----------
    peak_gb_per_s : float
        What its data buses carry.
    stream_gb_per_s, random_gb_per_s : float
        Of reads one address after the other, and at random.
    latency_ns : float
        Of a lone read from a closed bank.
    stream_pj_per_bit : float, optional
        Of the stream, with activates and what runs with time; None where it is not modelled.
    """

    peak_gb_per_s: float
    stream_gb_per_s: float
    random_gb_per_s: float
    latency_ns: float
    stream_pj_per_bit: float | None


def known() -> list[str]:
    """List the standards that a port can name."""
    return names()


@cache
def measured(name: str) -> Measured:
    """Measure a channel of a standard that comes with pimsim; some hundredths of a second, once.

    Raises
    ------
    ConfigError
        If there is no such standard.
    """
    standard, policy = load_standard(name), Policy()
    stream, spread = (
        figures(serve(standard, policy, make_requests(standard, pattern, REQUESTS)))
        for pattern in ("stream", "random")
    )
    lone = serve(standard, Policy(refresh="none"), make_requests(standard, "stream", 1))
    energy = stream["energy_pj"]
    return Measured(
        standard.peak_gb_per_s,
        stream["bandwidth_gb_per_s"],
        spread["bandwidth_gb_per_s"],
        float(lone.latency[0]) * standard.period_ns,
        energy["per_bit"] if isinstance(energy, dict) else None,
    )
