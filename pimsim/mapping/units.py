"""Which digital unit does an op, and how long it takes it."""

from __future__ import annotations

import math

from pimsim.chip import ChipConfig
from pimsim.errors import MappingError, nearest
from pimsim.mapping.dataflow import Node

HOST_OPS = {"Input", "Output"}


def unit_of(node: Node, config: ChipConfig) -> str | None:
    """Return the name of the unit that does a node's op; None for what the host does.

    Raises
    ------
    MappingError
        If no unit of the chip does it.
    """
    if node.type in HOST_OPS:
        return None
    for name, unit in config.tile.digital.items():
        if node.type in unit.operations:
            return name
    known = [op for unit in config.tile.digital.values() for op in unit.operations]
    raise MappingError(
        f"no digital unit of {config.name} does {node.type}",
        where=f"op '{node.name}'",
        mend="add it to a unit's operations in the chip file, with its cycles per element; "
        + nearest(node.type, known),
    )


def cycles_of(config: ChipConfig, operation: str, elements: float) -> tuple[str, int, int, float]:
    """Return the unit that does an operation, the cycles it is held and takes, and the elements charged.

    Returns
    -------
    unit : str
    occupancy, latency : int
        In cycles of the unit's clock.
    cost : float
        Elements times the operation's cost, which energy is counted by.

    Raises
    ------
    MappingError
        If no unit does it.
    """
    name = next((n for n, unit in config.tile.digital.items() if operation in unit.operations), None)
    if name is None:
        raise MappingError(
            f"no digital unit of {config.name} does {operation}, which adds the partial sums of several cores",
            mend="add it to a unit's operations in the chip file, with its cycles per element",
        )
    unit = config.tile.digital[name]
    cost = elements * unit.operations[operation]
    occupancy = max(1, math.ceil(cost / unit.lanes))
    return name, occupancy, occupancy + unit.latency_cycles, cost


def service_fs(node: Node, config: ChipConfig) -> float:
    """Return the time that one firing keeps a tile's units busy, fs; several units share it."""
    name, occupancy, _, _ = cycles_of(config, node.type, node.work)
    unit = config.tile.digital[name]
    return occupancy * config.clocks[unit.clock].period_fs / unit.count
