"""Does a PyTorch model compute on a chip's arrays, and can it be trained there?"""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from pimsim import Chip
from pimsim.errors import ConfigError
from pimsim.presets import folder

torch = pytest.importorskip("torch", reason="layers are PyTorch's")
pytestmark = pytest.mark.torch

on_arrays = importlib.import_module("pimsim.run.torch_layers").on_arrays

IDEAL = Chip.load("isaac", {"core.array.device": {"kind": "reram", "model": "isaac"}})


def layers() -> dict[str, torch.nn.Module]:
    return {
        "linear": torch.nn.Linear(40, 7),
        "conv1d": torch.nn.Conv1d(4, 6, 5, stride=2, padding=3, dilation=2, bias=False),
        "conv2d": torch.nn.Conv2d(4, 6, (3, 2), stride=(1, 2), padding=(1, 0), groups=2),
        "conv3d": torch.nn.Conv3d(4, 2, 2),
    }


SHAPES = {"linear": (3, 2, 40), "conv1d": (2, 4, 20), "conv2d": (2, 4, 7, 6), "conv3d": (1, 4, 3, 4, 5)}


@pytest.mark.parametrize("name", SHAPES)
def test_cells_as_written_give_the_layer_of_16_bits(name: str) -> None:
    """Of any rank, with groups, strides, dilation and padding; gradients are the layer's own."""
    torch.manual_seed(1)
    layer, x = layers()[name], torch.randn(SHAPES[name])
    made = on_arrays(layer, IDEAL)
    found, wanted = made(x), layer(x)
    assert found.shape == wanted.shape
    assert (found - wanted).abs().max() < 1e-3
    found.square().sum().backward()
    wanted.square().sum().backward()
    assert torch.allclose(made.layer.weight.grad, layer.weight.grad, rtol=1e-2, atol=1e-2)


def digits() -> torch.nn.Sequential:
    """The shipped CNN on digits, with its weights."""
    nn = torch.nn
    model = nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(256, 10)),
    )
    with np.load(folder("traces") / "digits_cnn.npz") as file, torch.no_grad():
        for number, name in ((0, "conv1"), (3, "conv2"), (7, "fc")):
            model[number].weight.copy_(torch.from_numpy(file[f"{name}.weight"]))
            model[number].bias.copy_(torch.from_numpy(file[f"{name}.bias"]))
    return model


def test_the_digits_on_drifting_cells_and_what_training_there_wins() -> None:
    """Cells that shrink by a year cost accuracy; some steps of training on such cells win most of it back."""
    with np.load(folder("traces") / "digits_cnn.npz") as file:
        x, labels = torch.from_numpy(file["images"]), torch.from_numpy(file["labels"].astype(np.int64))
    chip = Chip.load("hermes64", {"core.coding.drift_compensation": "none"})
    made = on_arrays(digits(), chip, seconds=3.15e7)
    made.train()
    made(x[:64])  # sees the ranges of inputs
    made.eval()
    before = torch.nn.functional.cross_entropy(made(x[:120]), labels[:120]).item()
    again = torch.nn.functional.cross_entropy(made(x[:120]), labels[:120]).item()
    assert before == again
    steps = torch.optim.Adam(made.parameters(), lr=2e-3)
    made.train()
    for number in range(12):
        part = slice(120 + 20 * number, 140 + 20 * number)
        steps.zero_grad()
        torch.nn.functional.cross_entropy(made(x[part]), labels[part]).backward()
        steps.step()
    made.eval()
    after = torch.nn.functional.cross_entropy(made(x[:120]), labels[:120]).item()
    assert after < 0.8 * before


def test_what_is_no_layer_for_arrays() -> None:
    with pytest.raises(ConfigError, match="no tiles of arrays in a100"):
        on_arrays(digits(), Chip.load("a100"))
    with pytest.raises(ConfigError, match=r"0: found padding=.*'reflect', expected numbers of zeros"):
        on_arrays(torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect")), IDEAL)
