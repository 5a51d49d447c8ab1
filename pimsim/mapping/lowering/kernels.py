"""Kernels of one processor: each begins when the one before it has ended, over inferences too."""

from __future__ import annotations

from collections.abc import Sequence

from pimsim.netlist.netlist import Netlist


def in_order(net: Netlist, kernels: Sequence[tuple[int, int]]) -> None:
    """Let each kernel wait for the one before it, and the first for the last of the inference before.

    Parameters
    ----------
    net : Netlist
        Where the streams go.
    kernels : sequence of (int, int)
        What starts and what ends each, in the order that they run in; both fire once an inference.
    """
    once = net.add_table([0])
    after = net.add_table([1])
    for number, (_, end) in enumerate(kernels):
        following = (number + 1) % len(kernels)
        start = kernels[following][0]
        stream = net.add_stream(f"{net.actors[end].name} is done", 1, 1, part=_part(net, start))
        net.add_output(end, stream, once)
        net.add_input(start, stream, after if following else once, after)


def _part(net: Netlist, actor: int) -> str:
    """Return the part that an actor visits first."""
    return net.resources[net.paths[net.actors[actor].path][0].resource].part
