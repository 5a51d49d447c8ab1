"""The controller of a DRAM channel."""

import numpy as np
import numpy.typing as npt

from pimsim_core.dram_queues import DramQueues
from pimsim_core.dram_time import DramTime
from pimsim_core.dram_timing import DramTiming

ACTIONS: tuple[str, ...]
PAGES: tuple[str, ...]

class DramChannel:
    def __init__(
        self,
        timing: DramTiming,
        queues: DramQueues,
        number: npt.ArrayLike,
        unit_of: npt.ArrayLike,
        latency: npt.ArrayLike,
        low: int,
        high: int,
        cap: int,
        page: int,
        timeout: int,
        interval: int,
        due: npt.ArrayLike,
        one_bank: bool,
        recording: bool,
    ) -> None: ...
    def keep_time(self, kept: DramTime) -> None: ...
    def run(self, steps: int) -> bool: ...
    @property
    def counts(self) -> npt.NDArray[np.int64]: ...
    def active_cycles(self, until: int) -> npt.NDArray[np.int64]: ...
    @property
    def commands(self) -> npt.NDArray[np.int64]: ...
