from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

class Network:
    now: int
    flit_hops: int
    last_arrival: int
    packets_sent: int
    packets_done: int
    def __init__(
        self,
        routers: int,
        channels: Mapping[str, npt.ArrayLike],
        injection: npt.ArrayLike,
        *,
        vcs: int,
        buffer: int,
        rd: int = 1,
        va: int = 1,
        sa: int = 1,
        st: int = 1,
        credit: int = 0,
        speculative: bool = False,
        tracking: bool = False,
        record: bool = False,
    ) -> None: ...
    def add_routes(
        self,
        channel: npt.ArrayLike,
        vcs: npt.ArrayLike,
        child: npt.ArrayLike,
        sibling: npt.ArrayLike,
        first: npt.ArrayLike,
        ends: npt.ArrayLike,
    ) -> int: ...
    def load(
        self, cycle: npt.ArrayLike, terminal: npt.ArrayLike, route: npt.ArrayLike, size: npt.ArrayLike
    ) -> None: ...
    def watch(self, packets: int) -> None: ...
    @property
    def next_event(self) -> int | None: ...
    def packet_cycles(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]: ...
    def channel_figures(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]: ...
    @property
    def flit_log(self) -> list[tuple[int, int, int, int, int]]: ...

def network_dtype(name: str) -> np.dtype[Any]: ...
