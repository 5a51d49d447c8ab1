"""Attention as one op of the data flow: which chains of ops are attention, and how they are done in one kernel.

The chain stays in the data flow, op by op; all but the last are done within its kernel, and hand on no data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pimsim.mapping.flow.attention import Attention
from pimsim.mapping.flow.dataflow import Edge, Node
from pimsim.mapping.flow.heads import right_heads
from pimsim.mapping.flow.rules import rule_of
from pimsim.trace.optypes import class_of

Chain = tuple[int, ...]
"""Numbers of nodes: the product that makes scores, what works on them, the product by the values."""
BETWEEN = ("elementwise", "softmax")
"""Classes of the ops that scores may pass."""


def chains_of(nodes: Sequence[Node]) -> list[Chain]:
    """Return the chains that are attention: nobody else reads the scores, and there is a softmax of them."""
    readers = Counter(edge.source for node in nodes for edge in node.edges)
    found = []
    for last, node in enumerate(nodes):
        if not _multiplies(node) or node.edges[0] is node.right:
            continue
        chain, at = [last], node.edges[0].source
        while readers[at] == 1 and class_of(nodes[at].type) in BETWEEN and nodes[at].edges:
            chain.append(at)
            at = nodes[at].edges[_scores_at(nodes[at])].source
        scores = _multiplies(nodes[at]) and readers[at] == 1
        if scores and sum(class_of(nodes[n].type) == "softmax" for n in chain) == 1:
            found.append((at, *reversed(chain)))
    return found


def _multiplies(node: Node) -> bool:
    """Whether an op is a product of two activations."""
    return rule_of(node.type).multiplies and node.right is not None


def _scores_at(node: Node) -> int:
    """Return which input of an elementwise op has the form of its output: scores, not a mask for all heads."""
    assert node.op is not None
    shapes = [each.tensor.shape for each in node.op.activations]
    return shapes.index(node.op.output.shape) if node.op.output.shape in shapes else 0


def attention_of(nodes: Sequence[Node], chain: Chain) -> Attention:
    """Return the sizes of a chain's attention."""
    scores, values = nodes[chain[0]].op, nodes[chain[-1]].op
    assert scores is not None
    assert values is not None
    depth, width = scores.inputs[0].tensor.shape[-1], values.output.shape[-1]
    rows, keys = scores.output.shape[-2:]
    heads = scores.macs // (rows * keys * depth)
    layout = nodes[chain[-1]].layout
    sharing = max(1, layout.heads // right_heads(nodes[chain[-1]])) if layout.heads else 1
    sharing = sharing if heads % sharing == 0 else 1
    causal = nodes[chain[-1]].seen < 1
    beside = 0 if causal else sum(_beside(nodes[n]) for n in chain[1:-1])
    return Attention(heads // sharing, sharing, rows, keys, depth, width, beside / (rows * keys), causal)


def _beside(node: Node) -> int:
    """Return the elements of masks and biases that an op takes beside scores."""
    assert node.op is not None
    all_of_them = sum(each.tensor.elements for each in node.op.inputs)
    return max(0, all_of_them - node.op.output.elements)


def fused(nodes: Sequence[Node], apart: Sequence[Node], chains: Sequence[Chain]) -> list[Node]:
    """Return a data flow of kernels in which chains are done in the kernel of their last op.

    Parameters
    ----------
    nodes : sequence of Node
        The data flow of kernels.
    apart : sequence of Node
        The same, position by position, which tells sizes.
    chains : sequence of tuple of int
        Of `chains_of`.
    """
    found = list(nodes)
    for chain in chains:
        inner = set(chain[:-1])
        for n in chain[:-1]:
            edges = [_word(edge) if edge.source in inner else edge for edge in found[n].edges]
            found[n] = replace(found[n], within=nodes[chain[-1]].name, work=0.0, features=1, edges=edges)
        last = found[chain[-1]]
        edges = [_word(edge) if edge.source in inner else edge for edge in last.edges]
        work = nodes[chain[0]].work + last.work  # both products
        found[chain[-1]] = replace(last, attention=attention_of(apart, chain), work=work, edges=edges)
    return found


def _word(edge: Edge) -> Edge:
    """Return an edge on which nothing but the word goes that there is something."""
    return replace(edge, features=1, reads=1)


def marked(nodes: Sequence[Node]) -> list[Chain]:
    """Return the chains that are done in one kernel each."""
    inner: dict[str, list[int]] = {}
    for n, node in enumerate(nodes):
        if node.within:
            inner.setdefault(node.within, []).append(n)
    return [(*inner[node.name], n) for n, node in enumerate(nodes) if node.attention is not None]
