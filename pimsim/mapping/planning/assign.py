"""Which sites do which op: those whose kind can; of several, those that the op's time and its inputs' way favour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pimsim.chip import ChipConfig
from pimsim.chip.parts.clock import period_fs
from pimsim.errors import MappingError, nearest
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.heads import Group
from pimsim.mapping.flow.stores import STORE
from pimsim.mapping.planning.kind import Kind
from pimsim.units import format_time

HOST_OPS = {"Input", "Output"}


@dataclass(frozen=True, slots=True)
class Choice:
    """Where an op is done.

    Parameters
    ----------
    site : str or None
        The name of the sites; None for what the host does.
    why : str
        In words.
    """

    site: str | None
    why: str


def assign(
    nodes: Sequence[Node],
    groups: Sequence[Group],
    kinds: Mapping[str, Kind],
    config: ChipConfig,
    weight_bits: Sequence[int],
    input_bits: int,
) -> list[Choice]:
    """Choose the sites of each op; ops of a group of heads go to the same.

    The time of an op is what it would keep all sites of a name busy for, shared out evenly; to that comes the time that
    its inputs take over a link each way, where they are made elsewhere.

    Raises
    ------
    MappingError
        If no site of the chip can do an op: says why none can, and what could.
    """
    group_of = {n: group for group in groups for n in group.members}
    choices: list[Choice] = []
    settled: dict[int, Choice] = {}
    stores: list[int] = []
    for n, node in enumerate(nodes):
        if node.type == STORE:  # settled when what it is for is
            stores.append(n)
            choices.append(Choice(None, "the buffers beside the op are too small"))
            continue
        if node.type in HOST_OPS:
            choices.append(Choice(None, "the host's"))
            continue
        if n in settled:
            choices.append(settled[n])
            continue
        members = group_of[n].members if n in group_of else (n,)
        able = _able([nodes[m] for m in members], kinds, config)
        if len(able) == 1:
            others = len(kinds) > 1
            why = f"only {able[0]} can" if others else "the chip's only sites"
            choice = Choice(able[0], why)
        else:
            choice = _best(members, nodes, choices, able, kinds, config, weight_bits, input_bits)
        settled.update(dict.fromkeys(members, choice))
        choices.append(choice)
    for n in stores:
        choices[n] = replace(choices[n], site=choices[n + 1].site)
    return choices


def _able(nodes: Sequence[Node], kinds: Mapping[str, Kind], config: ChipConfig) -> list[str]:
    """Return the names of the sites that can do all of some ops."""
    able = [name for name, kind in kinds.items() if not any(kind.refusal(node) for node in nodes)]
    if able:
        return able
    node = next((each for each in nodes if all(kind.refusal(each) for kind in kinds.values())), nodes[0])
    reasons = "; ".join(f"{name}: {kind.refusal(node)}" for name, kind in kinds.items())
    if not node.on_arrays and all(kind.refusal(node) for kind in kinds.values()):
        if any(kind.site.unit_of(node.type) is not None for kind in kinds.values()):
            raise MappingError(
                f"no site of {config.name} does it ({reasons})",
                where=f"op '{node.name}' ({node.type})",
                mend="add sites that do: of kind processor, or with digital units that list it",
            )
        known = [
            op for kind in kinds.values() for unit in kind.site.digital.values() for op in unit.operations
        ]
        raise MappingError(
            f"no digital unit of {config.name} does {node.type}",
            where=f"op '{node.name}'",
            mend="add it to a unit's operations in the chip file, with its cycles per element; "
            + nearest(node.type, known),
        )
    if node.on_arrays and all(kind.refusal(node) for kind in kinds.values()):
        raise MappingError(
            f"no site of {config.name} can hold its weight ({reasons})",
            where=f"op '{node.name}' ({node.type})",
            mend="add sites that can: of kind crossbar, or of kind digital with weights_in",
        )
    raise MappingError(
        f"attention by heads stays together, but no one site of {config.name} does all of its ops "
        f"({', '.join(sorted({each.type for each in nodes}))})",
        where=f"op '{nodes[0].name}' and those after it",
        mend="add the missing operations to one site's digital units",
    )


def _best(
    members: Sequence[int],
    nodes: Sequence[Node],
    choices: Sequence[Choice],
    able: Sequence[str],
    kinds: Mapping[str, Kind],
    config: ChipConfig,
    weight_bits: Sequence[int],
    input_bits: int,
) -> Choice:
    """Return the site with the least time, the first of equals."""
    network = config.network
    flit_fs = period_fs(config.clocks, network.clock)
    times: dict[str, float] = {}
    for name in able:
        work = sum(kinds[name].predicted_fs(nodes[m], weight_bits[m], input_bits) for m in members)
        moved = 0
        for m in members:
            for edge in nodes[m].edges:
                if edge.source < len(choices) and choices[edge.source].site not in (name, None):
                    moved += nodes[edge.source].tokens * network.flits(edge.features * edge.bits)
        times[name] = work + moved * flit_fs
    best = min(able, key=lambda name: times[name])
    told = ", ".join(f"{name} {format_time(times[name])}" for name in able)
    return Choice(best, f"least time an inference, work and inputs' way: {told}")
