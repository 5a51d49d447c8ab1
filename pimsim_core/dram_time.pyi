"""What the time of a DRAM channel goes to."""

USE_NAMES: tuple[str, ...]

class DramTime:
    def __init__(
        self, banks: int, burst: int, to_read: int, to_write: int, to_open: int, to_recover: int
    ) -> None: ...
    @property
    def sums(self) -> list[int]: ...
