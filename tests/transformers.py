"""A small decoder with symbols, as the exporter writes them: attention with a cache, a feed-forward layer, logits."""

from __future__ import annotations

from typing import Any

from pimsim.trace import Op, Operand, Tensor, Trace
from pimsim.trace.symbols import rows_symbol

Size = int | str


class Decoder:
    """Ops of a decoder, layer by layer; every method returns the name of the op that it added."""

    def __init__(self, causal: bool = False) -> None:
        self.causal = causal
        self.ops: list[Op] = []
        self.shapes: dict[str, tuple[Size, ...]] = {}

    def add(
        self,
        name: str,
        kind: str,
        sources: tuple[str, ...],
        shape: tuple[Size, ...],
        params: tuple[tuple[str, tuple[Size, ...]], ...] = (),
        first: bool = False,
        **attributes: Any,
    ) -> str:
        """Add an op; `params` are weights, constants and caches, before the activations if `first`.

        A source that ends in ``:1`` is the second output of an op, of the same shape.
        """
        ends = [source.partition(":") for source in sources]
        inputs = [Operand("activation", Tensor(self.shapes[s]), s, int(n or 0)) for s, _, n in ends]  # type: ignore[arg-type]
        more = [Operand(role, Tensor(size)) for role, size in params]  # type: ignore[arg-type]
        inputs = more + inputs if first else inputs + more
        self.ops.append(Op(name, kind, tuple(inputs), (Tensor(shape),), attributes))  # type: ignore[arg-type]
        self.shapes[name] = shape
        return name

    def linear(self, name: str, x: str, outputs: int) -> str:
        *head, inner = self.shapes[x]
        made = self.add(f"{name}.product", "MatMul", (x,), (*head, outputs), (("weight", (inner, outputs)),))
        return self.add(name, "Add", (made,), (*head, outputs), (("constant", (outputs,)),))

    def norm(self, name: str, x: str) -> str:
        shape = self.shapes[x]
        scale = (("constant", shape[-1:]),)
        return self.add(name, "LayerNormalization", (x,), shape, scale, axis=len(shape) - 1, epsilon=1e-5)

    def heads(self, name: str, x: str, heads: int) -> str:
        batch, seq, width = self.shapes[x]
        assert isinstance(width, int)
        cut = self.add(f"{name}.cut", "Reshape", (x,), (batch, seq, heads, width // heads))
        return self.add(name, "Transpose", (cut,), (batch, heads, seq, width // heads), perm=(0, 2, 1, 3))

    def appended(self, name: str, x: str) -> str:
        batch, heads, _, depth = self.shapes[x]
        cache = (("cache", (batch, heads, "kv", depth)),)
        shape = (batch, heads, "kv+seq", depth)
        return self.add(name, "Concat", (x,), shape, cache, first=True, axis=2)

    def attention(self, name: str, x: str, heads: int, kv_heads: int | None = None) -> str:
        batch, seq, width = self.shapes[x]
        assert isinstance(width, int)
        depth, kv_heads = width // heads, kv_heads or heads
        q = self.heads(f"{name}.q", self.linear(f"{name}.wq", x, width), heads)
        keys, values = (
            self.appended(
                f"{name}.{kind}",
                self.heads(
                    f"{name}.new_{kind}", self.linear(f"{name}.w{kind}", x, kv_heads * depth), kv_heads
                ),
            )
            for kind in "kv"
        )
        if kv_heads < heads:
            keys, values = (self.repeated(each, heads) for each in (keys, values))
        flipped = self.add(
            f"{name}.kt", "Transpose", (keys,), (batch, heads, depth, "kv+seq"), perm=(0, 1, 3, 2)
        )
        scores = (batch, heads, seq, "kv+seq")
        causal = {"causal": 1} if self.causal else {}
        s = self.add(f"{name}.scores", "MatMul", (q, flipped), scores, **causal)
        s = self.add(f"{name}.scaled", "Mul", (s,), scores, (("constant", ()),))
        s = self.add(f"{name}.masked", "Add", (s,), scores, (("constant", (1, 1, seq, "kv+seq")),))
        s = self.add(f"{name}.softmax", "Softmax", (s,), scores, axis=3)
        out = self.add(f"{name}.context", "MatMul", (s, values), (batch, heads, seq, depth))
        back = self.add(f"{name}.back", "Transpose", (out,), (batch, seq, heads, depth), perm=(0, 2, 1, 3))
        joined = self.add(f"{name}.joined", "Reshape", (back,), (batch, seq, width))
        return self.linear(f"{name}.out", joined, width)

    def repeated(self, x: str, heads: int) -> str:
        batch, kv_heads, tokens, depth = self.shapes[x]
        assert isinstance(kv_heads, int)
        wide = self.add(f"{x}.wide", "Reshape", (x,), (batch, kv_heads, 1, tokens, depth))
        more = self.add(f"{x}.more", "Expand", (wide,), (batch, kv_heads, heads // kv_heads, tokens, depth))
        return self.add(f"{x}.repeated", "Reshape", (more,), (batch, heads, tokens, depth))

    def experts(self, name: str, x: str, layer: int, experts: int, top: int) -> str:
        """A router and its experts, two matrices each."""
        batch, seq, width = self.shapes[x]
        assert isinstance(width, int)
        about = {"layer": layer, "experts": experts, "top": top}
        flat = self.add(f"{name}.flat", "Reshape", (x,), (f"{batch}*{seq}", width))
        scores = self.add(
            f"{name}.router", "MatMul", (flat,), (f"{batch}*{seq}", experts), (("weight", (width, experts)),)
        )
        scores = self.add(f"{name}.softmax", "Softmax", (scores,), self.shapes[scores], axis=1)
        choices = (f"{batch}*{seq}", top)
        inputs = (Operand("activation", Tensor(self.shapes[scores]), scores),)  # type: ignore[arg-type]
        both = (Tensor(choices), Tensor(choices))  # type: ignore[arg-type]
        self.ops.append(Op(f"{name}.top", "TopK", inputs, both, {"axis": 1, "k": top}))
        self.shapes[f"{name}.top"] = choices
        outs = []
        for expert in range(experts):
            own, rows = f"{name}.e{expert}", rows_symbol(layer, expert)
            sources = (flat, f"{name}.top:1")
            row = self.add(f"{own}.in", "Dispatch", sources, (rows, width), expert=expert, **about)
            row = self.add(
                f"{own}.up", "MatMul", (row,), (rows, 2 * width), (("weight", (width, 2 * width)),)
            )
            row = self.add(f"{own}.act", "Gelu", (row,), (rows, 2 * width), approximate="tanh")
            outs.append(
                self.add(f"{own}.down", "MatMul", (row,), (rows, width), (("weight", (2 * width, width)),))
            )
        mixed = self.add(
            f"{name}.combine", "Combine", (f"{name}.top", *outs), (f"{batch}*{seq}", width), **about
        )
        return self.add(f"{name}.mixed", "Reshape", (mixed,), (batch, seq, width))

    def layer(
        self, name: str, x: str, heads: int, kv_heads: int | None = None, experts: tuple[int, ...] = ()
    ) -> str:
        """A layer; with `experts` (its number, how many, how many a token goes to) in the place of the matrices."""
        shape = self.shapes[x]
        width = shape[-1]
        assert isinstance(width, int)
        attended = self.attention(f"{name}.attn", self.norm(f"{name}.ln1", x), heads, kv_heads)
        x = self.add(f"{name}.add1", "Add", (x, attended), shape)
        hidden = self.norm(f"{name}.ln2", x)
        if experts:
            return self.add(f"{name}.add2", "Add", (x, self.experts(f"{name}.moe", hidden, *experts)), shape)
        wide = self.linear(f"{name}.fc1", hidden, 4 * width)
        wide = self.add(f"{name}.act", "Gelu", (wide,), self.shapes[wide], approximate="tanh")
        narrow = self.linear(f"{name}.fc2", wide, width)
        return self.add(f"{name}.add2", "Add", (x, narrow), shape)


def decoder(
    layers: int = 2,
    heads: int = 4,
    width: int = 64,
    vocabulary: int = 100,
    kv_heads: int | None = None,
    routing: dict[str, Any] | None = None,
    causal: bool = False,
) -> Trace:
    """Return a decoder with the symbols batch, seq and kv; with `routing` a mixture of experts."""
    made = Decoder(causal)
    made.add("ids", "Input", (), ("batch", "seq"))
    table = (("constant", (vocabulary, width)),)
    x = made.add("embedding", "Gather", ("ids",), ("batch", "seq", width), table, first=True, axis=0)
    x = made.add("positions", "Add", (x,), ("batch", "seq", width), (("constant", ("seq", width)),))
    for layer in range(layers):
        experts = (layer, routing["experts"], routing["top"]) if routing else ()
        x = made.layer(f"h{layer}", x, heads, kv_heads, experts)
    shape: tuple[Size, ...] = ("batch", "seq", vocabulary)
    made.add("logits", "MatMul", (made.norm("ln", x),), shape, (("weight", (width, vocabulary)),))
    header: dict[str, Any] = {"symbols": {"batch": None, "seq": None, "kv": None}}
    if routing:
        header["routing"] = routing
    return Trace.from_ops("decoder", made.ops, header=header)
