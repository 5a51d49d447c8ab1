"""Write ``docs/processors-compare.md``: the same traces on arrays and on processors, time, energy, and where they go.

python scripts/processors.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pimsim.analysis.breakdown import breakdown
from pimsim.chip import Chip
from pimsim.errors import PimsimError
from pimsim.result.result import Result
from pimsim.run.simulate import simulate
from pimsim.trace import Trace
from pimsim.trace.bind import bind
from pimsim.units import format_si, format_time

PAGE = Path(__file__).parents[1] / "docs" / "processors-compare.md"
CHIPS = ("isaac", "hermes_llm", "tpuv4", "a100", "h100", "edge_npu")
TRACES = {
    "ResNet-50, one image": ("resnet50", {}),
    "BERT base, 128 tokens": ("bert_base", {"batch": 1, "seq": 128}),
    "GPT-2, a step with 512 tokens in the cache": ("gpt2", {"batch": 1, "seq": 1, "kv": 512}),
}
MOVES = ("buffer", "bus", "memory", "network", "external", "register")
"""Parts that move or keep data, by the end of their names."""


class Case(NamedTuple):
    """A trace on a chip: the result, or why there is none."""

    chip: str
    result: Result | None
    why: str


def cases(name: str, bindings: dict[str, int]) -> Iterator[Case]:
    """Run a trace on each chip."""
    trace = bind(Trace.load(name), bindings) if bindings else Trace.load(name)
    for chip in CHIPS:
        try:
            yield Case(chip, simulate(Chip.load(chip), trace), "")
        except PimsimError as error:
            yield Case(chip, None, error.message)


def largest(result: Result) -> str:
    """Return what most of the latency went to, in two causes at parts."""
    rows = sorted(breakdown(result, "cause").rows, key=lambda row: -row["fs"])[:2]
    return ", ".join(f"{row['cause']} {100 * row['fs'] / result.latency_fs:.0f} %" for row in rows)


def moved(result: Result) -> tuple[float, float]:
    """Return the shares of the dynamic energy and of the latency that parts which move data take."""
    energy = [(row["part"], row["aj"]) for row in result.energy["rows"] if row["kind"] == "dynamic"]
    times = [(row["part"], row["fs"]) for row in result.attribution]
    shares = []
    for rows in (energy, times):
        total = sum(amount for _, amount in rows)
        moving = sum(amount for part, amount in rows if part.split(".")[-1].split("_")[-1] in MOVES)
        shares.append(moving / total if total else 0.0)
    return shares[0], shares[1]


def page() -> str:
    """Return the whole page."""
    lines = [HEAD]
    for title, (name, bindings) in TRACES.items():
        lines += [f"## {title}", "", ROWS, "|---|---:|---:|---:|---|---:|---:|"]
        for case in cases(name, bindings):
            result = case.result
            if result is None:
                lines.append(f"| `{case.chip}` | – | – | – | {case.why} | – | – |")
                continue
            joules = result.energy["total_aj"] * 1e-18
            energy, time = moved(result)
            lines.append(
                f"| `{case.chip}` | {result.chips} | {format_time(result.latency_fs)} | {format_si(joules, 'J')} | "
                f"{largest(result)} | {100 * time:.0f} % | {100 * energy:.0f} % |"
            )
        lines.append("")
    return "\n".join([*lines, FOOT])


ROWS = "| chip | chips | latency | energy | most of the latency | moving data: of the latency | of the dynamic energy |"
HEAD = """# Arrays and processors on the same traces

`python scripts/processors.py` makes this page. One inference of each trace, on as few chips as hold it; weights are in
arrays before it begins, and in the memory of a [processor](processors.md).
"""
FOOT = """Moving data is what buffers, registers, buses, networks, links and memories take. Energy is of what is
modelled, which differs: on processors registers, instructions, L1 and static power are not, on `hermes_llm` converters
and registers stand in the arrays' figure and links are not, on `edge_npu` LPDDR5 is not. A processor runs each op as a
kernel of its own, but attention, so one inference of a small model is mostly starts of kernels; libraries fuse more and
launch graphs, which is not modelled. `tpuv4` and the GPUs are made for batches; one inference fills none of them.
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
