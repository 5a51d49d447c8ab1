"""What the causes of the attribution are called in sentences and tables."""

from __future__ import annotations

MEANINGS = {
    "compute": "a part at work",
    "transport": "data on its way",
    "contention": "another actor held the part",
    "dependence": "an input was not there",
    "backpressure": "no free place in a buffer",
    "clock": "waiting for a clock edge",
    "programming": "arrays being written",
    "memory": "a memory at work",
    "congestion": "links of the network were taken",
    "maintenance": "calibrated, refreshed or repaired",
    "waking": "a gated site came back",
    "launch": "a kernel being started",
    "row_miss": "a memory's row being opened",
    "bank_conflict": "another row of a memory's bank in the way",
    "refresh": "a memory being refreshed",
    "turnaround": "a memory's data bus turning between reads and writes",
}

_PHRASES = {
    "compute": "work in {part}",
    "transport": "transport over {part}",
    "contention": "waiting for {part}",
    "dependence": "waiting for {part}",
    "backpressure": "full {part}",
    "clock": "clock edges of {part}",
    "programming": "programming {part}",
    "memory": "{part} at work",
    "congestion": "congestion in {part}",
    "maintenance": "upkeep of {part}",
    "waking": "waking up {part}",
    "launch": "starts of kernels by {part}",
    "row_miss": "rows of {part} being opened",
    "bank_conflict": "rows in the way in {part}",
    "refresh": "refresh of {part}",
    "turnaround": "turns of the data bus of {part}",
}


def phrase(cause: str, part: str) -> str:
    """Return a cause at a part in words: ``waiting for core.adc``."""
    return _PHRASES.get(cause, cause + " at {part}").format(part=part)
