"""Energy of a run that generates: what the prompts' passes took, and what the tokens after them did."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence as Several
from fractions import Fraction

from pimsim.machine.generation import PROMPT, STEP, Sequence
from pimsim.machine.machine import Machine
from pimsim.result.energy import AJ_PER_PJ, dynamic_energy
from pimsim.result.result import Result

NAMES = {PROMPT: "prompt", STEP: "decode"}


def aj_by_program(machine: Machine) -> dict[int, int]:
    """Return the dynamic energy of each program, aJ; that of jobs is `pimsim.result.energy.JOBS`'s."""
    sums: dict[int, int] = defaultdict(int)
    for (_, _, program), pj in dynamic_energy(machine)[0].items():
        sums[program] += round(pj * AJ_PER_PJ)
    return sums


def energy_by_pass(
    dynamic_aj: dict[int, int], sequences: Several[Sequence], result: Result
) -> dict[str, int]:
    """Return the energy of the prompts' passes, of the steps after them, and of what is neither's, in aJ.

    Visits count for the pass that they are of. Static energy is shared out by time: at every instant evenly among the
    sequences under way then, each at its prompt or beyond. While none is, and what controllers do, is `other`.

    Parameters
    ----------
    dynamic_aj : dict of int to int
        From `aj_by_program`.
    sequences : sequence of Sequence
        When each was under way.
    result : Result
        Of the run: its energy and latency.

    Returns
    -------
    dict
        ``prompt``, ``decode`` and ``other``, whose sum is the total.
    """
    static = sum(row["aj"] for row in result.energy["rows"] if row["kind"] == "static")
    shares = _time_shares(sequences)
    found = {
        name: dynamic_aj.get(program, 0) + int(static * shares[program] / result.latency_fs)
        for program, name in NAMES.items()
    }
    return {**found, "other": result.energy["total_aj"] - sum(found.values())}


def _time_shares(sequences: Several[Sequence]) -> dict[int, Fraction]:
    """Return the fs of each sort of pass: those of an instant shared evenly by the sequences under way."""
    changes: dict[int, Counter[int]] = defaultdict(Counter)
    for each in sequences:
        changes[each.begin_fs][PROMPT] += 1
        changes[each.token_fs[0]].update({PROMPT: -1, STEP: 1})
        changes[each.token_fs[-1]][STEP] -= 1
    shares, under_way, before = dict.fromkeys(NAMES, Fraction(0)), Counter[int](), 0
    for time in sorted(changes):
        for program in NAMES if under_way.total() else ():
            shares[program] += Fraction((time - before) * under_way[program], under_way.total())
        under_way.update(changes[time])
        before = time
    return shares
