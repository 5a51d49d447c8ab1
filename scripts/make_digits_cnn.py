"""Make ``traces/digits_cnn.jsonl`` and ``.npz``: a small CNN trained on scikit-learn's digits, with all its data.

Training is in torch on one thread, seeded: the same machine gives the same weights, another one may differ in their
last bits. The sidecar holds what a functional simulation wants, each array by the name of its op:

- ``conv1.weight``, ``conv1.bias``, the same for ``conv2`` and ``fc`` (float32);
- ``images`` (float32, 0 to 1, 1x8x8) and ``labels`` (uint8): the test set, which training never saw;
- ``conv1.output`` and so on for every op (float32): activations of the first 32 test images.

    pip install pimsim torch scikit-learn
    python scripts/make_digits_cnn.py
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

SEED = 1
EPOCHS = 30
TEST_IMAGES = 360
KEPT = 32
"""Test images whose activations go into the sidecar."""


def data() -> tuple[Any, Any, Any, Any]:
    """Return images and labels to train with, then those of the test set."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32).reshape(-1, 1, 8, 8)  # scikit-learn has 0 to 16
    train, test, train_labels, test_labels = train_test_split(
        images, labels.astype(np.uint8), test_size=TEST_IMAGES, random_state=SEED, stratify=labels
    )
    return train, train_labels, test, test_labels


def network() -> Any:
    """Return the network, untrained; its modules are called as the trace's ops."""
    from torch import nn

    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 32, 3, padding=1),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(32, 64, 3, padding=1),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            dropout=nn.Dropout(0.3),
            fc=nn.Linear(256, 10),
        )
    )


def train(seed: int = SEED) -> Any:
    """Return the network trained: Adam, its rate falling to nothing, 32 images a step, labels smoothed."""
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)  # sums in one order
    torch.use_deterministic_algorithms(True)
    train_images, train_labels, _, _ = data()
    images, labels = torch.from_numpy(train_images), torch.from_numpy(train_labels).long()
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(images)).split(32):
            guesses = model(images[chosen])
            loss = torch.nn.functional.cross_entropy(guesses, labels[chosen], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    return model.eval()


def correct(model: Any) -> int:
    """Return how many of the test images it gets right."""
    import torch

    _, _, images, labels = data()
    with torch.inference_mode():
        return int((model(torch.from_numpy(images)).argmax(1).numpy() == labels).sum())


def arrays(model: Any) -> dict[str, Any]:
    """Return what the sidecar holds."""
    import torch

    _, _, images, labels = data()
    made = {name: value.detach().numpy() for name, value in model.named_parameters()}
    made |= {"images": images, "labels": labels}
    values = torch.from_numpy(images[:KEPT])
    with torch.inference_mode():
        for name, module in model.named_children():
            values = module(values)
            if name == "dropout":  # it vanishes: nothing is dropped any more
                continue
            made[f"{name}.output"] = values.numpy()
    return made


def graph() -> Any:
    """Return the trace of one image, without statistics."""
    from pimsim.trace import Op, Operand, Tensor, Trace

    window = {"strides": [2, 2], "pads": [0, 0, 0, 0], "dilations": [1, 1], "kernel_shape": [2, 2]}
    pool = {**window, "ceil_mode": 0}
    conv = {"strides": [1, 1], "pads": [1, 1, 1, 1], "dilations": [1, 1], "kernel_shape": [3, 3], "group": 1}
    gemm = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 1}
    rows: list[tuple[str, str, tuple[int, ...], dict[str, Any], tuple[int, ...]]] = [
        ("conv1", "Conv", (1, 32, 8, 8), conv, (32, 1, 3, 3)),
        ("relu1", "Relu", (1, 32, 8, 8), {}, ()),
        ("pool1", "MaxPool", (1, 32, 4, 4), pool, ()),
        ("conv2", "Conv", (1, 64, 4, 4), conv, (64, 32, 3, 3)),
        ("relu2", "Relu", (1, 64, 4, 4), {}, ()),
        ("pool2", "MaxPool", (1, 64, 2, 2), pool, ()),
        ("flatten", "Flatten", (1, 256), {"axis": 1}, ()),
        ("fc", "Gemm", (1, 10), gemm, (10, 256)),
    ]
    ops = [Op("image", "Input", (), (Tensor((1, 1, 8, 8)),))]
    for name, type_, shape, attributes, weight in rows:
        inputs = [Operand("activation", ops[-1].output, ops[-1].name)]
        if weight:
            inputs += [Operand("weight", Tensor(weight)), Operand("constant", Tensor(weight[:1]))]
        ops.append(Op(name, type_, tuple(inputs), (Tensor(shape),), attributes))
    return Trace.from_ops("digits_cnn", ops, header={"weights": "trained"})


def make(model: Any, right: int, sidecar: Path) -> Any:
    """Return the trace with statistics over all test images; the sidecar must be written."""
    import torch

    from pimsim.trace.schema import Trace
    from pimsim.trace.statistics.attach import How
    from pimsim.trace.statistics.torch import with_torch_statistics

    _, _, images, _ = data()
    origin = f"the {len(images)} test images of scikit-learn's digits"
    trace, unmatched = with_torch_statistics(
        graph(), model, torch.from_numpy(images), How(), origin, "scripts/make_digits_cnn.py"
    )
    assert not unmatched
    source = {
        "file": "scripts/make_digits_cnn.py",
        "torch": torch.__version__.partition("+")[0],
        "test_images": len(images),
        "test_images_right": right,
        "accuracy": f"{100 * right / len(images):.2f} %",
        "sidecar": sidecar.name,
        "sidecar_sha256": hashlib.sha256(sidecar.read_bytes()).hexdigest(),
    }
    header = {**trace.header, "source": source, "command": "python scripts/make_digits_cnn.py"}
    return Trace.from_ops(trace.model, trace.ops, trace.outputs, header)


def main() -> None:
    """Train, and write both files."""
    parser = argparse.ArgumentParser(description="Make traces/digits_cnn.jsonl and .npz.")
    default = Path(__file__).parents[1] / "traces" / "digits_cnn.jsonl"
    parser.add_argument(
        "-o", "--output", type=Path, default=default, help="The trace; the sidecar goes beside it."
    )
    output = parser.parse_args().output
    model = train()
    right = correct(model)
    sidecar = output.with_suffix(".npz")
    beside = output.with_suffix(f".{os.getpid()}.tmp.npz")
    np.savez_compressed(beside, **arrays(model))
    beside.replace(sidecar)
    make(model, right, sidecar).save(output)
    print(f"{output.name}: {right} of {TEST_IMAGES} test images right", file=sys.stderr)


if __name__ == "__main__":
    main()
