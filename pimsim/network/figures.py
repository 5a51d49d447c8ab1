"""What is measured of a network: one load, a batch, and what its channels carried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass
class Links:
    """What every channel carried.

    Parameters
    ----------
    cycles : int
        In how many cycles.
    flits, waited : numpy.ndarray of int64, shape (channels,)
        Flits it carried, and cycles that heads waited for it.
    """

    cycles: int
    flits: Ints
    waited: Ints


@dataclass
class Load:
    """What came of one offered load, over all seeds.

    Parameters
    ----------
    rate : float
        Flits offered a terminal and cycle.
    status : str
        ``stable`` or ``unstable``.
    latency_cycles, latency_ci95, network_latency_cycles : float, optional
        Mean from a packet's creation to its tail's arrival, half the width of the 95 % interval over the seeds' means
        (None for one seed), and the mean from its head's departure; None if unstable.
    percentiles : dict of str to int
        Of the latency of all packets of all seeds; empty if unstable.
    accepted : float
        Flits delivered a terminal and cycle in the measured time.
    routers : float
        Mean number of routers that a packet crosses.
    packets : int
        Measured packets.
    links : Links
        Load of the channels.
    """

    rate: float
    status: str
    latency_cycles: float | None
    latency_ci95: float | None
    network_latency_cycles: float | None
    percentiles: dict[str, int]
    accepted: float
    routers: float
    packets: int
    links: Links = field(repr=False)

    def row(self) -> dict[str, Any]:
        """Return its figures as plain data."""
        names = "rate latency_cycles latency_ci95 network_latency_cycles accepted status percentiles routers packets"
        return {name: getattr(self, name) for name in names.split()}


@dataclass
class Batch:
    """How long a fixed number of packets took.

    Parameters
    ----------
    makespans : list of int
        Cycles from the first cycle to the last arrival, both included; one for each seed.
    latency_cycles : float
        Mean from creation to the tail's arrival; the packets of a batch are all created at once.
    network_latency_cycles : float
        Mean from the head's departure.
    flits, packets : int
        Delivered, in one seed.
    links : Links
        Load of the channels.
    """

    makespans: list[int]
    latency_cycles: float
    network_latency_cycles: float
    flits: int
    packets: int
    links: Links = field(repr=False)


def together(links: Sequence[Links]) -> Links:
    """Add up what the channels carried under each seed."""
    return Links(
        sum(each.cycles for each in links),
        np.sum([each.flits for each in links], axis=0),
        np.sum([each.waited for each in links], axis=0),
    )
