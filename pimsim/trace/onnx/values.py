"""The values of an ONNX graph: their forms, which are constant, which are another by name, and which are read."""

from __future__ import annotations

from pimsim.errors import TraceError
from pimsim.trace.onnx.constants import Constants
from pimsim.trace.onnx.numbers import Chosen
from pimsim.trace.tensor import Tensor


class Values:
    """What the conversion of a node asks of its graph.

    Attributes
    ----------
    where : str
        The file.
    opset : int
        Version of ONNX's operators.
    constants : Constants
        The values that depend on no input.
    aliases : dict
        Values that are another one, under a name of their own (a Cast, an Identity, the result of a body).
    quantized : dict
        Values that were quantized, and to how many bits.
    sequences : dict
        Lists of values, by name.
    chosen : Chosen
        What was said of Ifs and Loops.
    odd : dict
        Values that say where another is no number, and which.
    real : dict
        Complex values whose imaginary part is zero, and their real part.
    """

    where: str
    opset: int
    constants: Constants
    aliases: dict[str, str]
    quantized: dict[str, int]
    sequences: dict[str, list[str]]
    chosen: Chosen
    odd: dict[str, str]
    real: dict[str, str]
    _read: set[str]
    _unnamed = 0

    def is_read(self, value: str) -> bool:
        """Whether a live node reads a value, or it leaves the model."""
        return value in self._read

    def own(self, value: str) -> str:
        """Return the name under which a value was computed."""
        return self.aliases.get(value, value)

    def unnamed(self) -> str:
        """Return a name that no value of a file has."""
        self._unnamed += 1
        return f"\x00{self._unnamed}"

    def alias(self, value: str, of: str, tensor: Tensor | None = None) -> None:
        """Let a value be another one, of its form or one of its own."""
        if of in self.quantized:
            self.quantized.setdefault(value, self.quantized[of])
        of = self.aliases.get(of, of)
        self.aliases[value] = of
        self.constants.tensors[value] = self.tensor(of) if tensor is None else tensor

    def tensor(self, value: str) -> Tensor:
        """Return the form of a value.

        Raises
        ------
        TraceError
            If it is not a tensor with a whole shape.
        """
        if value not in self.constants.tensors:
            raise TraceError(f"the shape of '{value}' cannot be inferred", where=self.where)
        return self.constants.tensors[value]
