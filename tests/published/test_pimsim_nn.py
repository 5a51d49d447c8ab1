"""ResNet-18 on pimsim-nn's default chip, with the copies of its compiler as a saved mapping, beside its own latency.

pimsim-nn is a cycle-level simulator in SystemC, without contention in the network; PIMCOMP-NN compiles for it. With its
default configuration (``pimsim_nn/chip.yaml``), in latency mode, at 224 x 224 pixels, it says 32.944 ms; PIMCOMP's
mapping has the first convolution in two copies and every other layer in one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pimsim import Chip, SavedPlan, Trace, saved_plan, simulate
from pimsim.mapping.lowering.predicted import predict
from pimsim.mapping.mapper import make_plan
from pimsim.mapping.planning.optimum import chip_bound

CHIP = Path(__file__).parent / "pimsim_nn" / "chip.yaml"
MEASURED_FS = 32_944_000_000_000
MULTIPLICATION_FS = 5_152_000_000
"""By its formula: front + back + 7 max(front, back), of 8 input bits, 64 samples of 10 ns a converter."""


def test_a_multiplication_takes_as_long() -> None:
    """A read is slower than no conversion: eight phases of 64 samples of 10 cycles, and the first read."""
    chip = Chip.load(CHIP)
    core = chip.config.sites["tile"].core
    period = chip.config.sites["tile"].mvm_period_fs(8)
    alone = period + core.read_fs(chip.config.clocks)
    assert alone == pytest.approx(MULTIPLICATION_FS, rel=0.01)


def test_resnet18_with_the_copies_of_pimcomp(tmp_path: Path) -> None:
    """Within 5 % of pimsim-nn. pimsim's own plan has a pace 128 times as fast: all that the arrays allow."""
    chip, trace = Chip.load(CHIP), Trace.load("resnet18").bind(batch=1)
    data = saved_plan(chip, trace).to_dict()
    first = next(row["op"] for row in data["ops"] if row["type"] == "Conv")
    for row in data["ops"]:
        copies = 2 if row["op"] == first else 1
        for key in ("copies", "tiles"):
            if key in row:
                row[key] = row[key][:copies]
        row.pop("places", None)
        if copies == 1:
            row.pop("positions", None)
    SavedPlan.from_dict(data).save(tmp_path / "pimcomp.json")
    result = simulate(chip, trace, mapping=SavedPlan.load(tmp_path / "pimcomp.json"))
    replicas = {row["op"]: row["replicas"] for row in result.plan if row["arrays"]}
    assert replicas.pop(first) == 2
    assert set(replicas.values()) == {1}
    assert result.latency_fs == pytest.approx(MEASURED_FS, rel=0.05)
    own = make_plan(chip, trace)
    assert predict(own).interval_fs == chip_bound(own).fs
    assert result.prediction["interval_fs"] == 128 * predict(own).interval_fs
