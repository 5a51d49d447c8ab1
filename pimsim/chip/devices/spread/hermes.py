"""Phase-change cells of the HERMES chip: two devices side by side hold a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pimsim.chip.devices.spread.law import PowerLaw, polynomial

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Hermes(PowerLaw):
    """The chip's own cells, with the coefficients of AIHWKit's ``HermesNoiseModel`` for two devices a value.

    Each of its figures is one form below a share and another above.
    """

    source = (
        "Le Gallo et al., Nature Electronics 6, 680 (2023), and Vasilopoulos et al., IEEE TED 2023, as AIHWKit has "
        "them (IBM/aihwkit, commit 4545f11, MIT, HermesNoiseModel of two devices)"
    )
    g_min_us, g_max_us = 0.0, 20.7
    reference_us = 20.7
    programming = (0.16603222, 4.71806468, -8.48101252, 4.68961419)
    t0_s, read_s = 300.0, 512e-9

    def nu(self, share: Floats) -> tuple[Floats, Floats]:
        """Mean and spread over the two devices together."""
        import numpy as np

        log = np.log(share)
        low = (-0.0387 * log - 0.0182).clip(0.0720, 0.13)
        mean = np.where(share < 0.0945, low, polynomial((0.0736, -0.0126, -0.0436), share))
        low = (-0.0117 * log - 0.0057).clip(0.0091, 0.04)
        return mean, np.where(share < 0.3055, low, polynomial((0.0073, 0.0093, -0.0118), share))

    def noise(self, share: Floats) -> Floats:
        """At most 0.04, and no less than 0.015 below a share of 0.16."""
        import numpy as np

        low = (-0.0117 * np.log(share.clip(1e-7)) - 0.0069).clip(0.015, 0.04)
        return np.where(share < 0.16, low, polynomial((0.0123, 0.0211, -0.0280, 0.0069), share))
