"""The queues of a DRAM channel."""

import numpy as np
import numpy.typing as npt

OUTCOMES: tuple[str, ...]

class DramQueues:
    def __init__(
        self,
        banks: int,
        queue_of: npt.ArrayLike,
        bank: npt.ArrayLike,
        row: npt.ArrayLike,
        column: npt.ArrayLike,
        offered: npt.ArrayLike,
        reads: int,
        writes: int,
        outstanding: int,
    ) -> None: ...
    @property
    def figures(
        self,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int8]]: ...
    @property
    def progress(self) -> int: ...
    @property
    def outcomes(self) -> list[int]: ...
