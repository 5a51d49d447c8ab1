"""A small memory that computes, alone and beside a processor, for the tests of its kind."""

from __future__ import annotations

from typing import Any

from pimsim.chip import Chip
from tests.kinds.processors import BASE
from tests.random_models import Builder

PIM: dict[str, Any] = {
    "kind": "hbm_pim",
    "standard": "hbm2_pim",
    "buffer": {
        "capacity_kib": 64,
        "width_bits": 1024,
        "ports": 2,
        "clock": "core",
        "latency_cycles": 1,
        "energy_per_access_pj": 3.0,
    },
    "bus": {"width_bits": 1024, "clock": "core", "latency_cycles": 1, "energy_per_transfer_pj": 2.0},
    "memory": {
        "kind": "device_memory",
        "capacity_kib": 1048576,
        "width_bits": 1024,
        "ports": 1,
        "clock": "core",
        "latency_cycles": 37,
        "achievable": 0.9,
        "energy_per_access_pj": 100.0,
    },
    "launcher": {"launch_ns": 100.0, "clock": "core"},
    "digital": {
        "units": {
            "count": 64,
            "lanes": 16,
            "clock": "core",
            "latency_cycles": 2,
            "energy_per_element_pj": 0.5,
            "operations": {"Gemm": 1.0, "MatMul": 1.0, "Add": 1.0, "Sum": 1.0, "Mul": 1.0, "Relu": 1.0},
        }
    },
}


def alone(changes: dict[str, Any] | None = None) -> Chip:
    """A chip of 8 pseudo-channels that compute; `changes` by their paths."""
    data = {**BASE, "name": "only_pim", "sites": {"pim": PIM}}
    return Chip.from_dict(data, changes or {})


def beside(changes: dict[str, Any] | None = None) -> Chip:
    """The same beside a processor, whose memory is slow."""
    tile = {**BASE["sites"]["tile"]}
    tile["memory"] = {**tile["memory"], "width_bits": 64}
    network = {**BASE["network"], "topology": {"kind": "crossbar", "nodes": 2}}
    data = {**BASE, "name": "both", "sites": {"tile": tile, "pim": PIM}, "network": network}
    return Chip.from_dict(data, changes or {})


def mlp(rows: int = 1, width: int = 256, hidden: int = 512) -> Any:
    """Two products, an activation between them, and a skip."""
    model = Builder()
    x = model.input(rows, width)
    y = model.add("MatMul", (x,), (rows, hidden), [("weight", (width, hidden))])
    y = model.add("Relu", (y,), (rows, hidden))
    y = model.add("MatMul", (y,), (rows, width), [("weight", (hidden, width))])
    model.add("Add", (x, y), (rows, width))
    return model.trace(f"mlp {rows}")
