"""How a processor does an op: by the kind of the unit that has it."""

from __future__ import annotations

from pimsim.kinds.processor.attention import attend
from pimsim.kinds.processor.folds import folds
from pimsim.kinds.processor.kernel import Kernel
from pimsim.kinds.processor.site import Processor
from pimsim.kinds.processor.stretches import stretches
from pimsim.kinds.processor.systolic import Systolic
from pimsim.kinds.processor.tensor import TensorUnit
from pimsim.kinds.processor.tiles import tiles
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.rules import rule_of


def schedule(
    site: Processor, node: Node, weight_bits: int, input_bits: int, *, alone: bool = False
) -> list[Kernel]:
    """Return the kernels that do an op, one after another.

    Parameters
    ----------
    site : Processor
        Which.
    node : Node
        The op.
    weight_bits, input_bits : int
        Of an element.
    alone : bool
        Whether it must be one kernel.

    Raises
    ------
    MappingError
        If its buffer, or the units' own, does not hold what one piece needs.
    """
    name = site.unit_of(node.type)
    assert name is not None
    assert node.op is not None
    unit, multiplies = site.digital[name], rule_of(node.type).multiplies
    if node.attention is not None:
        return attend(site, node.op, node.attention, node.read_bits, alone=alone)
    if multiplies and isinstance(unit, Systolic):
        return [Kernel(name, tuple(folds(site, unit, node, weight_bits, input_bits)))]
    if multiplies and isinstance(unit, TensorUnit):
        return tiles(site, name, unit, node, weight_bits, input_bits, alone=alone)
    return [Kernel(name, tuple(stretches(site, unit, node, weight_bits, input_bits)))]


def predicted_fs(kernels: list[Kernel], site: Processor) -> int:
    """Return the time that kernels take if the busiest part of each never waits, fs."""
    return sum(kernel.predicted_fs(site) for kernel in kernels)
