"""Ops with a body: an If whose condition is known, a Loop or Scan whose number of rounds is, a function.

A body stands in the place of its node, once a round; its values get names of their own, what it reads of the graph
around it keeps its name. So a weight that every round reads is one weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from onnx import AttributeProto, FunctionProto, GraphProto, NodeProto, TensorProto, defs, helper, numpy_helper

from pimsim.trace.tensor import Tensor

if TYPE_CHECKING:
    from pimsim.trace.onnx.piece import OnnxMaker
    from pimsim.trace.onnx.values import Values

MOST_NODES = 400_000
"""What the bodies of a model may unroll to."""
MOST_ROUNDS = 20_000


def captured(node: NodeProto) -> list[str]:
    """Return the values that a node's bodies read of the graph around it."""
    found: dict[str, None] = {}
    for body in _bodies(node):
        found.update(dict.fromkeys(_outer(body)))
    return list(found)


def _bodies(node: NodeProto) -> Iterable[GraphProto]:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def _outer(body: GraphProto) -> list[str]:
    own = {value.name for value in body.input} | {tensor.name for tensor in body.initializer}
    found: dict[str, None] = {}
    for node in body.node:
        for value in (*node.input, *captured(node)):
            if value and value not in own:
                found[value] = None
        own.update(node.output)
    found.update((value.name, None) for value in body.output if value.name not in own)
    return list(found)


def entered(
    graph: Values, body: GraphProto, inputs: Sequence[str], label: str
) -> tuple[list[NodeProto], list[str]]:
    """Return the nodes of a body under names of their own, and the names of what it puts out.

    Parameters
    ----------
    inputs : sequence of str
        Values of the graph around it that stand for the body's inputs.
    label : str
        What the names begin with.
    """
    names = dict(zip((value.name for value in body.input), inputs, strict=False))
    for tensor in body.initializer:
        held = TensorProto()
        held.CopyFrom(tensor)
        held.name = names[tensor.name] = f"{label}/{tensor.name}"
        if held.name not in graph.constants.names:
            graph.constants.add_stored(held)
    nodes = [_renamed(node, names, label) for node in body.node]
    return nodes, [names.get(value.name, value.name) for value in body.output]


def _renamed(node: NodeProto, names: dict[str, str], label: str) -> NodeProto:
    """Return a node with its values renamed; those that it makes are added to the names."""
    made = NodeProto()
    made.CopyFrom(node)
    for attribute in made.attribute:
        graphs = [attribute.g] if attribute.type == AttributeProto.GRAPH else attribute.graphs
        for body in graphs:
            _rename_outer(body, names)
    made.input[:] = [names.get(value, value) for value in node.input]
    names.update((value, f"{label}/{value}") for value in node.output if value)
    made.output[:] = [names.get(value, "") for value in node.output]
    made.name = f"{label}/{node.name or node.output[0]}"
    return made


def _rename_outer(body: GraphProto, names: dict[str, str]) -> None:
    """Rename what a body inside a body reads of those around it."""
    own = {value.name for value in body.input} | {tensor.name for tensor in body.initializer}
    own.update(value for node in body.node for value in node.output)
    inner = {name: to for name, to in names.items() if name not in own}
    for node in body.node:
        node.input[:] = [inner.get(value, value) for value in node.input]
        for attribute in node.attribute:
            for each in [attribute.g] if attribute.type == AttributeProto.GRAPH else attribute.graphs:
                _rename_outer(each, inner)
    for value in body.output:
        value.name = inner.get(value.name, value.name)


def identities(sources: Sequence[str], targets: Sequence[str]) -> list[NodeProto]:
    """Return the nodes that let values go on under other names."""
    return [helper.make_node("Identity", [s], [t]) for s, t in zip(sources, targets, strict=False) if s and t]


# -- what stands for each ------------------------------------------------------------------------------------


def choose(m: OnnxMaker) -> list[Any]:
    """Of an If, the branch that its condition takes."""
    condition = m.node.input[0]
    taken = m.graph.chosen.of(m.label)
    if taken is None and condition not in m.graph.constants.names:
        which = f"say which branch is taken: --bind {m.label}=1 for the first (then_branch), =0 for the other"
        raise m.refuse("its condition depends on data", m.graph.constants.ask([condition]) or which)
    if taken is None:
        taken = bool(m.graph.constants.value(condition).any())
    body: GraphProto = m.attribute("then_branch" if taken else "else_branch")
    nodes, outputs = entered(m.graph, body, [], m.label)
    return [*nodes, *identities(outputs, list(m.node.output))]


def loop(m: OnnxMaker) -> list[Any]:
    """Of a Loop, its body once a round, as long as the condition is known to hold."""
    body: GraphProto = m.attribute("body")
    carried = list(m.node.input[2:])
    chosen = m.graph.chosen.of(m.label)
    counted = m.node.input[0]
    if chosen is None and counted and counted not in m.graph.constants.names:
        raise _refuse_rounds(m, counted)
    limit = m.value(0) if chosen is None else [chosen]
    most = MOST_ROUNDS if limit is None else min(int(limit[0]), MOST_ROUNDS + 1)
    conditional = chosen is None and len(m.node.input) > 1 and m.node.input[1]
    if limit is not None and limit[0] > MOST_ROUNDS and not conditional:
        raise m.refuse(f"it goes {limit[0]} rounds, {MOST_ROUNDS} at most can be unrolled")
    states = len(carried)
    rows: list[list[str]] = [[] for _ in body.output[1 + states :]]

    def go(number: int, condition: str, values: Sequence[str]) -> list[Any]:
        condition = condition if chosen is None else ""
        if condition and condition not in m.graph.constants.names:
            raise _refuse_rounds(m, condition)
        if number >= most or (condition and not m.graph.constants.value(condition).any()):
            return _ended(m, list(values), rows, states)
        if number >= MOST_ROUNDS:
            raise m.refuse(f"it goes more than {MOST_ROUNDS} rounds")
        label = f"{m.label}/{number}"
        count, always = f"{label}/round", f"{label}/true"
        m.graph.constants.add_stored(_scalar(count, number, "int64"))
        m.graph.constants.add_stored(_scalar(always, True, "bool"))
        nodes, outputs = entered(m.graph, body, [count, condition or always, *values], label)
        for held, value in zip(rows, outputs[1 + states :], strict=True):
            held.append(value)
        return [*nodes, lambda: go(number + 1, outputs[0], outputs[1 : 1 + states])]

    return go(0, m.node.input[1] if len(m.node.input) > 1 else "", carried)


def _refuse_rounds(m: OnnxMaker, value: str) -> Exception:
    mend = m.graph.constants.ask([value]) or f"say how many: --bind {m.label}=N"
    return m.refuse("how many rounds it goes depends on data", mend)


def scan(m: OnnxMaker) -> list[Any]:
    """Of a Scan, its body once a row of what it scans."""
    if m.graph.opset < 9:
        raise m.refuse("a Scan of opset 8 goes over a batch", "convert the model to opset 9 or later")
    body: GraphProto = m.attribute("body")
    scanned = int(m.attribute("num_scan_inputs"))
    states = len(m.node.input) - scanned
    terms = [m.needed(states + n) for n in range(scanned)]
    backwards = m.attribute("scan_input_directions") or [0] * scanned
    axes = m.attribute("scan_input_axes") or [0] * scanned
    pieces: list[list[str]] = []
    for term, axis, back in zip(terms, axes, backwards, strict=True):
        axis %= len(term.shape)
        shape = (*term.shape[:axis], *term.shape[axis + 1 :])
        cut = [m.reshape(row, shape).name for row in m.split(term, axis, [1] * term.shape[axis])]
        pieces.append(cut[::-1] if back else cut)
    rows: list[list[str]] = [[] for _ in body.output[states:]]
    rounds = len(pieces[0])
    nodes: list[Any] = list(m.pieces)
    values = list(m.node.input[:states])
    for number in range(rounds):
        given = [*values, *(each[number] for each in pieces)]
        made, outputs = entered(m.graph, body, given, f"{m.label}/{number}")
        nodes += made
        values = outputs[:states]
        for held, value in zip(rows, outputs[states:], strict=True):
            held.append(value)
    out_axes = m.attribute("scan_output_axes") or [0] * len(rows)
    turned = m.attribute("scan_output_directions") or [0] * len(rows)
    ordered = [held[::-1] if back else held for held, back in zip(rows, turned, strict=True)]
    return [*nodes, lambda: _ended(m, values, ordered, states, out_axes)]


def _ended(
    m: OnnxMaker, values: list[str], rows: Sequence[list[str]], states: int, axes: Sequence[int] = ()
) -> list[Any]:
    """Hand on what the last round left, and join what every round put out."""
    m.pieces.clear()
    for position, held in enumerate(rows):
        target = m.node.output[states + position] if states + position < len(m.node.output) else ""
        if not target or not held:
            continue
        axis = axes[position] if axes else 0
        terms = [m.term(value) for value in held]
        rank = len(terms[0].shape) + 1
        axis %= rank
        wide = [m.reshape(t, (*t.shape[:axis], 1, *t.shape[axis:])) for t in terms]
        if all(m.is_constant(term) for term in wide):
            first = wide[0]
            shape = (*first.shape[:axis], len(wide), *first.shape[axis + 1 :])
            m.graph.constants.add_filled(target, Tensor(shape, first.dtype))
        else:
            m.puts_out(states + position, m.concat(wide, axis))
    return [*m.pieces, *identities(values, list(m.node.output[:states]))]


def _scalar(name: str, value: object, dtype: str) -> TensorProto:
    import numpy as np

    return numpy_helper.from_array(np.asarray(value, dtype), name)


def function(m: OnnxMaker, about: FunctionProto) -> list[Any]:
    """Of a function, its nodes, with the attributes that the node gives it."""
    names = dict(zip(about.input, m.node.input, strict=False))
    names.update((each, "") for each in about.input[len(m.node.input) :])
    defaults = {
        name: attribute.default_value
        for name, attribute in defs.get_schema(m.node.op_type, m.graph.opset, "").attributes.items()
        if attribute.default_value.type
    }
    given = {**defaults, **{attribute.name: attribute for attribute in m.node.attribute}}
    nodes = []
    for node in about.node:
        made = _renamed(node, names, m.label)
        kept: list[AttributeProto] = []
        for attribute in made.attribute:
            if not attribute.ref_attr_name:
                kept.append(attribute)
            elif attribute.ref_attr_name in given:
                one = AttributeProto()
                one.CopyFrom(given[attribute.ref_attr_name])
                one.name = attribute.name
                kept.append(one)
        del made.attribute[:]
        made.attribute.extend(kept)
        nodes.append(made)
    return [*nodes, *identities([names.get(each, "") for each in about.output], list(m.node.output))]
