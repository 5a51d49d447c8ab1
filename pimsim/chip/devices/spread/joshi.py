"""Phase-change cells of Joshi et al. 2020: a million mushroom cells of 90 nm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pimsim.chip.devices.spread.law import PowerLaw

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Joshi(PowerLaw):
    """IBM's model, with the coefficients of AIHWKit's ``PCMLikeNoiseModel``."""

    source = (
        "Joshi et al., Nature Communications 11, 2473 (2020), as AIHWKit has it (IBM/aihwkit, commit 4545f11, MIT, "
        "PCMLikeNoiseModel)"
    )
    g_min_us, g_max_us = 0.0, 25.0
    reference_us = 25.0
    programming = (0.26348, 1.9650, -1.1731)
    t0_s, read_s = 20.0, 250e-9

    def nu(self, share: Floats) -> tuple[Floats, Floats]:
        """Small conductances drift more, and more differently."""
        import numpy as np

        log = np.log(share)
        return (-0.0155 * log + 0.0244).clip(0.049, 0.1), (-0.0125 * log - 0.0059).clip(0.008, 0.045)

    def noise(self, share: Floats) -> Floats:
        """0.0088 / share^0.65, at most 0.2."""
        return (0.0088 / (share**0.65).clip(1e-3)).clip(max=0.2)
