"""Small models and small chips: a builder for tests that write their own, and strategies that draw random ones."""

from __future__ import annotations

import math
from collections.abc import Iterable
from copy import deepcopy
from functools import cache
from typing import Any

from hypothesis import strategies as st

from pimsim.chip import Chip
from pimsim.trace import Op, Operand, Tensor, Trace

Shape = tuple[int, ...]


class Builder:
    """Ops of a model, added one by one; every method returns the name of the op that it added."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.shapes: dict[str, Shape] = {}
        self.weight_bits: int | None = None  # that the next weights state
        self.bits: int | None = None  # that the next outputs state
        self.outputs: dict[str, Tensor] = {}

    def add(
        self,
        kind: str,
        sources: Iterable[str],
        shape: Shape,
        params: Iterable[tuple[str, Shape]] = (),
        more: Iterable[Shape] = (),
        **attributes: Any,
    ) -> str:
        """Add an op of any type; `params` are its weights and constants, `more` its further outputs."""
        name = f"{kind.lower()}{len(self.ops)}"
        inputs = [Operand("activation", self.outputs[s], s) for s in sources]
        inputs += [
            Operand(role, Tensor(size, bits=self.weight_bits if role == "weight" else None))  # type: ignore[arg-type]
            for role, size in params
        ]
        outputs = tuple(Tensor(each, bits=self.bits) for each in (shape, *more))
        self.outputs[name] = outputs[0]
        self.ops.append(Op(name, kind, tuple(inputs), outputs, attributes))
        self.shapes[name] = shape
        return name

    def input(self, *shape: int) -> str:
        return self.add("Input", (), shape)

    def conv(
        self,
        x: str,
        outputs: int,
        kernel: Shape,
        strides: Shape | None = None,
        pads: Shape | None = None,
        dilations: Shape | None = None,
        group: int = 1,
    ) -> str:
        shape = self.shapes[x]
        window = self._window(kernel, strides, pads, dilations)
        size = sizes_after(shape[2:], **window)
        weight = ("weight", (outputs, shape[1] // group, *kernel))
        return self.add("Conv", (x,), (shape[0], outputs, *size), [weight], **window, group=group)

    def pool(
        self,
        x: str,
        kernel: Shape,
        strides: Shape | None = None,
        pads: Shape | None = None,
        kind: str = "MaxPool",
        dilations: Shape | None = None,
    ) -> str:
        shape = self.shapes[x]
        window = self._window(kernel, strides, pads, dilations)
        extra = {"count_include_pad": 0} if kind == "AveragePool" else {}
        size = (*shape[:2], *sizes_after(shape[2:], **window))
        return self.add(kind, (x,), size, **window, ceil_mode=0, **extra)

    def global_pool(self, x: str) -> str:
        shape = self.shapes[x]
        return self.add("GlobalAveragePool", (x,), (*shape[:2], *(1 for _ in shape[2:])))

    def relu(self, x: str) -> str:
        return self.add("Relu", (x,), self.shapes[x])

    def sum(self, *xs: str) -> str:
        shape = tuple(map(max, *(self.shapes[x] for x in xs))) if len(xs) > 1 else self.shapes[xs[0]]
        return self.add("Add" if len(xs) == 2 else "Sum", xs, shape)

    def concat(self, *xs: str, axis: int = 1) -> str:
        shape = list(self.shapes[xs[0]])
        shape[axis] = sum(self.shapes[x][axis] for x in xs)
        return self.add("Concat", xs, tuple(shape), axis=axis)

    def softmax(self, x: str, axis: int) -> str:
        return self.add("Softmax", (x,), self.shapes[x], axis=axis)

    def flatten(self, x: str) -> str:
        shape = self.shapes[x]
        return self.add("Flatten", (x,), (shape[0], math.prod(shape[1:])), axis=1)

    def gemm(self, x: str, outputs: int) -> str:
        rows, inner = self.shapes[x]
        scales = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 1}
        return self.add("Gemm", (x,), (rows, outputs), [("weight", (outputs, inner))], **scales)

    def trace(self, model: str = "test", outputs: Iterable[str] | None = None) -> Trace:
        return Trace.from_ops(model, self.ops, outputs)

    @staticmethod
    def _window(
        kernel: Shape, strides: Shape | None, pads: Shape | None, dilations: Shape | None
    ) -> dict[str, Shape]:
        ones = (1,) * len(kernel)
        return {
            "kernel_shape": kernel,
            "strides": strides or ones,
            "pads": pads or (0,) * (2 * len(kernel)),
            "dilations": dilations or ones,
        }


def sizes_after(size: Shape, kernel_shape: Shape, strides: Shape, pads: Shape, dilations: Shape) -> Shape:
    """ONNX's formula for the output of a sliding window, without ceil_mode."""
    rank = len(size)
    return tuple(
        (n + pads[i] + pads[i + rank] - (kernel_shape[i] - 1) * dilations[i] - 1) // strides[i] + 1
        for i, n in enumerate(size)
    )


# -- chips -----------------------------------------------------------------------------------------------------


_WHERE = {"tile": ["sites", "tile"], "core": ["sites", "tile", "core"]}


@cache
def _preset(name: str) -> dict[str, Any]:
    return Chip.load(name).to_dict()


def changed(preset: str, changes: dict[str, Any]) -> Chip:
    """A preset with several changes made at once, so that only the whole has to fit together."""
    data = deepcopy(_preset(preset))
    for path, value in changes.items():
        first, *rest = path.split(".")
        *way, key = [*_WHERE.get(first, [first]), *rest]
        inner = data
        for step in way:
            inner = inner[step]
        inner[key] = value
    return Chip.from_dict(data)


def small_chip(changes: dict[str, Any] | None = None, preset: str = "isaac") -> Chip:
    """A preset cut down to 4 tiles of 2 cores of 2 arrays on a 2x2 mesh, with further changes."""
    small: dict[str, Any] = {
        "tile.count": 4,
        "tile.cores": 2,
        "core.arrays": 2,
        "core.adc.banks": 2,
        "network.topology": {"kind": "mesh", "width": 2, "height": 2},
    }
    return changed(preset, {**small, **(changes or {})})


@st.composite
def topologies(draw: st.DrawFn, tiles: int) -> dict[str, Any]:
    """A network with room for so many tiles."""
    width = draw(st.integers(1, tiles))
    kinds = [
        "mesh",
        "cmesh",
        "torus",
        "ring",
        "crossbar",
        "bus",
        "htree",
        "fattree",
        "fly",
        "graph",
        "package",
    ]
    kind = draw(st.sampled_from(kinds))
    if kind in ("mesh", "torus"):
        return {"kind": kind, "width": width, "height": -(-tiles // width)}
    if kind == "cmesh":
        concentration = draw(st.integers(1, 4))
        height = -(-tiles // (width * concentration))
        return {"kind": kind, "width": width, "height": height, "concentration": concentration}
    if kind == "fattree":
        return {"kind": kind, "arity": 2, "levels": 3}
    if kind == "fly":
        return {"kind": kind, "arity": 2, "stages": 3}
    if kind == "graph":
        return {"kind": kind, "edges": [[i, i + 1] for i in range(tiles)] + [[0, tiles]]}
    if kind == "package":
        inner = {"kind": "mesh", "width": width, "height": -(-tiles // (2 * width))}
        return {"kind": kind, "chips": 2, "of": inner}
    if kind == "htree":
        return {"kind": kind, "levels": 3, "arity": 2}
    return {"kind": kind, "nodes": tiles + draw(st.integers(0, 2))}


@st.composite
def chips(draw: st.DrawFn) -> Chip:
    """A chip of a few tiles with odd clocks, narrow links, small buffers and shared converters."""
    number = st.integers
    pick = st.sampled_from
    tiles = draw(number(1, 8))
    arrays = draw(pick([1, 2, 3, 4, 6]))
    changes: dict[str, Any] = {
        "tile.count": tiles,
        "tile.cores": draw(number(1, 3)),
        "tile.in_flight": draw(number(1, 4)),
        "tile.buffer.capacity_kib": draw(pick([0.0625, 0.25, 1.0, 4.0, 64.0])),
        "tile.buffer.width_bits": draw(pick([8, 32, 256])),
        "tile.buffer.ports": draw(number(1, 2)),
        "tile.buffer.latency_cycles": draw(number(0, 3)),
        "tile.bus.width_bits": draw(pick([8, 48, 384])),
        "tile.bus.latency_cycles": draw(number(0, 2)),
        "tile.digital.vector.lanes": draw(pick([1, 16])),
        "tile.digital.sigmoid.count": draw(number(1, 3)),
        "core.arrays": arrays,
        "core.adc.banks": draw(pick([b for b in (1, 2, 3, arrays) if arrays % b == 0])),
        "core.adc.adcs_per_bank": draw(pick([1, 3, 16])),
        "core.adc.convert_cycles": draw(number(1, 3)),
        "core.array.rows": draw(pick([4, 9, 32])),
        "core.array.columns": draw(pick([4, 8, 32])),
        "core.array.bits_per_cell": draw(pick([1, 2, 4])),
        "core.array.read_ns": draw(pick([1.0, 10.0, 100.0])),
        "core.array.setup_ns": draw(pick([0.0, 3.0])),
        "core.dac.bits": draw(pick([1, 4])),
        "core.shift_add.latency_cycles": draw(number(0, 2)),
        "core.shift_add.clock": draw(pick(["array", "digital"])),
        "precision.weight_bits": draw(pick([2, 4])),
        "precision.input_bits": draw(pick([4, 8])),
        "network.topology": draw(topologies(tiles)),
        "network.link_width_bits": draw(pick([4, 32, 256])),
        "network.fidelity": draw(pick(["flit", "flit", "packet"])),
        "network.vcs": draw(number(2, 4)),
        "network.buffer_flits": draw(pick([1, 2, 5, 8])),
        "network.route_cycles": draw(number(0, 1)),
        "network.traversal_cycles": draw(number(0, 2)),
        "network.speculative": draw(st.booleans()),
        "network.multicast": draw(st.booleans()),
        "network.link_cycles": draw(number(0, 2)),
        "network.clock": draw(pick(["digital", "adc", "array"])),
        "external.count": draw(number(1, 4)),
        "external.bandwidth_gb_per_s": draw(pick([0.01, 6.4, 400.0])),
        "external.latency_ns": draw(pick([0.0, 7.3, 50.0])),
        "external.energy_per_bit_pj": draw(pick([None, 1.5])),
        "external.static_power_mw": draw(pick([None, 3.0])),
        "clocks.array.period_ns": draw(pick([1.0, 7.0, 10.0])),
    }
    if changes["network.topology"]["kind"] not in ("fly", "bus") and draw(st.booleans()):
        changes["network.reduction"] = {
            "lanes": draw(number(1, 8)),
            "latency_cycles": draw(number(0, 2)),
            "energy_per_add_pj": draw(pick([None, 0.1])),
        }
    return changed("isaac", changes)


# -- models ----------------------------------------------------------------------------------------------------


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """A small convolutional network: odd sizes, skips, groups, several inputs and outputs."""
    number = st.integers
    model = Builder()
    images = draw(st.sampled_from([1, 1, 1, 2]))
    for _ in range(draw(st.sampled_from([1, 1, 2]))):
        model.input(images, draw(number(1, 6)), draw(number(1, 7)), draw(number(1, 7)))
    for _ in range(draw(number(1, 8))):
        model.weight_bits = draw(st.sampled_from([None, None, 1, 3]))
        model.bits = draw(st.sampled_from([None, None, None, 3, 8]))
        draw_op(draw, model)
    read = {source for op in model.ops for source in op.deps}
    for name in [op.name for op in model.ops if op.type == "Input" and op.name not in read]:
        model.relu(name)
    loose = [op.name for op in model.ops if op.name not in {s for o in model.ops for s in o.deps}]
    extra = draw(st.lists(st.sampled_from([op.name for op in model.ops if op.type != "Input"]), max_size=1))
    return model.trace("random", list(dict.fromkeys([*loose, *extra])))


def draw_op(draw: st.DrawFn, model: Builder) -> str:
    """Add one op that fits a tensor that is there; the newest tensors are read most."""
    number = st.integers
    names = list(model.shapes)
    x = names[-1 - draw(number(0, min(2, len(names) - 1)))]
    shape = model.shapes[x]
    if len(shape) == 2:
        kind = draw(st.sampled_from(["gemm", "relu", "softmax", "sum"]))
        if kind == "gemm":
            return model.gemm(x, draw(number(1, 9)))
        if kind == "softmax":
            return model.softmax(x, 1)
        return add_skip(draw, model, x) if kind == "sum" else model.relu(x)
    kinds = [
        "conv",
        "conv",
        "conv",
        "depthwise",
        "grouped",
        "relu",
        "sum",
        "concat",
        "pool",
        "softmax",
        "flatten",
        "gap",
    ]
    kind = draw(st.sampled_from(kinds))
    if kind in ("conv", "depthwise", "grouped", "pool"):
        return draw_window(draw, model, x, kind)
    if kind == "sum":
        return add_skip(draw, model, x)
    if kind == "concat":
        fits = [n for n in names if model.shapes[n][2:] == shape[2:] and len(model.shapes[n]) == 4]
        others = draw(st.lists(st.sampled_from(fits), min_size=1, max_size=2))
        return model.concat(x, *others)
    if kind == "softmax":
        return model.softmax(x, draw(st.sampled_from([1, 3])))
    if kind == "flatten":
        return model.flatten(x)
    return model.relu(x) if kind == "relu" else model.global_pool(x)


def add_skip(draw: st.DrawFn, model: Builder, x: str) -> str:
    """Add a tensor of the same shape, or itself."""
    fits = [name for name, shape in model.shapes.items() if shape == model.shapes[x]]
    return model.sum(x, draw(st.sampled_from(fits)))


def draw_window(draw: st.DrawFn, model: Builder, x: str, kind: str) -> str:
    """A convolution or a pool whose window fits."""
    number = st.integers
    shape = model.shapes[x]
    kernel = (draw(number(1, 3)), draw(number(1, 3)))
    pads = tuple(draw(number(0, k - 1)) for k in (*kernel, *kernel))
    strides = (draw(number(1, 2)), draw(number(1, 2)))
    dilations = (draw(number(1, 2)), draw(number(1, 2)))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    if any(r > n + pads[i] + pads[i + 2] for i, (r, n) in enumerate(zip(reach, shape[2:], strict=True))):
        kernel, pads, dilations = (1, 1), (0, 0, 0, 0), (1, 1)
    if kind == "pool":
        pool = draw(st.sampled_from(["MaxPool", "AveragePool"]))
        return model.pool(x, kernel, strides, pads, pool, dilations)
    divisors = [g for g in range(1, shape[1] + 1) if shape[1] % g == 0]
    group = {"conv": 1, "depthwise": shape[1]}.get(kind) or draw(st.sampled_from(divisors))
    outputs = group * draw(number(1, 5 if kind == "conv" else 2))
    return model.conv(x, outputs, kernel, strides, pads, dilations, group)
