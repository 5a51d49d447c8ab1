import numpy as np

CAUSES: tuple[str, ...]

def record_dtype(name: str) -> np.dtype[np.void]: ...
