"""All options of a run, in one place: what is asked beside the chip and the trace, and affects the result."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pimsim.errors import ConfigError
from pimsim.mapping.planning.options import PlanKeywords, PlanOptions, check_count, check_flag
from pimsim.mapping.saved import Generating

MOST = 1_000_000  # inferences, prompts, tokens


class BatchKeywords(PlanKeywords, total=False):
    """The keywords of `simulate`."""

    cold: bool
    pace: int | None


class GenerationKeywords(BatchKeywords, total=False):
    """The keywords of `generate`."""

    requests: int
    rate: float | None
    places: int | None
    seed: int


class OptionKeywords(GenerationKeywords, total=False):
    """All fields of `Options`, for functions that take them as keywords."""

    batch: int
    prompt: int | None
    tokens: int | None


@dataclass(frozen=True, kw_only=True)
class Options(PlanOptions):
    """What is asked of a run: inferences, or, with `prompt` and `tokens`, that prompts are continued.

    Parameters
    ----------
    chips, weight_bits, input_bits, reload, many, effort, mapper, mapping, optimize, budget
        As for a plan.
    batch : int
        Inferences, all requested at time 0; they follow one another through the pipeline.
    prompt, tokens : int, optional
        Tokens of each prompt, and tokens to generate for it.
    requests : int
        How many prompts come.
    rate : float, optional
        Prompts a second, at random times (exponential gaps, drawn with `seed`); without it all come at time 0.
    places : int, optional
        Sequences that may be under way at once; by default all.
    cold : bool
        Weights are not there at time 0: they come from the off-chip memory, or else from the host, and are written
        before what works with them begins.
    pace : int, optional
        Inferences, or sequences, that may be under way at once, at most: the host adapts how many, so that queues stay
        short; by default all are let in at once.
    seed : int
        Of the random times and, added to the trace's own, of the experts that tokens go to.

    Raises
    ------
    ConfigError
        If one of them is not of its type, out of its range, or does not go with another.
    """

    batch: int = 1
    prompt: int | None = None
    tokens: int | None = None
    requests: int = 1
    rate: float | None = None
    places: int | None = None
    cold: bool = False
    pace: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("batch", self.batch, MOST)
        check_count("requests", self.requests, MOST)
        check_flag("cold", self.cold)
        for name in ("prompt", "tokens", "places", "pace"):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name), MOST)
        if not isinstance(self.seed, int) or isinstance(self.seed, bool) or not 0 <= self.seed < 2**63:
            raise ConfigError(f"found {self.seed!r:.30}, expected a whole number from 0", where="seed")
        if self.rate is not None:
            _check_rate(self.rate)
        self._check_together()
        if self.mapping is not None:
            self._check_mapping(self.mapping.content.generation)

    def _check_mapping(self, made: Generating | None) -> None:
        """Refuse a plan for other prompts than these, whose caches may not have room."""
        own = None
        if self.generates:
            own = (self.prompt, self.tokens, min(self.sequences, self.requests))
        other = None if made is None else (made.prompt, made.tokens, made.places)
        if own != other:
            raise ConfigError(
                f"found a plan for {_told(other)}, expected one for {_told(own)}",
                where="mapping",
                mend="make one with pimsim map",
            )

    def _check_together(self) -> None:
        """Refuse options of generation without a prompt, and those of a batch with one."""
        if (self.prompt is None) != (self.tokens is None):
            here, other = ("prompt", "tokens") if self.tokens is None else ("tokens", "prompt")
            raise ConfigError(f"needs {other}, too", where=here)
        if self.prompt is not None and self.optimize is not None:
            raise ConfigError(
                "does not go with a prompt: no pace of generated tokens is predicted", where="optimize"
            )
        if self.prompt is None:
            for name, default in (("requests", 1), ("rate", None), ("places", None)):
                if getattr(self, name) != default:
                    raise ConfigError("needs prompt and tokens", where=name)
        elif self.batch != 1:
            raise ConfigError("does not go with a prompt", where="batch", mend="give requests")
        if self.pace is not None and max(self.batch, self.requests) == 1:
            raise ConfigError("needs more than one inference to pace", where="pace", mend="give a batch")

    @property
    def generates(self) -> bool:
        """Whether prompts are continued."""
        return self.prompt is not None

    @property
    def sequences(self) -> int:
        """Sequences that may be under way at once, as asked for."""
        return self.requests if self.places is None else self.places


def _told(generation: tuple[int | None, int | None, int] | None) -> str:
    """Say what is generated."""
    if generation is None:
        return "inferences"
    prompt, tokens, places = generation
    return f"prompts of {prompt} tokens, {tokens} to follow, {places} at once"


def _check_rate(rate: object) -> None:
    if not isinstance(rate, int | float) or isinstance(rate, bool) or not 0 < rate < math.inf:
        raise ConfigError(f"found {rate!r:.30}, expected prompts a second, more than 0", where="rate")
