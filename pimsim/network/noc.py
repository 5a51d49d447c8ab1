"""`pimsim.noc`: one call for a network on its own, and what it returns."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pimsim.chip.router import Router
from pimsim.chip.topology import Topology
from pimsim.chip.topology.spec import from_spec
from pimsim.errors import ConfigError
from pimsim.network.batch import run_batch, run_packets
from pimsim.network.fabric import Fabric
from pimsim.network.figures import Batch, Load
from pimsim.network.limits import check_work
from pimsim.network.measure import check_rate, curve
from pimsim.network.traffic import packet_list, pattern
from pimsim.network.trial import least_cycles

if TYPE_CHECKING:
    import networkx
    import pandas

SCHEMA = "pimsim-noc/1"


class NocResult:
    """What a network did on its own.

    Parameters
    ----------
    about : dict
        What was asked for, as plain data.
    fabric : Fabric
        The network.
    loads : list of Load
        One for each rate; empty for a batch.
    batch : Batch, optional
        The time of a fixed number of packets.
    """

    def __init__(
        self, about: dict[str, Any], fabric: Fabric, loads: list[Load], batch: Batch | None = None
    ) -> None:
        self.about, self.fabric, self.loads, self.batch = about, fabric, loads, batch

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The figures of each load."""
        return [load.row() for load in self.loads]

    @property
    def makespan_cycles(self) -> float:
        """Cycles of the batch, mean over the seeds.

        Raises
        ------
        ValueError
            If this was no batch.
        """
        if self.batch is None:
            raise ValueError("loads have no makespan; give a batch")
        mean = sum(self.batch.makespans) / len(self.batch.makespans)
        return int(mean) if mean == int(mean) else mean

    def link_rows(self) -> list[dict[str, Any]]:
        """Return what every channel carried at the last load: flits a cycle, and mean cycles a flit's head waited."""
        links = self.batch.links if self.batch is not None else self.loads[-1].links
        return [
            {
                "from": source,
                "to": target,
                "flits": int(flits),
                "utilisation": int(flits) / links.cycles,
                "waited_cycles": int(waited),
            }
            for (source, target), flits, waited in zip(
                self.fabric.channels, links.flits, links.waited, strict=True
            )
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data; ``docs/network.md`` says what each figure means."""
        data: dict[str, Any] = {"schema": SCHEMA, **self.about}
        if self.batch is not None:
            data |= {
                "makespan_cycles": self.makespan_cycles,
                "makespans": self.batch.makespans,
                "latency_cycles": self.batch.latency_cycles,
                "network_latency_cycles": self.batch.network_latency_cycles,
                "flits": self.batch.flits,
                "packets": self.batch.packets,
            }
        else:
            data["rows"] = self.rows
        if self.batch is not None or self.loads:
            data["links"] = self.link_rows()
        return data

    def to_json(self) -> str:
        """Return everything as JSON."""
        return json.dumps(self.to_dict(), indent=1) + "\n"

    def to_pandas(self) -> pandas.DataFrame:
        """Return the loads as a frame; needs pandas."""
        import pandas

        return pandas.DataFrame(self.rows)


def noc(
    topology: str | Topology | networkx.Graph[Any],
    *,
    rates: Sequence[float] = (),
    batch: int | None = None,
    packets: str | Path | None = None,
    pattern_name: str = "uniform",
    packet_size: int = 1,
    router: Router | None = None,
    seeds: int | Sequence[int] = 1,
    period: int | None = None,
    on_progress: Callable[[], None] | None = None,
    on_load: Callable[[NocResult], None] | None = None,
) -> NocResult:
    """Simulate a network on its own, flit by flit.

    Parameters
    ----------
    topology : str, Topology or networkx.Graph
        ``"mesh:8x8"`` and the like, the path of a list of links, or any graph: its nodes become routers with a terminal
        each, in their order; an edge may have ``cycles``.
    rates : sequence of float
        Loads to measure, in flits a terminal and cycle.
    batch : int, optional
        Instead: packets that every terminal sends as fast as it can.
    packets : path, optional
        Instead: a CSV file with the columns ``cycle``, ``source``, ``target`` and ``flits``.
    pattern_name : str
        Who sends to whom: a key of `pimsim.network.traffic.PATTERNS`.
    packet_size : int
        Flits of a packet.
    router : Router, optional
        How the routers are built.
    seeds : int or sequence of int
        How many runs, numbered from 1, or the seeds themselves.
    period : int, optional
        Cycles of a measuring period.
    on_progress : callable, optional
        Called after each run.
    on_load : callable, optional
        Called with the result so far after each load.

    Returns
    -------
    NocResult
        A row for each rate, or the time of the batch.

    Raises
    ------
    ConfigError
        If something asked for makes no sense.
    SimulationError
        If a batch does not come to an end.
    """
    made = _topology(topology)
    router = router or Router()
    chosen = list(range(1, seeds + 1)) if isinstance(seeds, int) else list(seeds)
    if not chosen:
        raise ConfigError("found 0, expected at least 1", where="--seeds")
    for name, value in (("--packet-size", packet_size), ("--batch", batch), ("--period", period)):
        if value is not None and not 1 <= value <= 1_000_000:
            raise ConfigError(f"found {value}, expected a whole number from 1 to 1000000", where=name)
    asked = [name for name, given in (("rates", rates), ("a batch", batch), ("a list", packets)) if given]
    if len(asked) != 1:
        raise ConfigError(
            f"found {' and '.join(asked) or 'none'}, expected one of rates, a batch, or a list of packets"
        )
    for rate in rates:
        check_rate(rate)
    fabric = Fabric(made.graph(made.places), router)
    about = {
        "topology": made.model_dump(exclude_none=True),
        "terminals": made.places,
        "routers": made.routers,
        "router": asdict(router),
        "pattern": str(packets) if packets else pattern_name,
        "packet_size": packet_size,
        "seeds": chosen,
        "warnings": fabric.warnings(),
    }
    if packets:
        columns = packet_list(Path(packets), made.places)
        check_work(len(columns[0]), float(columns[3].sum()), "--packets")
        about["packet_size"] = None
        about["seeds"] = []
        return NocResult(about, fabric, [], run_packets(fabric, *columns))
    rule = pattern(pattern_name, made)
    if batch:
        check_work(batch * made.places, batch * made.places * packet_size * len(chosen), "--batch")
        about["batch"] = batch
        return NocResult(about, fabric, [], run_batch(fabric, rule, batch, packet_size, chosen, on_progress))
    for rate in rates:
        cycles = least_cycles(made.places, rate, packet_size, period)
        flits = cycles * rate * made.places
        check_work(flits / packet_size, flits * len(chosen), "--rate")
    result = NocResult(about, fabric, [])
    for load in curve(fabric, rule, list(rates), packet_size, chosen, period, on_progress):
        result.loads.append(load)
        if on_load is not None:
            on_load(result)
    return result


def _topology(given: str | Topology | networkx.Graph[Any]) -> Topology:
    if isinstance(given, str):
        return from_spec(given)
    if isinstance(given, Topology):
        return given
    from pimsim.chip.topology.free import FreeGraph

    return FreeGraph.of(given)
