"""Does a token's time rise with its context by what the cache's bytes and attention's arithmetic say?

One block of GPT-2 with few words in its vocabulary stands for the whole of it, which takes up to half a minute on a
preset: only the blocks' time grows. `scripts/decode_roofline.py` runs GPT-2 itself, on every preset.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from pimsim.chip import Chip
from pimsim.run.generate import generate
from pimsim.trace import Op, Operand, Trace

SHORT, LONG = 8, 64  # tokens in the cache
WORDS = 1000
TOLERANCE = (
    0.1  # of the increase, and a cycle of the arrays, which start on an edge of their clock (isaac: 100 ns)
)


@pytest.fixture
def script(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "scripts")
    import decode_roofline

    return decode_roofline


def block_of_gpt2() -> Trace:
    """The first of its twelve blocks between embedding and head, and the first thousand words."""
    gpt2 = Trace.load("gpt2")
    blocks = tuple(f"transformer.h.{n}" for n in range(1, 12))

    def joined(operand: Operand) -> Operand:
        source = operand.source.replace(".h.11/", ".h.0/") if operand.source else operand.source
        shape = tuple(WORDS if size == 50257 else size for size in operand.tensor.shape)
        return replace(operand, source=source, tensor=replace(operand.tensor, shape=shape))

    def cut(op: Op) -> Op:
        outputs = tuple(
            replace(out, shape=tuple(WORDS if size == 50257 else size for size in out.shape))
            for out in op.outputs
        )
        return replace(op, inputs=tuple(map(joined, op.inputs)), outputs=outputs)

    kept = [
        cut(op) for op in gpt2.ops if not op.name.startswith(tuple(f"{b}{c}" for b in blocks for c in "./"))
    ]
    return Trace.from_ops("block of gpt2", kept, header={"symbols": gpt2.header["symbols"]})


@pytest.mark.parametrize("name", ["isaac", "puma", "hermes64", "hermes_llm"])
def test_a_token_takes_longer_by_what_the_formulas_of_cache_and_attention_say(name, script):
    chip, block = Chip.load(name), block_of_gpt2()
    formula = script.Formula(chip.config, script.Model(blocks=1, vocabulary=WORDS))
    short, long = (sum(formula.token(cached + 1).values()) for cached in (SHORT, LONG))

    # One run from the short to the long context, so that both are on the same plan: another prompt may be placed
    # otherwise, which moves a token's time by the hops of its way.
    times = generate(chip, block, SHORT, LONG - SHORT + 2).token_fs
    cycle = formula.period(chip.config.sites["tile"].core.array.clock)
    increase = (times["last"] - times["first"]) / 1e6
    assert abs(increase - (long - short)) <= TOLERANCE * (long - short) + cycle
    assert generate(chip, block, LONG, 2).token_fs["first"] > times["first"]
