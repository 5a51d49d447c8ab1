"""Changing the fields of an ONNX model at random."""

from __future__ import annotations

from random import Random
from typing import Any

from google.protobuf.message import Message
from onnx import ModelProto

from .mutate import ODD_TEXTS

NUMBERS = (0, -1, 1, 2, 3, 5, 8, 13, 14, 16, 17, 21, 23, 25, 30, 77, 1000, 2**31 - 1, -(2**31))
LARGE = (2**33, 10**12, 2**62, 2**63 - 1, -(2**63))
OPS = (
    "Relu",
    "Add",
    "MatMul",
    "Conv",
    "Odd",
    "Concat",
    "Split",
    "Reshape",
    "Expand",
    "Tile",
    "Loop",
    "Pad",
    "Range",
)
OPS += (
    "ConstantOfShape",
    "Squeeze",
    "Unsqueeze",
    "TopK",
    "NonZero",
    "Einsum",
    "LSTM",
    "Where",
    "QLinearConv",
    "OneHot",
)


def changed_model(rng: Random, raw: bytes) -> bytes:
    """Return a serialized model with one to four fields changed, removed, doubled or exchanged."""
    model = ModelProto.FromString(raw)
    for _ in range(rng.randint(1, 4)):
        _change(rng, rng.choice(_messages(model)), model)
    return model.SerializeToString()


def _messages(message: Any) -> list[Any]:
    found = [message]
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if field.is_repeated else [value]:
                found += _messages(inner)
    return found


def _change(rng: Random, message: Message, model: Any) -> None:
    field = rng.choice(message.DESCRIPTOR.fields)
    if rng.random() < 0.6:  # rather one that is there
        there = [each for each, _ in message.ListFields()]
        field = rng.choice(there) if there else field
    value = getattr(message, field.name)
    if field.is_repeated:
        _change_list(rng, field, value)
    elif field.message_type is not None:
        message.ClearField(field.name) if rng.random() < 0.5 else value.SetInParent()
    else:
        setattr(message, field.name, _scalar(rng, field, value, model))


def _change_list(rng: Random, field: Any, value: Any) -> None:
    action = rng.randrange(4)
    if action == 0 and len(value):
        del value[rng.randrange(len(value))]
    elif field.message_type is not None:
        if len(value) and action == 1:
            value.add().CopyFrom(rng.choice(value))
        elif len(value) > 1:
            first, second = rng.sample(range(len(value)), 2)
            kept = type(value[first])()
            kept.CopyFrom(value[first])
            value[first].CopyFrom(value[second])
            value[second].CopyFrom(kept)
        else:
            value.add()
    elif len(value) and action < 3:
        value[rng.randrange(len(value))] = _scalar(rng, field, value[0], None)
    else:
        value.append(_scalar(rng, field, None, None))


def _scalar(rng: Random, field: Any, value: Any, model: Any) -> Any:
    """Return a value of a field's type."""
    kind = field.cpp_type
    if kind in (field.CPPTYPE_INT64, field.CPPTYPE_INT32, field.CPPTYPE_ENUM):
        number = rng.choice(NUMBERS if kind != field.CPPTYPE_INT64 or rng.random() < 0.7 else LARGE)
        if kind == field.CPPTYPE_ENUM:
            return rng.choice(field.enum_type.values).number
        return number
    if kind == field.CPPTYPE_UINT64:
        return abs(rng.choice(NUMBERS))
    if kind in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return rng.choice((0.0, -1.5, 1e30, 1e-30, float("nan"), float("inf")))
    if field.type == field.TYPE_BYTES:
        return rng.choice(
            (b"", b"\xff", value + b"\0" if isinstance(value, bytes) else b"x", rng.randbytes(9))
        )
    texts = [text for text in ODD_TEXTS if text.isascii() or text == "é"]
    names = [name for node in model.graph.node for name in (*node.input, *node.output)] if model else []
    return rng.choice((*texts, *OPS, *names))
