"""What a trace is: tensors, operands, ops, and the graph they form."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pimsim.errors import TraceError
from pimsim.trace.optypes import OP_TYPES
from pimsim.trace.symbols import names_in, unbound

if TYPE_CHECKING:
    from pimsim.trace.statistics.observe import Statistics

SCHEMA = "pimsim-trace/1"

Role = Literal["activation", "weight", "constant", "cache"]
ROLES: tuple[Role, ...] = ("activation", "weight", "constant", "cache")

WEIGHTS = ("trained", "random", "constant", "absent")
"""What a trace may say of its weights' values: ``trained`` means stored in the source as they are."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """The form of a tensor; a trace holds no values.

    Parameters
    ----------
    shape : tuple of int
        Elements along each dimension, all positive; ``()`` is a scalar. As long as a trace has unbound symbols, text
        may stand in the place of a number (see `pimsim.trace.symbols`); nothing can be counted before it is bound.
    dtype : str
        Element type in the source model, by its ONNX name in lower case (``float32``, ``int8``).
    bits : int or None
        Bits an element is computed with; None leaves it to the chip's native precision.
    stats : Statistics or None
        What its values were like in a real run. They stand at outputs of ops and at weights, and nowhere else.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    bits: int | None = None
    stats: Statistics | None = None

    @property
    def elements(self) -> int:
        """Number of elements; TraceError if a size is symbolic."""
        if any(isinstance(size, str) for size in self.shape):
            raise unbound(sorted(names_in(self.shape)), "elements")
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Operand:
    """One input of an op.

    Parameters
    ----------
    role : {"activation", "weight", "constant", "cache"}
        An activation is computed by another op. A weight is the constant matrix of a Conv, Gemm or MatMul;
        every other parameter, a bias for example, is a constant. A cache holds the keys or values of the
        tokens before: an operand of the Concat that appends those of the new ones.
    tensor : Tensor
        Its form.
    source : str or None
        Name of the op that computes it; None unless it is an activation.
    index : int
        Which of that op's outputs it is.
    """

    role: Role
    tensor: Tensor
    source: str | None = None
    index: int = 0


@dataclass(frozen=True, slots=True)
class Op:
    """One node of the trace.

    Parameters
    ----------
    name : str
        Unique in the trace.
    type : str
        An ONNX op type, or ``Input`` (a model's input), or ``DataMovement`` (an op that the exporter did
        not know: it moves its tensors and computes nothing).
    inputs : tuple of Operand
        In ONNX's order; empty for ``Input``.
    outputs : tuple of Tensor
        At least one.
    attributes : dict
        All that the op type has (see `pimsim.trace.optypes`), resolved: no automatic padding, no negative
        axes, no defaults left out. Lists are tuples.
    """

    name: str
    type: str
    inputs: tuple[Operand, ...]
    outputs: tuple[Tensor, ...]
    attributes: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def output(self) -> Tensor:
        """The first output."""
        return self.outputs[0]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors of its inputs, then its outputs."""
        return (*(operand.tensor for operand in self.inputs), *self.outputs)

    @property
    def macs(self) -> int:
        """Multiply-accumulates, by the op type's formula; 0 for ops that are not matrix products.

        TraceError if a size is symbolic.
        """
        if any(isinstance(size, str) for tensor in self.tensors for size in tensor.shape):
            raise unbound(sorted(names_in(size for each in self.tensors for size in each.shape)), "MACs")
        return OP_TYPES[self.type].macs(self)

    @property
    def weight(self) -> Operand | None:
        """The weight of a Conv, Gemm or MatMul; None if both operands are activations, or for other ops."""
        return next((operand for operand in self.inputs if operand.role == "weight"), None)

    @property
    def activations(self) -> tuple[Operand, ...]:
        """The operands that other ops compute."""
        return tuple(operand for operand in self.inputs if operand.role == "activation")

    @property
    def params(self) -> int:
        """Elements of all its weights and constants."""
        return sum(
            operand.tensor.elements for operand in self.inputs if operand.role in ("weight", "constant")
        )

    @property
    def deps(self) -> tuple[str, ...]:
        """Names of the ops that it reads from, each once, in the order of the operands."""
        return tuple(dict.fromkeys(operand.source for operand in self.inputs if operand.source is not None))


@dataclass(frozen=True)  # without slots: cached_property needs a __dict__
class Trace:
    """A model as a directed acyclic graph of ops; make one with `load` or `from_ops`, which check it.

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
        were bound to; None is unbound), ``weights`` (one of `WEIGHTS`), ``notes`` (what the exporter had to decide);
        and ``routing`` where there are experts (see `pimsim.trace.routing`).
    """

    model: str
    ops: tuple[Op, ...]
    outputs: tuple[str, ...]
    header: dict[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def load(cls, name_or_path: str | Path) -> Trace:
        """Read a trace, given the name of a preset (``resnet50``) or the path of a file.

        Raises
        ------
        TraceError
            If there is no such file, or it breaks the schema, or its graph is not sound; with file, line
            and field.
        """
        from pimsim.presets import resolve
        from pimsim.trace.reader import read

        return read(resolve(name_or_path, "traces", ".jsonl", TraceError))

    @classmethod
    def from_ops(
        cls,
        model: str,
        ops: Iterable[Op],
        outputs: Iterable[str] | None = None,
        header: Mapping[str, Any] | None = None,
    ) -> Trace:
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
        from pimsim.trace.check import complete_header
        from pimsim.trace.probe import check_ops
        from pimsim.trace.statistics.row import check_meaning

        ops = tuple(ops)
        if outputs is None:
            read = {source for op in ops for source in op.deps}
            outputs = (op.name for op in ops if op.name not in read)
        outputs = tuple(outputs)
        header = complete_header(model, header or {}, "trace")
        checked = check_ops(ops, outputs, [f"op {op.name!r}" for op in ops], "trace", header)
        check_meaning(checked, header["weights"], [f"op {op.name!r}" for op in checked])
        return cls(model, checked, outputs, header)

    def bind(
        self,
        values: Mapping[str, int] | None = None,
        /,
        *,
        every_expert: bool = False,
        keep_experts: bool = False,
        routing_seed: int | None = None,
        **more: int,
    ) -> Trace:
        """Give every symbol its value: ``trace.bind(batch=1, seq=512, kv=0)``.

        A cache of no elements (``kv=0``) vanishes, and a Concat that is left with one operand becomes what it was
        given. The rows of experts are drawn; an expert without a token vanishes, and a note says so.

        Parameters
        ----------
        values : mapping of str to int, optional
            Values by symbol, beside those given by keyword.
        every_expert : bool
            Give every expert all tokens instead of drawing: what is needed to lay out all weights.
        keep_experts : bool
            Give an expert that no token goes to one row all the same, so that it does not vanish.
        routing_seed : int, optional
            In the place of the one in the header.

        Raises
        ------
        TraceError
            If a symbol is unknown, is not given a value, or is given one that makes no sense.
        """
        from pimsim.trace.bind import bind

        return bind(
            self,
            {**(values or {}), **more},
            every_expert=every_expert,
            keep_experts=keep_experts,
            routing_seed=routing_seed,
        )

    def require_bound(self) -> None:
        """Raise TraceError, saying how to bind them, if symbols have no value yet: such a trace cannot run."""
        if self.symbols:
            mend = "say " + " ".join(f"--bind {name}=N" for name in self.symbols)
            message = f"symbols without a value: {', '.join(self.symbols)}"
            raise TraceError(message, where=self.model, mend=mend)
        for op in self.ops:  # experts whose tokens are still to be drawn have no symbol of the user's
            if any(isinstance(size, str) for tensor in op.outputs for size in tensor.shape):
                raise unbound(names_in(op.output.shape), f"{self.model}: sizes of '{op.name}'")

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The symbols without a value, in the header's order."""
        return tuple(name for name, value in self.header["symbols"].items() if value is None)

    def save(self, path: str | Path) -> None:
        """Write the trace to a file, all of it or nothing.

        Raises
        ------
        TraceError
            If the file cannot be written.
        """
        from pimsim.trace.writer import write

        write(self, Path(path))

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
        """Weight elements of all ops (biases and other constants not counted); seldom do they depend on symbols."""
        return sum(op.weight.tensor.elements for op in self.ops if op.weight is not None)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content (hexadecimal): all but where it comes from and how it was made."""
        from pimsim.trace.writer import digest

        return digest(self)
