"""The ONNX exporter on small models, each built for one question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from pimsim.errors import TraceError
from pimsim.trace import Op, Trace
from pimsim.trace.onnx.export import from_onnx

from .builders import model, zeros

node = helper.make_node
BN = {name: zeros(4) for name in ("scale", "bias", "mean", "var")}


def conv_bn(path: Path, nodes: list[Any], outputs: dict[str, list[Any] | None], **arrays: Any) -> Trace:
    """A Conv of x (1x3x8x8) into c (1x4x6x6) and what follows."""
    first = node("Conv", ["x", "w"], ["c"], name="conv")
    made = model(
        path, [first, *nodes], {"x": [1, 3, 8, 8]}, outputs, {"w": zeros(4, 3, 3, 3), **BN, **arrays}
    )
    return from_onnx(made)


def types(trace: Trace) -> list[str]:
    return [op.type for op in trace.ops if op.type != "Input"]


def only(trace: Trace, type_: str) -> Op:
    (found,) = (op for op in trace.ops if op.type == type_)
    return found


def normalization(source: str, target: str) -> Any:
    return node("BatchNormalization", [source, "scale", "bias", "mean", "var"], [target], name=target)


OUT = [1, 4, 6, 6]


class TestFolding:
    def test_into_the_conv_which_gains_a_bias(self, tmp_path: Path) -> None:
        nodes = [normalization("c", "n"), node("Relu", ["n"], ["y"])]
        trace = conv_bn(tmp_path / "m.onnx", nodes, {"y": OUT})
        assert types(trace) == ["Conv", "Relu"]
        conv = only(trace, "Conv")
        assert conv.name == "conv"
        assert [(operand.role, operand.tensor.shape) for operand in conv.inputs[1:]] == [
            ("weight", (4, 3, 3, 3)),
            ("constant", (4,)),
        ]
        assert only(trace, "Relu").deps == ("conv",)

    def test_the_last_op_of_the_model(self, tmp_path: Path) -> None:
        trace = conv_bn(tmp_path / "m.onnx", [normalization("c", "n")], {"n": OUT})
        assert types(trace) == ["Conv"]
        assert trace.outputs == ("conv",)

    def test_not_if_another_op_reads_the_conv(self, tmp_path: Path) -> None:
        nodes = [normalization("c", "n"), node("Add", ["n", "c"], ["y"])]
        trace = conv_bn(tmp_path / "m.onnx", nodes, {"y": OUT})
        assert types(trace) == ["Conv", "BatchNormalization", "Add"]
        assert len(only(trace, "Conv").inputs) == 2

    def test_not_if_the_conv_is_an_output(self, tmp_path: Path) -> None:
        trace = conv_bn(tmp_path / "m.onnx", [normalization("c", "n")], {"n": OUT, "c": OUT})
        assert types(trace) == ["Conv", "BatchNormalization"]

    def test_scale_and_shift_follow(self, tmp_path: Path) -> None:
        nodes = [
            normalization("c", "n"),
            node("Unsqueeze", ["s", "axes"], ["s2"]),
            node("Mul", ["s2", "n"], ["m"]),
            node("Add", ["m", "one"], ["y"]),
        ]
        arrays = {"s": zeros(4), "axes": np.array([1, 2]), "one": zeros(1)}
        assert types(conv_bn(tmp_path / "m.onnx", nodes, {"y": OUT}, **arrays)) == ["Conv"]

    def test_scales_fold_into_a_normalization(self, tmp_path: Path) -> None:
        nodes = [
            node("Relu", ["c"], ["r"]),
            normalization("r", "n"),
            node("Mul", ["n", "s"], ["m"]),
            node("Add", ["m", "s"], ["y"]),
        ]
        trace = conv_bn(tmp_path / "m.onnx", nodes, {"y": OUT}, s=zeros(4, 1, 1))
        assert types(trace) == ["Conv", "Relu", "BatchNormalization"]

    @pytest.mark.parametrize("shape", [(6,), (1, 4, 6, 6), (1, 1, 6, 1)])
    def test_not_a_constant_that_differs_within_a_channel(
        self, tmp_path: Path, shape: tuple[int, ...]
    ) -> None:
        trace = conv_bn(tmp_path / "m.onnx", [node("Mul", ["c", "s"], ["y"])], {"y": OUT}, s=zeros(*shape))
        assert types(trace) == ["Conv", "Mul"]

    def test_not_a_constant_minus_the_activation(self, tmp_path: Path) -> None:
        trace = conv_bn(tmp_path / "m.onnx", [node("Sub", ["s", "c"], ["y"])], {"y": OUT}, s=zeros(4, 1, 1))
        assert types(trace) == ["Conv", "Sub"]

    def test_not_a_normalization_that_trains(self, tmp_path: Path) -> None:
        names = ["c", "scale", "bias", "mean", "var"]
        training = node("BatchNormalization", names, ["y", "m2", "v2"], training_mode=1)
        with pytest.raises(TraceError, match="BatchNormalization 'y': is in training mode"):
            conv_bn(tmp_path / "m.onnx", [training], {"y": OUT})

    def test_identity_and_dropout_vanish(self, tmp_path: Path) -> None:
        nodes = [node("Identity", ["c"], ["i"]), node("Dropout", ["i"], ["d"]), normalization("d", "n")]
        trace = conv_bn(tmp_path / "m.onnx", nodes, {"n": OUT})
        assert types(trace) == ["Conv"]


class TestConstants:
    def test_a_computed_weight_is_a_weight(self, tmp_path: Path) -> None:
        """Filled, transposed and scaled; 10^10 elements must not be allocated."""
        fill = helper.make_tensor("v", TensorProto.FLOAT, [1], [0.5])
        nodes = [
            node("ConstantOfShape", ["shape"], ["w0"], value=fill),
            node("Transpose", ["w0"], ["w1"]),
            node("Mul", ["w1", "two"], ["w2"]),
            node("MatMul", ["x", "w2"], ["y"], name="mm"),
        ]
        arrays = {"shape": np.array([100_000, 100_000]), "two": zeros(1)}
        made = model(tmp_path / "m.onnx", nodes, {"x": [2, 100_000]}, {"y": [2, 100_000]}, arrays)
        trace = from_onnx(made)
        weight = trace.by_name["mm"].weight
        assert weight is not None
        assert weight.tensor.shape == (100_000, 100_000)
        assert trace.macs == 2 * 100_000 * 100_000
        assert trace.header["weights"] == "constant"

    def test_stored_weights(self, tmp_path: Path) -> None:
        trace = conv_bn(tmp_path / "m.onnx", [], {"c": OUT})
        assert trace.header["weights"] == "trained"

    def test_weights_in_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        path = tmp_path / "m.onnx"
        conv_bn(path, [], {"c": OUT})
        loaded = onnx.load(path)
        tensor = next(tensor for tensor in loaded.graph.initializer if tensor.name == "w")
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="weights.bin")
        path.write_bytes(loaded.SerializeToString())
        trace = from_onnx(path)
        assert trace.header["weights"] == "absent"
        assert trace.macs == 4 * 6 * 6 * 3 * 9

    def test_a_shape_computed_from_a_shape(self, tmp_path: Path) -> None:
        """As torch exports x.view(x.shape[0], -1), by steps that ONNX's own inference does not follow."""
        nodes = [
            node("Shape", ["x"], ["s"]),
            node("Gather", ["s", "zero"], ["b"]),
            node("Cast", ["b"], ["f"], to=TensorProto.FLOAT),
            node("Ceil", ["f"], ["g"]),
            node("Cast", ["g"], ["h"], to=TensorProto.INT64),
            node("Concat", ["h", "minus"], ["target"], axis=0),
            node("Reshape", ["x", "target"], ["r"]),
            node("Gemm", ["r", "w"], ["y"]),
        ]
        arrays = {"zero": np.array([0]), "minus": np.array([-1]), "w": zeros(12, 5)}
        trace = from_onnx(model(tmp_path / "m.onnx", nodes, {"x": [2, 3, 4]}, {"y": None}, arrays))
        assert types(trace) == ["Reshape", "Gemm"]
        assert trace.by_name["y"].output.shape == (2, 5)

    def test_a_matmul_of_two_activations(self, tmp_path: Path) -> None:
        nodes = [node("MatMul", ["q", "k"], ["s"]), node("Softmax", ["s"], ["y"])]
        made = model(tmp_path / "m.onnx", nodes, {"q": [2, 5, 8], "k": [2, 8, 7]}, {"y": [2, 5, 7]})
        trace = from_onnx(made)
        matmul = only(trace, "MatMul")
        assert matmul.weight is None
        assert matmul.macs == 2 * 5 * 8 * 7
        assert trace.header["weights"] == "absent"
        assert only(trace, "Softmax").attributes == {"axis": 2}


class TestUnknownOps:
    def nodes(self) -> list[Any]:
        return [
            node("Fancy", ["c"], ["f"], domain="my.ops", name="fancy"),
            node("Fancy", ["f"], ["g"], domain="my.ops"),
            node("Mystery", ["g"], ["h"]),
            node("Det", ["h"], ["s"]),
            node("Relu", ["s"], ["y"]),
        ]

    def write(self, path: Path, value_info: bool = True) -> Path:
        first = node("Conv", ["x", "w"], ["c"])
        made = model(
            path,
            [first, *self.nodes()],
            {"x": [1, 3, 8, 8]},
            {"y": OUT},
            {"w": zeros(4, 3, 3, 3)},
            domains=("my.ops",),
        )
        if value_info:
            loaded = onnx.load(made)
            infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, OUT) for name in "fghs"]
            loaded.graph.value_info.extend(infos)
            path.write_bytes(loaded.SerializeToString())
        return made

    def test_are_refused_and_all_listed(self, tmp_path: Path) -> None:
        with pytest.raises(TraceError) as caught:
            from_onnx(self.write(tmp_path / "m.onnx"))
        assert "Det (1), Mystery (1), my.ops:Fancy (2)" in str(caught.value)
        assert "--allow-unknown" in str(caught.value)

    def test_become_data_movement(self, tmp_path: Path) -> None:
        trace = from_onnx(self.write(tmp_path / "m.onnx"), allow_unknown=True)
        assert types(trace) == ["Conv", *["DataMovement"] * 4, "Relu"]
        assert trace.by_name["fancy"].attributes == {"onnx_type": "my.ops:Fancy"}
        assert trace.by_name["fancy"].macs == 0
        assert any("my.ops:Fancy (2)" in note for note in trace.header["notes"])

    def test_need_a_shape(self, tmp_path: Path) -> None:
        with pytest.raises(TraceError, match=r"shape of 'f' .* cannot be inferred.*value_info"):
            from_onnx(self.write(tmp_path / "m.onnx", value_info=False), allow_unknown=True)


class TestWindows:
    def pool(self, path: Path, shape: list[int], **attributes: Any) -> Op:
        nodes = [node("MaxPool", ["x"], ["y"], **attributes)]
        return only(from_onnx(model(path, nodes, {"x": shape}, {"y": None})), "MaxPool")

    @pytest.mark.parametrize(
        ("auto_pad", "pads"),
        [("SAME_UPPER", (0, 0, 1, 1)), ("SAME_LOWER", (1, 1, 0, 0)), ("VALID", (0, 0, 0, 0))],
    )
    def test_automatic_padding(self, tmp_path: Path, auto_pad: str, pads: tuple[int, ...]) -> None:
        """SAME gives ceil(8/2) = 4, which needs (4-1)*2 + 3 = 9 = 8 + 1; UPPER puts the odd one last."""
        nodes = [node("Conv", ["x", "w"], ["y"], auto_pad=auto_pad, strides=[2, 2])]
        made = model(tmp_path / "m.onnx", nodes, {"x": [1, 3, 8, 8]}, {"y": None}, {"w": zeros(4, 3, 3, 3)})
        conv = only(from_onnx(made), "Conv")
        assert conv.attributes["pads"] == pads
        size = 3 if auto_pad == "VALID" else 4
        assert conv.output.shape == (1, 4, size, size)
        assert conv.attributes["kernel_shape"] == (3, 3)
        assert conv.attributes["dilations"] == (1, 1)
        assert conv.attributes["group"] == 1

    @pytest.mark.parametrize(("ceil_mode", "size"), [(0, 3), (1, 4)])
    def test_ceil_mode(self, tmp_path: Path, ceil_mode: int, size: int) -> None:
        """(8 - 3) / 2 + 1 = 3.5, rounded down or up."""
        op = self.pool(
            tmp_path / "m.onnx", [1, 1, 8, 8], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=ceil_mode
        )
        assert op.output.shape == (1, 1, size, size)
        assert op.attributes["ceil_mode"] == ceil_mode

    @pytest.mark.parametrize("case", range(40))
    def test_sizes_agree_with_onnx(self, tmp_path: Path, case: int) -> None:
        """The exporter takes the shape from ONNX's inference and the trace's rule must agree with it."""
        draw = np.random.default_rng(case)
        kernel = draw.integers(1, 5, 2).tolist()
        op = self.pool(
            tmp_path / "m.onnx",
            [1, 2, *draw.integers(9, 20, 2).tolist()],
            kernel_shape=kernel,
            strides=draw.integers(1, 5, 2).tolist(),
            dilations=draw.integers(1, 3, 2).tolist(),
            pads=[int(draw.integers(0, k)) for k in (*kernel, *kernel)],
            ceil_mode=int(draw.integers(0, 2)),
        )
        assert op.output.elements > 0

    def test_a_window_that_starts_in_the_padding_does_not_count(self, tmp_path: Path) -> None:
        """Expected: ONNX's documentation of MaxPool and its evaluator; ONNX's shape inference differs."""
        attributes = {"kernel_shape": [3], "strides": [4], "dilations": [2], "pads": [2, 2], "ceil_mode": 1}
        nodes = [node("MaxPool", ["x"], ["p"], **attributes), node("Relu", ["p"], ["y"])]
        path = model(tmp_path / "m.onnx", nodes, {"x": [1, 1, 14]}, {"y": [1, 1, None]})
        (expected,) = ReferenceEvaluator(onnx.load(path)).run(None, {"x": zeros(1, 1, 14)})
        assert from_onnx(path).by_name["y"].output.shape == expected.shape == (1, 1, 4)

    def test_grouped_and_depthwise(self, tmp_path: Path) -> None:
        nodes = [
            node("Conv", ["x", "w1"], ["a"], group=2, name="grouped"),
            node("Conv", ["a", "w2"], ["y"], group=6, name="depthwise"),
        ]
        arrays = {"w1": zeros(6, 2, 1, 1), "w2": zeros(6, 1, 3, 3)}
        trace = from_onnx(model(tmp_path / "m.onnx", nodes, {"x": [1, 4, 5, 5]}, {"y": None}, arrays))
        assert types(trace) == ["Conv", "Conv"]
        assert trace.by_name["grouped"].macs == 6 * 25 * 2
        assert trace.by_name["depthwise"].macs == 6 * 9 * 9


class TestDimensions:
    NODES = (node("Relu", ["x"], ["y"]),)

    def test_a_symbolic_batch_is_one_and_said(self, tmp_path: Path) -> None:
        made = model(tmp_path / "m.onnx", list(self.NODES), {"x": ["N", 3]}, {"y": ["N", 3]})
        trace = from_onnx(made)
        assert trace.by_name["y"].output.shape == (1, 3)
        assert trace.header["symbols"] == {"N": 1}
        assert trace.header["notes"] == ["symbolic dimension 'N' of 'x' bound to 1 by default"]

    def test_bound(self, tmp_path: Path) -> None:
        made = model(
            tmp_path / "m.onnx", list(self.NODES), {"x": ["N", "seq", None]}, {"y": ["N", "seq", None]}
        )
        trace = from_onnx(made, bindings={"N": 2, "seq": 7, "x[2]": 5})
        assert trace.by_name["y"].output.shape == (2, 7, 5)
        assert trace.header["symbols"] == {"N": 2, "seq": 7, "x[2]": 5}
        assert trace.header["notes"] == []

    def test_unbound(self, tmp_path: Path) -> None:
        made = model(tmp_path / "m.onnx", list(self.NODES), {"x": ["N", "seq", None]}, {"y": None})
        trace = from_onnx(made)
        assert trace.by_name["y"].output.shape == (1, "seq", "x[2]")
        assert trace.header["symbols"] == {"seq": None, "x[2]": None, "N": 1}

    def test_a_binding_for_nothing(self, tmp_path: Path) -> None:
        made = model(tmp_path / "m.onnx", list(self.NODES), {"x": ["batch", 3]}, {"y": None})
        with pytest.raises(TraceError, match=r"no symbolic dimension 'bach'; did you mean 'batch'"):
            from_onnx(made, bindings={"bach": 1})

    def test_sizes_that_do_not_fit(self, tmp_path: Path) -> None:
        made = model(
            tmp_path / "m.onnx", [node("MatMul", ["a", "b"], ["y"])], {"a": [2, 3], "b": [4, 5]}, {"y": None}
        )
        with pytest.raises(TraceError, match=r"m\.onnx: shapes do not fit one another"):
            from_onnx(made)


OPS: list[tuple[Any, list[int], dict[str, Any], dict[str, Any], int]] = [
    (node("Clip", ["x", "", "hi"], ["y"]), [2, 3], {"hi": np.float32(6)}, {"min": None, "max": 6.0}, 17),
    (node("Clip", ["x"], ["y"], min=0.0, max=6.0), [2, 3], {}, {"min": 0.0, "max": 6.0}, 9),
    (node("LeakyRelu", ["x"], ["y"]), [2, 3], {}, {"alpha": 0.01}, 17),
    (
        node("LRN", ["x"], ["y"], size=5),
        [1, 8, 3, 3],
        {},
        {"size": 5, "alpha": 1e-4, "beta": 0.75, "bias": 1.0},
        17,
    ),
    (node("Gelu", ["x"], ["y"]), [2, 3], {}, {"approximate": "none"}, 20),
    (node("HardSwish", ["x"], ["y"]), [2, 3], {}, {}, 17),
    (node("Concat", ["x", "c"], ["y"], axis=-1), [2, 3], {"c": zeros(2, 1)}, {"axis": 1}, 17),
    (node("Flatten", ["x"], ["y"], axis=-1), [2, 3, 4], {}, {"axis": 2}, 17),
    (node("Transpose", ["x"], ["y"]), [2, 3], {}, {"perm": (1, 0)}, 17),
    (node("Squeeze", ["x"], ["y"]), [1, 3, 1], {}, {"axes": (0, 2)}, 17),
    (node("Squeeze", ["x"], ["y"], axes=[-1]), [1, 3, 1], {}, {"axes": (2,)}, 11),
    (node("Unsqueeze", ["x", "a"], ["y"]), [2, 3], {"a": np.array([-1, 0])}, {"axes": (0, 3)}, 17),
    (node("ReduceMean", ["x"], ["y"], axes=[-1, 1]), [2, 3, 4], {}, {"axes": (1, 2), "keepdims": 1}, 17),
    (
        node("ReduceMean", ["x", "a"], ["y"], keepdims=0),
        [2, 3],
        {"a": np.array([1])},
        {"axes": (1,), "keepdims": 0},
        18,
    ),
    (
        node("Pad", ["x", "p"], ["y"]),
        [2, 3],
        {"p": np.array([0, 1, 0, 2])},
        {"pads": (0, 1, 0, 2), "mode": "constant"},
        17,
    ),
    (
        node("Slice", ["x", "s", "e", "a", "t"], ["y"]),
        [4, 9],
        {"s": np.array([-1]), "e": np.array([-100]), "a": np.array([-1]), "t": np.array([-2])},
        {"starts": (8,), "ends": (-1,), "axes": (1,), "steps": (-2,)},
        17,
    ),
    (
        node("Slice", ["x"], ["y"], starts=[1], ends=[2**31 - 1]),
        [4, 9],
        {},
        {"starts": (1,), "ends": (4,), "axes": (0,), "steps": (1,)},
        9,
    ),
    (node("Softmax", ["x"], ["y"]), [1, 10, 1, 1], {}, {"axis": 1}, 9),
    (node("Softmax", ["x"], ["y"]), [2, 5, 10], {}, {"axis": 2}, 13),
    (node("PRelu", ["x", "s"], ["y"]), [1, 4, 3, 3], {"s": zeros(4, 1, 1)}, {}, 17),
    (
        node("LayerNormalization", ["x", "s"], ["y"]),
        [2, 5, 8],
        {"s": zeros(8)},
        {"axis": 2, "epsilon": 1e-5},
        17,
    ),
    (
        node("Resize", ["x", "", "f"], ["y"]),
        [1, 2, 4, 4],
        {"f": np.array([1, 1, 2, 2], np.float32)},
        {"mode": "nearest"},
        17,
    ),
    (
        node("Upsample", ["x", "f"], ["y"]),
        [1, 2, 4, 4],
        {"f": np.array([1, 1, 2, 2], np.float32)},
        {"mode": "nearest"},
        9,
    ),
    (
        node("Gemm", ["x", "w"], ["y"], transB=1),
        [2, 3],
        {"w": zeros(5, 3)},
        {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 1},
        17,
    ),
    (
        node("AveragePool", ["x"], ["y"], kernel_shape=[2, 2]),
        [1, 2, 4, 4],
        {},
        {
            "kernel_shape": (2, 2),
            "strides": (1, 1),
            "pads": (0, 0, 0, 0),
            "dilations": (1, 1),
            "ceil_mode": 0,
            "count_include_pad": 0,
        },
        17,
    ),
]


@pytest.mark.parametrize(
    ("made", "shape", "arrays", "attributes", "opset"), OPS, ids=lambda v: getattr(v, "op_type", "")
)
def test_attributes_are_resolved(
    tmp_path: Path,
    made: Any,
    shape: list[int],
    arrays: dict[str, Any],
    attributes: dict[str, Any],
    opset: int,
) -> None:
    """Expected values: ONNX's operator documentation. Shapes: ONNX's inference and the rule agree."""
    trace = from_onnx(model(tmp_path / "m.onnx", [made], {"x": shape}, {"y": None}, arrays, opset=opset))
    assert trace.by_name["y"].attributes == attributes


@pytest.mark.parametrize(
    "type_", ["Relu", "Sigmoid", "HardSigmoid", "Tanh", "Elu", "Erf", "Sqrt", "GlobalMaxPool"]
)
def test_unary_ops(tmp_path: Path, type_: str) -> None:
    trace = from_onnx(
        model(tmp_path / "m.onnx", [node(type_, ["x"], ["y"])], {"x": [1, 2, 3, 3]}, {"y": None})
    )
    assert types(trace) == [type_]


@pytest.mark.parametrize("type_", ["Add", "Sub", "Mul", "Div", "Pow", "Sum", "Max", "Min"])
def test_binary_ops_broadcast(tmp_path: Path, type_: str) -> None:
    inputs: dict[str, list[Any]] = {"a": [2, 1, 4], "b": [3, 1]}
    trace = from_onnx(model(tmp_path / "m.onnx", [node(type_, ["a", "b"], ["y"])], inputs, {"y": None}))
    assert trace.by_name["y"].output.shape == (2, 3, 4)


def test_split_and_names(tmp_path: Path) -> None:
    """Nodes with one name, or with an input's, stay apart; one without is called as its first output."""
    nodes = [
        node("Split", ["x"], ["a", "b"], axis=-1, name="x"),
        node("Relu", ["b"], ["r"], name="same"),
        node("Relu", ["a"], ["s"], name="same"),
        node("Add", ["r", "s"], ["y"]),
    ]
    trace = from_onnx(model(tmp_path / "m.onnx", nodes, {"x": [2, 6]}, {"y": None}, opset=13))
    assert [op.name for op in trace.ops] == ["x", "x#2", "same", "same#2", "y"]
    assert trace.by_name["x#2"].attributes == {"axis": 1}
    assert trace.by_name["same"].inputs[0].index == 1


def test_what_nobody_reads_is_left_out(tmp_path: Path) -> None:
    nodes = [node("Relu", ["x"], ["y"]), node("Sinh", ["x"], ["dead"])]
    trace = from_onnx(model(tmp_path / "m.onnx", nodes, {"x": [2], "unused": [3]}, {"y": [2]}))
    assert [op.name for op in trace.ops] == ["x", "y"]


def test_functions_of_the_model_are_inlined(tmp_path: Path) -> None:
    function = helper.make_function(
        "mine", "Twice", ["a"], ["b"], [node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    path = model(
        tmp_path / "m.onnx",
        [node("Twice", ["x"], ["y"], domain="mine")],
        {"x": [2]},
        {"y": [2]},
        domains=("mine",),
    )
    loaded = onnx.load(path)
    loaded.functions.append(function)
    path.write_bytes(loaded.SerializeToString())
    assert types(from_onnx(path)) == ["Add"]


class TestNotOnnx:
    @pytest.mark.parametrize("data", [b"", b"hello", b"schema: pimsim-trace/1\n", b"\x00" * 100, b"\x08\x03"])
    def test_other_files(self, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "m.onnx"
        path.write_bytes(data)
        with pytest.raises(TraceError, match=r"m\.onnx: not an ONNX model"):
            from_onnx(path)

    def test_missing_and_folder(self, tmp_path: Path) -> None:
        with pytest.raises(TraceError, match="cannot be read: No such file"):
            from_onnx(tmp_path / "no.onnx")
        with pytest.raises(TraceError, match="cannot be read: Is a directory"):
            from_onnx(tmp_path)

    def test_without_the_package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(TraceError, match=r"pip install 'pimsim\[onnx\]'"):
            from_onnx(tmp_path / "m.onnx")

    def test_an_element_type_that_does_not_exist(self, tmp_path: Path) -> None:
        path = model(tmp_path / "m.onnx", [node("Relu", ["x"], ["y"])], {"x": [2]}, {"y": [2]})
        loaded = onnx.load(path)
        loaded.graph.input[0].type.tensor_type.elem_type = 97
        path.write_bytes(loaded.SerializeToString())
        with pytest.raises(TraceError, match="97"):
            from_onnx(path)

    def test_truncated_or_changed(self, tmp_path: Path) -> None:
        """Cut, or with bytes changed at random: a trace, or TraceError."""
        path = tmp_path / "m.onnx"
        nodes = [normalization("c", "n"), node("Flatten", ["n"], ["f"]), node("Gemm", ["f", "g"], ["y"])]
        conv_bn(path, nodes, {"y": [1, 2]}, g=zeros(144, 2))
        whole = path.read_bytes()
        draw = np.random.default_rng(1)
        refused = accepted = 0
        for case in range(600):
            data = bytearray(whole)
            for at in draw.integers(0, 700, 1 + case % 3):
                data[at] = draw.integers(0, 256)
            path.write_bytes(data[: draw.integers(0, len(data))] if case % 4 == 0 else data)
            try:
                from_onnx(path, allow_unknown=bool(case % 2))
            except TraceError as error:
                refused += str(error).startswith(str(path))
            else:
                accepted += 1
        assert refused > 200
        assert refused + accepted == 600
