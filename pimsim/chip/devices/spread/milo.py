"""ReRAM cells of HfO2 as Milo et al. program them, 2021."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pimsim.chip.devices.spread.base import NOT_READ, Spread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Milo(Spread):
    """HfO2 cells of Milo et al., programmed by IGVVA-100."""

    source = (
        "Milo et al., IRPS 2021, 10.1109/IRPS46558.2021.9405119, Fig. 4, as CrossSim fits it (sandialabs/cross-sim, "
        "commit 0a2eb1e, BSD-3, RRAMMilo): 4.782 - 0.0091 G uS, 50 to 225 uS"
    )
    g_min_us, g_max_us = 50.0, 225.0
    missing: ClassVar[Mapping[str, str]] = {"drift": NOT_READ, "read": NOT_READ}

    def programming_sigma_us(self, target_us: Floats, g_max_us: float) -> Floats:
        """Weaker cells are missed by more."""
        return (4.782321 - 0.009107 * target_us).clip(0)
