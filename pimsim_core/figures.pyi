from typing import Any

import numpy as np
import numpy.typing as npt

from pimsim_core.kernel import Kernel

class Figures(Kernel):
    def charges(self) -> npt.NDArray[np.int64]: ...
    def place_charges(self) -> npt.NDArray[np.int64]: ...
    def critical_path(self) -> npt.NDArray[Any]: ...
    def resource_figures(
        self,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]: ...
    def visits_by_charge(self) -> npt.NDArray[np.int64]: ...
    def charge_figures(
        self,
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float64]]: ...
    def firings_done(self) -> npt.NDArray[np.int64]: ...
    @property
    def live_starts(self) -> int: ...
    def state_figures(
        self,
    ) -> tuple[
        npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]
    ]: ...
    def op_figures(
        self,
    ) -> tuple[
        npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]
    ]: ...
    def time_figures(
        self,
    ) -> tuple[
        int,
        npt.NDArray[np.float64],
        npt.NDArray[np.float64],
        npt.NDArray[np.float64],
        npt.NDArray[np.float64],
        npt.NDArray[np.int64],
    ]: ...
    def records(self) -> npt.NDArray[Any]: ...
    @property
    def visit_log(self) -> list[tuple[int, int, int, int, int, int]]: ...
    def stuck(
        self,
    ) -> list[tuple[int, int, list[tuple[int, int, int]], list[tuple[int, int, int, int]]]]: ...
