"""Simulated annealing of seats."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

class Annealing:
    def __init__(
        self,
        seats: npt.ArrayLike,
        group: npt.ArrayLike,
        pairs: Sequence[Sequence[int]] | npt.NDArray[np.int32],
        flits: npt.ArrayLike,
        route_ptr: npt.NDArray[np.int64],
        channels: npt.NDArray[np.int32],
        count: int,
        far: float,
        seed: int,
    ) -> None: ...
    @property
    def seats(self) -> npt.NDArray[np.int32]: ...
    @property
    def loads(self) -> npt.NDArray[np.float64]: ...
    def run(self, moves: int, hot: float, cold: float) -> int: ...
