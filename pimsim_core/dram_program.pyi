"""Command programs on a DRAM channel."""

import numpy as np
import numpy.typing as npt

from pimsim_core.dram_timing import DramTiming

class DramProgram:
    def __init__(
        self,
        timing: DramTiming,
        number: npt.ArrayLike,
        refresh: int,
        unit_of: npt.ArrayLike,
        due: npt.ArrayLike,
        interval: int,
        postponed: int,
        steps: npt.ArrayLike,
        start: int,
        recording: bool,
    ) -> None: ...
    def run(self, commands: int) -> bool: ...
    @property
    def progress(self) -> int: ...
    @property
    def times(self) -> npt.NDArray[np.int64]: ...
    @property
    def counts(self) -> npt.NDArray[np.int64]: ...
    @property
    def commands(self) -> npt.NDArray[np.int64]: ...
