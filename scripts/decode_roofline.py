"""Print the table of ``docs/roofline-decode.md``: what a generated token must take, beside what the simulator says.

The formulas read the chip file's numbers and GPT-2's sizes, and nothing of the mapping or the engine. Each run has a
process of its own; all of them take about five minutes.

    python scripts/decode_roofline.py
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

LEAST, MOST = 1.0, 2.0  # simulated / formula; set before the first comparison
TERMS = ("arrays", "weights", "cache", "attention", "digital", "tiles", "network", "links")
WAITS = "waiting"


@dataclass(frozen=True)
class Model:
    """Sizes of a decoder: its blocks, width, heads, inner width and vocabulary."""

    blocks: int = 12
    width: int = 768
    heads: int = 12
    inner: int = 3072
    vocabulary: int = 50257

    @property
    def matrices(self) -> list[tuple[int, int]]:
        """Inputs and outputs of the weight matrices of a block, in the order of the chain."""
        w = self.width
        return [(w, 3 * w), (w, w), (w, self.inner), (self.inner, w)]


class Row(NamedTuple):
    """A run: a preset, what is changed in it, tokens of the prompt, tokens generated."""

    chip: str
    changes: tuple[str, ...]
    prompt: int
    tokens: int

    @property
    def name(self) -> str:
        """How the table calls it."""
        return " ".join((self.chip, *(f"`{change}`" for change in self.changes)))

    @property
    def contexts(self) -> range:
        """Tokens that each step reads: those cached and its own."""
        return range(self.prompt + 1, self.prompt + self.tokens)


ROWS = (
    Row("isaac", (), 8, 3),
    Row("isaac", (), 64, 3),
    Row("puma", (), 8, 3),
    Row("puma", (), 64, 3),
    Row("hermes64", (), 8, 3),
    Row("hermes64", (), 64, 3),
    Row("hermes_llm", (), 8, 3),
    Row("hermes_llm", (), 64, 3),
    Row("hermes_llm", (), 256, 3),
    Row("hermes_llm", (), 512, 3),
    Row("hermes_llm", (), 1022, 3),
    Row("hermes_llm", ("tile.buffer.capacity_kib=12",), 16, 100),
    Row("hermes_llm", ("tile.buffer.capacity_kib=48",), 16, 500),
    Row("hermes_llm", ("tile.buffer.capacity_kib=96",), 64, 960),
)


class Formula:
    """The times of one token on a chip, ns, from the numbers of its file."""

    def __init__(self, config: Any, model: Model, off_chip: bool = False) -> None:
        self.config, self.model, self.off_chip = config, model, off_chip
        self.tile = config.sites["tile"]
        precision, array = config.precision, self.tile.core.array
        self.bits, self.sum_bits = precision.input_bits, precision.accumulator_bits
        cells = math.ceil(precision.weight_bits / array.bits_per_cell)
        self.rows, self.outputs = array.rows, array.columns // cells  # of one array
        self.per_core = self.tile.core.arrays
        self.per_tile = self.tile.cores * self.per_core

    def period(self, clock: str) -> float:
        """Return the period of a clock, ns."""
        it = self.config.clocks[clock]
        return float(it.period_ns or 1 / it.frequency_ghz)

    # -- (a) arrays --------------------------------------------------------------------------------------------

    def multiplication(self) -> float:
        """Return the time of one multiplication with all its phases: phases overlap reading and conversion."""
        core = self.tile.core
        phases = math.ceil(self.bits / core.dac.bits) * core.array.reads_per_input
        together = core.arrays // core.adc.banks
        samples = math.ceil(core.array.columns * together / core.adc.adcs_per_bank)
        convert = samples * core.adc.convert_cycles * self.period(core.adc.clock)
        read, tail = core.array.read_ns, core.shift_add.latency_cycles * self.period(core.shift_add.clock)
        return float(core.array.setup_ns + read + (phases - 1) * max(read, convert) + convert + tail)

    # -- in a tile ---------------------------------------------------------------------------------------------

    def over_bus(self, elements: float, bits: int) -> float:
        """Return the time of elements over a tile's bus."""
        bus = self.tile.bus
        return (math.ceil(elements * bits / bus.width_bits) + bus.latency_cycles) * self.period(bus.clock)

    def read(self, elements: float) -> float:
        """Return the time of elements from a tile's buffer over its bus; words follow each other."""
        buffer, bus = self.tile.buffer, self.tile.bus
        words = max(
            math.ceil(elements * self.bits / buffer.width_bits) * self.period(buffer.clock),
            math.ceil(elements * self.bits / bus.width_bits) * self.period(bus.clock),
        )
        first = max(1, buffer.latency_cycles) * self.period(buffer.clock)
        return words + first + bus.latency_cycles * self.period(bus.clock)

    def write(self, elements: float) -> float:
        """Return the time of elements into a tile's buffer."""
        buffer = self.tile.buffer
        accesses = math.ceil(elements * self.bits / buffer.width_bits)
        return (accesses - 1 + max(1, buffer.latency_cycles)) * self.period(buffer.clock)

    def unit(self, operation: str, elements: float) -> float:
        """Return the time of a digital unit for one firing; a matrix unit gives one row an R-th of its lanes."""
        unit = self.tile.digital[self.tile.unit_of(operation)]
        lanes = unit.lanes // unit.rows if operation == "MatMul" else unit.lanes
        cycles = max(1, math.ceil(elements * unit.cost_of(operation) / lanes)) + unit.latency_cycles
        return cycles * self.period(unit.clock)

    # -- between tiles -----------------------------------------------------------------------------------------

    def flits(self, elements: float, bits: int) -> float:
        """Return the time of a packet's flits over one link of the network."""
        network = self.config.network
        return math.ceil(elements * bits / network.link_width_bits) * self.period(network.clock)

    def link(self, elements: float, bits: int) -> float:
        """Return the time of a packet over a link between chips."""
        external = self.config.external
        return math.ceil(elements * bits / 8) / external.bandwidth_gb_per_s + external.latency_ns

    # -- the terms ---------------------------------------------------------------------------------------------

    def matrix(self, rows: int, outputs: int) -> dict[str, float]:
        """Return what a weight matrix takes: inputs out to its tiles, one multiplication, sums in and added.

        A source has one port into the network, and so has the tile where the sums meet; one of its tiles may be
        where the inputs are.
        """
        down, across = math.ceil(rows / self.rows), math.ceil(outputs / self.outputs)
        arrays = down * across
        tiles, cores = math.ceil(arrays / self.per_tile), math.ceil(arrays / self.per_core)
        cores_here = min(cores, self.tile.cores)
        inputs = min(1.0, min(self.per_tile, arrays) / down) * rows  # that a tile needs
        core_inputs = min(1.0, min(self.per_core, arrays) / down) * rows
        pieces = max(1.0, tiles / across)  # tiles that the sums of one output come from, at least
        each_tile = outputs * pieces / tiles
        each_core = outputs * max(1.0, cores / across) / cores
        found = {
            "arrays": self.multiplication(),
            # The cores of a tile load their inputs one after another over its port.
            "tiles": self.read(core_inputs) + self.over_bus(each_core, self.sum_bits),
            "digital": 0.0,
            "network": 0.0,
        }
        ports = self.tile.buffer.ports
        words = math.ceil(core_inputs * self.bits / self.tile.buffer.width_bits)
        more = math.ceil(cores_here / ports) - 1
        found["tiles"] += more * words * self.period(self.tile.buffer.clock)
        if cores_here > 1:
            in_tile = max(each_tile, outputs * max(1.0, cores / across) / tiles)
            found["digital"] += self.unit("Accumulate", in_tile)
        if tiles > 1:
            others = tiles - 1
            out, back = self.flits(inputs, self.bits), self.flits(each_tile, self.sum_bits)
            # The last tile's inputs go out before its sums come back; all sums come in through one port.
            found["network"] += max(others * out + back, out + others * back)
            found["tiles"] += self.write(inputs)
            found["digital"] += self.unit("Accumulate", outputs * pieces)
        return found

    def attention(self, context: int) -> dict[str, float]:
        """Return what the heads of a block take, each on a tile of its own: both products, scale, mask, softmax."""
        model, config = self.model, self.config
        depth, slices = model.width // model.heads, min(model.heads, config.tiles)
        heads = model.heads // slices
        cached = heads * context * depth  # elements of the keys, or of the values, of a slice
        scores = heads * context
        scale = self.unit("Mul", scores) + self.unit("Add", scores) + self.unit("Softmax", scores)
        product = self.unit("MatMul", cached)
        read = self.from_memory(cached) if self.off_chip else self.read(cached)
        # Query, key and value of every other slice leave one port; the last value may come while scores are made. What
        # the slices attended to comes to one tile at least.
        part = (slices - 1) * self.flits(heads * depth, self.bits)
        found = {
            "attention": 2 * product + scale,
            "cache": 2 * read,
            "network": 2 * part + max(0.0, part - read - product - scale) + part,
            "tiles": self.write(heads * depth),
        }
        if self.off_chip:
            # The slices' reads follow each other at a port; the last one's values are multiplied after that.
            at_port = math.ceil(slices / config.memory.count)
            queue = 2 * at_port * self.at_port(cached) + config.memory.latency_ns + product
            found["cache"] += max(0.0, queue - found["cache"] - found["attention"])
        return found

    def from_memory(self, elements: float) -> float:
        """Return the time of one read of off-chip memory: from the port, through the network whole, over the bus."""
        memory = self.config.memory
        size = math.ceil(elements * self.bits / 8)
        held = size / memory.bandwidth_gb_per_s + memory.latency_ns
        return held + self.flits(elements, self.bits) + self.over_bus(elements, self.bits)

    def at_port(self, elements: float) -> float:
        """Return the time that a read holds its port, or the port's link into the network, if that is slower."""
        size = math.ceil(elements * self.bits / 8)
        return max(size / self.config.memory.bandwidth_gb_per_s, self.flits(elements, self.bits))

    def token(self, context: int) -> dict[str, float]:
        """Return the terms of a token's time, ns: a chain, so they add up."""
        model = self.model
        total: Counter[str] = Counter(dict.fromkeys(TERMS, 0.0))

        def add(terms: Mapping[str, float], times: int = 1) -> None:
            for term, time in terms.items():
                total[term] += time * times

        block = model.blocks
        for rows, outputs in model.matrices:
            add(self.matrix(rows, outputs), block)
        add(self.matrix(model.width, model.vocabulary))
        add(self.attention(context), block)
        w, inner = model.width, model.inner
        chain = [("LayerNormalization", w)] * 2 + [("Add", 3 * w), ("Add", inner), ("Gelu", inner)]
        chain += [("Add", w)] * 4  # two biases, two residuals
        add({"digital": sum(self.unit(*each) for each in chain)}, block)
        add({"digital": self.unit("Gather", w) + self.unit("Add", w) + self.unit("LayerNormalization", w)})
        add({"tiles": 2 * self.read(2 * w)}, block)  # of the residuals
        self.chips(total)
        return {term: total[term] for term in TERMS}

    def chips(self, total: Counter[str]) -> None:
        """Add what goes between chips: the chain on to the head's chip, the logits back from it to the host.

        Arrays are taken in the order of the chain, so the head begins behind those of all blocks.
        """
        model = self.model
        sizes = [self.arrays(*each) for each in model.matrices]
        per_chip = self.config.tiles * self.per_tile
        before = model.blocks * sum(sizes) // per_chip
        total["links"] += self.link(1, self.bits) + before * self.link(model.width, self.bits)
        total["links"] += (before + 1) * self.link(model.vocabulary, self.bits)
        total["network"] += (before + 1) * self.flits(model.vocabulary, self.bits)

    def arrays(self, rows: int, outputs: int) -> int:
        """Return the arrays that a weight matrix takes."""
        return math.ceil(rows / self.rows) * math.ceil(outputs / self.outputs)


def formula(row: Row) -> dict[str, float]:
    """Return the terms of a row's formula, ns a token: the mean over its steps.

    Parameters
    ----------
    row : Row
        The run.
    """
    from pimsim.chip import Chip

    model = Model()
    config = Chip.load(row.chip, row.changes).config
    last = 2 * row.contexts[-1] * model.width // model.heads * config.precision.input_bits / 8
    off_chip = last > config.sites["tile"].buffer.capacity_kib * 1024  # a head's keys and values
    found = Formula(config, model, off_chip)
    every = [found.token(context) for context in row.contexts]
    return {term: sum(each[term] for each in every) / len(every) for term in TERMS}


def term_of(charge: Mapping[str, Any], on_arrays: set[str]) -> str:
    """Return the term that a row of the attribution belongs to."""
    cause, part, op = charge["cause"], charge["part"], charge["op"]
    product = "/MatMul" in op  # of two activations
    if cause == "memory":
        return "cache"
    if cause not in ("compute", "transport"):
        return WAITS
    if cause == "compute":
        if part in ("core.array", "core.adc"):
            return "arrays"
        return "attention" if ".attn/" in op and op not in on_arrays else "digital"
    if part == "external":
        return "links"
    if part == "network":
        return "network"
    return "cache" if product else "tiles"


def simulated(row: Row) -> dict[str, Any]:
    """Run a row; return the time of a token and its terms by the attribution of the `decode` phase, ns."""
    import pimsim

    chip = pimsim.Chip.load(row.chip, row.changes)
    result = pimsim.generate(chip, pimsim.Trace.load("gpt2"), row.prompt, row.tokens)
    phase = result.phases[-1]
    on_arrays = {op["op"] for op in result.plan if op["on"] == "arrays"}
    spent: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    steps = row.tokens - 1
    for charge in phase["attribution"]:
        time = charge["fs"] / 1e6 / steps
        spent[term_of(charge, on_arrays)] += time
        causes[f"{charge['cause']}, {charge['part']}"] += time
    total = (phase["end_fs"] - phase["begin_fs"]) / 1e6 / steps
    return {
        "total": total,
        "terms": {term: spent[term] for term in (*TERMS, WAITS)},
        "cause": causes.most_common(1)[0],
        "chips": result.chips,
    }


def microseconds(times: Iterable[float]) -> str:
    """Return times in ns as cells of a table, us."""
    return " | ".join(f"{time / 1000:,.1f}" for time in times)


def span(row: Row) -> str:
    """Return the contexts of a row."""
    return f"{row.contexts[0]} to {row.contexts[-1]}"


def formula_line(row: Row) -> str:
    """Return the line of the table that the formulas give."""
    terms = formula(row)
    largest = max(terms, key=terms.__getitem__)
    total = sum(terms.values())
    times = f"{microseconds(terms.values())} | | {microseconds([total])}"
    return f"| {row.name} | {span(row)} | formula | {times} | {largest} | |"


def simulated_line(row: Row, found: Mapping[str, Any]) -> str:
    """Return the line of the table that a simulation gives."""
    cause, time = found["cause"]
    ratio = found["total"] / sum(formula(row).values())
    verdict = "" if LEAST <= ratio <= MOST else ", outside"
    return (
        f"| | {found['chips']} chip{'s' * (found['chips'] > 1)} | simulated | {microseconds(found['terms'].values())} "
        f"| {microseconds([found['total']])} | {cause} ({microseconds([time])}) | **{ratio:.2f}**{verdict} |"
    )


HEAD = f"""| chip | context | | {" | ".join(TERMS)} | {WAITS} | sum | largest | ratio |
|---|---|---|{"---:|" * (len(TERMS) + 2)}---|---:|"""


def main() -> None:
    """Print the table, a row as soon as it is known."""
    print(HEAD, flush=True)
    for number, row in enumerate(ROWS):
        print(formula_line(row), flush=True)
        command = [sys.executable, __file__, str(number)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(simulated_line(row, found), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(simulated(ROWS[int(sys.argv[1])])))
    else:
        main()
