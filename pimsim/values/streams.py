"""Random numbers by what they are for: any tile, any order, any batch, the same draws.

Philox (Salmon et al., Random numbers: as easy as 1, 2, 3, SC 2011) counts from a key; the key is a digest of what is
drawn, so no draw depends on one that came before it.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *what: str | int) -> np.random.Generator:
    """Return the random numbers of one thing.

    Parameters
    ----------
    seed : int
        Of the run.
    *what : str or int
        Which thing: ``"programming", "conv1", 0, 3``.
    """
    digest = hashlib.sha256(repr((seed, *what)).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))
