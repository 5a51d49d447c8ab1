"""A PyTorch model whose products are those of a chip's arrays, to be trained or tried: gradients go straight through.

The layers compute with their weights as they are at each call, on cells drawn anew from the seed while they train; what
is drawn for evaluation stays. There is no plan: each layer stands on arrays once.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch

from pimsim.chip import Chip
from pimsim.errors import ConfigError
from pimsim.mapping.planning.analog import Analog
from pimsim.mapping.planning.kind import Kind, kinds_of
from pimsim.trace.op import Op
from pimsim.trace.tensor import Operand, Tensor
from pimsim.values.arithmetic import Matrix
from pimsim.values.errors import Effects, known_of
from pimsim.values.quantize import scale_of
from pimsim.values.rows import matrix_of, rows_of, shaped

CONVOLUTIONS = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)


class OnArrays(torch.nn.Module):  # type: ignore[misc]  # PyTorch need not be there
    """A layer on a chip's arrays.

    Parameters
    ----------
    layer : torch.nn.Linear, Conv1d, Conv2d or Conv3d
        The layer, which keeps its weights; padding is with zeros.
    kind : Kind
        The sites that it is on.
    widths : (int, int)
        Bits of a weight and of an input.
    seconds : float
        Since its weights were written.
    seed : int
        Of what is drawn.
    name : str
        Its own: what is drawn depends on it.
    """

    peak: torch.Tensor
    below: torch.Tensor

    def __init__(
        self,
        layer: torch.nn.Module,
        kind: Kind,
        widths: tuple[int, int],
        seconds: float,
        seed: int,
        name: str,
    ) -> None:
        super().__init__()
        self.layer, self.kind, self.widths = layer, kind, widths
        self.seconds, self.seed, self.name = seconds, seed, name
        self.calls = 0
        self.register_buffer("peak", torch.zeros(()))  # of the inputs seen in training
        self.register_buffer("below", torch.zeros((), dtype=torch.bool))  # whether one was below 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the arrays give; its gradient is the layer's own, in floats."""
        exact: torch.Tensor = self.layer(x)
        with torch.no_grad():
            if self.training or not self.peak:
                self.peak = torch.maximum(self.peak, x.detach().abs().amax())
                self.below = self.below | (x.detach() < 0).any()
            found = torch.from_numpy(self._analog(x.detach().cpu().numpy(), exact))
        return exact + (found.to(exact) - exact).detach()

    def _analog(self, x: Any, exact: torch.Tensor) -> Any:
        weight = self.layer.weight.detach().cpu().numpy()
        bias = None if self.layer.bias is None else self.layer.bias.detach().cpu().numpy()
        op = self._op(x.shape, tuple(exact.shape), weight.shape)
        tiling = self.kind.tiling(op, self.widths[0])
        analog = self.kind.analog(op, tiling, *self.widths)
        assert analog is not None
        weights = matrix_of(op, weight)
        scale = scale_of(float(np.abs(weights).max(initial=0)), self.widths[0], signed=True)
        inputs = scale_of(float(self.peak), self.widths[1], signed=bool(self.below))
        self.calls += self.training
        codes = inputs.codes(rows_of(op, x.astype(np.float32), 1)[0])
        matrix = self._matrix(analog, scale.codes(weights), codes, signed=inputs.signed)
        result = matrix.multiply(codes, self.calls) * (scale.step * inputs.step)
        return shaped(op, result[np.newaxis], [] if bias is None else [bias], 1).reshape(exact.shape)

    def _matrix(self, analog: Analog, weights: Any, codes: Any, *, signed: bool) -> Matrix:
        of = known_of(analog.device, analog.wire_ohm)
        ohm, name = analog.wire_ohm or 0.0, (self.name, self.calls)
        effects = Effects(analog.device, of, self.seconds, self.seed, ohm, analog.compensated)
        ranges = None
        if analog.form.range == "samples":
            ranges = Matrix(analog.form, weights, analog.pieces, signed=signed).calibrated(codes)
        return Matrix(
            analog.form, weights, analog.pieces, signed=signed, effects=effects, name=name, ranges=ranges
        )

    def _op(self, given: tuple[int, ...], made: tuple[int, ...], weight: tuple[int, ...]) -> Op:
        """The layer as an op of a trace."""
        layer = self.layer
        attributes: dict[str, Any] = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 1}
        if not isinstance(layer, torch.nn.Linear):
            pads = tuple(layer.padding)
            attributes = {
                "kernel_shape": tuple(layer.kernel_size),
                "strides": tuple(layer.stride),
                "pads": (*pads, *pads),
                "dilations": tuple(layer.dilation),
                "group": layer.groups,
            }
        type_ = "Gemm" if isinstance(layer, torch.nn.Linear) else "Conv"
        operands = (Operand("activation", Tensor(given), "x"), Operand("weight", Tensor(weight)))
        return Op(self.name, type_, operands, (Tensor(made),), attributes)


def on_arrays(model: torch.nn.Module, chip: Chip, *, seconds: float = 0.0, seed: int = 1) -> torch.nn.Module:
    """Return a copy of a model whose Linear and Conv layers compute on a chip's arrays.

    In training the range of each layer's inputs is the largest magnitude seen so far; then it stays. A layer that was
    never in training takes the first input's. A converter's range by samples is each call's own.

    Parameters
    ----------
    model : torch.nn.Module
        The model; it is not changed.
    chip : Chip
        With tiles of arrays; the first such sites do all layers.
    seconds : float
        Since the weights were written.
    seed : int
        Of what is drawn: in training anew for each call, in evaluation the same for all.

    Raises
    ------
    ConfigError
        If the chip has no arrays, or a convolution pads by a word or with something else than zeros.
    """
    kind = next((each for each in kinds_of(chip.config).values() if _has_arrays(each)), None)
    if kind is None:
        raise ConfigError(
            f"found no tiles of arrays in {chip.config.name}", where="sites", mend="take another chip"
        )
    widths = chip.config.precision.weight_bits, chip.config.precision.input_bits
    made = copy.deepcopy(model)
    for name, layer in list(made.named_modules()):
        if not isinstance(layer, (torch.nn.Linear, *CONVOLUTIONS)):
            continue
        if isinstance(layer, CONVOLUTIONS) and (
            layer.padding_mode != "zeros" or isinstance(layer.padding, str)
        ):
            padding = f"padding={layer.padding!r}, padding_mode={layer.padding_mode!r}"
            raise ConfigError(
                f"found {padding}, expected numbers of zeros", where=name or type(layer).__name__
            )
        analog = OnArrays(layer, kind, widths, seconds, seed, name)
        if not name:
            return analog
        *above, last = name.split(".")
        setattr(made.get_submodule(".".join(above)), last, analog)
    return made


def _has_arrays(kind: Kind) -> bool:
    return type(kind).analog is not Kind.analog
