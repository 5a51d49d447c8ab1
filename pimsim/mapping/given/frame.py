"""What a plan that is given is about: the ops of the data flows, matched with its rows, and what follows for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pimsim.chip import Chip
from pimsim.errors import MappingError, nearest
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.heads import Group, groups_of
from pimsim.mapping.flow.stores import STORE, with_stores
from pimsim.mapping.flow.whole import wholly
from pimsim.mapping.planning.assign import HOST_OPS
from pimsim.mapping.planning.job import Flows
from pimsim.mapping.planning.kind import Kind
from pimsim.mapping.planning.options import PlanOptions, weight_bits_of, widths_of
from pimsim.mapping.planning.package import Package
from pimsim.mapping.planning.places import places_of
from pimsim.mapping.planning.shared import only_taken, owners_by_round, owners_of, users_of
from pimsim.mapping.planning.tiling import Tiling
from pimsim.mapping.saved import OpRow, SavedPlan
from pimsim.trace.model import Model


@dataclass(frozen=True)
class Frame:
    """The ops of a plan that is given.

    Parameters
    ----------
    package : Package
        The chips.
    rows : sequence of OpRow
        Of each op, what is given.
    programs : list of list of Node
        The data flows: the same ops in the same order.
    tilings : sequence of Tiling or None
        Of each op, how its weight is cut.
    groups : sequence of Group
        Ops that attention by heads keeps together, where it is cut.
    users : dict of int to list of int
        By the first op that reads a weight in a round, all that do.
    least : list of list of list of int
        For each program, op and input: tokens without whose places it can deadlock, if one tile reads everything.
    weight_bits : sequence of int
        Of each op, the width of its weights.
    input_bits : int
        Of what states no width.
    caches : int
        How many sequences have a cache at once.
    """

    package: Package
    rows: Sequence[OpRow]
    programs: list[list[Node]]
    tilings: Sequence[Tiling | None]
    groups: Sequence[Group]
    users: dict[int, list[int]]
    least: list[list[list[int]]]
    weight_bits: Sequence[int]
    input_bits: int
    caches: int

    @property
    def nodes(self) -> list[Node]:
        """The ops of the first data flow."""
        return self.programs[0]

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """What is done at the sites of each name."""
        return self.package.kinds

    def kind(self, number: int) -> Kind | None:
        """Return what does an op; None for the host."""
        site = self.rows[number].site
        return None if site is None else self.kinds[site]

    def group_of(self, number: int) -> Group | None:
        """Return the group of an op that is cut by heads."""
        return next((each for each in self.groups if number in each.members), None)


def frame_of(chip: Chip, trace: Model, flows: Flows, saved: SavedPlan, options: PlanOptions) -> Frame:
    """Match the rows of a plan that is given with the ops of data flows.

    Raises
    ------
    MappingError
        If they are not of these ops, or an op is where it cannot be done.
    """
    package, rows = Package(chip.config, saved.content.chips), saved.content.ops
    programs = _with_stores(flows.programs, rows, package.kinds)
    nodes = programs[0]
    for node, row in zip(nodes, rows, strict=True):
        _check_site(node, row, package.kinds)
    input_bits = widths_of(options, chip.config.precision.input_bits).default
    weight_bits = [weight_bits_of(node.op, options, chip.config.precision.weight_bits) for node in nodes]
    sites = [row.site for row in rows]
    tilings = [
        package.kinds[row.site].tiling(node.op, bits)
        if row.site and node.on_arrays and node.op and not package.kinds[row.site].whole
        else None
        for node, row, bits in zip(nodes, rows, weight_bits, strict=True)
    ]
    owners = owners_of(nodes, tilings, sites)
    users = users_of(owners, tilings)
    least = [places_of(each, np.zeros(len(each), dtype=np.int64), package.kinds) for each in programs]
    least = [only_taken(*each, users) for each in zip(programs, least, strict=True)]
    return Frame(
        package,
        rows,
        programs,
        tilings,
        [group for group in groups_of(nodes) if any(rows[n].slices > 1 for n in group.members)],
        users_of(owners_by_round(owners, [row.round for row in rows]), tilings),
        least,
        weight_bits,
        input_bits,
        flows.caches,
    )


def _with_stores(
    programs: list[list[Node]], rows: Sequence[OpRow], kinds: Mapping[str, Kind]
) -> list[list[Node]]:
    """Return the data flows with the stores that the rows have, and with kernels where they have processors."""
    own = [row for row in rows if row.type != STORE]
    _check_names(programs[0], own)
    stored = {row.op for row in rows if row.type == STORE}
    before = {n for n, row in enumerate(own) if f"{row.op} (input)" in stored}
    whole = [row.site in kinds and kinds[str(row.site)].whole for row in own]
    found = wholly(programs, whole) if any(whole) else programs
    if not stored:
        return found
    for n in before:
        node = found[0][n]
        if len(node.edges) != 1 or not node.on_arrays or whole[n]:
            raise MappingError(
                "found a store before it, expected one only before a layer on arrays",
                where=f"op '{node.name}'",
            )
    if len(programs) > 1:
        raise MappingError(
            "found a store, expected none where tokens are generated", where=f"op '{min(stored)}'"
        )
    found = [with_stores(each, before) for each in found]
    names = [node.name for node in found[0]]
    if names != [row.op for row in rows]:
        wrong = next(row.op for row, name in zip(rows, [*names, ""], strict=False) if row.op != name)
        raise MappingError(
            "found a store that is not right before the op that reads it", where=f"op '{wrong}'"
        )
    whole = [row.site in kinds and kinds[str(row.site)].whole for row in rows]
    return wholly(found, whole) if any(whole) else found


def _check_names(nodes: Sequence[Node], rows: Sequence[OpRow]) -> None:
    """See that rows are of the ops of a data flow, in their order."""
    names, found = [node.name for node in nodes], [row.op for row in rows]
    known = set(names)
    for row in rows:
        if row.op not in known:
            raise MappingError(f"has no op '{row.op:.60}'", where="the trace", mend=nearest(row.op, names))
    there = set(found)
    for node in nodes:
        if node.name not in there:
            source = (
                f"what '{nodes[node.edges[0].source].name}' puts out" if node.edges else "the model's input"
            )
            raise MappingError(
                f"is not in the plan, so {source} does not reach it",
                where=f"op '{node.name}'",
                mend="give its row",
            )
    for name, other in zip(names, found, strict=False):
        if name != other:
            raise MappingError(
                f"found '{other:.60}' where '{name}' comes, expected each op once and in the order of the trace",
                where="ops",
            )
    if len(found) > len(names):
        raise MappingError(f"found '{found[len(names)]:.60}' twice, expected each op once", where="ops")
    for node, each in zip(nodes, rows, strict=True):
        if node.type != each.type:
            raise MappingError(
                f"found type '{each.type:.60}', expected '{node.type}'", where=f"op '{node.name}'"
            )


def _check_site(node: Node, row: OpRow, kinds: Mapping[str, Kind]) -> None:
    """See that an op can be done where it is put."""
    where = f"op '{node.name}' ({node.type})"
    if (node.type in HOST_OPS) != (row.site is None):
        expected = "none: the host does it" if node.type in HOST_OPS else f"one of: {', '.join(kinds)}"
        raise MappingError(f"found the site {row.site!r:.60}, expected {expected}", where=where)
    if row.site is None:
        return
    if row.site not in kinds:
        raise MappingError(
            f"found the site '{row.site:.60}', which the chip does not have",
            where=where,
            mend=nearest(row.site, list(kinds)),
        )
    refusal = "" if node.type == STORE else kinds[row.site].refusal(node)
    if refusal:
        raise MappingError(f"cannot be done at '{row.site}': {refusal}", where=where)
