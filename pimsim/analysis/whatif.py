"""What a change would win, by simulating again.

The attribution tells where the time went; it does not tell what can be won, since what waits behind the critical path
takes over when the path gets shorter. Where the two disagree, a row says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack, overload

from pimsim.analysis.causes import phrase
from pimsim.analysis.changes import (
    INFINITELY_FAST,
    TWICE_AS_FAST,
    Change,
    changes_of,
    grid,
)
from pimsim.analysis.sums import sum_by
from pimsim.chip import Chip
from pimsim.errors import ConfigError, MappingError, PimsimError, ResultError
from pimsim.machine.machine import Machine
from pimsim.mapping.lowering.lowering import lower
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.planning.options import PlanKeywords
from pimsim.mapping.planning.plan import Plan
from pimsim.netlist.rows import HOST
from pimsim.result.attribution import rows_of
from pimsim.result.interval import interval_of, least_interval_fs
from pimsim.result.result import data_frame
from pimsim.run.experiment import Experiment, experiment_of
from pimsim.run.pool import run_each
from pimsim.run.steady import steady_machine
from pimsim.trace.schema import Trace

if TYPE_CHECKING:
    import pandas

DISAGREES = 0.5  # a win that is less than half of what the attribution suggests, or more than it by half


@dataclass(frozen=True)
class Outcome:
    """A run with a change, or without one.

    Parameters
    ----------
    latency_fs : int
        Of the batch.
    interval_fs : int or None
        Between outputs in steady state; None for a single inference, which has none.
    attribution : list of dict
        Rows of `cause`, `part`, `op`, `fs`, as in a result.
    """

    latency_fs: int
    interval_fs: int | None
    attribution: list[dict[str, Any]]

    @property
    def bottleneck(self) -> tuple[str, str, float]:
        """The cause and the part that hold most of the critical path, and their share."""
        (cause, part), fs = next(iter(sum_by(self.attribution, ("cause", "part")).items()))
        return cause, part, fs / self.latency_fs

    def at(self, part: str) -> int:
        """Return the time that the critical path spends at a part, whatever the cause, fs."""
        return sum(row["fs"] for row in self.attribution if row["part"] == part)


@dataclass(frozen=True)
class Row:
    """What a change does.

    Parameters
    ----------
    change : Change
        What was changed.
    outcome : Outcome or None
        What came of it; None if the model does not fit the changed chip.
    attributed_fs : int or None
        What the critical path of the unchanged run spends at the part; None for a grid.
    won_fs : int or None
        By how much the latency got shorter (negative: longer).
    note : str
        Where attribution and outcome disagree, or why there is no outcome.
    """

    change: Change
    outcome: Outcome | None
    attributed_fs: int | None
    won_fs: int | None
    note: str


@dataclass
class WhatIf:
    """The outcomes of changes to a chip, the best first.

    Parameters
    ----------
    model, chip : str
        What ran on what.
    batch : int
        Inferences.
    base : Outcome
        The run without a change.
    rows : list of Row
        A row a change.
    missing : int
        Changes that an interruption left untried.
    """

    model: str
    chip: str
    batch: int
    base: Outcome
    rows: list[Row] = field(default_factory=list)
    missing: int = 0

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a plain row a change."""
        found = []
        for row in self.rows:
            outcome = row.outcome
            cause, part, share = outcome.bottleneck if outcome is not None else (None, None, None)
            found.append(
                {
                    "part": row.change.part,
                    "change": row.change.kind,
                    "set": row.change.values,
                    "planned_anew": not row.change.same_plan,
                    "latency_fs": outcome.latency_fs if outcome is not None else None,
                    "interval_fs": outcome.interval_fs if outcome is not None else None,
                    "speedup": self.base.latency_fs / outcome.latency_fs if outcome is not None else None,
                    "won_fs": row.won_fs,
                    "attributed_fs": row.attributed_fs,
                    "bottleneck": {"cause": cause, "part": part, "share": share},
                    "note": row.note,
                }
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        cause, part, share = self.base.bottleneck
        return {
            "model": self.model,
            "chip": self.chip,
            "batch": self.batch,
            "latency_fs": self.base.latency_fs,
            "interval_fs": self.base.interval_fs,
            "bottleneck": {"cause": cause, "part": part, "share": share},
            "changes": self.to_rows(),
            "missing": self.missing,
        }

    def to_pandas(self) -> pandas.DataFrame:
        """Return the rows as a data frame.

        Raises
        ------
        ResultError
            If pandas is not installed.
        """
        return data_frame(self.to_rows())

    def __str__(self) -> str:
        from pimsim.report.whatif import whatif_text

        return whatif_text(self)


@overload
def whatif(
    experiment: Experiment,
    /,
    *,
    settings: Sequence[str] = (),
    parts: Sequence[str] | None = None,
    jobs: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> WhatIf: ...


@overload
def whatif(
    chip: Chip,
    trace: Trace,
    batch: int = 1,
    *,
    settings: Sequence[str] = (),
    parts: Sequence[str] | None = None,
    jobs: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    **options: Unpack[PlanKeywords],
) -> WhatIf: ...


def whatif(
    chip: Chip | Experiment,
    trace: Trace | None = None,
    batch: int = 1,
    *,
    settings: Sequence[str] = (),
    parts: Sequence[str] | None = None,
    jobs: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> WhatIf:
    """Say what changes to a chip would win for a trace, by simulating each.

    Parameters
    ----------
    chip : Chip or Experiment
        As it is; or the whole experiment, and no trace or options beside it.
    trace : Trace
        What runs.
    batch : int
        Inferences, as in `simulate`.
    settings : sequence of str, optional
        ``KEY=V1,V2,…``: try these values (all combinations) instead of every part faster and doubled.
    parts : sequence of str, optional
        Only these parts; by default all that the run uses.
    jobs : int, optional
        Processes; by default as many as there are cores.
    on_progress : callable, optional
        Called with the runs done and the runs in all.
    **options
        ``chips``, ``weight_bits``, ``input_bits``, ``reload``: see `pimsim.Options`.

    Returns
    -------
    WhatIf
        The unchanged run, and a row a change, the shortest latency first. A KeyboardInterrupt ends it early: what is
        done by then is in it.

    Raises
    ------
    PimsimError
        As in `simulate`, for the unchanged chip, or if a setting is wrong, or the experiment generates.
    """
    experiment = experiment_of(chip, trace, {"batch": batch, **options})
    chip, asked = experiment.chip, experiment.options
    if asked.generates:
        raise ConfigError("what-if runs inferences; it does not generate tokens", where="prompt")
    plan = make_plan(chip, experiment.trace, asked)
    if settings:
        changes = grid(chip, settings)
    else:
        used = _used_parts(plan)
        if parts is not None:
            unknown = [part for part in parts if part not in used]
            if unknown:
                raise ResultError(
                    f"the run does not use '{unknown[0]}'", mend="expected one of: " + ", ".join(used)
                )
        changes = changes_of(chip, parts if parts is not None else used)
    work = partial(_run, experiment, plan)
    outcomes = run_each(work, [None, *changes], jobs=jobs, on_progress=on_progress)
    base = outcomes.pop(0, None)
    if base is None:  # interrupted before there is anything to compare with
        raise KeyboardInterrupt
    assert isinstance(base, Outcome)
    rows = [
        _row(changes[number - 1], base, outcome, by_part=not settings)
        for number, outcome in sorted(outcomes.items())
    ]
    rows.sort(key=lambda row: row.outcome.latency_fs if row.outcome is not None else base.latency_fs * 10**6)
    return WhatIf(
        experiment.trace.model, chip.config.name, asked.batch, base, rows, len(changes) - len(outcomes)
    )


def _used_parts(plan: Plan) -> list[str]:
    """The parts that a plan's machine has resources or buffers of."""
    return [part for part in lower(plan, 1).net.parts if part != HOST]


def _row(change: Change, base: Outcome, outcome: Outcome | str, *, by_part: bool) -> Row:
    attributed = base.at(change.part) if by_part else None
    if isinstance(outcome, str):
        return Row(change, None, attributed, None, outcome)
    won = base.latency_fs - outcome.latency_fs
    note = "" if attributed is None else _disagreement(change, attributed, won, base, outcome)
    return Row(change, outcome, attributed, won, note)


def _disagreement(change: Change, attributed: int, won: int, base: Outcome, outcome: Outcome) -> str:
    """Say where what was won is not what the attribution suggests."""
    if won < -base.latency_fs // 1000:
        if change.same_plan:
            return "slower: other work comes first now where parts are shared"
        return "slower: planned anew, and this plan is worse"
    share = {TWICE_AS_FAST: 0.5, INFINITELY_FAST: 1.0}.get(change.kind)
    if share is None:
        return ""
    suggested = int(attributed * share)
    if suggested > base.latency_fs // 100 and won < DISAGREES * suggested:
        cause, part, _ = outcome.bottleneck
        return f"wins {_of(won, suggested)} of what attribution suggests: slack takes over, {phrase(cause, part)}"
    if won > (1 + DISAGREES) * suggested and won > base.latency_fs // 100:
        return "wins more than attribution suggests: waiting elsewhere gets shorter too"
    return ""


def _of(won: int, suggested: int) -> str:
    return f"{100 * max(0, won) / suggested:.0f} %"


# -- the runs, in processes ----------------------------------------------------------------------------------


def _run(experiment: Experiment, plan: Plan, change: Change | None) -> Outcome | str:
    """Run an experiment with a change, or without one; what does not fit is said in words."""
    options = experiment.options
    try:
        if change is not None:
            chip = change.applied_to(experiment.chip)
            plan = plan.retimed(chip) if change.same_plan else make_plan(chip, experiment.trace, options)
        machine = Machine(plan, options.batch)
        machine.run()
    except MappingError as error:
        if change is None:
            raise
        return f"does not fit: {error}"
    except PimsimError as error:
        if change is None:
            raise
        return str(error)
    charges = machine.engine.charges().sum(axis=0)
    interval = None
    if options.batch > 1:
        interval = interval_of(steady_machine(machine), least_interval_fs(machine)[0]).fs
    return Outcome(machine.host.outputs[-1], interval, rows_of(charges, machine))
