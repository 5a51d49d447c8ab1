"""CPU seconds of products on arrays, beside CrossSim's in the same run.

    OPENBLAS_NUM_THREADS=1 python benchmarks/values_speed.py --crosssim PATH    # github.com/sandialabs/cross-sim

Weights of 1152 x 256, 8 bits in 2-bit slices, offset by half of the range; inputs of 8 bits, bit by bit; arrays of 128
x 128; converters of 8 bits from 0 to 384 levels. 1000 vectors, random; with read noise, of a hundredth of a cell's
range in each read of each cell, CrossSim does as many vectors as are asked for, one after another, and its time is
scaled. Printed are the least CPU seconds of three runs, and the ratio; several threads spend more of them, waiting for
one another. The results of both agree but for ties (`tests/published/test_crosssim.py`).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pimsim.values.arithmetic import Form, Matrix, Piece
from pimsim.values.errors import Effects

ROWS, OUTPUTS, VECTORS, NOISE = 1152, 256, 1000, 0.01
BLOCK, LEVELS = 128, 384.0


class Noisy:
    """Cells that are as they are written, and noisy when they are read."""

    g_min_us, g_max_us, models = 0.0, 1.0, ("read",)

    def programmed_us(self, target_us: Any, normal: Any) -> Any:
        """Return the target."""
        return target_us

    def drifted_us(self, programmed_us: Any, target_us: Any, seconds: float, normal: Any) -> Any:
        """Return what was programmed."""
        return programmed_us

    def read_sigma_us(
        self, conductance_us: Any, target_us: Any, seconds: float, programmed_us: Any = None
    ) -> Any:
        """Return a hundredth of the range."""
        return np.full_like(conductance_us, NOISE)


def ours(weights: Any, inputs: Any, *, noisy: bool) -> Callable[[], Any]:
    """Return what multiplies all vectors."""
    pieces = [
        Piece(slice(row, row + BLOCK), slice(column, column + BLOCK))
        for column in range(0, OUTPUTS, BLOCK)
        for row in range(0, ROWS, BLOCK)
    ]
    form = Form(8, 8, 2, 1, 8, BLOCK, "offset", (0.0, LEVELS))
    effects = Effects(Noisy(), frozenset({"read"}), seed=1) if noisy else Effects()
    matrix = Matrix(form, weights, pieces, signed=False, effects=effects, name=("benchmark",))
    return lambda: matrix.multiply(inputs)


def theirs(checkout: Path, weights: Any, inputs: Any, *, noisy: bool) -> Callable[[], Any]:
    """Return what multiplies all vectors in CrossSim."""
    for folder in (checkout, checkout / "applications" / "dnn"):
        sys.path.insert(0, str(folder))
    from dnn_inference_params import dnn_inference_params  # type: ignore[import-not-found]
    from simulator import AnalogCore  # type: ignore[import-not-found]

    params = dnn_inference_params(
        core_style="OFFSET",
        Nslices=4,
        weight_bits=8,
        NrowsMax=BLOCK,
        NcolsMax=BLOCK,
        input_bits=8,
        input_range=[0, 255],
        positiveInputsOnly=True,
        input_bitslicing=True,
        input_slice_size=1,
        adc_per_ibit=True,
        adc_bits=8,
        adc_range_option="CALIBRATED",
        adc_range=np.array([[0.0, LEVELS / 3]] * 4),
        digital_offset=True,
        infinite_on_off_ratio=True,
        Rmin=10_000.0,
        Rmax=1_000_000.0,
        Vread=0.2,
        drift_model="none",
        noise_model="generic" if noisy else "none",
        alpha_noise=NOISE,
        digital_bias=True,
    )
    params.core.mapping.weights.min, params.core.mapping.weights.max = -128.0, 127.0
    core = AnalogCore(weights.T.astype(float), params=params)
    if not noisy:  # all at once
        return lambda: core.matmat(inputs.T.astype(float)).T
    return lambda: np.stack([core.matvec(each.astype(float)) for each in inputs])


def least(work: Callable[[], Any], runs: int = 3) -> float:
    """Return the least CPU seconds."""
    found = []
    for _ in range(runs):
        before = time.process_time()
        work()
        found.append(time.process_time() - before)
    return min(found)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--crosssim", type=Path, metavar="PATH", help="a checkout of CrossSim")
    parser.add_argument(
        "--noisy", type=int, default=4, metavar="N", help="vectors that CrossSim does with noise (default 4)"
    )
    asked = parser.parse_args()
    random = np.random.default_rng(1)
    weights = random.integers(-127, 128, (ROWS, OUTPUTS))
    inputs = random.integers(0, 256, (VECTORS, ROWS))
    print(f"{VECTORS} vectors of {ROWS}, {OUTPUTS} outputs, CPU s")
    print("                pimsim  CrossSim  ratio")
    for noisy in (False, True):
        name = "with read noise" if noisy else "no noise"
        own = least(ours(weights, inputs, noisy=noisy))
        if asked.crosssim is None:
            print(f"{name:15} {own:6.3f}         -      -")
            continue
        some = asked.noisy if noisy else VECTORS
        other = least(theirs(asked.crosssim, weights, inputs[:some], noisy=noisy), 1 if noisy else 3)
        other *= VECTORS / some
        print(f"{name:15} {own:6.3f}  {other:8.2f}  {other / own:5.1f}")


if __name__ == "__main__":
    main()
