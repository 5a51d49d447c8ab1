from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from pimsim_core.dram_ports import DramPorts
from pimsim_core.figures import Figures
from pimsim_core.network import Network
from pimsim_core.records import CAUSES as CAUSES
from pimsim_core.records import record_dtype as record_dtype
from pimsim_core.service import Service

class Engine(Figures):
    def __init__(
        self,
        net: Mapping[str, npt.NDArray[Any]],
        parts: int,
        ops: int,
        record: bool = False,
        network: Network | None = None,
        network_period: int = 1,
        tiles: int = 0,
        energy_parts: int = 0,
        timeline: tuple[int, int, int] | None = None,
        services: Sequence[Service] = (),
        memory: DramPorts | None = None,
    ) -> None: ...
    memory: DramPorts
    def run(self, until: int | None = None, budget: int = 1 << 20, deaf: bool = False) -> bool: ...
    @property
    def next_time(self) -> int | None: ...
    @property
    def finished(self) -> bool: ...
    def take_notices(
        self,
    ) -> tuple[list[tuple[int, int, int]], list[int], list[tuple[int, int, int]], list[int]]: ...
    def converting(self, resource: int, time: int) -> bool: ...
    def redirect(
        self,
        step: int,
        resource: int | None = None,
        route: int | None = None,
        terminal: int | None = None,
        occupancy: int | None = None,
        latency: int | None = None,
        flits: int | None = None,
        mvm: int | None = None,
        tally: int | None = None,
    ) -> None: ...
    def select(self, selector: int, inference: int, choice: int) -> None: ...
    def add_resources(self, rows: Sequence[Sequence[int]]) -> int: ...
    def add_mvm(
        self, phases: int, setup: int, read: int, convert: int, tail: int, bank: int, shared: bool
    ) -> int: ...
    def add_energy_part(self) -> int: ...
    def add_charge(self, parts: Sequence[int], energy: Sequence[float]) -> int: ...
    def add_paths(self, paths: Sequence[Sequence[tuple[int, ...]]], ops: Sequence[int]) -> int: ...
    def first_step(self, path: int) -> int: ...
    def submit(
        self, path: int, job: int, time: int, op: int, keep: bool = False, after: int = -1
    ) -> None: ...
    def open_phase(self) -> None: ...
    def move_phase(self) -> None: ...
    def stop_records(self) -> int: ...
