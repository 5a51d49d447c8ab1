"""Published: kernels on the presets `a100` and `h100` against what was measured on such cards.

`processors/gemm_bf16.csv`: bfloat16 products measured by NVIDIA (PyPI `aiconfigurator-core` 0.12.0, Apache-2.0,
tables of vLLM), kernel latency. `processors/operators_a100.csv`: operators measured by the authors of LLMCompass
(H. Zhang et al., ISCA 2024, artifact at commit 2e015fd, BSD-3), called one at a time from PyTorch: each has the
overhead of the call that the same artifact states (21 us a product, 12 a softmax, 45 a layer norm or GELU), which
stands here for the start of a kernel.

`processors/llama31_8b_h100.csv`: products of Llama-3.1-8B's layers on an H100, from LLMServingSim's profiles (commit
5daddb2, MIT).

No constant of the presets is from these rows. What the model misses is what it misses: the bounds are what it meets
today. ``python -m tests.published.test_gpu`` writes ``docs/processors-gpu.md`` again.
"""

from __future__ import annotations

import csv
import functools
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import pytest

from pimsim.chip import Chip
from pimsim.machine.machine import Machine
from pimsim.mapping.mapper import make_plan
from pimsim.trace import Trace
from tests.kinds.processors import matmul
from tests.random_models import Builder

HERE = Path(__file__).parent / "processors"
PAGE = Path(__file__).parents[2] / "docs" / "processors-gpu.md"
HOST = {"network.link_width_bits": 65536, "external.bandwidth_gb_per_s": 1e6}  # not part of a kernel's time
SYSTEMS = {"a100": ("a100_sxm", 312e12, 2039e9), "h100": ("h100_sxm", 989e12, 3350e9)}
A100_40 = {"clocks.memory.frequency_ghz": 2.4297}  # 1555 GB/s: the 40 GB card, otherwise the same
CALL_US = {"matmul": 21, "softmax": 12, "layernorm": 45, "gelu": 45}


class Row(NamedTuple):
    """A product, or an operator: what was measured, and what models say, us."""

    name: str
    measured: float
    model: float
    roofline: float
    floor: float

    def error(self, which: str) -> float:
        return float(getattr(self, which)) / self.measured - 1


def kernel_us(chip: Chip, trace: Trace) -> float:
    """The time of the one op of a trace, from the start of its first kernel to the end of its last one."""
    machine = Machine(make_plan(chip, trace), 1)
    machine.run()
    begin, end, _, _ = machine.op_figures
    return float(end[0] - begin[0]) / 1e9


@functools.cache
def products(preset: str, *changes: tuple[str, float]) -> tuple[Row, ...]:
    """All measured products on a preset, with the plain roofline and one at 0.8 of the peaks with 3 us added."""
    system, peak, bandwidth = SYSTEMS[preset]
    chip, found = Chip.load(preset, {**HOST, **dict(changes)}), []
    with (HERE / "gemm_bf16.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["system"] != system:
                continue
            m, n, k = (int(row[key]) for key in "MNK")
            roofline = max(2 * m * n * k / peak, 2 * (m * k + k * n + m * n) / bandwidth) * 1e6
            model = kernel_us(chip, matmul(m, n, k))
            found.append(
                Row(f"{m} x {n} x {k}", float(row["latency_us"]), model, roofline, roofline / 0.8 + 3)
            )
    return tuple(found)


def one_op(kind: str, m: int, n: int) -> Trace:
    """A trace of one softmax or layer norm over rows, or of a GELU."""
    model = Builder()
    x = model.input(m, n)
    if kind == "softmax":
        model.softmax(x, 1)
    elif kind == "layernorm":
        scale = [("constant", (n,)), ("constant", (n,))]
        model.add("LayerNormalization", (x,), (m, n), scale, axis=1, epsilon=1e-5)
    else:
        model.add("Gelu", (x,), (m, n), approximate="none")
    return model.trace(kind)


@functools.cache
def operators(kind: str) -> tuple[Row, ...]:
    """All measured operators of a kind on the A100, with a roofline of the memory."""
    chip = Chip.load("a100", {**HOST, "tile.launcher.launch_ns": 1000.0 * CALL_US[kind]})
    found = []
    with (HERE / "operators_a100.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["op"] != kind:
                continue
            m, n = int(row["M"]), int(row["N"])
            if kind == "matmul":
                k = int(row["K"])
                trace, size, flop = matmul(m, n, k), 2 * (m * k + k * n + m * n), 2 * m * n * k
            else:
                rows, columns = (m, n) if kind != "gelu" else (max(1, m // 4096), min(m, 4096))
                trace, size, flop = one_op(kind, rows, columns), 4 * m * n, 0
            roofline = max(flop / 312e12, size / 2039e9) * 1e6
            measured = float(row["latency_us"])
            found.append(
                Row(f"{m} x {n}", measured, kernel_us(chip, trace), roofline, roofline / 0.8 + CALL_US[kind])
            )
    return tuple(found)


@functools.cache
def layers() -> tuple[Row, ...]:
    """The products of Llama-3.1-8B's layers on the H100, from 16 tokens on."""
    chip, found = Chip.load("h100", HOST), []
    with (HERE / "llama31_8b_h100.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            m, n, k = int(row["tokens_M"]), int(row["N"]), int(row["K"])
            if m < 16:
                continue
            roofline = max(2 * m * n * k / 989e12, 2 * (m * k + k * n + m * n) / 3350e9) * 1e6
            us = kernel_us(chip, matmul(m, n, k))
            name = f"{row['layer']}, {m} tokens"
            found.append(Row(name, float(row["latency_us"]), us, roofline, roofline / 0.8 + 3))
    return tuple(found)


def mean(rows: tuple[Row, ...], which: str = "model") -> float:
    return fmean(abs(row.error(which)) for row in rows)


def worst(rows: tuple[Row, ...], which: str = "model") -> float:
    return max(abs(row.error(which)) for row in rows)


@pytest.mark.parametrize(("preset", "most", "worst_of"), [("a100", 0.145, 0.33), ("h100", 0.07, 0.37)])
def test_products_are_nearer_than_any_roofline(preset: str, most: float, worst_of: float) -> None:
    """The target is a mean of 0.10 and 0.30 at worst: `h100` meets the first; see the page for what misses, and why."""
    rows = products(preset)
    assert len(rows) == 98
    assert mean(rows) <= most
    assert worst(rows) <= worst_of
    assert mean(rows) < mean(rows, "floor") < mean(rows, "roofline")
    assert worst(rows) < worst(rows, "floor")


@pytest.mark.parametrize(
    ("kind", "most"), [("matmul", 0.075), ("softmax", 0.22), ("layernorm", 0.15), ("gelu", 0.06)]
)
def test_operators_on_an_a100(kind: str, most: float) -> None:
    """The target is 0.12: softmax and layer norm of long rows miss it."""
    rows = operators(kind)
    assert len(rows) >= 10
    assert mean(rows) <= most


@pytest.mark.parametrize(
    ("preset", "us"), [("a100", 2.62), ("h100", 2.43), ("l40s", 1.64), ("rtx3090", 2.05)]
)
def test_a_small_kernel_takes_what_the_microbenchmark_takes(preset: str, us: float) -> None:
    """65.5 kB through a scale by a constant: the source of `launch_ns` (gpu-benches, `gpu-small-kernels`)."""
    model = Builder()
    model.add("Mul", (model.input(1, 16_384),), (1, 16_384), [("constant", ())])
    assert kernel_us(Chip.load(preset, HOST), model.trace()) == pytest.approx(us, rel=0.005)


def test_the_products_of_a_llama_on_an_h100() -> None:
    """The target is a mean of 0.15."""
    rows = layers()
    assert len(rows) == 64
    assert mean(rows) <= 0.08
    assert worst(rows) <= 0.22


def test_the_page_holds_the_figures_of_today() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def page() -> str:
    """The page of figures: model and rooflines beside what was measured, and every row that is far off."""
    lines = [
        HEAD,
        "| on | rows | model, mean | worst | roofline | 0.8 of it and 3 us |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    cases = {
        "`a100`": products("a100"),
        "`a100` with the memory of the 40 GB card, 1555 GB/s": products("a100", *A100_40.items()),
        "`h100`": products("h100"),
    }
    for name, rows in cases.items():
        lines.append(
            f"| {name} | {len(rows)} | {percent(mean(rows))} | {percent(worst(rows))} | "
            f"{percent(mean(rows, 'roofline'))} | {percent(mean(rows, 'floor'))} |"
        )
    lines += ["", *by_rows(), "", "Further off than 20 % are:", ""]
    lines += ["| on | M × N × K | measured, us | model | difference |", "|---|---|---:|---:|---:|"]
    for preset in SYSTEMS:
        for row in products(preset):
            if abs(row.error("model")) > 0.2:
                name = row.name.replace("x", "×")
                off = signed(row.error("model"))
                lines.append(f"| `{preset}` | {name} | {row.measured:.1f} | {row.model:.1f} | {off} |")
    rows = layers()
    lines += ["", LAYERS, ""]
    lines.append(
        f"Over {len(rows)} products the mean is {percent(mean(rows))}, the worst {percent(worst(rows))}; "
        f"the plain roofline has {percent(mean(rows, 'roofline'))}, 0.8 of it and 3 us {percent(mean(rows, 'floor'))}."
    )
    lines += ["", OPERATORS, "", "| op | rows | model, mean | worst | 0.8 of the roofline and the call |"]
    lines.append("|---|---:|---:|---:|---:|")
    for kind in CALL_US:
        rows = operators(kind)
        off = f"{percent(mean(rows))} | {percent(worst(rows))} | {percent(mean(rows, 'floor'))}"
        lines.append(f"| {kind} | {len(rows)} | {off} |")
    return "\n".join([*lines, "", MISSES])


def by_rows() -> list[str]:
    """The mean difference, with its sign, by the rows of the left matrix."""
    lines = ["By M, the mean difference with its sign:", "", "| M | `a100` | `h100` |", "|---|---:|---:|"]
    found = {preset: products(preset) for preset in SYSTEMS}
    for low, high in ((1, 1), (2, 64), (128, 512), (1024, 8192)):
        means = []
        for rows in found.values():
            errors = [row.error("model") for row in rows if low <= int(row.name.split()[0]) <= high]
            means.append(signed(fmean(errors)))
        lines.append(f"| {low if low == high else f'{low} to {high}'} | {' | '.join(means)} |")
    return lines


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def signed(share: float) -> str:
    return f"{100 * share:+.0f} %".replace("-", "−")


HEAD = """# GPUs against silicon

`python -m tests.published.test_gpu` makes this page: kernels on the presets [`a100` and `h100`](processors.md)
beside what was measured on such cards. No constant of the presets comes from these rows, nothing is fitted by op or
by size, and what is far off is listed.

## Products in bfloat16

M × K by K × N, as NVIDIA measured them (PyPI `aiconfigurator-core` 0.12.0, tables of vLLM). The target is a mean of
10 % and 30 % at worst.
"""

LAYERS = """## The products of Llama-3.1-8B's layers, on an H100

As LLMServingSim's profiles have them (commit 5daddb2), from 16 tokens on. The target is a mean of 15 %."""

OPERATORS = """## Operators called from PyTorch, on an A100

As the authors of LLMCompass measured them (ISCA 2024), each with the overhead of the call that they state: 21 us
for a product of M × 12288 by 12288 × 12288, 12 us for a softmax, 45 us for a layer norm or GELU. It stands in place
of the start of a kernel. The target for the last three is 12 %."""

MISSES = """## What misses, and why, as far as we can tell

- **Small M on the A100**: the weights come at 1.38 TB/s in the measured rows of 64 MB and more, where
  microbenchmarks of the 80 GB card read 1.77 TB/s, and we with them. That is 0.89 of the 1555 GB/s of the 40 GB
  card, so the card that was measured may have been one; with its memory the mean is as the second row of the table
  says. We did not change the preset for it.
- **A100, M from 128 to 4096, K of 1024 to 4096**: measured products of few waves take up to a quarter longer.
  Filling and draining a tile's pipeline, and the clock under load, are not modelled.
- **`h100`, 4096 × 128 × 4096**: 35.7 MB in 10.5 us is more than the memory gives. The measurement repeats the
  product, and the 50 MB of L2 hold it; here every kernel finds its operands in the memory.
- **Softmax and layer norm of rows of 2048 elements and more**: the measured kernels
  reach half of the bandwidth; they may read a row several times. Here it is read once.
- A clock that falls with power, and products of odd sizes, for which libraries pad, are not modelled.
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
