"""Rounds: what does not fit the arrays at once is done part by part, each part's weights written before it begins.

The ops are cut in their order into rounds whose weights fit. Attention by heads stays in one piece, since its slices
keep keys and values in their tiles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from pimsim.chip import ChipConfig
from pimsim.errors import MappingError
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.heads import Group
from pimsim.mapping.planning.kind import Kind
from pimsim.mapping.planning.tiling import Tiling


def check_reload(config: ChipConfig, kinds: Collection[Kind]) -> None:
    """Refuse to reload weights on a chip that has nowhere to keep them or no time to write them in.

    Raises
    ------
    MappingError
        If the chip has no memory, or its arrays no write time.
    """
    lacking = []
    if config.memory is None:
        lacking.append(("memory", "no off-chip memory to reload weights from", "add a site of kind memory"))
    if not all(kind.writable for kind in kinds if kind.slots):
        lacking.append(("core.array.write_ns", "no time to write a row of an array in", "give it in ns"))
    for where, what, mend in lacking:
        raise MappingError(f"{config.name} has {what}", where=where, mend=f"{mend}, or leave --reload out")


def rounds_of(
    nodes: Sequence[Node],
    tilings: Sequence[Tiling | None],
    sites: Sequence[str | None],
    groups: Sequence[Group],
    slots: Mapping[str, int],
    owners: Sequence[int] | None = None,
) -> list[int] | None:
    """Return the round of each op: as few as an order of them needs, each with weights for so many slots.

    Ops of one round that have one weight count once; `owners` says which, as `pimsim.mapping.planning.shared` has it.

    Returns
    -------
    list of int or None
        From 0 on, never falling; None if some part that cannot be cut needs more slots than there are.
    """
    owners = range(len(nodes)) if owners is None else owners
    rounds: list[int] = []
    current, left, there = 0, dict(slots), set[int]()
    for piece in pieces(nodes, groups):
        alone = slots_of(piece, tilings, sites, owners)
        if any(alone[name] > slots[name] for name in alone):
            return None
        need = slots_of((n for n in piece if owners[n] not in there), tilings, sites, owners)
        if any(need[name] > left[name] for name in need):
            current, left, there, need = current + 1, dict(slots), set(), alone
        for name, count in need.items():
            left[name] -= count
        there.update(owners[n] for n in piece)
        rounds += [current] * len(piece)
    return rounds


def slots_of(
    ops: Iterable[int],
    tilings: Sequence[Tiling | None],
    sites: Sequence[str | None],
    owners: Sequence[int] | None = None,
) -> Counter[str]:
    """Return the slots that the weights of some ops take, each weight once, by the name of the sites."""
    found: Counter[str] = Counter()
    counted = set[int]()
    for n in ops:
        tiling, owner = tilings[n], n if owners is None else owners[n]
        if tiling is not None and owner not in counted:
            counted.add(owner)
            found[str(sites[n])] += tiling.arrays
    return found


def chips_for(needed: Mapping[str, int], per_chip: Mapping[str, int]) -> int:
    """Return the fewest chips whose slots hold so many blocks at the sites of each name."""
    return max((-(-count // per_chip[name]) for name, count in needed.items()), default=1) or 1


def largest(
    nodes: Sequence[Node],
    tilings: Sequence[Tiling | None],
    sites: Sequence[str | None],
    groups: Sequence[Group],
    owners: Sequence[int] | None = None,
) -> Counter[str]:
    """Return the slots of the largest part that cannot be cut, by the name of the sites."""
    found: Counter[str] = Counter()
    for piece in pieces(nodes, groups):
        found |= slots_of(piece, tilings, sites, owners)
    return found


def pieces(nodes: Sequence[Node], groups: Sequence[Group]) -> list[range]:
    """Return the ops in stretches that cannot be cut: one op, or all from the first to the last of a group."""
    upto = list(range(len(nodes)))  # the last op that must be in the same round
    for group in groups:
        upto[min(group.members)] = max(group.members)
    found, begin, end = [], 0, 0
    for n in range(len(nodes)):
        end = max(end, upto[n])
        if n == end:
            found.append(range(begin, n + 1))
            begin = end = n + 1
    return found


def counted(slots: Mapping[str, int], chips: int = 1) -> str:
    """Say how many slots of so many chips, by the name of the sites where there are several."""
    some = {name: count * chips for name, count in slots.items() if count}
    if len(some) <= 1:
        return f"{sum(some.values())} arrays"
    return " and ".join(f"{count} slots of '{name}'" for name, count in some.items())
