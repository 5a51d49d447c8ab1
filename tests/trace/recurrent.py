"""Recurrent nets, siamese nets and heads over a pyramid in ONNX, taken apart by hand: one weight read many times."""

from __future__ import annotations

from pathlib import Path

from onnx import helper

from .builders import model, zeros

make = helper.make_node


def lstm(path: Path, steps: int, size: int, hidden: int) -> Path:
    """An LSTM taken apart step by step, as exporters that know no loop do: gates i, o, f, c as ONNX orders them."""
    nodes = [make("Split", ["x"], [f"x{t}" for t in range(steps)], axis=0)] if steps > 1 else []
    h, c = "h0", "c0"
    for t in range(steps):
        s = f"s{t}_"
        nodes += [
            make("MatMul", [f"x{t}" if steps > 1 else "x", "W"], [s + "x"], name=s + "in"),
            make("MatMul", [h, "R"], [s + "h"], name=s + "back"),
            make("Add", [s + "x", s + "h"], [s + "sum"]),
            make("Add", [s + "sum", "B"], [s + "all"]),
            make("Split", [s + "all"], [s + gate for gate in "iofg"], axis=1),
            make("Sigmoid", [s + "i"], [s + "I"]),
            make("Sigmoid", [s + "o"], [s + "O"]),
            make("Sigmoid", [s + "f"], [s + "F"]),
            make("Tanh", [s + "g"], [s + "G"]),
            make("Mul", [s + "F", c], [s + "kept"]),
            make("Mul", [s + "I", s + "G"], [s + "new"]),
            make("Add", [s + "kept", s + "new"], [s + "c"]),
            make("Tanh", [s + "c"], [s + "tanh"]),
            make("Mul", [s + "O", s + "tanh"], [s + "out"]),
        ]
        h, c = s + "out", s + "c"
    arrays = {"W": zeros(size, 4 * hidden), "R": zeros(hidden, 4 * hidden), "B": zeros(4 * hidden)}
    inputs = {"x": [steps, size], "h0": [1, hidden], "c0": [1, hidden]}
    return model(path, nodes, inputs, {h: [1, hidden]}, arrays, opset=13)


def heads(path: Path, levels: tuple[int, ...], norms: int) -> Path:
    """A detection head over levels of a pyramid: one Conv for all; `norms` normalizations behind it, shared or not.

    With one of them all levels share it, too; with as many as levels each has its own; with none there is none.
    """
    arrays = {"W": zeros(8, 4, 3, 3)}
    for n in range(norms):
        arrays |= {f"{part}{n}": zeros(8) for part in ("scale", "bias", "mean", "variance")}
    nodes, outputs = [], {}
    for level, size in enumerate(levels):
        made = f"y{level}"
        nodes.append(make("Conv", [f"x{level}", "W"], [f"c{level}" if norms else made], pads=[1, 1, 1, 1]))
        if norms:
            n = level % norms
            read = [f"{part}{n}" for part in ("scale", "bias", "mean", "variance")]
            nodes.append(make("BatchNormalization", [f"c{level}", *read], [made]))
        outputs[made] = [1, 8, size, size]
    inputs = {f"x{level}": [1, 4, size, size] for level, size in enumerate(levels)}
    return model(path, nodes, inputs, outputs, arrays, opset=15)
