"""ReRAM cells with a conductive metal oxide, of IBM Research in Zurich, 2025."""

from __future__ import annotations

from math import log, sqrt
from typing import TYPE_CHECKING

from pimsim.chip.devices.spread.base import Spread
from pimsim.chip.devices.spread.law import polynomial

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Cmo(Spread):
    """Cells of a conductive metal oxide on HfOx, verified to 0.2 % of their target."""

    source = (
        "Falcone et al., arXiv 2502.04524 (2025), as AIHWKit has it (IBM/aihwkit, commit 4545f11, MIT, "
        "ReRamCMONoiseModel, verified to 0.2 %): after t seconds G moves by -0.08900 ln t with a deviation of "
        "0.4118 + 0.04201 ln t uS; its read noise is marked unfinished there; over 32 levels by the abstract"
    )
    g_min_us, g_max_us, levels = 9.0, 88.2, 32
    shift, relaxed, read_k, read_s = -0.08900206, (0.41183342, 0.04201137), 0.0277316483, 1e-6

    def programming_sigma_us(self, target_us: Floats, g_max_us: float) -> Floats:
        """Linear in the target."""
        return polynomial((0.00081107, 0.00106879), target_us)

    def drifted_us(
        self, programmed_us: Floats, target_us: Floats, seconds: float, normal: Floats, g_max_us: float
    ) -> Floats:
        """The same for all conductances; before 1 s as after 1 s, and at once, nothing; a cell stays in its range."""
        if seconds == 0:
            return programmed_us
        time = log(max(seconds, 1.0))
        constant, growth = self.relaxed
        moved = self.shift * time + (constant + growth * time) * normal
        return (programmed_us + moved).clip(self.g_min_us, self.g_max_us)

    def read_sigma_us(
        self, conductance_us: Floats, written_us: Floats, seconds: float, g_max_us: float
    ) -> Floats:
        """It grows with the logarithm of the conductance, below 1 uS there is none; before 1 s as after 1 s."""
        import numpy as np

        elapsed = max(seconds, 1.0)
        grown = sqrt(log((elapsed + self.read_s) / (2 * self.read_s)))
        return np.asarray(self.read_k / log(10) * np.log(conductance_us.clip(1.0)) * grown)
