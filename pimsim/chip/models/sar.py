"""A successive-approximation converter by its circuit: power that grows with the bits, for a cycle a bit."""

from __future__ import annotations

from bisect import bisect_left
from math import exp, inf, log
from typing import Any, ClassVar, Literal

from pimsim.chip.models.base import ConverterModel, Limits, Point

CYCLE_NS = 1.0
# Node in nm -> power in microwatts: so much a bit, and so much besides. Low-power transistors at 300 K.
POWER_UW = {
    7: (0.1061, 0.8847),
    10: (0.1823, 1.5073),
    14: (0.3132, 2.5681),
    22: (0.538, 4.3753),
    32: (1.1294, 8.8998),
    45: (2.1691, 16.693),
    65: (3.7506, 25.844),
    90: (5.9869, 37.462),
    130: (8.4483, 65.243),
}
NODES = sorted(POWER_UW)


def energy_pj(bits: int, technology_nm: float) -> float:
    """Return the energy of a conversion in picojoules: ``(a * bits + c) * (bits + 1)`` cycles of 1 ns.

    Between two nodes of the table the logarithm of the energy is interpolated over that of the node.

    Parameters
    ----------
    bits : int
        Resolution.
    technology_nm : float
        Technology node in nanometres.
    """

    def at(node: int) -> float:
        each, besides = POWER_UW[node]
        return (each * bits + besides) * (bits + 1) * CYCLE_NS * 1e-3  # 1 uW for 1 ns is 1 fJ

    if technology_nm in POWER_UW:
        return at(int(technology_nm))
    upper = min(max(bisect_left(NODES, technology_nm), 1), len(NODES) - 1)
    low, high = NODES[upper - 1], NODES[upper]
    share = log(technology_nm / low) / log(high / low)
    return exp((1 - share) * log(at(low)) + share * log(at(high)))


class Sar(ConverterModel):
    """Energy of a SAR converter as NeuroSim computes it; it follows bits and node, not the rate.

    The form and its coefficients, from circuit simulation, are those of DNN+NeuroSim V1.4 (X. Peng et al., IEEE TCAD
    2021; github.com/neurosim/DNN_NeuroSim_V1.4, SarADC). The current of the column itself is not in it. Nor is area,
    which NeuroSim counts by layout.
    """

    kind: Literal["sar"] = "sar"

    about: ClassVar[str] = "SAR by circuit, as NeuroSim 1.4 has it for low-power transistors"

    def limits(self) -> Limits:
        """The bits that the form was checked for, and the nodes of the table; `outside` knows the rate."""
        return Limits((4, 10), (0.0, inf), (NODES[0], NODES[-1]))

    def outside(self, point: Point) -> tuple[str, Any, str] | None:
        """Besides the limits, a conversion takes its cycles."""
        most = 1e9 / ((point.bits + 1) * CYCLE_NS)
        if point.samples_per_s > most:
            return (
                "samples_per_s",
                point.samples_per_s,
                f"at most {most:.4g}, {point.bits + 1} cycles of 1 ns each,",
            )
        return super().outside(point)

    def energy_pj(self, point: Point) -> float:
        """Return the energy of one conversion in picojoules."""
        return energy_pj(point.bits, point.technology_nm)

    def area_um2(self, point: Point) -> None:
        """Area has no form here."""
        return None
