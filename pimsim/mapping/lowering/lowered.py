"""What programs become together: rows, and the actors on the host's side."""

from __future__ import annotations

from dataclasses import dataclass, field

from pimsim.mapping.flow.dataflow import Expert
from pimsim.mapping.lowering.transport import Transport
from pimsim.netlist.netlist import Netlist


@dataclass(slots=True)
class Ends:
    """A program's actors on the host's side.

    Parameters
    ----------
    sources, sinks : list of int
        They feed the model's inputs, and take its outputs.
    selector : int or None
        Chooses the place of each inference among those with a cache.
    experts : dict of (int, int) to int
        Selectors of the experts that inferences may pass by: 0 is past it, 1 is through it.
    """

    sources: list[int] = field(default_factory=list)
    sinks: list[int] = field(default_factory=list)
    selector: int | None = None
    experts: dict[Expert, int] = field(default_factory=dict)


@dataclass(slots=True)
class Lowered:
    """Programs as numbers.

    Parameters
    ----------
    net : Netlist
        The rows.
    transport : Transport
        Which resources move data.
    ends : list of Ends
        Of each program.
    instances : dict of int to int
        Arrays, and converters, that a resource of kind ``core.array`` or ``core.adc`` stands for, where several
        work in step.
    """

    net: Netlist
    transport: Transport
    ends: list[Ends]
    instances: dict[int, int]

    def copy(self) -> Lowered:
        """Return the same, for a machine of its own: processes append rows."""
        net = self.net.copy()
        return Lowered(net, self.transport.over(net), self.ends, self.instances.copy())

    def of(self, inferences: int, instead_of: int) -> Lowered:
        """Return the same for another number of inferences of each program than it was made for."""
        other = self.copy()
        other.net.actors = [
            row._replace(firings=row.firings // instead_of * inferences) for row in self.net.actors
        ]
        other.net.selectors = [count // instead_of * inferences for count in self.net.selectors]
        return other
