import numpy as np
import numpy.typing as npt

def play(
    periods: npt.NDArray[np.int64],
    edge_ptr: npt.NDArray[np.int32],
    edge_source: npt.NDArray[np.int32],
    edge_tokens: npt.NDArray[np.int64],
    need: npt.NDArray[np.int64],
    low: npt.NDArray[np.int64],
    table_ptr: npt.NDArray[np.int64],
    emitted: npt.NDArray[np.int64],
    emitted_ptr: npt.NDArray[np.int64],
    look_ahead: npt.NDArray[np.int64],
    eager: npt.NDArray[np.int64],
    inferences: int,
) -> npt.NDArray[np.int64]: ...
