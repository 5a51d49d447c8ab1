"""What is asked of a plan, beside the chip and the trace."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypedDict, get_args

from pimsim.errors import ConfigError, nearest
from pimsim.mapping.flow.widths import Widths
from pimsim.mapping.saved import SavedPlan
from pimsim.trace.op import Op

Effort = Literal["quick", "normal", "thorough"]
EFFORTS: tuple[Effort, ...] = get_args(Effort)
OWN_MAPPER = "balanced"
"""The name of the mapper that comes with pimsim."""
MOST = {"chips": 100_000, "weight_bits": 64, "input_bits": 64, "budget": 100}
BUDGET = 8
"""Plans that are tried for an objective unless more are asked for."""
OBJECTIVES = ("interval", "latency", "energy", "chips")


class PlanKeywords(TypedDict, total=False):
    """The fields of `PlanOptions`, for functions that take them as keywords."""

    chips: int | None
    weight_bits: int | None
    input_bits: int | None
    reload: bool
    many: bool
    effort: Effort
    mapper: str
    mapping: SavedPlan | None
    optimize: str | None
    budget: int


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """What is asked of a plan.

    Parameters
    ----------
    chips : int, optional
        How many chips; by default as few as hold the model.
    weight_bits, input_bits : int, optional
        Precision; by default the trace's where it states one, else the chip's: of each weight its own, of activations
        the widest.
    reload : bool
        Where the weights exceed all arrays, write them anew from the off-chip memory in the course of each inference,
        part by part.
    many : bool
        Take as many chips as it needs, were it hundreds: without it, or `chips`, that is an error that says how many.
    effort : str
        ``quick`` makes one plan; ``normal`` and ``thorough`` up to four, which differ in where ops on digital units
        stand, and of the one with the least expected interval they try tiles that are alike in each other's places, for
        a second or two, or about fifteen, a chip, so that no link of the network carries much more than it must.
    mapper : str
        What makes the plan: ``balanced``, or another one that is plugged in (`pimsim.mappers`).
    optimize : str, optional
        Plan several ways and take the one that is predicted to be the best: ``interval``, ``latency``, ``energy``,
        ``chips``, or several with weights, such as ``interval=2,energy=1``.
    budget : int
        How many plans are tried for that.
    mapping : SavedPlan, optional
        The plan itself, with the options that it was made with: others are refused.

    Raises
    ------
    ConfigError
        If one of them is not of its type, or out of its range.
    """

    chips: int | None = None
    weight_bits: int | None = None
    input_bits: int | None = None
    reload: bool = False
    many: bool = False
    effort: Effort = "quick"
    mapper: str = OWN_MAPPER
    mapping: SavedPlan | None = None
    optimize: str | None = None
    budget: int = BUDGET

    def __post_init__(self) -> None:
        if self.mapping is not None:
            self._take_from(self.mapping)
        for name, most in MOST.items():
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name), most)
        check_flag("reload", self.reload)
        check_flag("many", self.many)
        if self.effort not in EFFORTS:
            mend = f"expected one of: {', '.join(EFFORTS)}"
            raise ConfigError(f"found {self.effort!r:.30}", where="effort", mend=mend)
        if not isinstance(self.mapper, str):
            raise ConfigError(f"found {self.mapper!r:.30}, expected the name of a mapper", where="mapper")

        if self.optimize is not None:
            weights_of(self.optimize)
            for name, default in (("mapper", OWN_MAPPER), ("mapping", None)):
                if getattr(self, name) != default:
                    raise ConfigError(f"does not go with a {name}, which makes the plan", where="optimize")
        elif self.budget != BUDGET:
            raise ConfigError("needs an objective", where="budget", mend="give --optimize, too")

    def _take_from(self, mapping: object) -> None:
        """Take the options that a plan was made with, or refuse others."""
        if not isinstance(mapping, SavedPlan):
            raise ConfigError(
                f"found {mapping!r:.60}, expected a plan",
                where="mapping",
                mend="load one with SavedPlan.load(path)",
            )
        asked = mapping.content.options
        for name, default in (
            ("chips", None),
            ("weight_bits", None),
            ("input_bits", None),
            ("reload", False),
            ("effort", "quick"),
            ("mapper", OWN_MAPPER),
        ):
            own, made = getattr(self, name), getattr(asked, name, default)
            if own not in (default, made):
                raise ConfigError(
                    f"found {own!r:.30} and a mapping, which was made with {made!r:.30}",
                    where=name,
                    mend="leave it out, or make another plan with pimsim map",
                )
            object.__setattr__(self, name, made)


def weights_of(text: object) -> dict[str, float]:
    """Return what counts how much in an objective: ``interval=2,energy=1``; a name alone counts 1.

    Raises
    ------
    ConfigError
        If it is none.
    """
    found: dict[str, float] = {}
    for part in text.split(",") if isinstance(text, str) else ("",):
        name, given, weight = (each.strip() for each in part.partition("="))
        if name not in OBJECTIVES or name in found:
            raise ConfigError(
                f"found {text!r:.60}, expected some of {', '.join(OBJECTIVES)}, each once",
                where="optimize",
                mend=nearest(name, list(OBJECTIVES)),
            )
        try:
            found[name] = float(weight) if given else 1.0
        except ValueError:
            found[name] = 0.0
        if not 0 < found[name] < math.inf:
            raise ConfigError(
                f"found the weight {weight!r:.30} of {name}, expected a number more than 0", where="optimize"
            )
    return found


def check_count(name: str, value: object, most: int) -> None:
    """See that an option is a whole number from 1 to the most.

    Raises
    ------
    ConfigError
        If it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ConfigError(f"found {value!r:.30}, expected a whole number from 1 to {most}", where=name)


def check_flag(name: str, value: object) -> None:
    """See that an option is either true or false.

    Raises
    ------
    ConfigError
        If it is not.
    """
    if not isinstance(value, bool):
        raise ConfigError(f"found {value!r:.30}, expected True or False", where=name)


def widths_of(options: PlanOptions, native: int) -> Widths:
    """Return how wide activations are, on a chip whose own are of so many bits."""
    return Widths(native, options.input_bits)


def weight_bits_of(op: Op | None, options: PlanOptions, native: int) -> int:
    """Return the width of an op's weights: each its own where the trace states one."""
    weight = None if op is None else op.weight
    stated = None if weight is None else weight.tensor.bits
    return options.weight_bits or stated or native
