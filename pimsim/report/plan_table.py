"""The plan as a table: per op the arrays, their utilisation, replicas, firings and tiles."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pimsim.mapping.planning.apart import apart_notes
from pimsim.report.tables import heading, plain, printable, share, table
from pimsim.result.precision import precision_text
from pimsim.units import format_time

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from pimsim.mapping.planning.plan import Plan
    from pimsim.mapping.planning.planned import PlannedOp

MOST_WIDTH = (11, 10)  # of type and unit; longer ones fold
TILES_WIDTH = 12


def ranges(numbers: Iterable[int]) -> str:
    """Write whole numbers as ranges: ``0-3,7``."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def plan_report(plan: Plan, model: str, chips_requested: int | None = None) -> Iterator[RenderableType]:
    """Yield a plan's headline, its table and its totals, for rich to print.

    Parameters
    ----------
    plan : Plan
        What to show.
    model : str
        The name of the trace.
    chips_requested : int, optional
        What the user asked for; None is automatic.
    """
    config, chips = plan.chip.config, plan.package.chips
    how = "chosen automatically" if chips_requested is None else "as asked for"
    widths = {op.weight_bits for op in plan.ops if op.weight_bits is not None}
    yield heading(
        f"Plan of {printable(model)} on {printable(config.name)}\n"
        f"{precision_text(widths or [plan.weight_bits], plan.input_widths)}, "
        f"{chips} chip{'s' if chips > 1 else ''} ({how})\n",
        first=True,
    )
    yield plan_table(plan.rows())
    used, there = plan.arrays, plan.arrays_available
    if plan.rounds > 1:
        yield plain(
            f"{used} arrays of weights in {plan.rounds} rounds on {there} arrays, written anew in turn:"
        )
        yield plain(
            "\n".join(
                f"  round {number}: from {ops[0].node.name} to {ops[-1].node.name}, "
                f"{plan.arrays_of_round(number)} arrays"
                for number in range(plan.rounds)
                if (ops := [op for op in plan.ops if op.round == number])
            )
        )
    else:
        if there:
            yield plain(
                f"{used} of {there} arrays ({share(used / there)}). Cells: in use, of the op's arrays."
            )
    yield from _shared(plan)
    if len(widths) > 1:
        yield plain(_by_width(plan, widths))
    held = Counter(op.held_in for op in plan.ops if op.held_in is not None)
    for place, count in held.items():
        yield plain(f"Right matrices of {count} products of two activations, with their caches: in {place}.")
    for line in apart_notes(plan):
        yield plain(line)
    if plan.chosen:
        yield plain(plan.chosen)
    kinds = plan.package.kinds
    policies = {op.node.name: kinds[op.site].product_policy for op in plan.ops if op.site is not None}
    alike: dict[tuple[Any, ...], list[str]] = {}
    for op in plan.ops:
        if op.product_fs is not None:
            alike.setdefault((op.product_fs, op.written > 0), []).append(op.node.name)
    for (times, written), names in alike.items():
        digital, arrays = map(format_time, times)
        others = f" and {len(names) - 1} others" if len(names) > 1 else ""
        yield plain(
            f"{names[0]}{others}: a digital unit would be busy for {digital} an inference, arrays for {arrays}; "
            f"{'written into arrays' if written else 'digital'} (products: {policies[names[0]]})."
        )
    yield from _cut(plan)
    if len(kinds) > 1:
        yield from _by_site(plan)
    if chips > 1:
        yield plain(f"Tiles are counted through the chips: chip 1 begins at tile {config.tiles}.")


def _shared(plan: Plan) -> Iterator[Any]:
    """Say of each weight that several ops read how many copies there are, and why."""
    users: dict[str, list[PlannedOp]] = {}
    for op in plan.ops:
        if op.tiling is not None:
            users.setdefault(op.shares or op.node.name, []).append(op)
    for first, ops in users.items():
        if len(ops) < 2:
            continue
        sets = {replica.slots for op in ops for replica in op.replicas}
        further = sum(
            op.shares is not None and op.replicas[0].slots.startswith(f"{op.node.name}.") for op in ops
        )
        one = "one copy" if len(sets) == 1 else f"{len(sets)} copies"
        why = "" if len(sets) == 1 + further else ", as many as keep the pace"
        if further:
            why += f", {further} of them where the buffers beside the others are full"
        more = ops[1].node.name if len(ops) == 2 else f"{len(ops) - 1} others"
        yield plain(f"{first} and {more} read one weight and take turns on {one} of it{why}.")


def _cut(plan: Plan) -> Iterator[Any]:
    """Say how kernels are cut, those that are cut alike together."""
    alike: dict[str, list[str]] = {}
    for op in plan.ops:
        if op.how:
            alike.setdefault(op.how, []).append(op.node.name)
    for how, names in alike.items():
        more = len(names) - 1
        others = f" and {more} other{'s' if more > 1 else ''}" if more else ""
        yield plain(f"{names[0]}{others}: {how}.")


def _by_width(plan: Plan, widths: Iterable[int]) -> str:
    """Say which weights have how many bits."""
    said = []
    for bits in sorted(widths):
        names = [op.node.name for op in plan.ops if op.weight_bits == bits]
        more = f" and {len(names) - 2} others" if len(names) > 2 else ""
        said.append(f"{bits} bits: {printable(', '.join(names[:2]))}{more}")
    return f"Weights of {'; of '.join(said)}."


def _by_site(plan: Plan) -> Iterator[Any]:
    """Say which sites do which ops, and why there."""
    config = plan.chip.config
    found: dict[tuple[str, str], list[str]] = {}
    for op in plan.ops:
        if op.site is not None:
            found.setdefault((op.site, op.why), []).append(op.node.name)
    for (site, why), names in found.items():
        numbers = config.tiles_of(site)
        more = f" and {len(names) - 3} others" if len(names) > 3 else ""
        yield plain(
            f"{site} ({config.sites[site].kind}, {numbers.start}-{numbers.stop - 1}): "
            f"{', '.join(names[:3])}{more}: {why}."
        )


def _arrays(row: Mapping[str, Any]) -> str:
    """Write the arrays of an op; those that an op before has brought stand in brackets."""
    if not row["arrays"]:
        return "-"
    return f"({row['arrays']})" if row.get("shares") else str(row["arrays"])


def plan_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the plan as a table of at most 80 columns.

    Parameters
    ----------
    rows : sequence of mapping
        As `Plan.rows` gives them and as ``plan`` in a result holds them.
    """
    made = table("op", "type", "on", "arrays", "cells", "replicas", "firings", "tiles", left=3, gap=1)
    made.columns[-1].justify = "left"
    for column, width in zip(made.columns[1:3], MOST_WIDTH, strict=True):
        column.max_width = width
    for row in rows:
        tiles = textwrap.wrap(ranges(row["tiles"]).replace(",", ", "), TILES_WIDTH)
        made.add_row(
            plain(row["op"]),
            plain(row["type"]),
            plain(row["on"]),
            _arrays(row),
            share(row["utilisation"]) if row["utilisation"] is not None else "-",
            str(row["replicas"]),
            str(row["firings"]),
            "\n".join(tiles).replace(", ", ",") or "-",
        )
    return made
