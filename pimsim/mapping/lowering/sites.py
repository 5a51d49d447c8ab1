"""Which site each actor works at, so that controllers can close and open what runs there."""

from __future__ import annotations

from pimsim.netlist.netlist import Netlist


def place_actors(net: Netlist) -> None:
    """Note the site of each actor: the last that its path visits; adders in routers and the host are at none."""
    for number, actor in enumerate(net.actors):
        path = net.paths[actor.path] or net.paths[actor.path + (actor.selector is not None)]
        tiles = [tile for step in path if (tile := net.resources[step.resource].tile) is not None]
        if tiles:
            net.actors[number] = actor._replace(site=tiles[-1])
