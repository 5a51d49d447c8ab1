"""A small processor, and traces of one op, for the tests of its kind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pimsim.chip import Chip
from pimsim.trace import Trace
from tests.random_models import Builder

BASE: dict[str, Any] = {
    "schema": "pimsim-chip/2",
    "name": "small_processor",
    "description": "A processor for tests",
    "technology_nm": 7,
    "precision": {"weight_bits": 16, "input_bits": 16, "accumulator_bits": 32},
    "clocks": {"core": {"period_ns": 1.0}, "memory": {"period_ns": 0.5}},
    "sites": {
        "tile": {
            "kind": "processor",
            "in_flight": 2,
            "buffer": {
                "capacity_kib": 32768,
                "width_bits": 65536,
                "ports": 2,
                "clock": "core",
                "latency_cycles": 1,
                "energy_per_access_pj": 3.0,
            },
            "bus": {"width_bits": 65536, "clock": "core", "latency_cycles": 1, "energy_per_transfer_pj": 2.0},
            "memory": {
                "capacity_kib": 1048576,
                "width_bits": 65536,
                "ports": 1,
                "clock": "memory",
                "latency_cycles": 10,
                "energy_per_access_pj": 100.0,
            },
            "launcher": {"launch_ns": 100.0, "clock": "core"},
            "digital": {
                "matrix": {
                    "kind": "systolic",
                    "count": 1,
                    "rows": 16,
                    "lanes": 256,
                    "dataflow": "weight-stationary",
                    "clock": "core",
                    "latency_cycles": 0,
                    "energy_per_element_pj": 0.5,
                    "operations": {"Conv": 1.0, "Gemm": 1.0, "MatMul": 1.0},
                },
                "vector": {
                    "count": 2,
                    "lanes": 16,
                    "clock": "core",
                    "latency_cycles": 2,
                    "energy_per_element_pj": 0.25,
                    "operations": {},
                    "classes": {
                        "elementwise": 1.0,
                        "reduction": 1.0,
                        "normalization": 6.0,
                        "softmax": 4.0,
                        "pooling": 1.0,
                        "movement": 1.0,
                    },
                },
            },
        }
    },
    "network": {
        "topology": {"kind": "crossbar", "nodes": 1},
        "link_width_bits": 1024,
        "clock": "core",
        "vcs": 2,
        "buffer_flits": 8,
        "route_cycles": 0,
        "vc_allocation_cycles": 1,
        "switch_allocation_cycles": 1,
        "traversal_cycles": 1,
        "link_cycles": 1,
    },
    "external": {"count": 1, "bandwidth_gb_per_s": 1000.0, "latency_ns": 10.0},
}


def processor(changes: dict[str, Any] | None = None, **matrix: Any) -> Chip:
    """A chip of one processor; keywords change its matrix unit, `changes` other keys by their paths."""
    paths = {f"tile.digital.matrix.{key}": value for key, value in matrix.items()}
    return Chip.from_dict(BASE, {**paths, **(changes or {})})


def matmul(m: int, n: int, k: int) -> Trace:
    """One product by a weight, M x K by K x N."""
    model = Builder()
    x = model.input(m, k)
    model.add("MatMul", (x,), (m, n), [("weight", (k, n))])
    return model.trace(f"{m}x{n}x{k}")


def attention(
    batch: int, heads: int, kv_heads: int, rows: int, keys: int, depth: int, *, causal: bool = False
) -> Trace:
    """Attention of so many rows to so many keys, those before them in a cache, as a trace writes it; no projections."""
    model = Builder()

    def by_heads(many: int) -> str:
        x = model.input(batch, rows, many * depth)
        cut = model.add("Reshape", (x,), (batch, rows, many, depth))
        return model.add("Transpose", (cut,), (batch, many, rows, depth), perm=(0, 2, 1, 3))

    def all_keys(x: str) -> str:
        before, shape = (batch, kv_heads, keys - rows, depth), (batch, kv_heads, keys, depth)
        if keys > rows:
            x = model.add("Concat", (x,), shape, [("cache", before)], axis=2)
            op = model.ops[-1]
            model.ops[-1] = replace(op, inputs=op.inputs[::-1])  # what the cache holds comes first
        if kv_heads == heads:
            return x
        share = heads // kv_heads
        wide = model.add("Reshape", (x,), (batch, kv_heads, 1, keys, depth))
        more = model.add("Expand", (wide,), (batch, kv_heads, share, keys, depth))
        return model.add("Reshape", (more,), (batch, heads, keys, depth))

    queries, keyed, values = by_heads(heads), all_keys(by_heads(kv_heads)), all_keys(by_heads(kv_heads))
    turned = model.add("Transpose", (keyed,), (batch, heads, depth, keys), perm=(0, 1, 3, 2))
    about = {"causal": 1} if causal else {}
    scores = model.add("MatMul", (queries, turned), (batch, heads, rows, keys), **about)
    scaled = model.add("Mul", (scores,), (batch, heads, rows, keys), [("constant", ())])
    shares = model.add("Softmax", (scaled,), (batch, heads, rows, keys), axis=3)
    model.add("MatMul", (shares, values), (batch, heads, rows, depth))
    return model.trace("attention")
