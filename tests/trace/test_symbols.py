"""Sizes with symbols: their text, their values, and traces that are bound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pimsim.errors import TraceError
from pimsim.trace import Op, Operand, Tensor, Trace
from pimsim.trace.bind import bind, bind_text
from pimsim.trace.symbols import parse, put
from pimsim.trace.writer import lines

from .symbolic import Size, act, attention, attention_ops, mixture, tensor
from .test_reader_fuzz import VALUES as JUNK
from .test_reader_fuzz import places


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("seq", "seq"),
        ("1 + kv", "kv+1"),
        ("seq*batch", "batch*seq"),
        ("seq+kv", "kv+seq"),
        ("seq*32", "32*seq"),
        ("seq+seq", "2*seq"),
        ("seq-1", "seq-1"),
        ("-1+seq", "seq-1"),
        ("-seq+9", "-seq+9"),
        ("kv+seq-kv", "seq"),
        ("kv*2*seq*3", "6*kv*seq"),
        ("layer3.expert5", "layer3.expert5"),
        ("3*4", 12),
        ("kv-kv", 0),
        ("(seq)", "seq"),
        ("2*(kv+3)", "2*kv+6"),
        ("seq//1", "seq"),
        ("7//2", 3),
        ("-7//2", -4),
        ("(seq+1)//2", "(seq+1)//2"),
        ("(seq+3)//2", "(seq+1)//2+1"),
        ("(2*seq+kv+5)//2", "(kv+1)//2+seq+2"),
        ("(2*seq+1)//4", "seq//2"),
        ("((seq+1)//2+1)//2", "(seq+3)//4"),
        ("3*seq//2", "(3*seq)//2"),
        ("3*(seq//2)", "3*(seq//2)"),
        ("-seq//2", "(-seq)//2"),
        ("0-seq//2", "-(seq//2)"),
        ("(kv//8)*(seq//8)+1", "(kv//8)*(seq//8)+1"),
        ("x[2]//2", "x[2]//2"),
    ],
)
def test_canonical_text(text: str, canonical: int | str) -> None:
    assert parse(text).plain() == canonical


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "+",
            "seq+",
            "seq**2",
            "seq//kv",
            "seq//0",
            "seq//-2",
            "seq/2",
            "(seq",
            "seq)",
            "()",
            "2(seq)",
            "((((((((((((((((((((((seq))))))))))))))))))))))",
            "2seq",
            "seq.",
            "seq--1",
            "seq+-1",
            "+-seq",
            "sé",
        ),
        *("seq kv", "seq*", "*seq", "1e3", "9999999999999", "a" * 1001, "-", "--1", "2147483647*2"),
    ],
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(TraceError, match="found"):
        parse(text)


NAMES = ("batch", "seq", "kv")
TERMS = st.lists(
    st.tuples(st.lists(st.sampled_from(NAMES), max_size=3), st.integers(-50, 50)), min_size=1, max_size=5
)
VALUES = st.fixed_dictionaries({name: st.integers(0, 40) for name in NAMES})


def written(terms: list[tuple[list[str], int]]) -> str:
    return "".join(f"{number:+d}" + "".join(f"*{name}" for name in names) for names, number in terms)


@given(terms=TERMS, values=VALUES)
def test_evaluation_is_python_s(terms: list[tuple[list[str], int]], values: dict[str, int]) -> None:
    text = written(terms)
    assert put(text, values) == eval(text, {}, dict(values))


@given(terms=TERMS, values=VALUES, first=st.sets(st.sampled_from(NAMES)))
def test_symbols_may_get_their_values_in_any_order(
    terms: list[tuple[list[str], int]], values: dict[str, int], first: set[str]
) -> None:
    some = {name: values[name] for name in first}
    assert put(put(written(terms), some), values) == put(written(terms), values)


TREES = st.recursive(
    st.sampled_from(NAMES) | st.integers(0, 60).map(str),
    lambda inner: (
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda parts: f"({''.join(parts)})")
        | st.tuples(inner, st.integers(1, 9)).map(lambda parts: f"({parts[0]}//{parts[1]})")
        | st.tuples(inner, inner).map(lambda parts: f"-{parts[0]}//3*2+{parts[1]}//4").map("({})".format)
    ),
    max_leaves=6,
)


@given(text=TREES, values=VALUES, first=st.sets(st.sampled_from(NAMES)))
def test_quotients_are_python_s(text: str, values: dict[str, int], first: set[str]) -> None:
    assert put(text, values) == eval(text, {}, dict(values))
    plain = parse(text).plain()
    assert put(plain, {}) == plain
    assert put(put(text, {name: values[name] for name in first}), values) == put(text, values)


def test_a_size_without_end_is_refused() -> None:
    with pytest.raises(TraceError, match="more than 1000 terms"):
        parse("*".join(f"(a{n}+b{n})" for n in range(60)))


@given(terms=TERMS)
def test_canonical_text_is_read_as_itself(terms: list[tuple[list[str], int]]) -> None:
    plain = parse(written(terms)).plain()
    assert put(plain, {}) == plain


def evaluated(trace: Trace, values: dict[str, int]) -> list[Any]:
    """What each op's sizes come to, one by one, by Python's own arithmetic."""

    def value(size: Any) -> int:
        return eval(size, {}, dict(values)) if isinstance(size, str) else size

    return [
        (
            op.name,
            [tuple(map(value, t.shape)) for t in op.tensors],
            list(map(value, op.attributes.get("ends", ()))),
        )
        for op in trace.ops
    ]


@given(batch=st.integers(1, 9), seq=st.integers(1, 300), kv=st.integers(1, 300))
def test_binding_evaluates_every_size(batch: int, seq: int, kv: int) -> None:
    values = {"batch": batch, "seq": seq, "kv": kv}
    bound = attention().bind(values)
    assert evaluated(bound, {}) == evaluated(attention(), values)
    assert bound.symbols == ()
    assert bound.header["symbols"] == values
    assert bound.macs == batch * seq * 4 * 4 + batch * seq * (kv + seq) * 4
    parts = bind(bind(attention(), {"kv": kv}, partial=True), {"seq": seq, "batch": batch})
    assert parts.ops == bound.ops
    assert parts.digest == bound.digest


def test_without_tokens_before_there_is_no_cache() -> None:
    bound = attention().bind(batch=1, seq=5, kv=0)
    assert "keys" not in bound.by_name
    assert bound.by_name["kt"].inputs == (Operand("activation", Tensor((1, 5, 4)), "x"),)
    assert bound.header["symbols"]["kv"] == 0
    assert bound.outputs == ("last",)


def test_a_concat_that_is_an_output_and_vanishes_is_replaced() -> None:
    ops = attention_ops()[:3]
    trace = Trace.from_ops("m", ops, header={"symbols": {"batch": None, "seq": None, "kv": None}})
    assert trace.outputs == ("q", "keys")
    assert trace.bind(batch=1, seq=5, kv=0).outputs == ("q", "x")


def test_a_file_keeps_symbols(tmp_path: Path) -> None:
    attention().save(tmp_path / "t.jsonl")
    again = Trace.load(tmp_path / "t.jsonl")
    assert again == attention()
    assert again.symbols == ("batch", "seq", "kv")
    assert again.digest == attention().digest


def test_sizes_become_canonical() -> None:
    ops = attention_ops()
    odd = Tensor(("batch", "seq", "seq + 1*kv"))  # type: ignore[arg-type]
    ops[4] = Op("scores", "MatMul", ops[4].inputs, (odd,))
    made = Trace.from_ops("head", ops, header={"symbols": {"batch": None, "seq": None, "kv": None}})
    assert made.ops == attention().ops


def test_nothing_is_counted_before_it_is_bound() -> None:
    trace = attention()
    assert trace.weights == 16
    with pytest.raises(
        TraceError, match=r"head: the MACs depend on symbols without a value: batch, seq, kv; say"
    ):
        _ = trace.macs
    with pytest.raises(TraceError, match="MACs depend on symbols without a value: batch, kv, seq"):
        _ = trace.by_name["scores"].macs
    with pytest.raises(TraceError, match="elements depend on symbols without a value: batch, seq"):
        _ = trace.by_name["x"].output.elements


def test_what_is_to_run_must_be_bound() -> None:
    with pytest.raises(TraceError, match="head: symbols without a value: batch, seq, kv; say --bind batch=N"):
        attention().require_bound()
    attention().bind(batch=1, seq=2, kv=3).require_bound()


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "head: symbols without a value: batch, seq, kv; say --bind batch=N --bind seq=N --bind kv=N"),
        (["kv=3", "batch=1"], "symbols without a value: seq; say --bind seq=N"),
        (["batch=0", "seq=1", "kv=0"], r"found batch=0 \(whole number\), expected a whole number from 1"),
        (["batch=1", "seq=0", "kv=0"], "found seq=0"),
        (["batch=1", "seq=99999999999", "kv=0"], "found seq=99999999999"),
        (["batch=1", "seq=2147483647", "kv=1"], r"with batch=1, seq=2147483647, kv=1: op '\w+': .*shape"),
        (["batch=1", "seqq=1", "kv=0"], "no symbol 'seqq' .*; did you mean 'seq'"),
        (["batch=-1"], "found 'batch=-1', expected NAME=N"),
        (["batch"], "found 'batch', expected NAME=N"),
        (["batch=1.5"], "expected NAME=N"),
        (["=1"], "expected NAME=N"),
        (["kv=1", "kv=2"], "'kv' is given twice"),
    ],
)
def test_bad_bindings(texts: list[str], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        bind_text(attention(), texts)


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
def test_values_are_whole_numbers(value: Any) -> None:
    with pytest.raises(TraceError, match="expected a whole number"):
        attention().bind(batch=value, seq=1, kv=1)


def test_a_bound_trace_is_bound() -> None:
    bound = attention().bind(batch=1, seq=2, kv=3)
    assert bound.bind() is bound
    with pytest.raises(TraceError, match="'kv' is bound already, to 3"):
        bound.bind(kv=4)


def rows() -> list[Any]:
    return [json.loads(line) for line in lines(attention())]


def change_symbols(**symbols: Any) -> list[Any]:
    changed = rows()
    changed[0]["symbols"].update(symbols)
    return changed


def change_shape(line: int, shape: list[Any]) -> list[Any]:
    changed = rows()
    changed[line]["outputs"][0]["shape"] = shape
    return changed


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (change_symbols(seq=4), r"t\.jsonl:2: outputs\[0\]\.shape\[1\]: 'seq' is not among"),
        (change_symbols(other=None), "t.jsonl:1: symbols: no size depends on 'other'"),
        (change_symbols(**{"a b": None}), "t.jsonl:1: symbols: found 'a b'"),
        (change_symbols(batch=-1), "symbols.batch: found -1"),
        (change_shape(2, ["batch", "seq/2", 4]), r"t\.jsonl:3: outputs\[0\]\.shape\[1\]: found 'seq/2'"),
        (
            change_shape(2, ["batch", "kv", 4]),
            r"t\.jsonl:3: outputs\[0\]\.shape: found .* \(tried with batch=11",
        ),
        (change_shape(5, ["batch", "seq", "kv"]), "expected 11x17x30 from the inputs of this MatMul"),
        (change_shape(5, ["batch", "sequ", "kv"]), "did you mean 'seq'"),
        (change_shape(5, ["batch", "seq", "kv-kv"]), "found 0"),
    ],
)
def test_unsound_symbolic_traces(tmp_path: Path, changed: list[Any], message: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in changed))
    with pytest.raises(TraceError, match=message):
        Trace.load(path)


JUNK_SIZES = JUNK | st.sampled_from(
    ["seq", "kv", "kv+seq", "batch*seq", "seq-9", "0*seq", "layer0.expert1", "seq*"]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), experts=st.booleans())
def test_changed_symbolic_traces(tmp_path: Path, data: st.DataObject, experts: bool) -> None:
    """Whatever a file holds, it is refused with its place, or read, written and bound."""
    trace = mixture(layers=1) if experts else attention()
    changed: Any = [json.loads(line) for line in lines(trace)]
    for _ in range(data.draw(st.integers(1, 2))):
        *path, last = data.draw(st.sampled_from([place for place in places(changed) if place]))
        parent = changed
        for key in path:
            parent = parent[key]
        parent[last] = data.draw(JUNK_SIZES)
    file = tmp_path / "t.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in changed))
    message = ""
    try:
        found = Trace.load(file)
        found.save(tmp_path / "u.jsonl")
        assert Trace.load(tmp_path / "u.jsonl").digest == found.digest
        assert found.bind(dict.fromkeys(found.symbols, 3)).macs >= 0
    except TraceError as error:
        message = str(error)
    message.encode()


def turned_heads(batch: Size, seq: Size, heads: Size) -> Trace:
    """Rows of heads, heads of rows, keys turned: as an export at these sizes would have it but for what is 1."""
    rows, beside = (batch, seq, heads, 8), (batch, heads, seq, 8)
    return Trace.from_ops(
        "m",
        [
            Op("x", "Input", (), (tensor(batch, seq, 32),)),
            Op("r", "Reshape", (act("x", batch, seq, 32),), (tensor(*rows),)),
            Op("t", "Transpose", (act("r", *rows),), (tensor(*beside),), {"perm": (0, 2, 1, 3)}),
            Op("e", "Exp", (act("t", *beside),), (tensor(*beside),)),
            Op("b", "Transpose", (act("e", *beside),), (tensor(*rows),), {"perm": (0, 2, 1, 3)}),
            Op("y", "Reshape", (act("b", *rows),), (tensor(batch, seq, 32),)),
        ],
        header={"symbols": {size: None for size in (batch, seq) if isinstance(size, str)}},
    )


def test_what_only_moves_ones_is_a_view_once_it_is_bound() -> None:
    trace = turned_heads("batch", "seq", 4)
    assert [op.type for op in trace.ops].count("Transpose") == 2
    several = trace.bind(batch=2, seq=5)
    assert several.ops == turned_heads(2, 5, 4).ops
    one = trace.bind({"batch": 2, "seq": 1})
    assert [op.type for op in one.ops] == ["Input", "Reshape", "Exp", "Reshape"]
    assert [(each.source, each.tensor.shape) for each in one.by_name["t"].inputs] == [("x", (2, 1, 32))]
    assert (one.outputs, one.by_name["y"].inputs[0].source) == (("y",), "e")
    later = bind(bind(trace, {"seq": 1}, partial=True), {"batch": 2})
    assert later.ops == one.ops
