"""Array: a crossbar of memory cells that multiplies a vector by the matrix it holds."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from pimsim.chip.base import ClockName, Clocks, EnergyPj, Part, Positive, TimeNs, Visit, no_effect, period_fs
from pimsim.chip.upkeep import Refresh
from pimsim.units import cycles, fs_from_ns

LEAST_NS = 0.001  # the shortest time that a chip file can say
WRITTEN = no_effect(
    "only runs that write arrays: products of activations on arrays (products), --reload, --cold"
)


class Programming(NamedTuple):
    """What it takes to write weights into an array before it computes.

    Parameters
    ----------
    row_fs : int, optional
        Time of a row with all its pulses, fs; None where the chip file does not say it.
    cell_pj : float, optional
        Energy of a cell with all its pulses, pJ; None where it is not modelled.
    endurance : float, optional
        Writes that a cell survives; None where it is not known.
    words : str
        Where the three come from.
    """

    row_fs: int | None
    cell_pj: float | None
    endurance: float | None
    words: str


class Array(Part):
    """A crossbar array; one instance is one array.

    Parameters
    ----------
    device : str
        Kind of memory cell: ``reram``, ``pcm``, ``sram``, ``fefet``, ``mram``, …
    rows, columns : int
        Size of the array. Inputs drive the rows, sums leave by the columns.
    bits_per_cell : int
        Bits of a weight that one cell holds.
    clock : str
        Name of the clock that the reads fall on.
    read_ns : float
        Duration of one read phase in nanoseconds, rounded up to the clock.
    setup_ns : float
        Time before the first phase of each matrix-vector multiplication, in nanoseconds.
    reads_per_input : int
        Reads needed for one slice of the input (four where signs of input and weight are read apart).
    energy_per_read_pj : float, optional
        Energy of one read phase of the whole array in picojoules.
    write_ns : float, optional
        Time to write one cell (or one row at once), in nanoseconds.
    energy_per_cell_write_pj : float, optional
        Energy to write one cell, in picojoules.
    endurance : float, optional
        Writes that a cell survives.
    refresh : Refresh, optional
        At which intervals weights are written anew; without it, never.
    """

    action: ClassVar[str] = "energy_per_read_pj"

    device: Annotated[
        str,
        Field(
            min_length=1,
            max_length=100,
            json_schema_extra=no_effect(
                "a name only: what its cells cost and take stands in the array's other keys"
            ),
        ),
    ]
    rows: Annotated[int, Field(ge=1, le=65_536)]
    columns: Annotated[int, Field(ge=1, le=65_536)]
    bits_per_cell: Annotated[int, Field(ge=1, le=16)]
    clock: ClockName
    read_ns: TimeNs
    setup_ns: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] = 0.0
    reads_per_input: Annotated[int, Field(ge=1, le=64)] = 1
    energy_per_read_pj: EnergyPj | None = None
    write_ns: Annotated[TimeNs | None, Field(json_schema_extra=WRITTEN)] = None
    energy_per_cell_write_pj: Annotated[EnergyPj | None, Field(json_schema_extra=WRITTEN)] = None
    endurance: Annotated[Positive | None, Field(json_schema_extra=WRITTEN)] = None
    refresh: Refresh | None = None

    @property
    def cells(self) -> int:
        """Cells of one array."""
        return self.rows * self.columns

    def read_fs(self, clocks: Clocks, least_ns: float = 0.0) -> int:
        """Return the time of one read phase, at least so long, rounded up to the array's clock, fs."""
        return self._whole(max(self.read_ns, least_ns), clocks)

    def setup_fs(self, clocks: Clocks) -> int:
        """Return the time before the first phase, rounded up to the array's clock, fs; 0 if there is none."""
        return self._whole(self.setup_ns, clocks) if self.setup_ns > 0 else 0

    def programming(self, clocks: Clocks) -> Programming:
        """Return what writing weights takes, by the array's own figures."""
        row_fs = None if self.write_ns is None else self._whole(self.write_ns, clocks)
        return Programming(row_fs, self.energy_per_cell_write_pj, self.endurance, "as the array gives")

    def write(self, rows: int, cells: float, clocks: Clocks) -> Visit:
        """Write so many rows, one after another; cells are charged, those of all arrays that are written at once."""
        row_fs = self.programming(clocks).row_fs
        assert row_fs is not None
        return Visit(rows * row_fs, rows * row_fs, cells)

    def _whole(self, time_ns: float, clocks: Clocks) -> int:
        period = period_fs(clocks, self.clock)
        return cycles(fs_from_ns(time_ns), period) * period

    def faster(self, factor: int) -> dict[str, Any]:
        """Shorter reads."""
        scale = LEAST_NS / self.read_ns if factor == 0 else 1 / factor
        return {"read_ns": max(LEAST_NS, self.read_ns * scale), "setup_ns": self.setup_ns * scale}
