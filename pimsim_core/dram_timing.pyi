"""When each DRAM command may come next."""

import numpy.typing as npt

class DramTiming:
    def __init__(
        self,
        path: npt.ArrayLike,
        level_of: npt.ArrayLike,
        width: npt.ArrayLike,
        rows: npt.ArrayLike,
    ) -> None: ...
    commands: int
    banks: int
    levels: int
    def earliest_at(self, command: int, bank: int) -> int: ...
    def issue_at(self, command: int, bank: int, time: int) -> None: ...
