"""Small traces with symbols: one head of attention with a cache, and a layer of experts."""

from __future__ import annotations

from typing import Any

from pimsim.trace import Op, Operand, Tensor, Trace
from pimsim.trace.symbols import rows_symbol

Size = int | str


def tensor(*shape: Size) -> Tensor:
    return Tensor(shape)  # type: ignore[arg-type]


def act(source: str, *shape: Size, index: int = 0) -> Operand:
    return Operand("activation", tensor(*shape), source, index)


def attention_ops() -> list[Op]:
    """One head of four features: q times the keys of before and now, the last kv+1 of them sliced off."""
    cache = Operand("cache", tensor("batch", "kv", 4))
    return [
        Op("x", "Input", (), (tensor("batch", "seq", 4),)),
        Op(
            "q",
            "MatMul",
            (act("x", "batch", "seq", 4), Operand("weight", Tensor((4, 4)))),
            (tensor("batch", "seq", 4),),
        ),
        Op(
            "keys",
            "Concat",
            (cache, act("x", "batch", "seq", 4)),
            (tensor("batch", "kv+seq", 4),),
            {"axis": 1},
        ),
        Op(
            "kt",
            "Transpose",
            (act("keys", "batch", "kv+seq", 4),),
            (tensor("batch", 4, "kv+seq"),),
            {"perm": (0, 2, 1)},
        ),
        Op(
            "scores",
            "MatMul",
            (act("q", "batch", "seq", 4), act("kt", "batch", 4, "kv+seq")),
            (tensor("batch", "seq", "kv+seq"),),
        ),
        Op(
            "last",
            "Slice",
            (act("scores", "batch", "seq", "kv+seq"),),
            (tensor("batch", "seq", "kv+1"),),
            {"starts": (0,), "ends": ("kv+1",), "axes": (2,), "steps": (1,)},
        ),
    ]


def attention(**header: Any) -> Trace:
    return Trace.from_ops(
        "head", attention_ops(), header={"symbols": {"batch": None, "seq": None, "kv": None}, **header}
    )


def mixture(layers: int = 2, experts: int = 4, top: int = 2, **routing: Any) -> Trace:
    """Layers of experts, a matrix each."""
    hidden: tuple[Size, ...] = ("batch", "seq", 6)
    choices: tuple[Size, ...] = ("batch", "seq", top)
    ops = [
        Op("x", "Input", (), (tensor(*hidden),)),
        Op("gates", "Input", (), (tensor(*choices),)),
        Op("chosen", "Input", (), (tensor(*choices),)),
    ]
    source = "x"
    for layer in range(layers):
        about = {"layer": layer, "experts": experts, "top": top}
        outs = []
        for expert in range(experts):
            rows, name = rows_symbol(layer, expert), f"l{layer}e{expert}"
            inputs = (act(source, *hidden), act("chosen", *choices))
            ops.append(Op(f"{name}.in", "Dispatch", inputs, (tensor(rows, 6),), {**about, "expert": expert}))
            weight = Operand("weight", Tensor((6, 6)))
            ops.append(Op(name, "MatMul", (act(f"{name}.in", rows, 6), weight), (tensor(rows, 6),)))
            outs.append(act(name, rows, 6))
        source = f"l{layer}"
        ops.append(Op(source, "Combine", (act("gates", *choices), *outs), (tensor(*hidden),), about))
    header = {
        "symbols": {"batch": None, "seq": None},
        "routing": {"experts": experts, "top": top, **routing},
    }
    return Trace.from_ops("mixture", ops, header=header)
