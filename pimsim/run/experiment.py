"""An experiment: all that goes into a run, with an identity before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Unpack

from pimsim import __version__
from pimsim.chip import Chip
from pimsim.mapping.planning.options import OWN_MAPPER
from pimsim.result.result import digest_of
from pimsim.run.options import OptionKeywords, Options
from pimsim.trace.bind import bind_batch
from pimsim.trace.schema import Trace


class Changes(OptionKeywords, total=False):
    """What `Experiment.with_` may change."""

    chip: Chip
    trace: Trace


@dataclass(frozen=True, eq=False)
class Experiment:
    """The inputs of a run. Two experiments of one digest have the same result, bit for bit, and are equal.

    Parameters
    ----------
    chip : Chip
        What to run on.
    trace : Trace
        What to run. A symbol that counts inferences is 1 unless it is bound: `Options.batch` says how many there are.
    options : Options
        What is asked; by default one inference on as few chips as hold the model.
    """

    chip: Chip
    trace: Trace
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        """Take one inference at a time, where the trace leaves open how many."""
        if not self.options.generates and self.trace.symbols:
            object.__setattr__(self, "trace", bind_batch(self.trace))

    def with_(self, **changes: Unpack[Changes]) -> Experiment:
        """Return a copy with another chip or trace, or with some of its options changed.

        Raises
        ------
        ConfigError
            If the changed options are none.
        """
        options: dict[str, Any] = dict(changes)
        chip, trace = options.pop("chip", self.chip), options.pop("trace", self.trace)
        return Experiment(chip, trace, replace(self.options, **options))

    @property
    def draws(self) -> bool:
        """Whether anything in it is drawn at random: arrivals, or the experts that tokens go to."""
        routed = self.options.generates and bool(self.trace.header.get("routing"))
        return self.options.rate is not None or routed

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        """All that affects the result: versions, digests of chip and trace, every option; and the digest of that."""
        about = {
            "pimsim": __version__,
            "chip": self.chip.digest,
            "trace": self.trace.digest,
            "network": self.chip.config.network.fidelity,
            **{each.name: getattr(self.options, each.name) for each in fields(self.options)},
        }
        about["seed"] = self.options.seed if self.draws else None
        about["places"] = self.options.sequences if self.options.generates else None
        del about["many"]  # it is asked whether to run, not what
        if self.options.effort == "quick":
            del about["effort"]
        if self.options.mapping is None:
            del about["mapping"]
        else:
            about["mapping"] = self.options.mapping.digest
        if self.options.mapper == OWN_MAPPER:
            del about["mapper"]
        if self.options.optimize is None:
            del about["optimize"], about["budget"]
        if not self.options.cold:
            del about["cold"]
        if self.options.pace is None:
            del about["pace"]
        return {"digest": digest_of(about), **about}

    @property
    def digest(self) -> str:
        """SHA-256 of all that affects the result."""
        return str(self.identity["digest"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Experiment) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Experiment({self.trace.model!r} on {self.chip.config.name!r}, {self.digest[:12]})"


def experiment_of(subject: Chip | Experiment, trace: Trace | None, options: Mapping[str, Any]) -> Experiment:
    """Return the experiment of a chip, a trace and options; or the one that is given in their place.

    Raises
    ------
    ConfigError
        If an option is wrong.
    TypeError
        If there is no trace, or an experiment and more.
    """
    if not isinstance(subject, Experiment):
        if trace is None:
            raise TypeError("expected a chip and a trace, or an experiment")
        return Experiment(subject, trace, Options(**options))
    if trace is not None or Options(**options) != Options():
        raise TypeError("an experiment has its trace and its options; to change them: experiment.with_(…)")
    return subject
