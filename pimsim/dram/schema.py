"""What the file of a memory standard may say: levels, commands, states, and every timing constraint as a row."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from pimsim.chip.base import Model, Positive, Sourced, Text, refuse
from pimsim.dram.cycles import cycles_of, evaluate, terms
from pimsim.dram.energy import NEEDED, Currents, Energy, Texts
from pimsim.dram.unit import HbmPim, Pim
from pimsim.dram.unit_checks import Beside, check_units
from pimsim.errors import ConfigError, nearest

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w{0,39}$")]
Many = Annotated[int, Field(ge=1, le=2**24)]
CHANNEL, BANK = "channel", "bank"
# A larger timing and what it must cover; of those that a standard has.
COVERS = (
    ("nRC", "nRAS + nRP"),
    ("nCCD_L", "nCCD_S"),
    ("nRRD_L", "nRRD_S"),
    ("nWTR_L", "nWTR_S"),
    ("nFAW", "nRRD_S"),
    ("nREFI", "nRFC + 1"),
)
MOST_CYCLES = 10**7  # between two commands, or refreshes
TAKEN = {CHANNEL, "row", "column", "op", "cycle", "address"}  # names that no level can have
STATES = {  # what a command does: the states of its banks that it can need, and those that it can leave
    "activate": ({"closed"}, {"open"}),
    "precharge": ({"open", "any"}, {"closed"}),
    "read": ({"open"}, {"open", "closed"}),
    "write": ({"open"}, {"open", "closed"}),
    "refresh": ({"closed"}, {"closed"}),
    "move": ({"any"}, {"same"}),  # between buffers: no bank takes part
}


class Data(Sourced):
    """The data bus, and what a burst is.

    Parameters
    ----------
    level : str
        Each of this level has a bus of its own.
    width_bits : int
        Its width.
    burst_length : int
        Transfers of a burst.
    transfers_per_cycle : int
        Transfers in a cycle of the clock that commands are timed by.
    """

    level: Name
    width_bits: Many
    burst_length: Many
    transfers_per_cycle: Many

    @property
    def burst_bytes(self) -> int:
        """Bytes of a burst, which is what a column holds."""
        return self.width_bits * self.burst_length // 8


class Command(Model):
    """A command.

    Parameters
    ----------
    does : str
        Which of the controller's actions it is.
    level : str
        What it goes to: a bank, or all banks of a rank.
    needs, leaves : str
        The state that the banks must be in, and the one that they are in afterwards. A read that leaves its
        bank closed precharges by itself.
    bus : str
        The bus that it takes; commands on different ones can be sent in one cycle.
    cycles : int
        How long it takes it. Constraints count from the last cycle of a command to the last one of the next.
    """

    does: Literal["activate", "precharge", "read", "write", "refresh", "move"]
    level: Name
    needs: Literal["closed", "open", "any"]
    leaves: Literal["closed", "open", "same"]
    bus: Name = "command"
    cycles: Annotated[int, Field(ge=1, le=64)] = 1


class Constraint(Model):
    """A row of the timing table: after one of these commands, one of those comes no sooner.

    Parameters
    ----------
    level : str
        Both go to the same rank, bank group, bank, …
    before, after : list of str
        The commands.
    cycles : str
        Cycles between them: names of timings and whole numbers, added and subtracted.
    window : int
        It counts from the last but so many of the commands before: 4 for a window of four activates.
    others : bool
        Instead both go to different ones of this level, beside each other: another rank of the channel.
    """

    level: Name
    before: Annotated[list[Name], Field(min_length=1)]
    after: Annotated[list[Name], Field(min_length=1)]
    cycles: str
    window: Annotated[int, Field(ge=1, le=64)] = 1
    others: bool = False


class Refresh(Model):
    """A way to refresh.

    Parameters
    ----------
    command : str
        What is sent.
    interval : str
        Cycles from one to the next, to one rank (or whatever is refreshed together, or in turns).
    staggered : bool
        Ranks take turns, the first of n after an n-th of the interval; else all are due at the same time.
    """

    command: Name
    interval: str
    staggered: bool = False


class Standard(Sourced):
    """A memory standard with one part of it: everything that a controller must know.

    Parameters
    ----------
    schema_ : str
        ``pimsim-memory/1``.
    name, description : str
        What it is.
    clock_mhz : float
        The clock that cycles count, MHz.
    data : Data
        The data bus.
    levels : dict of str to int
        What is inside a channel, from the outside in, and how many in each of the level before; ``bank`` is the last.
    rows, columns : int
        Rows of a bank, and bursts of a row.
    mapping : list of str
        How an address is cut, the highest bits first: all levels, ``row`` and ``column``.
    timings : dict of str to number
        ``nX`` in cycles, or ``tX_ns`` in nanoseconds, which makes an ``nX`` of whole cycles.
    read_latency, write_latency : str
        Cycles from the command to the end of its data.
    commands : dict of str to Command
        By name.
    constraints : list of Constraint
        All that the timing table says. That a command takes its bus is added.
    refresh : dict of str to Refresh
        ``all_bank``, ``per_bank``, or both.
    energy : Energy, optional
        None where no source has figures: not modelled.
    pim : HbmPim or AttAcc, optional
        The units that compute beside the banks.
    orders : dict of str to dict
        By name, keys that are otherwise in another order of commands than the standard's; see `load_standard`.
    not_modelled : sequence of str
        What the standard has and this file does not say.
    """

    schema_: Annotated[Literal["pimsim-memory/1"], Field(alias="schema")]
    name: Text
    description: Text = ""
    clock_mhz: Positive
    data: Data
    levels: dict[Name, Many]
    rows: Many
    columns: Many
    mapping: list[Name]
    timings: dict[Name, Annotated[int | float, Field(ge=0, le=1_000_000_000, allow_inf_nan=False)]]
    read_latency: str
    write_latency: str
    commands: dict[Name, Command]
    constraints: list[Constraint]
    refresh: dict[Literal["all_bank", "per_bank"], Refresh]
    energy: Energy | None = None
    pim: Pim | None = None
    orders: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    not_modelled: Texts = ()

    @property
    def period_ns(self) -> float:
        """A cycle, ns."""
        return 1000 / self.clock_mhz

    @property
    def nest(self) -> list[str]:
        """All levels from the outside in, with the channel."""
        return [CHANNEL, *self.levels]

    @property
    def cycles(self) -> dict[str, int]:
        """All timings in whole cycles, by their names with n."""
        return {
            (name if name.startswith("n") else f"n{name[1:-3]}"): (
                int(value) if name.startswith("n") else cycles_of(value, self.clock_mhz)
            )
            for name, value in self.timings.items()
        }

    def of(self, text: str) -> int:
        """Return the cycles of an expression of its timings."""
        return evaluate(text, self.cycles)

    @property
    def buses(self) -> int:
        """Data buses of a channel."""
        count = 1
        for level in self.nest[1 : self.nest.index(self.data.level) + 1]:
            count *= self.levels[level]
        return count

    @property
    def peak_gb_per_s(self) -> float:
        """What all data buses of a channel carry at most, GB/s (10⁹ bytes)."""
        return self.buses * self.data.width_bits * self.data.transfers_per_cycle * self.clock_mhz / 8000

    @model_validator(mode="after")
    def _holds_together(self) -> Standard:
        self._check_levels()
        self._check_timings()
        self._check_commands()
        for place, row in enumerate(self.constraints):
            self._check_row(f"constraints.{place}", row)
        if self.pim is not None:
            does = {name: (command.does, command.level) for name, command in self.commands.items()}
            bits = 8 * self.data.burst_bytes
            check_units(self.pim, Beside(does, self.levels, self.rows, bits, self.energy))
        return self

    def _check_levels(self) -> None:
        if not self.levels or list(self.levels)[-1] != BANK or TAKEN & set(self.levels):
            raise refuse("levels", list(self.levels), "the levels inside a channel, the last one 'bank'")
        banks = 1
        for count in self.levels.values():
            banks *= count
        if banks > 4096:
            raise refuse("levels", banks, "at most 4096 banks in a channel")
        if sorted(self.mapping) != sorted(wanted := [*self.levels, "row", "column"]):
            raise refuse("mapping", self.mapping, f"each of {', '.join(wanted)} once")
        self._check_level("data.level", self.data.level)
        if self.data.width_bits * self.data.burst_length % 8:
            raise refuse("data.width_bits", self.data.width_bits, "a burst of whole bytes")

    def _check_level(self, path: str, level: str) -> None:
        if level not in self.nest:
            raise refuse(path, level, f"a level of this standard; {nearest(level, self.nest)}")

    def _check_timings(self) -> None:
        for name, value in self.timings.items():
            if name.startswith("n") and not (isinstance(value, int) and value >= 0):
                raise refuse(f"timings.{name}", value, "whole cycles; a time in nanoseconds is called tX_ns")
            if not name.startswith("n") and not (name.startswith("t") and name.endswith("_ns")):
                raise refuse(f"timings.{name}", name, "a name such as nRP (cycles) or tRP_ns (nanoseconds)")
        for name, cycles in self.cycles.items():
            if cycles > MOST_CYCLES:
                raise refuse("timings", f"{name} = {cycles:.3g}", f"at most {MOST_CYCLES} cycles")
        if len(self.cycles) < len(self.timings):
            raise refuse("timings", list(self.timings), "each timing once, in cycles or in nanoseconds")
        for large, small in COVERS:
            parts = [name for _, name in terms(small) if not name.isdigit()]
            if large in self.cycles and all(part in self.cycles for part in parts):
                at_least = self.of(small)
                if self.cycles[large] < at_least:
                    found = f"{large} = {self.cycles[large]}"
                    raise refuse(f"timings.{large}", found, f"at least {small} = {at_least} cycles")
        burst = self.data.burst_length / self.data.transfers_per_cycle
        if self.cycles.get("nBL") != burst:
            raise refuse("timings.nBL", self.cycles.get("nBL"), f"the cycles of a burst, {burst:g}")
        lacking = [name for name in NEEDED if name not in self.cycles]
        if isinstance(self.energy, Currents) and lacking:
            raise refuse("energy", ", ".join(lacking), "these timings, which the currents are over")
        for path, text in self._expressions().items():
            if self._value(path, text) < 1:
                raise refuse(path, f"{text} = {self._value(path, text)}", "at least 1 cycle")

    def _expressions(self) -> dict[str, str]:
        found = {"read_latency": self.read_latency, "write_latency": self.write_latency}
        return found | {f"refresh.{way}.interval": each.interval for way, each in self.refresh.items()}

    def _value(self, path: str, text: str) -> int:
        try:
            value = self.of(text)
            if abs(value) <= MOST_CYCLES:
                return value
            raise refuse(path, text, f"at most {MOST_CYCLES} cycles")
        except ValueError as error:
            raise refuse(path, text, str(error).removeprefix("expected ")) from None
        except KeyError as error:
            known = list(self.cycles)
            raise refuse(path, text, f"timings of this standard; {nearest(error.args[0], known)}") from None

    def _check_commands(self) -> None:
        for name, command in self.commands.items():
            self._check_level(f"commands.{name}.level", command.level)
            needs, leaves = STATES[command.does]
            if command.needs not in needs:
                raise refuse(f"commands.{name}.needs", command.needs, " or ".join(sorted(needs)))
            if command.leaves not in leaves:
                raise refuse(f"commands.{name}.leaves", command.leaves, " or ".join(sorted(leaves)))
        for does, leaves_one in (
            ("activate", "open"),
            ("read", "open"),
            ("write", "open"),
            ("precharge", "closed"),
        ):
            if self.find(does, leaves_one) is None:
                raise refuse("commands", list(self.commands), f"a command to a bank that does '{does}'")
        for way, refresh in self.refresh.items():
            path = f"refresh.{way}.command"
            found = self.commands.get(refresh.command)
            if found is None or found.does != "refresh" or (found.level == BANK) != (way == "per_bank"):
                kind = "one bank" if way == "per_bank" else "all banks of a level"
                raise refuse(path, refresh.command, f"a command that refreshes {kind}")
            self._check_interval(way, refresh)
            if way == "all_bank" and self.find("precharge", "closed", found.level) is None:
                raise refuse("commands", list(self.commands), f"one that precharges a whole {found.level}")

    def _check_interval(self, way: str, refresh: Refresh) -> None:
        """Refuse refreshes that come faster than they may; those of one bank go from bank to bank."""
        for row in self.constraints:
            if refresh.command in row.before and refresh.command in row.after and row.window == 1:
                recovery, interval = self._value("constraints", row.cycles), self.of(refresh.interval)
                if interval <= recovery and not (way == "per_bank" and row.level == BANK):
                    expected = f"more than {row.cycles} = {recovery} cycles"
                    raise refuse(f"refresh.{way}.interval", interval, expected)

    def find(self, does: str, leaves: str, level: str = BANK) -> str | None:
        """Return the first command of a level that does something and leaves its banks in a state."""
        for name, command in self.commands.items():
            if (command.does, command.leaves, command.level) == (does, leaves, level):
                return name
        return None

    def _check_row(self, path: str, row: Constraint) -> None:
        self._check_level(f"{path}.level", row.level)
        for side, names in (("before", row.before), ("after", row.after)):
            for name in names:
                if name not in self.commands:
                    known = list(self.commands)
                    raise refuse(
                        f"{path}.{side}", name, f"a command of this standard; {nearest(name, known)}"
                    )
                if self.nest.index(self.commands[name].level) < self.nest.index(row.level):
                    level = self.commands[name].level
                    raise refuse(f"{path}.level", row.level, f"at most '{level}', to which {name} goes")
        if row.others and (row.level == CHANNEL or row.window > 1):
            raise refuse(f"{path}.others", row.level, "a level inside the channel, and no window")
        if row.window > 1 and len(row.before) > 1:
            raise refuse(f"{path}.before", row.before, "one command, as a window counts that alone")
        self._value(f"{path}.cycles", row.cycles)

    def summary(self) -> dict[str, Any]:
        """Return what reports say of it, as plain data."""
        return {
            "name": self.name,
            "clock_mhz": self.clock_mhz,
            "levels": self.levels,
            "rows": self.rows,
            "columns": self.columns,
            "burst_bytes": self.data.burst_bytes,
            "peak_gb_per_s": self.peak_gb_per_s,
        }


def units_of(standard: Standard) -> HbmPim:
    """Return a standard's units of HBM-PIM.

    Raises
    ------
    ConfigError
        If it has none.
    """
    if not isinstance(standard.pim, HbmPim):
        raise ConfigError(
            f"{standard.name} has no units that compute so", where="--program", mend="hbm2_pim has"
        )
    return standard.pim
