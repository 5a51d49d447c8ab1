"""Array: a crossbar of memory cells that multiplies a vector by the matrix it holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from pimsim.chip.base import ClockName, EnergyPj, Part, Positive, TimeNs, Visit, no_effect
from pimsim.chip.devices import Device
from pimsim.chip.devices.base import ACCURACY
from pimsim.chip.parts.clock import Clocks, period_fs
from pimsim.chip.slot import Slot
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
        Time of a row with all its pulses, fs; None where neither array nor device says it.
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
    device : Device
        Technology of its cells: a name alone (``reram``, ``pcm``, ``sram``, ``fefet``, ``mram``, ``flash``), or keys
        beside it.
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
    wire_ohm : float, optional
        Resistance of the wire from one cell to the next, along rows and along columns, in ohm; without it, IR drop is
        not modelled.
    """

    action: ClassVar[str] = "energy_per_read_pj"

    device: Annotated[
        Device,
        Slot("devices"),
        Field(json_schema_extra=no_effect(Device.no_effect)),
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
    wire_ohm: Annotated[
        float | None, Field(gt=0, le=1e6, allow_inf_nan=False, json_schema_extra=ACCURACY)
    ] = None

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

    def write(self, rows: int, cells: float, clocks: Clocks) -> Visit:
        """Write so many rows, one after another; cells are charged, those of all arrays that are written at once."""
        row_fs = self.programming(clocks).row_fs
        assert row_fs is not None
        return Visit(rows * row_fs, rows * row_fs, cells)

    def programming(self, clocks: Clocks) -> Programming:
        """Return what writing weights takes: by the array's own figures, and where it has none, its device's."""
        device = self.device
        given = {
            "time": self.write_ns,
            "energy": self.energy_per_cell_write_pj,
            "endurance": self.endurance,
        }
        devices = {"time": device.row_ns, "energy": device.cell_pj, "endurance": device.endurance}
        taken = {name: devices[name] if value is None else value for name, value in given.items()}
        of_array = [name for name, value in given.items() if value is not None]
        of_device = [name for name in given if name not in of_array and taken[name] is not None]
        unknown = [name for name, value in taken.items() if value is None]
        how = f" ({device.how})" if {"time", "energy"} & set(of_device) else ""
        words = (
            f"{', '.join(of_array)} as the array gives" if of_array else "",
            f"{', '.join(of_device)} of the device {device.kind}{how}" if of_device else "",
            f"{', '.join(unknown)} not known" if unknown else "",
        )
        row_fs = None if taken["time"] is None else self._whole(taken["time"], clocks)
        return Programming(row_fs, taken["energy"], taken["endurance"], "; ".join(filter(None, words)))

    def warnings(self) -> Iterator[str]:
        """Yield what its cells are published not to do, each after its key."""
        for text in self.device.warnings():
            yield f"device.{text}"
        levels = self.device.levels
        if levels is not None and 2**self.bits_per_cell > levels:
            yield (
                f"bits_per_cell: {self.bits_per_cell} bits need {2**self.bits_per_cell} levels, "
                f"{self.device.name} has {levels}"
            )

    def notes(self) -> Iterator[str]:
        """Yield in words what is modelled of its values and what not."""
        yield from self.device.notes()
        if self.wire_ohm is None:
            yield "IR drop not modelled: wire_ohm is not given"
        else:
            yield f"IR drop modelled: {self.wire_ohm:g} ohm of wire from cell to cell"

    def _whole(self, time_ns: float, clocks: Clocks) -> int:
        period = period_fs(clocks, self.clock)
        return cycles(fs_from_ns(time_ns), period) * period

    def faster(self, factor: int) -> dict[str, Any]:
        """Shorter reads."""
        scale = LEAST_NS / self.read_ns if factor == 0 else 1 / factor
        return {"read_ns": max(LEAST_NS, self.read_ns * scale), "setup_ns": self.setup_ns * scale}
