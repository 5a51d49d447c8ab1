"""What a result file holds, key by key; ``docs/results.md`` says what each figure means."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from pimsim.result.bounds_schema import Bounds, Prediction
from pimsim.result.numbers import Amount, Bits, By, Few, Positive, Rate, Row, Share, Whole


class Identity(Row):
    """What a run was made of."""

    digest: str
    pimsim: str
    chip: str
    trace: str
    seed: int | None


class Picojoules(Row):
    """Sums of energy, pJ."""

    total: Amount
    on_chip: Amount
    off_chip: list[str] = Field(default_factory=list)
    by_part: dict[str, Amount]
    dynamic: dict[str, Amount]
    static: dict[str, Amount]
    dynamic_by_op: dict[str, Amount]
    not_modelled: list[str]


class EnergyRow(Row):
    """Energy of a part for an op, aJ."""

    part: str
    op: str | None
    kind: Literal["dynamic", "static"]
    aj: Whole


class Energy(Row):
    """Energy in whole attojoules."""

    total_aj: Whole
    rows: list[EnergyRow]


class Area(Row):
    """Areas, um2."""

    total: Amount
    by_part: dict[str, Amount]
    not_modelled: list[str]


class Tops(Row):
    """Operations a second and by energy."""

    achieved: Amount
    steady: Amount
    per_watt: Amount | None


class Peak(Row):
    """Every part at its highest rate."""

    tops: Rate
    watts: Amount


class Utilisation(Row):
    """Shares in use."""

    arrays_mapped: Share | None
    cells_mapped: Share | None
    arrays_busy: Share | None
    adcs_busy: Share | None


class Charge(Row):
    """Time of the critical path, and what took it."""

    cause: str
    part: str
    op: str
    fs: Whole


class Phase(Row):
    """A part of the run, one after another."""

    phase: str
    begin_fs: Whole
    end_fs: Whole
    attribution: list[Charge]


class OpRow(Row):
    """What an op did."""

    op: str
    macs: Whole
    elements: Amount
    positions: Whole = 0
    actors: Whole
    firings: Whole
    begin_fs: Whole
    end_fs: Whole
    done_fs: Whole = 0
    critical_fs: Whole
    working_fs: Whole
    starved_fs: Whole
    blocked_fs: Whole
    denied_fs: Whole
    over_fs: Whole
    starved_by: By
    blocked_by: By
    waited_fs: Whole
    waited_at: By
    waited_for: By
    energy_aj: Whole
    bytes_out: Amount
    bytes_in: Amount
    network_bytes_out: Amount
    network_bytes_in: Amount


class TileRow(Row):
    """What a tile did."""

    tile: Whole
    chip: Whole
    ops: list[str]
    busy: dict[str, Amount]
    critical_fs: Whole
    waited_fs: Whole
    energy_pj: Amount
    average_mw: Amount
    peak_mw: Amount
    buffer_peak_bytes: Amount
    buffer_bytes: Rate


class Power(Row):
    """Power of everything."""

    static_mw: Amount
    average_mw: Amount
    peak_mw: Amount
    peak_at_fs: Whole


class OverTime(Row):
    """Figures in bins."""

    bin_fs: Positive
    power: Power
    dynamic_mw: dict[str, list[Amount]]
    tile_dynamic_mw: dict[str, list[Amount]]
    firings_under_way: dict[str, list[Amount]]


class WindowRow(Row):
    """Where less may be under way than the way needs."""

    window: str
    what: str
    size: Whole
    needs: Whole
    set_by: str
    waited_fs: Whole


class ResourceRow(Row):
    """Use of a kind of part."""

    instances: Whole
    visits: Whole
    busy_fs: Whole
    waited_fs: Whole
    busiest: str
    busiest_fs: Whole


class LinkRow(Row):
    """Use of a channel."""

    chip: Whole
    begin: Annotated[str, Field(alias="from")]
    end: Annotated[str, Field(alias="to")]
    flits: Whole
    busy_fs: Whole
    utilisation: Share
    waited_fs: Whole
    critical_fs: Whole


class NetworkFigures(Row):
    """How the network was run, and its links."""

    fidelity: str
    approximate: bool
    links: list[LinkRow]


class PlanRow(Row):
    """Where an op was put."""

    op: str
    type: str
    on: str
    arrays: Whole
    weight_bits: Bits | None = None
    input_bits: Bits | None = None
    utilisation: Share | None
    replicas: Positive
    firings: Positive
    slices: Positive = 0
    round: Whole
    site: str | None = None
    tiles: list[Whole]


class Engine(Row):
    """What the engine did."""

    firings: Whole
    packets: Whole
    events: Whole
    simpy_events: Whole = 0


class Tokens(Row):
    """Times from a token to the next."""

    first: Whole
    median: Whole
    last: Whole


class PromptRow(Row):
    """A prompt and when its tokens came."""

    arrival_fs: Whole
    token_fs: list[Whole]


class Percentiles(Row):
    """Times that so many of a hundred stay below, fs."""

    half: Annotated[Whole, Field(alias="50")]
    most: Annotated[Whole, Field(alias="90")]
    nearly_all: Annotated[Whole, Field(alias="95")]
    all_but_one: Annotated[Whole, Field(alias="99")]


class Generation(Row):
    """What was asked for, and when it came."""

    prompt: Positive
    tokens: Positive
    requests: Positive
    energy_per_prompt_pj: Amount
    energy_per_token_pj: Amount | None
    energy_over_tokens_pj: Amount
    first_token_percentiles_fs: Percentiles
    token_percentiles_fs: Percentiles | None
    sequences: list[PromptRow]


class WearRow(Row):
    """How often the cells of an op were written."""

    op: str
    what: str
    writes: Whole
    endurance: Amount | None
    lifetime_s: Amount | None


class ControllerRow(Row):
    """What a controller did."""

    controller: str
    where: str
    times: Whole
    held_fs: Whole
    energy_aj: Whole | None


class MemoryRow(Row):
    """What a channel of a memory did that ran command by command."""

    port: str
    standard: str
    bursts: Whole
    gb_per_s: Amount
    peak_gb_per_s: Amount
    hit: Whole
    miss: Whole
    conflict: Whole
    forwarded: Whole
    merged: Whole
    row_miss_fs: Whole
    bank_conflict_fs: Whole
    refresh_fs: Whole
    turnaround_fs: Whole
    commands: dict[str, Whole]
    commands_aj: Whole | None


class Precision(Row):
    """Of the chip's peak."""

    weight_bits: Bits
    input_bits: Bits


class Config(Row):
    """The chip file; `Chip.from_dict` checks the rest of it where it is used."""

    description: str
    precision: Precision


class TraceHeader(Row):
    """Where the trace comes from."""

    ops: Whole
    source: dict[str, Any]
    symbols: dict[str, Any] = Field(default_factory=dict)
    defaults: list[str] = Field(default_factory=list)


class ResultFile(Row):
    """A whole result; ``docs/results.md`` says what each figure means."""

    warnings: list[str] = Field(default_factory=list)
    identity: Identity
    model: str
    chip: str
    chips: Few
    chips_requested: Few | None
    batch: Few
    weight_bits: Bits
    input_bits: Bits
    latency_fs: Positive
    first_output_fs: Whole
    interval_fs: Positive
    interval_error_fs: Whole | None
    interval_how: str
    interval_over: Whole
    interval_batch: Whole
    outputs_fs: Annotated[list[Whole], Field(min_length=1)]
    inferences_per_s: Rate
    macs: Whole
    energy_pj: Picojoules
    energy: Energy
    area_um2: Area
    tops: Tops
    peak: Peak
    utilisation: Utilisation
    bounds: Bounds
    attribution: Annotated[list[Charge], Field(min_length=1)]
    interval_attribution: list[Charge]
    phases: list[Phase]
    ops: list[OpRow]
    tiles: list[TileRow]
    over_time: OverTime
    windows: list[WindowRow]
    resources: dict[str, ResourceRow]
    network: NetworkFigures
    plan: list[PlanRow]
    engine: Engine
    notes: list[str]
    config: Config
    trace: TraceHeader
    controllers: list[ControllerRow] = Field(default_factory=list)
    wear: list[WearRow] = Field(default_factory=list)
    memories: list[MemoryRow] = Field(default_factory=list)
    prediction: Prediction = None  # type: ignore[assignment]  # where it stands, it is one
    generation: Generation = None  # type: ignore[assignment]
    first_token_fs: Whole | None = None
    token_fs: Tokens | None = None
    tokens_per_s: Rate | None = None
