"""A trace: a model as a graph of ops, read from and written to files, and bound."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from pimsim.errors import TraceError
from pimsim.trace.model import Model


class Trace(Model):
    """A model as a directed acyclic graph of ops; make one with `load` or `from_ops`, which check it.

    Its fields are those of `pimsim.trace.model.Model`.
    """

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

        return cls(*read(resolve(name_or_path, "traces", ".jsonl", TraceError)))

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
    def digest(self) -> str:
        """SHA-256 of the content (hexadecimal): all but where it comes from and how it was made."""
        from pimsim.trace.writer import digest

        return digest(self)
