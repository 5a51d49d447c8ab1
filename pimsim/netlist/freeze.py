"""From the rows of a machine to the arrays that `pimsim_core.engine.Engine` takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pimsim.collection import uncollected
from pimsim.netlist.addresses import access_numbers
from pimsim.netlist.costs import Costs
from pimsim.netlist.netlist import Netlist
from pimsim.netlist.rows import Cast, Input, Mvm, Output
from pimsim.network.fabric import tree_rows
from pimsim_core.kernel import CAUSES, record_dtype


def _freeze_casts(net: Netlist, costs: Costs) -> dict[str, npt.NDArray[Any]]:
    """The arrays of `casts`: by actor, their trees, and the leaves of those by their last hop."""
    casts = sorted(net.casts, key=_actor)
    trees = [tree for cast in casts for tree in cast.trees]
    number = {id(tree): i for i, tree in enumerate(net.trees)}
    first_tree = np.cumsum([0, *(len(cast.trees) for cast in casts)])[: len(casts)]
    first_leaf = np.cumsum([0, *(len(tree.leaves) for tree in trees)])[: len(trees)]
    pieces = np.cumsum([0, *(len(tree.pieces) for tree in trees)])
    leaves = [leaf for tree in trees for leaf in tree.leaves]
    last = [hop for tree in trees for hop in tree_rows([leaf.way for leaf in tree.leaves])[1]]
    first_cast, last_cast = _spans(casts, len(net.actors))
    return {
        "first_cast": first_cast.astype(np.int32),
        "last_cast": last_cast.astype(np.int32),
        "casts": records("cast", casts, table=(cast.tree for cast in casts), first_tree=first_tree),
        "trees": records(
            "tree",
            trees,
            resource=(tree.resource for tree in trees),
            terminal=(tree.terminal for tree in trees),
            route=(number[id(tree)] for tree in trees),
            first_piece=pieces[:-1],
            last_piece=pieces[1:],
            first_leaf=first_leaf,
            leaves=(len(tree.leaves) for tree in trees),
            cost=(costs.trees[number[id(tree)]] for tree in trees),
        ),
        "pieces": np.array([flits for tree in trees for flits in tree.pieces], dtype=np.int32),
        "leaves": records(
            "leaf",
            leaves,
            latency=(leaf.latency for leaf in leaves),
            output=(leaf.output for leaf in leaves),
            hop=last,
        ),
    }


@uncollected()
def freeze(net: Netlist) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays that `pimsim_core.engine.Engine` takes."""
    part_id = {name: i for i, name in enumerate(net.parts)}
    op_id = {name: i for i, name in enumerate(net.ops)}
    mvms: dict[Mvm, int] = {}
    costs = Costs(net)
    first_resource = net.links + len(net.streams)
    first_route = len(net.trees)
    steps = [step for path in net.paths for step in path]
    for step in steps:
        if step.mvm is not None:
            mvms.setdefault(step.mvm, len(mvms))
    inputs, outputs = sorted(net.inputs, key=_actor), sorted(net.outputs, key=_actor)

    first_input, last_input = _spans(inputs, len(net.actors))
    first_output, last_output = _spans(outputs, len(net.actors))
    consumer_ptr, consumers = _csr([i.stream for i in inputs], len(net.streams))
    producer_ptr, producing = _csr([o.stream for o in outputs], len(net.streams))
    return {
        "select_ptr": np.cumsum([0, *net.selectors]).astype(np.int64),
        "resources": records(
            "resource",
            net.resources,
            period=(r.period_fs for r in net.resources),
            servers=(r.servers for r in net.resources),
            link=(-1 if r.link is None else r.link for r in net.resources),
            cause=(CAUSES.index(r.cause) for r in net.resources),
            part=(part_id[r.part] for r in net.resources),
            place=range(first_resource, first_resource + len(net.resources)),
            tile=(net.tiles if r.tile is None else r.tile for r in net.resources),
        ),
        "steps": records(
            "step",
            steps,
            resource=(s.resource for s in steps),
            mvm=(-1 if s.mvm is None else mvms[s.mvm] for s in steps),
            route=(-1 if s.route is None else first_route + s.route for s in steps),
            terminal=(s.terminal for s in steps),
            cost=(cost for cost, _, _ in costs.steps),
            argument=(argument for _, argument, _ in costs.steps),
            arguments=(rows for _, _, rows in costs.steps),
            cause=(-1 if s.cause is None else CAUSES.index(s.cause) for s in steps),
            access=access_numbers(net),
        ),
        "path_ptr": np.cumsum([0, *(len(p) for p in net.paths)]).astype(np.int32),
        "mvms": records(
            "mvm",
            list(mvms),
            setup=(m.setup for m in mvms),
            read=(m.read for m in mvms),
            convert=(m.convert for m in mvms),
            tail=(m.tail for m in mvms),
            phases=(m.phases for m in mvms),
            bank=(m.bank for m in mvms),
            shared=(m.shared for m in mvms),
        ),
        "actors": records(
            "actor",
            net.actors,
            firings=(a.firings for a in net.actors),
            period=(a.period for a in net.actors),
            limit=(a.firings if a.limit is None else a.limit for a in net.actors),
            milestone=(a.milestone for a in net.actors),
            depth=(a.depth for a in net.actors),
            path=(a.path for a in net.actors),
            op=(op_id[a.op] for a in net.actors),
            first_input=first_input,
            last_input=last_input,
            first_output=first_output,
            last_output=last_output,
            selector=(-1 if a.selector is None else a.selector for a in net.actors),
            site=(a.site for a in net.actors),
        ),
        "inputs": records(
            "input",
            inputs,
            freed=(i.freed for i in inputs),
            stream=(i.stream for i in inputs),
            need=(i.need for i in inputs),
            free=(i.free for i in inputs),
        ),
        "outputs": records(
            "output",
            outputs,
            stream=(o.stream for o in outputs),
            token=(o.token for o in outputs),
            path=(-1 if o.path is None else o.path for o in outputs),
            cast=(o.cast is not None for o in outputs),
            selector=(-1 if o.selector is None else o.selector for o in outputs),
        ),
        "streams": records(
            "stream",
            net.streams,
            capacity=(s.capacity for s in net.streams),
            tokens=(s.tokens for s in net.streams),
            part=(part_id[s.part] for s in net.streams),
            bits=(s.bits for s in net.streams),
            place=range(net.links, first_resource),
            tile=(-1 if s.tile is None else s.tile for s in net.streams),
        ),
        **costs.arrays(),
        **_freeze_casts(net, costs),
        "table": np.concatenate([np.zeros(0, np.int64), *net.tables]),
        "table_ptr": np.cumsum([0, *(len(t) for t in net.tables)]).astype(np.int64),
        "consumer_ptr": consumer_ptr,
        "consumers": consumers,
        "input_actor": np.array([i.actor for i in inputs], dtype=np.int32),
        "producer_ptr": producer_ptr,
        "producers": np.array([outputs[o].actor for o in producing], dtype=np.int32),
    }


def records(kind: str, rows: Sequence[Any], **columns: Any) -> npt.NDArray[Any]:
    """Return an array of the engine's records, its columns filled."""
    array = np.zeros(len(rows), dtype=record_dtype(kind))
    for name, values in columns.items():
        array[name] = list(values)
    return array


def _actor(row: Input | Output | Cast) -> int:
    return row.actor


def _spans(rows: Sequence[Input | Output | Cast], actors: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    owners = np.array([row.actor for row in rows], dtype=np.int64)
    each = np.arange(actors)
    return np.searchsorted(owners, each, "left"), np.searchsorted(owners, each, "right")


def _csr(owners: Sequence[int], size: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    counts = np.bincount(np.array(owners, dtype=np.int64), minlength=size)
    order = np.argsort(np.array(owners, dtype=np.int64), kind="stable")
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32), order.astype(np.int32)
