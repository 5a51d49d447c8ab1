"""What an inference may pass by: the work and the packets of experts that its token does not go to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pimsim.mapping.flow.dataflow import Expert, Node
from pimsim.mapping.flow.rules import rule_of
from pimsim.mapping.lowering.transport import Transport
from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import Step


class Choices:
    """Paths with a way past them, where they are an expert's that not every token goes to.

    Parameters
    ----------
    net, transport
        Where paths go.
    selectors : mapping of (int, int) to int
        The selector of each expert that may be passed by.
    """

    def __init__(self, net: Netlist, transport: Transport, selectors: Mapping[Expert, int]) -> None:
        self.net, self.transport, self.selectors = net, transport, selectors

    def work(self, expert: Expert | None, steps: Sequence[Step]) -> tuple[int, int | None]:
        """Return the path of an actor's firings and its selector: past it a control signal goes."""
        if expert is None or expert not in self.selectors:
            return self.net.add_path(steps), None
        return self.net.add_bypass([self.transport.pass_by()], steps), self.selectors[expert]

    def packet(self, expert: Expert | None, path: int | None) -> tuple[int | None, int | None]:
        """Return the path of a packet and its selector: past it nothing is sent."""
        if path is None or expert is None or expert not in self.selectors:
            return path, None
        return self.net.add_bypass([], self.net.paths[path]), self.selectors[expert]


def expert_of(source: Node, node: Node, position: int) -> Expert | None:
    """Return the expert that a token between two ops is for or from; the router's choice is for all of them."""
    if rule_of(node.type).expert == "begins" and position > 0:
        return None
    return node.expert if source.expert is None else source.expert
