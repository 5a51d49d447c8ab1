"""What a network on its own, or a chip's, would take: refused before it starts if that is too much."""

from __future__ import annotations

from pimsim.errors import ConfigError

MOST_BYTES = 4 * 2**30
MOST_FLIT_HOPS = 1_000_000_000
"""Some minutes, as a flit-hop takes 0.1 us and a packet crosses more links than two."""

FLIT_BYTES = 16  # of a flit's place in a buffer
PACKET_BYTES = 160  # of a packet's row, and what is kept of it for the figures


def check_buffers(channels: int, vcs: int, flits: int) -> None:
    """Refuse buffers whose flits alone fill the memory.

    Parameters
    ----------
    channels, vcs, flits : int
        Channels of all copies of the network, virtual channels of each, and flits that each of these holds.

    Raises
    ------
    ConfigError
        If they do: says how much they need.
    """
    size = channels * vcs * flits * FLIT_BYTES
    if size > MOST_BYTES:
        raise ConfigError(
            f"{channels} channels x {vcs} virtual channels x {flits} flits need {_gib(size)} of memory, "
            f"expected at most {_gib(MOST_BYTES)}",
            where="the network's buffers",
            mend="fewer virtual channels, or smaller buffers",
        )


def check_work(packets: float, flits: float, where: str) -> None:
    """Refuse packets that fill the memory, or whose flits keep a processor at work for hours.

    Parameters
    ----------
    packets, flits : float
        Of a whole run, at least.
    where : str
        The option that asks for so many.

    Raises
    ------
    ConfigError
        If they do: says how much they need.
    """
    if packets * PACKET_BYTES > MOST_BYTES:
        raise ConfigError(
            f"{packets:,.0f} packets need {_gib(packets * PACKET_BYTES)} of memory, "
            f"expected at most {_gib(MOST_BYTES)}",
            where=where,
            mend="ask for fewer packets",
        )
    if 2 * flits > MOST_FLIT_HOPS:
        raise ConfigError(
            f"{flits:,.0f} flits cross {2 * flits:,.0f} links at least, which takes hours, "
            f"expected at most {MOST_FLIT_HOPS:,}",
            where=where,
            mend="ask for fewer or smaller packets",
        )


def _gib(size: float) -> str:
    return f"{size / 2**30:,.1f} GiB"
