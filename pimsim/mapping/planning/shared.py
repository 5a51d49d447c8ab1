"""One weight that several ops read stands in one set of slots: its users take turns on it, and on its copies.

Copies pay where a weight sets the pace, by the work of all of its users together, up to one for each position of the
largest of them: users mostly follow one another. A user whose inputs find no room in the buffers beside the slots gets
a further copy elsewhere, which those after it use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.rules import rule_of
from pimsim.mapping.planning.tiling import Tiling

Key = tuple[object, ...]


def weight_key(node: Node) -> Key | None:
    """Return what ops have in common that multiply by the same matrix; None if nothing says so.

    A matrix that one op reads turned is another one to slots, and so is one that is read by an expert's op.
    """
    weight = node.op.weight if node.op is not None else None
    if node.op is None or weight is None or weight.name is None:
        return None
    rule = rule_of(node.type)
    turned = weight.turned != bool(node.op.attributes.get("transB", 0))
    return weight.name, turned, rule.window, node.op.inputs.index(weight), node.expert


def owners_of(
    nodes: Sequence[Node], tilings: Sequence[Tiling | None], sites: Sequence[str | None]
) -> list[int]:
    """Return for each op the first one with the same weight, at the same sites and in equal blocks: mostly itself."""
    owners: list[int] = []
    first: dict[Key, list[int]] = {}
    for n, (node, tiling) in enumerate(zip(nodes, tilings, strict=True)):
        key = weight_key(node) if tiling is not None else None
        alike = first.setdefault((*key, sites[n]), []) if key is not None else []
        owner = next((m for m in alike if tilings[m] == tiling), n)
        if owner == n:
            alike.append(n)
        owners.append(owner)
    return owners


def owners_by_round(owners: Sequence[int], rounds: Sequence[int]) -> list[int]:
    """Return for each op the first one of its round that has the same weight: a later round writes it anew."""
    first: dict[tuple[int, int], int] = {}
    return [
        first.setdefault((owner, done), n) for n, (owner, done) in enumerate(zip(owners, rounds, strict=True))
    ]


def users_of(owners: Sequence[int], tilings: Sequence[Tiling | None]) -> dict[int, list[int]]:
    """Return the ops with weights, by the first one of those that share theirs."""
    users: dict[int, list[int]] = {}
    for n, tiling in enumerate(tilings):
        if tiling is not None:
            users.setdefault(owners[n], []).append(n)
    return users


def only_taken(
    nodes: Sequence[Node], places: list[list[int]], users: Mapping[int, Sequence[int]], spare: int = 0
) -> list[list[int]]:
    """Return places for those tokens only that are read: a step of a recurrence takes one of its input.

    That is asked of users of one weight, and of ops on digital units that read no more than half: others need all, but
    for an edge that no window reaches, or their copies share it out.

    Parameters
    ----------
    nodes : sequence of Node
        The data flow.
    places : list of list of int
        Of each input of each op, for all of its source's tokens; changed.
    users : mapping of int to sequence of int
        As of `users_of`.
    spare : int
        Places for the next inference, where the tokens of one are fewer than the source's.
    """
    alone = {n for each in users.values() if len(each) == 1 for n in each}
    for n, node in enumerate(nodes):
        for at, edge in enumerate(node.edges if n not in alone else ()):
            tokens = nodes[edge.source].tokens
            if edge.held or (not node.on_arrays and 2 * (edge.need[-1] - edge.low[0]) > tokens):
                continue
            taken = edge.wanted(np.arange(node.positions, dtype=np.int64), tokens)
            if not taken.all():
                places[n][at] = min(places[n][at], max(1, most_within(taken, places[n][at])) + spare)
    return places


def most_within(taken: npt.NDArray[np.bool_], window: int) -> int:
    """Return how many of so many tokens in a row are taken at most, inference after inference."""
    whole, rest = divmod(window, len(taken))
    once = np.flatnonzero(taken)
    if len(once) == len(taken):
        return window
    part = 0
    if rest and len(once):  # of so many from each that is taken on
        behind = np.searchsorted(np.concatenate([once, once + len(taken)]), once + rest)
        part = int((behind - np.arange(len(once))).max())
    return whole * len(once) + part
