"""What ops of a PyTorch model are called: as the module that they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pimsim.trace.names import free
from pimsim.trace.op import Op
from pimsim.trace.tensor import Operand
from pimsim.trace.torch.identity import UNNAMED

if TYPE_CHECKING:
    from torch.fx import Node

_OWN_NAME = ("LayerNormalization", "RMSNormalization", "BatchNormalization")


def scope_of(node: Node) -> str:
    """Return the path of the module that a node comes from."""
    stack = node.meta.get("nn_module_stack") or {}
    path = next(reversed([path for path, _ in stack.values()]), "") if stack else ""
    path = path.removeprefix("L['self']").removeprefix(".")
    return "".join(letter if letter.isprintable() else "_" for letter in path)[:500]


def called(scope: str, type_: str, operands: Sequence[Operand]) -> str:
    """Return what an op is called: as its module, if that has one such op, or with its type."""
    has_own_name = type_ in _OWN_NAME or any(operand.role == "weight" for operand in operands)
    return scope if has_own_name and scope else "/".join(part for part in (scope, type_) if part)


def finished(
    ops: Sequence[Op],
    outputs: Sequence[str],
    before: Mapping[str, Op],
    scopes: Mapping[str, str],
) -> tuple[list[Op], list[str]]:
    """Return ops and outputs as a trace has them: names of parameters, and of ops by their types.

    Parameters
    ----------
    ops : sequence of Op
        In their form.
    outputs : sequence of str
        Names of the model's output ops.
    before : mapping of str to Op
        The ops as they were made of nodes.
    scopes : mapping of str to str
        Op to the module that it comes from.
    """
    taken = {op.name for op in ops}
    new: dict[str, str] = {}
    for op in ops:
        if op.name in scopes and before[op.name].type != op.type:
            wanted = called(scopes[op.name], op.type, op.inputs)
        elif op.type == "Reshape" and op.deps[0] in new and op.name.startswith(f"{op.deps[0]}/"):
            wanted = f"{new[op.deps[0]]}/Reshape"  # a view goes by what it is of
        else:
            continue
        taken.remove(op.name)
        new[op.name] = free(wanted, taken)
        taken.add(new[op.name])

    def told(operand: Operand) -> Operand:
        source = new.get(operand.source or "", operand.source)
        unnamed = operand.name is None or operand.name.startswith(UNNAMED)
        if unnamed:
            return replace(operand, source=source, name=None, turned=False)
        return replace(operand, source=source)

    made = [replace(op, name=new.get(op.name, op.name), inputs=tuple(map(told, op.inputs))) for op in ops]
    return made, [new.get(name, name) for name in outputs]
