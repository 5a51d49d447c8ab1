"""The rows that a machine is made of; what each of them means is in ``docs/machine-model.md``.

The mapping writes them, and the plain SimPy twin in ``tests/oracle`` reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, NamedTuple

from pimsim.chip.base import Energy
from pimsim.network.fabric import Fabric

if TYPE_CHECKING:
    from pimsim.dram.channel import Channel

HOST = "host"  # the part that waiting for the host is charged to; always the last one


class Resource(NamedTuple):
    """Something that is held while it works."""

    name: str
    part: str
    period_fs: int
    servers: int = 1
    link: int | None = None  # channel of the network that it is, or that it is the entrance of
    cause: str = "compute"
    tile: int | None = None
    channel: Channel | None = None  # of a memory, which is run command by command; the period is its clock's


class Access(NamedTuple):
    """What a visit asks of a channel of a memory: so many bursts, one address after another."""

    bursts: int
    write: bool


class Mvm(NamedTuple):
    """The phases of a matrix-vector multiplication; durations in fs."""

    phases: int
    setup: int
    read: int
    convert: int  # all samples of one phase
    tail: int  # from the last conversion to the result
    bank: int  # the resource that converts
    shared: bool  # whether other actors convert there too


class Carried(NamedTuple):
    """What a visit brings: so many bits from an op, and into the buffers of another; the network may have a part in it.

    Each of the four is an op, or None where the visit brings nothing there.
    """

    bits: int
    sender: str | None = None
    reader: str | None = None
    into_network: str | None = None  # who sends that into it
    from_network: str | None = None  # who takes that out of it


class Written(NamedTuple):
    """What a visit writes: a part of the cells of one place, side by side with those of others there.

    Cells that take turns in one place are told apart by their turn: in the worst case they are the same ones.
    """

    place: Hashable
    turn: int = 0
    cells: Hashable = None  # which of those that are written in this turn
    parts: int = 1  # visits that write each cell once


Tally = Carried | Written
"""What visits are counted as, beside energy."""


class Step(NamedTuple):
    """One visit: the resource is held for the occupancy, the visitor goes on after the latency (fs).

    With a route, the visitor is a packet that holds the network's entrance until its tail is inside, and goes on when
    its tail has come out; occupancy and latency are then those of an empty network. A visit for another purpose than
    its resource's usual one has a cause of its own: who waits for it is charged that.
    """

    resource: int
    occupancy: int
    latency: int
    mvm: Mvm | None = None
    route: int | None = None
    terminal: int = -1  # where the route begins
    flits: int = 0
    energy: Energy = ()
    cause: str | None = None  # the resource's
    tally: Tally | None = None
    access: Access | None = None  # to a channel; occupancy and latency are then the least that can be


Way = tuple[tuple[int, int], ...]
"""Channels of the network, one after another, each with the class of virtual channels that may be used on it."""


class Leaf(NamedTuple):
    """Where a copy of a packet that branches ends."""

    output: int  # of the actor, counted from its first
    way: Way
    latency: int  # fs of a packet of one flit on an empty network


class Tree(NamedTuple):
    """A packet that branches in the routers, cut into pieces that a buffer can hold whole."""

    resource: int  # the network's entrance
    terminal: int
    pieces: tuple[int, ...]  # flits of each
    leaves: tuple[Leaf, ...]
    energy: Energy = ()
    tally: Tally | None = None


class Cast(NamedTuple):
    """What an actor sends to several places at once; `tree` is a table over the firings of an inference, or -1."""

    actor: int
    tree: int
    trees: tuple[Tree, ...]


class NetworkRows(NamedTuple):
    """The networks of all chips as one, and what its numbers mean."""

    fabric: Fabric
    copies: int
    period_fs: int
    by_flit: bool  # or else by packet, over resources


class Stream(NamedTuple):
    """Tokens in order, in a buffer with a finite number of places."""

    name: str
    capacity: int
    tokens: int  # an inference
    part: str = "tile.buffer"
    tile: int | None = None  # whose buffer it is in
    bits: int = 0  # of a token


class Actor(NamedTuple):
    """An op on one replica."""

    name: str
    op: str
    path: int
    firings: int
    period: int = 1  # firings an inference
    depth: int = 1  # firings under way at once
    limit: int | None = None  # firings allowed before the host says more; None is all
    milestone: int = 0  # tell the host every so many firings
    selector: int | None = None  # which of the paths from `path` on an inference takes
    site: int = -1  # where it works, as controllers count sites; -1 is nowhere


class Input(NamedTuple):
    """What an actor takes from a stream; `need` and `free` are tables over the firings of an inference."""

    actor: int
    stream: int
    need: int
    free: int
    freed: int = 0  # tokens below this one the actor never needs


class Output(NamedTuple):
    """What an actor puts on a stream; `token` is a table over the firings of an inference, -1 where there is none.

    Where the path that an inference takes has no steps, nothing is sent: the token is there at once.
    """

    actor: int
    stream: int
    token: int
    path: int | None = None  # of the packet; None is there at once
    cast: int | None = None  # fs through an empty network before the path, where a `Cast` brings it
    selector: int | None = None


class Growing(NamedTuple):
    """A path whose costs depend on an argument of the inference: how many tokens a cache holds.

    `at` gives the steps for an argument: the same resources each time. Those with the same `key` cost the same wherever
    they are.
    """

    path: int
    key: Hashable
    selector: int  # says what an inference's argument is, counted from the first
    first: int
    last: int
    at: Callable[[int], tuple[Step, ...]]


class Owner(NamedTuple):
    """Whose visits those of a path are."""

    op: str
    program: int


class Window(NamedTuple):
    """What may be under way somewhere is less than what its way takes at the pace of the busiest part."""

    what: str  # ``places`` of a stream, or ``firings`` of an actor
    number: int  # of the stream, or of the actor
    needs: int
    set_by: str  # a key of the chip file
