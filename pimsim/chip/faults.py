"""What a chip file says of faults: which part fails when, or how often parts fail at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from pimsim.chip.base import Model, Positive, Sourced, Text, refuse
from pimsim.units import FS_PER_NS

if TYPE_CHECKING:
    from networkx import Graph

    from pimsim.chip.site import Site

Number = Annotated[int, Field(ge=0, le=1_000_000)]
FS_PER_US = 1000 * FS_PER_NS


class ArrayAt(Model):
    """An array that fails.

    Parameters
    ----------
    site : str
        Name of the sites.
    number, core : int
        Which of them, and which of its cores.
    """

    site: Text
    number: Number
    core: Number


class Fault(Sourced):
    """A part of the first chip that fails at a time, or parts of all chips that fail at random times.

    Parameters
    ----------
    at_us : float, optional
        When.
    site, number : str, int, optional
        A site that fails: the name of the sites, and which of them.
    link : (str, str), optional
        The routers of a link that fails, in both directions.
    array : ArrayAt, optional
        An array that fails, and its core with it.
    rate_per_s : float, optional
        Faults in a second over all parts of the sort, at random (exponential gaps).
    of : str, optional
        The sort.
    seed : int
        Of the random times and parts.
    """

    at_us: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None
    site: Text | None = None
    number: Number | None = None
    link: Annotated[list[Text], Field(min_length=2, max_length=2)] | None = None
    array: ArrayAt | None = None
    rate_per_s: Positive | None = None
    of: Literal["tile", "link", "array"] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0

    @model_validator(mode="after")
    def _says_one_thing(self) -> Fault:
        if (self.at_us is None) == (self.rate_per_s is None):
            raise refuse("at_us", self.at_us, "either this or rate_per_s")
        parts = [key for key in ("site", "link", "array") if getattr(self, key) is not None]
        if self.at_us is not None and len(parts) != 1:
            raise refuse("site", self.site, f"one of site, link and array (there are {len(parts)})")
        if self.at_us is None and (parts or self.of is None):
            raise refuse(
                "of", self.of, "tile, link or array, and no part of its own, as faults come at random"
            )
        if self.site is not None and self.number is None:
            raise refuse("number", None, "which of the sites")
        return self

    @property
    def at_fs(self) -> int | None:
        """When, fs."""
        return None if self.at_us is None else round(self.at_us * FS_PER_US)


def check_faults(faults: Sequence[Fault], sites: Mapping[str, Site], graph: Graph[str]) -> None:
    """Refuse faults of parts that do not exist: of sites that do ops, and of links of the network."""
    for index, fault in enumerate(faults):
        try:
            _check(fault, sites, graph)
        except PydanticCustomError as error:
            context = dict(error.context or {})
            context["path"] = f"faults.{index}.{context['path']}"
            raise PydanticCustomError("chip", "found {found}, expected {expected}", context) from None


def _check(fault: Fault, sites: Mapping[str, Site], graph: Graph[str]) -> None:
    for path, name, number in (
        ("", fault.site, fault.number),
        ("array.", *((fault.array.site, fault.array.number) if fault.array is not None else (None, None))),
    ):
        if name is None or number is None:
            continue
        if name not in sites:
            raise refuse(f"{path}site", name, "a site that does ops: " + ", ".join(sites))
        count = sites[name].count
        if number >= count:
            raise refuse(f"{path}number", number, f"one of the {count} sites, 0 to {count - 1}")
    if fault.array is not None:
        cores = sites[fault.array.site].part_at("cores")
        if cores is None:
            raise refuse("array.site", fault.array.site, "a site with arrays")
        if fault.array.core >= cores:
            raise refuse("array.core", fault.array.core, f"one of the {cores} cores, 0 to {cores - 1}")
    if fault.link is not None:
        a, b = fault.link
        if not any(
            graph.has_edge(*ends) and graph.edges[ends]["kind"] == "link" for ends in ((a, b), (b, a))
        ):
            raise refuse("link", fault.link, "two routers that a link joins, such as r0 and r1")
