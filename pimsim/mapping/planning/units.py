"""Which digital unit does an op, and how long it takes it."""

from __future__ import annotations

import math

from pimsim.chip import ChipConfig
from pimsim.errors import MappingError, nearest
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.rules import rule_of

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


def cycles_of(
    config: ChipConfig, operation: str, elements: float, rows: int = 1
) -> tuple[str, int, int, float]:
    """Return the unit that does an operation, the cycles it is held and takes, and the elements charged.

    Parameters
    ----------
    config : ChipConfig
        The chip.
    operation : str
        Op type.
    elements : float
        That one firing processes; multiply-accumulates of a product.
    rows : int
        Firings that share a right matrix: a matrix unit works on several at once, and each is held up for its part.

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
    together = min(rows, unit.rows) if rule_of(operation).holds_right else unit.rows
    occupancy = max(1, math.ceil(math.ceil(cost * unit.rows / unit.lanes) / together))
    return name, occupancy, occupancy + unit.latency_cycles, cost


def service_fs(node: Node, config: ChipConfig, slices: int = 1) -> float:
    """Return the time that one firing of a slice keeps a tile's units busy, fs; several units share it."""
    rows = node.right.rows if node.right is not None else 1
    name, occupancy, _, _ = cycles_of(config, node.type, node.work / slices, rows)
    unit = config.tile.digital[name]
    return occupancy * config.clocks[unit.clock].period_fs / unit.count
