"""One parameter of a PyTorch model that is read several times is one weight, tied ones too."""

from __future__ import annotations

from typing import Any

import pytest

from pimsim.errors import TraceError
from pimsim.report.trace_table import rows_of, totals_of
from pimsim.trace import Trace, from_torch

torch = pytest.importorskip("torch", reason="exporting needs the package torch")
nn = torch.nn
pytestmark = pytest.mark.torch


def weights(trace: Trace) -> list[tuple[str | None, bool]]:
    return [(op.weight.name, op.weight.turned) for op in trace.ops if op.weight is not None]


class Tied(nn.Module):
    """A table that is the last layer, too, and one layer four times, the last time turned."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 16)
        self.layer = nn.Linear(16, 16, bias=False)
        self.same = self.layer
        self.last = nn.Linear(16, 50, bias=False)
        self.last.weight = self.table.weight

    def forward(self, ids: Any) -> Any:
        x = self.table(ids)
        for _ in range(2):
            x = torch.relu(self.layer(x))
        x = self.same(x) @ self.layer.weight
        return self.last(x)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_tied_parameters_are_one(device: str) -> None:
    """By formula: one matrix of 16 x 16 and one of 50 x 16."""
    with torch.device(device):
        trace = from_torch(Tied(), torch.zeros(1, 4, dtype=torch.long))
    assert trace.weights == 16 * 16 + 50 * 16
    names = weights(trace)
    assert len({name for name, _ in names}) == 2
    assert [turned for _, turned in names] == [True, True, True, False, True]
    assert totals_of(trace, rows_of(trace))["params"] == 16 * 16 + 50 * 16


class Unrolled(nn.Module):
    """A cell step by step, with the gates' products taken apart."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.RNNCell(8, 16)

    def forward(self, x: Any, h: Any) -> Any:
        for t in range(x.shape[0]):
            h = torch.tanh(
                nn.functional.linear(x[t], self.cell.weight_ih, self.cell.bias_ih)
                + nn.functional.linear(h, self.cell.weight_hh, self.cell.bias_hh)
            )
        return h


def test_an_unrolled_cell_has_the_weights_of_one_step() -> None:
    trace = from_torch(Unrolled(), (torch.zeros(5, 1, 8), torch.zeros(1, 16)))
    assert trace.weights == 16 * 8 + 16 * 16
    assert trace.macs == 5 * (16 * 8 + 16 * 16)


def test_what_is_computed_alike_of_a_parameter_is_one() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.v, self.g = nn.Parameter(torch.zeros(16, 16)), nn.Parameter(torch.zeros(16))

        def forward(self, x: Any) -> Any:
            for _ in range(3):
                x = x @ (self.v * self.g)
            return x @ (self.v * 2)

    trace = from_torch(Scaled(), torch.zeros(2, 16))
    assert trace.weights == 2 * 256


def test_further_outputs_can_be_the_models() -> None:
    class Halves(nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.relu(x).chunk(2, dim=1)

    trace = from_torch(Halves(), torch.zeros(2, 8))
    assert [trace.by_name[name].output.shape for name in trace.outputs] == [(2, 4), (2, 4)]


@pytest.mark.parametrize("allow_unknown", [False, True])
def test_what_computes_is_refused_with_the_flag_too(allow_unknown: bool) -> None:
    class Distances(nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.cdist(x, x)

    with pytest.raises(TraceError, match="that compute") as failure:
        from_torch(Distances(), torch.zeros(4, 6), allow_unknown=allow_unknown)
    assert "--allow-unknown" not in str(failure.value)


class Norms(nn.Module):
    """Two normalizations of one tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.LayerNorm(16), nn.LayerNorm(16)

    def forward(self, x: Any) -> Any:
        return self.one(x) @ self.other(x).transpose(1, 2)


@pytest.mark.parametrize(("device", "same"), [("cpu", True), ("meta", False)])
def test_vectors_of_equal_values_are_one(device: str, same: bool) -> None:
    """So PyTorch's ONNX exporter stores them; without values, or with others, they are two."""
    with torch.device(device):
        model, x = Norms(), torch.zeros(1, 4, 16)

    def norms() -> int:
        return sum(op.type == "LayerNormalization" for op in from_torch(model, x).ops)

    assert norms() == (1 if same else 2)
    with torch.no_grad():
        model.other.weight.mul_(2)
    assert norms() == 2
