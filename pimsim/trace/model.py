"""What a trace is: ops and the graph they form, checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from pimsim.errors import TraceError
from pimsim.trace.header import complete_header
from pimsim.trace.identity import distinct
from pimsim.trace.observed_file import check_meaning
from pimsim.trace.op import Op
from pimsim.trace.probe import check_ops
from pimsim.trace.symbols import names_in, unbound

SCHEMAS = ("pimsim-trace/1", "pimsim-trace/2", "pimsim-trace/3")
"""The second can name weights, and say what was bound by default; the third has sizes that are divided."""
SCHEMA = SCHEMAS[-1]


@dataclass(frozen=True)  # without slots: cached_property needs a __dict__
class Model:
    """A model as a directed acyclic graph of ops; make one with `from_ops`, which checks it.

    Parameters
    ----------
    model : str
        Name of the model.
    ops : tuple of Op
        In topological order; ops that do not depend on each other keep the order they were given in.
    outputs : tuple of str
        Names of the ops whose first outputs are the model's outputs.
    header : dict
        Where it comes from: ``source``, ``command``, ``symbols`` (symbolic dimensions and the values they
        were bound to; None is unbound), ``weights`` (one of `pimsim.trace.header.WEIGHTS`), ``notes`` (what the
        exporter had to decide); ``routing`` where there are experts (see `pimsim.trace.routing`); ``defaults`` where
        symbols were bound that nobody asked for a value of; and ``examples``, values of symbols that fit the model.
    """

    model: str
    ops: tuple[Op, ...]
    outputs: tuple[str, ...]
    header: dict[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def from_ops(
        cls,
        model: str,
        ops: Iterable[Op],
        outputs: Iterable[str] | None = None,
        header: Mapping[str, Any] | None = None,
    ) -> Self:
        """Check ops built in Python and make a trace of them.

        Parameters
        ----------
        model : str
            Name of the model.
        ops : iterable of Op
            In any order.
        outputs : iterable of str, optional
            Names of the output ops; by default those that no other op reads.
        header : mapping, optional
            As the parameter of the class; by default ``weights`` is ``absent`` and the rest is empty.

        Raises
        ------
        TraceError
            If an op or the graph is not sound; names the op and the field.
        """
        ops = tuple(ops)
        if outputs is None:
            read = {source for op in ops for source in op.deps}
            outputs = (op.name for op in ops if op.name not in read)
        outputs = tuple(outputs)
        header = complete_header(model, header or {}, "trace")
        checked = check_ops(ops, outputs, [f"op {op.name!r}" for op in ops], "trace", header)
        check_meaning(checked, header["weights"], [f"op {op.name!r}" for op in checked])
        return cls(model, checked, outputs, header)

    def require_bound(self) -> None:
        """Raise TraceError, saying how to bind them, if symbols have no value yet: such a trace cannot run."""
        if self.symbols:
            mend = "say " + " ".join(f"--bind {name}=N" for name in self.symbols)
            known = self.header.get("examples", {})
            fit = ", ".join(f"{name}={known[name]}" for name in self.symbols if name in known)
            mend += f" (for example {fit})" if fit else ""
            message = f"symbols without a value: {', '.join(self.symbols)}"
            raise TraceError(message, where=self.model, mend=mend)
        for op in self.ops:  # experts whose tokens are still to be drawn have no symbol of the user's
            if any(isinstance(size, str) for tensor in op.outputs for size in tensor.shape):
                raise unbound(names_in(op.output.shape), f"{self.model}: sizes of '{op.name}'")

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The symbols without a value, in the header's order."""
        return tuple(name for name, value in self.header["symbols"].items() if value is None)

    @cached_property
    def by_name(self) -> dict[str, Op]:
        """The ops by their names."""
        return {op.name: op for op in self.ops}

    @cached_property
    def consumers(self) -> dict[str, list[tuple[Op, int]]]:
        """For each op's name, the ops that read any of its outputs, with the operand's position."""
        readers: dict[str, list[tuple[Op, int]]] = {op.name: [] for op in self.ops}
        for op in self.ops:
            for position, operand in enumerate(op.inputs):
                if operand.source is not None:
                    readers[operand.source].append((op, position))
        return readers

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of one inference; TraceError if a symbol has no value."""
        if self.symbols:
            raise unbound(self.symbols, f"{self.model}: the MACs")
        return sum(op.macs for op in self.ops)

    @cached_property
    def weights(self) -> int:
        """Elements of all weights, each once however many ops read it (biases and other constants not counted).

        Seldom do they depend on symbols.
        """
        return distinct(self.ops, ("weight",))

    @cached_property
    def unknown(self) -> dict[str, int]:
        """Op types that the exporter did not know and passed as data movement, and how many ops of each."""
        moved = (op.attributes["onnx_type"] for op in self.ops if op.type == "DataMovement")
        return dict(sorted(Counter(moved).items()))
