"""The values of an ONNX graph: their forms, which are constant, and which are read."""

from __future__ import annotations

from pimsim.errors import TraceError
from pimsim.trace.onnx.constants import Constants
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
    """

    where: str
    opset: int
    constants: Constants
    _read: set[str]

    def is_read(self, value: str) -> bool:
        """Whether a live node reads a value, or it leaves the model."""
        return value in self._read

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
