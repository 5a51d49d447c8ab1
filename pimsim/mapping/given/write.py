"""From plans to data: what was decided, and nothing that follows from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from pimsim import __version__
from pimsim.chip import Chip
from pimsim.mapping.numbers import to_text
from pimsim.mapping.planning.dealing import Parts
from pimsim.mapping.planning.options import PlanOptions
from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.planned import PlannedOp, Replica
from pimsim.mapping.planning.stripes import stripes
from pimsim.mapping.saved import SCHEMA, SavedPlan
from pimsim.trace.schema import Trace


def saved_of(
    chip: Chip,
    trace: Trace,
    plans: Sequence[Plan],
    options: PlanOptions,
    generation: dict[str, int] | None = None,
    source: str = "mapping",
) -> SavedPlan:
    """Return plans of data flows that share their places as data.

    Parameters
    ----------
    chip, trace
        What they are for.
    plans : sequence of Plan
        One a data flow.
    options : PlanOptions
        What was asked.
    generation : dict of str to int, optional
        Where tokens are generated: ``prompt``, ``tokens`` and ``places``.
    source : str
        Where they come from, for messages.
    """
    writer = _Writer(plans)
    asked = {
        name: getattr(options, name) for name in ("chips", "weight_bits", "input_bits", "reload", "effort")
    }
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "pimsim": __version__,
        "chip": {"name": chip.config.name, "digest": chip.digest},
        "trace": {"name": trace.model, "digest": trace.digest},
        "options": asked,
        "generation": generation,
        "chips": plans[0].package.chips,
        "ops": [writer.row(number, op) for number, op in enumerate(plans[0].ops)],
    }
    return SavedPlan.from_dict(data, source)


class _Writer:
    """Writes the rows of ops; arrays are numbered as they are taken."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        self.plans = plans
        self.taken: Counter[tuple[int, int, int, int]] = Counter()  # (round, tile, core, bank) -> arrays
        self.named: set[tuple[int, str]] = set()

    def row(self, number: int, op: PlannedOp) -> dict[str, Any]:
        """Return what is decided for an op; what is as by default is left out."""
        found: dict[str, Any] = {"op": op.node.name, "type": op.node.type, "site": op.site, "why": op.why}
        found |= {"round": op.round, "attached": op.attached, "slices": op.slices}
        if op.slices == 1 and not op.attached:
            found |= {"positions": self._positions(number), "dealt": bool(op.dealt)}
        if op.tiling is not None:
            found["copies"] = [self._copy(op, replica) for replica in op.replicas]
        elif op.site is not None and not op.attached:
            found["tiles"] = [replica.home for replica in op.replicas]
        if op.right_matrix is not None:
            found["right_in"] = op.held_in
        found["rows_at_once"] = op.rows_at_once
        found["elsewhere"] = [
            {"input": edge, "slice": part, "tiles": list(tiles)}
            for (edge, part), tiles in sorted(op.elsewhere.items())
        ]
        if op.site is not None and not op.attached:  # registers follow from the rest
            found["places"] = [self._places(plan, number, op) for plan in self.plans]
        return found

    def _positions(self, number: int) -> str | list[str] | None:
        """Return how positions are dealt out: in turn, in stripes, or listed."""
        ops = [plan.ops[number] for plan in self.plans]
        if not any(op.parts for op in ops):
            return None
        striped = (_same(op.parts, stripes(op.node, len(op.replicas))) for op in ops)
        if not ops[0].dealt and all(striped):
            return "stripes"
        return [to_text(part.tolist()) for part in ops[0].parts]

    def _copy(self, op: PlannedOp, replica: Replica) -> dict[str, Any] | str:
        """Return the arrays of a copy, or the name of slots that an op before has, too."""
        if (op.round, replica.slots) in self.named:
            return replica.slots
        self.named.add((op.round, replica.slots))
        assert op.tiling is not None
        rank = {block: n for n, block in enumerate(op.tiling.by_column)}
        cores = []
        for chunk in replica.chunks:
            key = op.round, chunk.tile, chunk.core, chunk.bank
            first = chunk.bank * self.plans[0].package.kind(chunk.tile).bank_slots + self.taken[key]
            self.taken[key] += len(chunk.blocks)
            arrays = range(first, first + len(chunk.blocks))
            blocks = [rank[block] for block in chunk.blocks]
            cores.append(
                {"tile": chunk.tile, "core": chunk.core, "arrays": to_text(arrays), "blocks": to_text(blocks)}
            )
        return {"home": replica.home, "slots": replica.slots, "cores": cores}

    @staticmethod
    def _places(plan: Plan, number: int, op: PlannedOp) -> dict[str, dict[str, int]]:
        """Return the places of an op's inputs, by input and tile."""
        found: dict[str, dict[str, int]] = {}
        reading = set(op.buffer_tiles)
        for edge in range(len(op.node.edges)):
            apart = {tile for (n, _), tiles in op.elsewhere.items() if n == edge for tile in tiles}
            for tile in sorted(apart or reading):
                if (number, edge, tile) in plan.places:
                    found.setdefault(str(edge), {})[str(tile)] = plan.places[number, edge, tile]
        return found


def _same(some: Parts, others: Parts) -> bool:
    return len(some) == len(others) and all(map(np.array_equal, some, others))
