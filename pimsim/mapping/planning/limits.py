"""What a model needs of a chip, and how many chips are worth trying; far too many are asked about first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pimsim.errors import MappingError
from pimsim.mapping.planning.job import Job
from pimsim.mapping.planning.kind import kinds_of
from pimsim.mapping.planning.options import PlanOptions
from pimsim.mapping.planning.rounds import check_reload, chips_for, counted, largest, slots_of

MOST_CHIPS = 100
"""Chips that a run takes unasked."""

FIRING_S = 4e-5
"""Time to simulate a firing of a core or a digital unit, s, and what comes of it; of `benchmarks/firing_time.py`."""


@dataclass(frozen=True)
class Limits:
    """What a model needs and a chip has.

    Parameters
    ----------
    needed, per_chip : mapping of str to int
        Slots, by the name of the sites.
    chips : sequence of int
        How many chips are worth trying.
    """

    needed: Mapping[str, int]
    per_chip: Mapping[str, int]
    chips: Sequence[int]

    @classmethod
    def of(cls, job: Job, options: PlanOptions) -> Limits:
        """Return them, or refuse too few chips."""
        config, nodes, sites = job.chip.config, job.flows.programs[0], job.sites
        kinds, chips, reload, model = kinds_of(config), options.chips, options.reload, job.flows.model
        needed = slots_of(range(len(nodes)), job.tilings, sites, job.owners)
        per_chip = {name: kind.slots * kind.site.seats for name, kind in kinds.items()}
        able = not reload and config.memory is not None and all(kinds[name].writable for name in needed)
        fewest = chips_for(needed, per_chip)
        need, most = f"the weights of '{model}' need", needed
        if reload and any(needed[name] > per_chip[name] * (chips or 1) for name in needed):
            check_reload(config, [kinds[name] for name in needed])
            if any(kinds[name].product_policy == "write" for name in needed):
                raise MappingError(
                    "products of two activations are not written into arrays whose weights take turns",
                    where=f"{config.name}: products",
                    mend="set it to digital or auto, or leave --reload out",
                )
            most = largest(nodes, job.tilings, sites, job.groups, job.owners)
            fewest, need = chips_for(most, per_chip), f"a part of '{model}' that cannot be cut needs"
        if chips is not None and chips < fewest:
            other = ", leave it out, or add --reload" if able else ", or leave it out"
            raise MappingError(
                f"{need} {counted(most)}, {chips} x {config.name} has {counted(per_chip, chips)}",
                mend=f"give --chips {fewest} or more{other}",
            )
        if chips is not None:
            return cls(needed, per_chip, [chips])
        why = f"the weights of '{model}' need {counted(needed)}, a chip has {counted(per_chip)}"
        if not reload and job.chips_for_maps() > fewest:
            fewest, why = (
                job.chips_for_maps(),
                f"what waits in the buffers of '{model}' needs the room of so many",
            )
        if fewest > MOST_CHIPS and not options.many:
            raise MappingError(
                f"{fewest} chips or more are needed, expected up to {MOST_CHIPS} unless asked for: {why}; to simulate "
                f"an inference takes {_duration(job)} or more",
                where=config.name,
                mend=f"give --chips {fewest} or more, or --yes for as many as it takes"
                + (", or add --reload" if able else ""),
            )
        worth = 2 * fewest + 2
        return cls(needed, per_chip, range(fewest, 1 + (worth if options.many else min(worth, MOST_CHIPS))))


def firings_of(job: Job) -> int:
    """Return how often cores and digital units fire in an inference, about: once a position of each op."""
    kinds, firings = kinds_of(job.chip.config), 0
    for node, tiling, site in zip(job.flows.programs[0], job.tilings, job.sites, strict=True):
        cores = -(-tiling.arrays // kinds[site].core_slots) if tiling is not None and site is not None else 1
        firings += node.positions * cores
    return firings


def _duration(job: Job) -> str:
    """Return about how long an inference takes to simulate, in words."""
    seconds = firings_of(job) * FIRING_S
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"about {seconds / size:.0f} {unit}"
    return f"about {max(1, round(seconds))} seconds"
