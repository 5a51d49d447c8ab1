"""What is said of weights that are there before the run: what writing them was left out, and what it would take."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from pimsim.errors import ConfigError
from pimsim.machine.machine import Machine
from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import Step
from pimsim.units import format_si, format_time

RELOADED = (
    "Weights whose arrays hold no others are there before time 0; all others are written in every inference."
)


class ColdStart(NamedTuple):
    """What bringing and writing the weights takes by a formula.

    Parameters
    ----------
    link_fs : int
        How long the busiest link, port or bus on their way is held: they come no sooner, fs.
    write_fs : int
        How long the tallest block's rows take, one after another; blocks are written side by side, fs.
    energy_pj : float
        Of links, buses and cells, pJ.
    unknown : frozenset of str
        Parts that act in it but have no figure.
    size : int
        Bytes of weights.
    """

    link_fs: int
    write_fs: int
    energy_pj: float
    unknown: frozenset[str]
    size: int

    @property
    def least_fs(self) -> int:
        """No cold start is over sooner, and with as much more as the other takes it mostly is, fs."""
        return max(self.link_fs, self.write_fs)


def cold_start(machine: Machine) -> ColdStart:
    """Return what a cold start of a machine would take.

    Raises
    ------
    ConfigError
        If the chip file does not say how long writing takes.
    """
    ways = machine.transport.over(Netlist())
    period = machine.net.network.period_fs if machine.net.network is not None else 0
    held: Counter[int] = Counter()
    flits: Counter[int] = Counter()
    steps: list[Step] = []
    bits: Counter[int] = Counter()  # by tile: as if they came in one piece
    residents = [each for each in machine.residents if each.share.when == "before"]
    for each in residents:
        bits[each.share.tile] += each.share.elements * each.share.width
        steps.append(each.writing())
    write_fs = max((step.occupancy for step in steps), default=0)
    for rank, tile in enumerate(bits):
        way = ways.weights(tile, bits[tile], rank)
        steps += way
        for step in way:
            held[step.resource] += step.occupancy
            if step.route is not None:
                flits.update({channel: step.flits for channel, _ in ways.net.routes[step.route]})
    busy = [-(-fs // ways.net.resources[resource].servers) for resource, fs in held.items()]
    energy = [(part, pj) for step in steps for part, pj in step.energy]
    return ColdStart(
        max([*busy, *(count * period for count in flits.values())], default=0),
        write_fs,
        sum(pj for _, pj in energy if pj is not None),
        frozenset(part for part, pj in energy if pj is None),
        bits.total() // 8,
    )


def about_weights(machine: Machine) -> list[str]:
    """Say when weights were written and, of those that were there before, what that would have taken."""
    said = [RELOADED] if machine.plan.rounds > 1 else []
    operands = [op.operand for op in machine.plan.ops if op.operand is not None and op.tiling is not None]
    if not any(operand.at("before") for operand in operands):
        return said
    source = "host" if machine.plan.chip.config.memory is None else "off-chip memory"
    if machine.cold:
        return [
            *said,
            f"Weights came from the {source} and were written before what works with them began (cold).",
        ]
    start = "Weights are in the arrays before time 0; "
    if not machine.residents:
        return [*said, f"{start}what writing them takes is not modelled."]
    try:
        cold = cold_start(machine)
    except ConfigError as error:
        return [*said, f"{start}what writing them takes is not modelled: no {error.where} is given."]
    bound = "the links" if cold.link_fs >= cold.write_fs else "the rows of the tallest block"
    energy = f", and {format_si(cold.energy_pj * 1e-12, 'J')}" if cold.energy_pj else ""
    left = f", {', '.join(sorted(cold.unknown))} not modelled" if cold.unknown else ""
    return [
        *said,
        f"{start}to bring them from the {source} ({format_si(cold.size, 'B')}) and write them would take "
        f"{format_time(cold.least_fs)} or more, by {bound}{energy}{left}; "
        "--cold simulates it.",
    ]
