"""The commands that a DRAM channel has been sent."""

import numpy as np
import numpy.typing as npt

class DramLog:
    def __init__(self, commands: int, recording: bool) -> None: ...
    @property
    def counts(self) -> npt.NDArray[np.int64]: ...
    @property
    def rows(self) -> npt.NDArray[np.int64]: ...
