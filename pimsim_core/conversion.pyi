import numpy as np
import numpy.typing as npt

def add_converted(
    sums: npt.NDArray[np.float32],
    low: npt.NDArray[np.float64],
    span: npt.NDArray[np.float64],
    top: int,
    phases: npt.NDArray[np.float64],
    slices: npt.NDArray[np.float64],
    flipped: npt.NDArray[np.uint8],
    whole: float,
    applied: npt.NDArray[np.float64],
    result: npt.NDArray[np.float64],
) -> None: ...
