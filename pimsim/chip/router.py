"""How the routers of a network are built, and what follows from that."""

from __future__ import annotations

from dataclasses import dataclass, fields

from pimsim.errors import ConfigError

MOST = {"vcs": 64, "buffer": 100_000}
MOST_CYCLES = 100_000


@dataclass(frozen=True)
class Router:
    """How all routers of a network are built; delays in cycles of the network's clock.

    Parameters
    ----------
    vcs : int
        Virtual channels of each channel.
    buffer : int
        Flits that each of them holds at the far end.
    rd, va, sa, st : int
        Cycles to route, to allocate a virtual channel, to allocate the switch, and to traverse it.
    link : int
        Delay of a link between routers; ports of terminals take 1 cycle.
    credit : int
        Cycles more that a router takes to count a credit.
    speculative : bool
        Whether a head asks for the switch together with its virtual channel.

    Raises
    ------
    ConfigError
        If one is out of its range.
    """

    vcs: int = 2
    buffer: int = 8
    rd: int = 1
    va: int = 1
    sa: int = 1
    st: int = 1
    link: int = 1
    credit: int = 0
    speculative: bool = False

    def __post_init__(self) -> None:
        """Refuse what no router can be."""
        for field in fields(self):
            value = getattr(self, field.name)
            least = 1 if field.name in ("vcs", "buffer", "va", "sa") else 0
            most = MOST.get(field.name, MOST_CYCLES)
            if field.name != "speculative" and not (type(value) is int and least <= value <= most):
                raise ConfigError(
                    f"found {value!r:.30}, expected a whole number from {least} to {most}", where=field.name
                )

    def credit_loop(self, link: int) -> int:
        """Return the flits that a virtual channel must hold to be sent one flit a cycle over a link."""
        return 2 * link + self.st + self.sa + 1 + self.credit

    def shortage(self, link: int) -> str | None:
        """Say so if the buffers are smaller than the credit loop of a link, and what that allows."""
        loop = self.credit_loop(link)
        if self.buffer >= loop:
            return None
        share = self.buffer / loop
        return (
            f"buffer: {self.buffer} flits are fewer than the {loop} of the credit loop over links of {link} cycles; "
            f"a virtual channel carries at most {share:.3f} flits a cycle, all {self.vcs} of a link "
            f"{min(1.0, share * self.vcs):.3f}"
        )

    def per_hop(self) -> int:
        """Return the cycles of a router, from a head's arrival to its departure on an idle link."""
        merged = max(self.va, self.sa) if self.speculative else self.va + self.sa
        return self.rd + merged + self.st
