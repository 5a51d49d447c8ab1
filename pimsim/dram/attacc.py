"""Programs of attention units beside a cache of keys and values: scores, softmax, and what it weighs, head by head.

They are sent as the simulator of AttAcc's authors sends them (commit c600051, pim_ramulator_src/trace_gen): heads in
pairs, so that one's inputs move while the other is multiplied. A head is in one channel; all channels do the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np

from pimsim.dram.program import TOGETHER, Program, Steps
from pimsim.dram.requests import banks_of
from pimsim.dram.schema import BANK, Standard, units_of
from pimsim.dram.tables import rows_of
from pimsim.dram.unit import Aim, AttAcc, Place
from pimsim.errors import ConfigError, nearest

PER_MOVE = 16  # outputs of a unit before its sums are moved
PLACES: tuple[str, ...] = get_args(Place)
MULTIPLY, INPUTS, SUMS, SHARES, SOFTMAX = 0, 2, 3, 4, 5  # as steps have them
CHANNELS = 16


@dataclass(frozen=True)
class _Layout:
    """Where a channel's units are, and so how a matrix is cut.

    Parameters
    ----------
    at : str
        One of `PLACES`.
    chips, ranks, groups, banks : int
        Pseudo-channels of a channel, ranks in each, bank groups in each, and banks in each.
    lanes, columns : int
        Of a unit, and of a row.
    """

    at: str
    chips: int
    ranks: int
    groups: int
    banks: int
    lanes: int
    columns: int

    @property
    def down(self) -> int:
        """Units that share the tokens."""
        return self.chips if self.at == "buffer" else self.chips * self.ranks * self.groups

    @property
    def across(self) -> int:
        """Units that share a head's elements."""
        return self.banks if self.at == "bank" else 1

    def multiply(self, count: int, row: int) -> Steps:
        """Return so many multiplications of columns from a row on, in the order of the places of columns."""
        each = np.arange(count)
        if self.at == "bank":
            bank, rows = np.zeros_like(each), each // self.columns
        elif self.at == "bank_group":
            bank, rows = each // self.columns % self.banks, each // (self.columns * self.banks)
        else:
            group, turn = each % (self.ranks * self.groups), each // (self.ranks * self.groups)
            bank, rows = group * self.banks + turn % self.banks, turn // (self.banks * self.columns)
        return _steps(MULTIPLY, bank, row + rows)

    def rows(self, count: int) -> int:
        """Return the rows of a bank that so many columns take."""
        return int(self.multiply(count, 0)[:, 3].max(initial=0)) + 1

    def move(self, does: int, ranks: int, groups: int, banks: int, times: int) -> Steps:
        """Return moves to or from a unit in each of so many banks, groups and ranks, so many times each."""
        rank, group, bank = np.indices((ranks, groups, banks)).reshape(3, -1)
        number = (rank * self.groups + group) * self.banks + bank
        return _steps(does, np.repeat(number, times), -1)


def _steps(does: int, bank: object, row: object) -> Steps:
    number = np.asarray(bank, dtype=np.int32)
    steps = np.zeros((len(number), 5), dtype=np.int32)
    steps[:, 0], steps[:, 1], steps[:, 2], steps[:, 3] = does, TOGETHER, number, np.asarray(row)
    return steps


class _Head:
    """What one head takes, piece by piece."""

    def __init__(self, layout: _Layout, size: int, tokens: int, first_row: int) -> None:
        scores = -(-tokens // layout.down) * -(-size // (layout.across * layout.lanes))
        outputs, each = -(-size // (layout.across * layout.lanes)), -(-tokens // layout.down)
        buffer, bank = layout.at == "buffer", layout.at == "bank"
        span = layout.rows(scores)
        keys = layout.multiply(scores, first_row)
        self.scores = np.split(keys, range(PER_MOVE * outputs, scores, PER_MOVE * outputs))
        values = layout.multiply(outputs * each, first_row + span)
        self.context = np.split(values, range(each, outputs * each, each))
        self.rows = span + layout.rows(outputs * each)
        self.inputs = layout.move(INPUTS, 1, 1, layout.banks if bank else 1, outputs)
        all_units = (1, 1, 1) if buffer else (layout.ranks, layout.groups, 1)
        self.score_sums = layout.move(SUMS, *all_units, 1)
        self.shares = layout.move(SHARES, *all_units, -(-tokens // (layout.down * layout.lanes)))
        ranks = 1 if buffer else layout.ranks
        self.context_sums = layout.move(SUMS, ranks, 1, layout.banks if bank else 1, 1)
        self.softmax = layout.move(SOFTMAX, 1, 1, 1, 1)


def _layout(standard: Standard, units: AttAcc, at: str) -> _Layout:
    chips, ranks, groups = (standard.levels.get(level, 1) for level in ("pseudochannel", "rank", "bankgroup"))
    return _Layout(at, chips, ranks, groups, standard.levels[BANK], units.lanes, standard.columns)


def attention(
    standard: Standard, heads: int, tokens: int, size: int = 128, at: str = "bank", channels: int = CHANNELS
) -> Program:
    """Attend from one token to all in a cache, head by head: scores, softmax, and the sum of values that it weighs.

    Parameters
    ----------
    standard : Standard
        One with attention units.
    heads : int
        Of all requests together.
    tokens : int
        In the cache of each.
    size : int
        Elements of a head.
    at : str
        Where the units are: one of `PLACES`.
    channels : int
        That share the heads; those with one head more are what is simulated.

    Raises
    ------
    ConfigError
        If a number makes no sense, or a bank does not hold its keys and values.
    """
    units = standard.pim
    if not isinstance(units, AttAcc):
        raise ConfigError(
            f"{standard.name} has no attention units", where="--program", mend="hbm3_attacc has"
        )
    for where, value in (
        ("--heads", heads),
        ("--tokens", tokens),
        ("--head-size", size),
        ("--channels", channels),
    ):
        if not 1 <= value <= 2**24:
            raise ConfigError(f"found {value}, expected a whole number from 1 to {2**24}", where=where)
    if at not in units.sets:
        raise ConfigError(f"found '{at:.40}'", where="--at", mend=nearest(at, list(units.sets)))
    layout = _layout(standard, units, at)
    mine = -(-heads // channels)
    one = _Head(layout, size, tokens, 0)
    if mine * one.rows > standard.rows:
        raise ConfigError(
            f"a bank would need {mine * one.rows:,} rows for keys and values, and has {standard.rows:,}",
            where="--tokens",
            mend="give more --channels or fewer --heads",
        )
    done = [_Head(layout, size, tokens, number * one.rows) for number in range(mine)]
    steps = _Schedule().all(done, units.repeats_last)
    commands = units.sets[at]
    together = [
        commands.activate,
        commands.precharge,
        commands.multiply,
        None,
        *units.moves.model_dump().values(),
    ]
    return Program("attention", steps, steps[:, 0] == MULTIPLY, channels, 4 * heads * tokens * size, together)


def units_and_pace(standard: Standard, at: str) -> tuple[int, int]:
    """Return the units of a channel, and the cycles from one of their multiplications to the next.

    Raises
    ------
    ConfigError
        If the memory has none.
    """
    units = standard.pim
    if isinstance(units, Aim):
        return banks_of(standard), standard.cycles["nCCD_L"]
    if not isinstance(units, AttAcc):
        return units_of(standard).units, standard.cycles["nCCD_L"]
    multiply = list(standard.commands).index(units.sets[at].multiply)  # type: ignore[index]
    between = [
        row.cycles for row in rows_of(standard) if row.before == row.after == multiply and not row.level
    ]
    layout = _layout(standard, units, at)
    return layout.down * layout.across, max(between)


class _Schedule:
    """Stages in the order in which they are sent."""

    def __init__(self) -> None:
        self.parts: list[Steps] = []

    def all(self, heads: list[_Head], repeats_last: bool) -> Steps:
        """Two heads at a time; a last one alone."""
        for one, other in zip(heads[::2], heads[1::2], strict=False):
            self.stage(one.inputs)
            self.overlapped(one.scores, one.score_sums, [(other.inputs, False)])
            self.overlapped(other.scores, other.score_sums, [(one.shares, True)], one.softmax)
            self.overlapped(one.context, one.context_sums, [(other.shares, True)], other.softmax)
            self.overlapped(other.context, other.context_sums, [])
        if len(heads) % 2:
            last = heads[-1]
            self.stage(last.inputs)
            if repeats_last:
                self.repeated(last)
            else:
                self.overlapped(last.scores, last.score_sums, [])
                self.stage(last.softmax, last.shares)
            self.overlapped(last.context, last.context_sums, [])
        return np.concatenate(self.parts)

    def repeated(self, head: _Head) -> None:
        """Scores of a head, with softmax and the moves behind it after each stage."""
        for number in range(len(head.scores) + 1):
            if number < len(head.scores):
                self.stage(head.scores[number], head.score_sums[: number * len(head.score_sums)])
                self.stage(head.softmax, head.shares)
            else:
                self.stage(head.score_sums, head.softmax, head.shares)

    def stage(self, *parts: Steps) -> None:
        """Add columns with a fence behind them."""
        joined = np.concatenate(parts)
        joined[-1:, 4] = 2
        self.parts.append(joined)

    def overlapped(
        self, work: list[Steps], sums: Steps, beside: list[tuple[Steps, bool]], first: Steps | None = None
    ) -> None:
        """Multiply in stages; the sums of a stage move in the next one, and the other head's moves beside them.

        Of `beside`, some are spread over all stages, others (marked) over the second half, when softmax is done.
        """
        count = len(work)
        for number, columns in enumerate(work):
            parts = [columns]
            if number:
                parts.append(sums)
            elif first is not None:
                parts.append(first)
            for moves, late in beside:
                begin = count // 2 if late else 0
                if number >= begin:
                    cuts = [len(moves) * (n - begin) // (count - begin) for n in (number, number + 1)]
                    parts.append(moves[cuts[0] : cuts[1]])
            self.stage(*parts)
        self.parts.append(sums.copy())
