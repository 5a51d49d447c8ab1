"""What a planned model answers: in floats, in integers of the plan's widths, and as the arrays of the chip have it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pimsim.chip.devices import Device
from pimsim.errors import ConfigError, MappingError
from pimsim.mapping.planning.analog import Analog
from pimsim.mapping.planning.plan import Plan
from pimsim.mapping.planning.planned import PlannedOp
from pimsim.trace.op import Op
from pimsim.trace.schema import Trace
from pimsim.values.arithmetic import CALIBRATED_ON, Matrix, exact
from pimsim.values.errors import READ, Effects, known_of
from pimsim.values.forward import Forward, Product
from pimsim.values.quantize import Codes, Scale, scale_of
from pimsim.values.rows import matrix_of
from pimsim.values.sidecar import Floats, Sidecar
from pimsim.values.streams import stream

Reals = npt.NDArray[np.floating[Any]]
Ends = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]

AT_ONCE = 16
"""Samples that are computed side by side."""
MOST_BITS = 20
"""Of a weight or an input: sums of 4096 products are whole numbers of float64."""
FINE = 21
"""Bits of a converter that loses nothing that matters."""
CONVERTER = "converter"


@dataclass(slots=True)
class OnArrays:
    """An op whose products come about on arrays.

    Parameters
    ----------
    op : Op
        The op.
    analog : Analog
        How they come about.
    weights : float32 array, shape (rows, outputs)
        Its matrix.
    codes : int64 array
        The same as the arrays hold it.
    scale : Scale
        What a code of it is worth.
    inputs : Scale
        What a code of an input is worth; known after a run in floats.
    owner : str
        Whose arrays they are: ops of one weight take turns on them.
    positions : list of int64 arrays
        Of each copy; empty where copies cannot be told apart.
    ranges : pair of arrays, optional
        Of converters whose range samples set.
    """

    op: Op
    analog: Analog
    weights: Reals
    codes: Codes
    scale: Scale
    inputs: Scale
    owner: str
    positions: list[npt.NDArray[np.int64]]
    ranges: Ends | None = None

    @property
    def worth(self) -> float:
        """Of a product of two codes."""
        return self.scale.step * self.inputs.step


@dataclass(slots=True)
class Layer:
    """What an op on arrays loses, summed over samples.

    Parameters
    ----------
    signal, own, all : float
        Sums of squares: of the outputs in floats; of what its arrays add to the products of its integers; of the
        difference to the outputs in floats.
    product : float
        Of the products of its integers.
    """

    signal: float = 0.0
    own: float = 0.0
    all: float = 0.0
    product: float = 0.0


@dataclass(frozen=True, slots=True)
class Setting:
    """What is looked at.

    Parameters
    ----------
    of : frozenset of str
        Which of `EFFECTS`, and ``converter``.
    seconds : float
        Since the weights were written.
    seed : int
        Of what is drawn.
    """

    of: frozenset[str]
    seconds: float = 0.0
    seed: int = 1


@dataclass(slots=True)
class Answers:
    """A model on a chip, with its values.

    Parameters
    ----------
    plan : Plan
        Where its ops are.
    trace : Trace
        The model; one inference.
    values : Sidecar
        Its weights and samples.
    samples : int
        How many samples, the first ones, are answered.
    calibrate : int
        How many of them set the scales of inputs, and ranges of converters.
    """

    plan: Plan
    trace: Trace
    values: Sidecar
    samples: int
    calibrate: int
    on_arrays: dict[str, OnArrays] = field(init=False)
    forward: Forward = field(init=False)
    on_progress: Callable[[int], None] | None = None

    def __post_init__(self) -> None:
        """Take the weights apart as the plan has them; no input is looked at."""
        found = {
            op.node.op.name: op for op in self.plan.ops if op.node.op is not None and op.tiling is not None
        }
        made = {name: self._on_arrays(op) for name, op in found.items()}
        self.on_arrays = {name: each for name, each in made.items() if each is not None}
        if not self.on_arrays:
            raise MappingError(
                f"no op of '{self.trace.model}' computes on arrays of {self.plan.chip.config.name}: products are exact "
                "there, what rounding in floating point costs is not modelled",
                mend="take a chip with tiles of arrays",
            )
        self.forward = Forward(self.trace, self.values, frozenset(self.on_arrays))

    def _on_arrays(self, planned: PlannedOp) -> OnArrays | None:
        op, tiling = planned.node.op, planned.tiling
        assert op is not None
        assert tiling is not None
        kind = self.plan.package.kinds[planned.site or ""]
        weight_bits = planned.weight_bits or self.plan.chip.config.precision.weight_bits
        analog = kind.analog(op, tiling, weight_bits, planned.node.read_bits)
        if analog is None or op.inputs[1].role != "weight":
            return None
        _check(analog)
        weights = matrix_of(op, self.values.constants[op.name, 1])
        if weights.ndim != 2:
            return None
        scale = scale_of(float(np.abs(weights).max(initial=0)), weight_bits, signed=True)
        positions = [planned.positions(index) for index in range(len(planned.replicas))]
        if sum(map(len, positions)) != planned.node.positions or planned.slices > 1:
            positions = []
        inputs = Scale(1.0, planned.node.read_bits, False)
        return OnArrays(
            op, analog, weights, scale.codes(weights), scale, inputs, planned.shares or op.name, positions
        )

    # -- what there is to look at ------------------------------------------------------------------------------

    @property
    def devices(self) -> dict[str, Device]:
        """The technologies of the arrays, by name."""
        return {each.analog.device.name: each.analog.device for each in self.on_arrays.values()}

    @property
    def effects(self) -> frozenset[str]:
        """What its devices can be said to do, and what converters do."""
        return frozenset({CONVERTER}).union(
            *(known_of(each.analog.device, each.analog.wire_ohm) for each in self.on_arrays.values())
        )

    # -- runs --------------------------------------------------------------------------------------------------

    def batches(self, count: int) -> Iterator[tuple[int, dict[str, Floats]]]:
        """Yield the number of the first sample, and inputs, some samples at a time."""
        for first in range(0, count, AT_ONCE):
            last = min(first + AT_ONCE, count)
            yield first, {name: each[first:last] for name, each in self.values.inputs.items()}

    def in_floats(self) -> Floats:
        """Return the first output in floats; the scales of inputs are known then."""
        least: dict[str, float] = {}
        most: dict[str, float] = {}

        def product(op: Op, rows: Floats, first: int) -> Reals:
            if first < self.calibrate:
                seen = rows[: self.calibrate - first]
                least[op.name] = min(least.get(op.name, 0.0), float(seen.min(initial=0)))
                most[op.name] = max(most.get(op.name, 0.0), float(np.abs(seen).max(initial=0)))
            return rows @ self.on_arrays[op.name].weights

        outputs = self._run(product, self.samples)
        for name, each in self.on_arrays.items():
            each.inputs = scale_of(most.get(name, 0.0), each.inputs.bits, signed=least.get(name, 0.0) < 0)
        self._set_ranges()
        return outputs

    def _set_ranges(self) -> None:
        """Take the ranges of converters that samples set from a run with integers."""
        taken: dict[str, list[Codes]] = {
            name: [] for name, each in self.on_arrays.items() if each.analog.form.range == "samples"
        }
        if not taken:
            return
        runs = -(-self.calibrate // AT_ONCE) if self.forward.side_by_side else self.calibrate
        each_run = max(1, CALIBRATED_ON // runs)

        def product(op: Op, rows: Floats, first: int) -> Reals:
            each = self.on_arrays[op.name]
            codes = each.inputs.codes(rows)
            flat = codes.reshape(-1, codes.shape[-1])
            if op.name in taken:
                some = stream(0, "calibration", op.name, first).permutation(len(flat))[:each_run]
                taken[op.name].append(flat[some])
            return self._exact(each, codes) * each.worth

        self._run(product, self.calibrate, told=False)
        for name, codes in taken.items():
            each = self.on_arrays[name]
            each.ranges = self._matrix(each, Setting(frozenset({CONVERTER})), 0).calibrated(
                np.concatenate(codes)
            )

    def in_integers(self) -> Floats:
        """Return the first output with weights and inputs of the plan's widths, nothing else lost."""

        def product(op: Op, rows: Floats, first: int) -> Reals:
            each = self.on_arrays[op.name]
            return self._exact(each, each.inputs.codes(rows)) * each.worth

        return self._run(product, self.samples)

    def on_chip(self, setting: Setting, layers: dict[str, Layer] | None = None) -> Floats:
        """Return the first output as the arrays have it; `layers` are told what each op loses."""
        matrices: dict[tuple[str, int], Matrix] = {}
        floats: dict[str, Reals] = {}

        def product(op: Op, rows: Floats, first: int) -> Reals:
            each = self.on_arrays[op.name]
            codes = each.inputs.codes(rows)
            result = self._analog(each, codes, first, setting, matrices)
            if layers is not None:
                layer, exact = layers.setdefault(op.name, Layer()), self._exact(each, codes)
                layer.product += float((exact * exact).sum())
                layer.own += float(np.square(result - exact).sum())
                layer.signal += float(np.square(floats[op.name], dtype=np.float64).sum())
                layer.all += float(np.square(result * each.worth - floats[op.name]).sum())
            return result * each.worth

        def in_floats(op: Op, rows: Floats, first: int) -> Reals:
            floats[op.name] = rows @ self.on_arrays[op.name].weights
            return floats[op.name]

        before = None if layers is None else in_floats
        return self._run(product, self.samples, before)

    def _run(
        self, product: Product, count: int, before: Product | None = None, *, told: bool = True
    ) -> Floats:
        found = []
        for first, inputs in self.batches(count):
            if before is not None:
                self.forward.run(inputs, before, first)
            found.append(self.forward.run(inputs, product, first)[0])
            if told and self.on_progress is not None:
                self.on_progress(len(found[-1]))
        return np.concatenate(found)

    # -- products ----------------------------------------------------------------------------------------------

    @staticmethod
    def _exact(each: OnArrays, codes: Codes) -> Reals:
        flat = exact(codes.reshape(-1, codes.shape[-1]), each.codes, each.analog.pieces)
        return flat.reshape(*codes.shape[:2], -1)

    def _matrix(self, each: OnArrays, setting: Setting, copy: int) -> Matrix:
        form = each.analog.form
        if CONVERTER not in setting.of:
            form = replace(form, adc_bits=FINE, range="full")
        device, wire_ohm = each.analog.device, each.analog.wire_ohm
        of = setting.of & known_of(device, wire_ohm)
        compensated = each.analog.compensated
        effects = Effects(device, of, setting.seconds, setting.seed, wire_ohm or 0.0, compensated)
        return Matrix(
            form,
            each.codes,
            each.analog.pieces,
            signed=each.inputs.signed,
            effects=effects,
            name=(each.owner, copy),
            ranges=each.ranges,
        )

    def _analog(
        self,
        each: OnArrays,
        codes: Codes,
        first: int,
        setting: Setting,
        matrices: dict[tuple[str, int], Matrix],
    ) -> Reals:
        """Each copy does its own positions; what is drawn for a read depends on the sample."""
        result = np.zeros((*codes.shape[:2], each.codes.shape[1]))
        everything = np.arange(codes.shape[1])
        for copy, own in enumerate(each.positions or [everything]):
            alike = 0 if not setting.of - {CONVERTER} else copy
            if (each.owner, alike) not in matrices:
                matrices[each.owner, alike] = self._matrix(each, setting, alike)
            matrix = matrices[each.owner, alike]
            where = own if sum(map(len, each.positions)) == codes.shape[1] else everything
            if matrix.is_exact or READ not in setting.of:
                flat = codes[:, where].reshape(-1, codes.shape[2])
                result[:, where] = matrix.multiply(flat).reshape(len(codes), len(where), -1)
            else:
                for sample, rows in enumerate(codes[:, where]):
                    result[sample, where] = matrix.multiply(rows, first + sample)
            if where is everything:
                break
        return result


def _check(analog: Analog) -> None:
    """Refuse widths whose products are no whole numbers here, and cells of more levels than their device has."""
    form, known = analog.form, analog.device.levels
    for name, bits in (("weight", form.weight_bits), ("input", form.input_bits)):
        if bits > MOST_BITS:
            message = f"found {bits} bits, expected up to {MOST_BITS} where answers are computed"
            raise ConfigError(message, where=f"{name}_bits", mend=f"give fewer --{name}-bits")
    needed = 1 << (form.cell_bits - (form.encoding == "differential"))
    if known is not None and needed > known:
        message = f"found cells of {form.cell_bits} bits, which take {needed} levels; {analog.device.name} has {known}"
        raise ConfigError(
            message, where="core.array.bits_per_cell", mend="give fewer, or another core.array.device"
        )


def similarity(found: Floats, wanted: Floats) -> Mapping[str, float]:
    """Return how near outputs are to others, sample by sample: the mean cosine, and the relative error of all."""
    a = found.reshape(len(found), -1).astype(np.float64)
    b = wanted.reshape(len(wanted), -1).astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = np.divide((a * b).sum(axis=1), norms, out=np.zeros(len(a)), where=norms > 0)
    size = float(np.square(b).sum())
    error = float(np.sqrt(np.square(a - b).sum() / size)) if size > 0 else 0.0
    return {"cosine": float(cosine.mean()), "relative_error": error}
