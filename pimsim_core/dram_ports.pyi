"""Ports of memories whose channels are run command by command."""

from collections.abc import Sequence

import numpy.typing as npt

from pimsim_core.dram import DramChannel
from pimsim_core.service import Service
from pimsim_core.state import State

class StarvedError(RuntimeError): ...

class DramPorts(Service):
    def __init__(
        self,
        channels: Sequence[DramChannel] = (),
        resources: Sequence[int] = (),
        periods: Sequence[int] = (),
        cuts: Sequence[npt.ArrayLike] = (),
        accesses: npt.ArrayLike = (),
        turns: npt.ArrayLike = (),
        used: Sequence[int] = (),
    ) -> None: ...
    def add_channel(self, channel: DramChannel, resource: int, period: int, cuts: npt.ArrayLike) -> None: ...
    def attach(self, core: State, number: int) -> None: ...
    def extend(self) -> None: ...
    def add_access(self, resource: int, bursts: int, write: bool) -> int: ...
    @property
    def figures(self) -> list[tuple[int, list[int], list[int], list[int]]]: ...
    def settle(self, time: int) -> None: ...
