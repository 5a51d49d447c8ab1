"""A matrix-vector multiplication on arrays as one visit: its phases, its bank of converters and what it costs."""

from __future__ import annotations

from typing import NamedTuple

from pimsim.chip.base import cost
from pimsim.chip.parts.clock import period_fs
from pimsim.kinds.crossbar.site import Crossbar
from pimsim.mapping.lowering.transport import Transport
from pimsim.netlist.rows import Mvm, Step


class Arrays(NamedTuple):
    """Arrays that work in step.

    Parameters
    ----------
    tile : int
        Where they are.
    core : str
        Which core of the tile, or which bank of it where arrays share some.
    owner : str
        Whose they are: an op and which of its replicas.
    shared : bool
        Whether others in the core, or in the bank, use the converters, too; or else they have their own.
    number : int
        How many there are.
    """

    tile: int
    core: str
    owner: str
    shared: bool
    number: int

    def name(self, part: str) -> str:
        """The name of a part that is theirs alone."""
        return f"tile{self.tile}.{self.core}.{part} {self.owner}"


def multiplication(
    transport: Transport,
    instances: dict[int, int],
    site: Crossbar,
    input_bits: int,
    arrays: Arrays,
    *,
    inputs: int,
    rows: int,
    active: int | None = None,
) -> Step:
    """Return the visit of one multiplication.

    Parameters
    ----------
    transport : Transport
        Where the resources are made.
    instances : dict of int to int
        Told how many arrays and converters the resources stand for.
    site : Crossbar
        What the arrays are of.
    input_bits : int
        Bits of an input.
    arrays : Arrays
        Where.
    inputs : int
        Elements that come in.
    rows : int
        Rows that they drive, of all arrays together.
    active : int, optional
        Arrays that take part; by default all.
    """
    core, clocks = site.core, site.clocks
    array, adc = core.array, core.adc.resolved(clocks, site.place.technology_nm)
    active = arrays.number if active is None else active
    phases = core.phases(input_bits)
    shared = arrays.shared
    here = arrays.number if shared else min(arrays.number, core.in_bank)
    converters = f"tile{arrays.tile}.{arrays.core}.adc" if shared else arrays.name("adc")
    bank = transport.resource(
        ("adc", converters),
        converters,
        site.label("core.adc"),
        period_fs(clocks, adc.clock),
        tile=arrays.tile,
    )
    resource = resource_of(transport, site, arrays)
    instances[resource] = arrays.number
    instances[bank] = adc.adcs_per_bank * (1 if shared else -(-arrays.number // core.in_bank))
    reads = phases * active
    taken = reads * array.columns
    holds = core.sample_hold
    return Step(
        resource,
        0,
        0,
        Mvm(
            phases=phases,
            setup=array.setup_fs(clocks),
            read=core.read_fs(clocks),
            convert=adc.conversion_fs(core.samples(here), clocks),
            tail=core.shift_add.latency_cycles * period_fs(clocks, core.shift_add.clock),
            bank=bank,
            shared=shared,
        ),
        energy=(
            *cost(site.label("core.input_register"), inputs * input_bits / 8, core.input_register.action_pj),
            *cost(site.label("core.array"), reads, array.action_pj),
            *cost(site.label("core.dac"), phases * rows, core.dac.action_pj),
            *cost(site.label("core.sample_hold"), taken if holds else 0, holds.action_pj if holds else None),
            *cost(site.label("core.adc"), taken, adc.action_pj),
            *cost(site.label("core.shift_add"), taken, core.shift_add.action_pj),
        ),
    )


def resource_of(transport: Transport, site: Crossbar, arrays: Arrays) -> int:
    """Return the resource that some arrays are."""
    clock, name = period_fs(site.clocks, site.core.array.clock), arrays.name("arrays")
    return transport.resource(("arrays", name), name, site.label("core.array"), clock, tile=arrays.tile)


def write_rows(site: Crossbar, resource: int, rows: int, cells: float) -> Step:
    """Return the visit that writes rows one after another, so many cells in all, of the arrays that a resource is."""
    array = site.core.array
    visit = array.write(rows, cells, site.clocks)
    energy = cost(site.label("core.array"), visit.actions, array.programming(site.clocks).cell_pj)
    return Step(resource, visit.held, visit.after, energy=energy, cause="programming")
