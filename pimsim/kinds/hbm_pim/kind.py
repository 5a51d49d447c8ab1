"""What memory that computes does: each op is a kernel whose work is a command program."""

from __future__ import annotations

import math

from pimsim.chip.base import Energy
from pimsim.chip.parts.clock import period_fs
from pimsim.dram.load import stamp_of
from pimsim.dram.unit import Aim
from pimsim.errors import ConfigError, MappingError
from pimsim.kinds.hbm_pim.programs import ELEMENTWISE, EXACT, Taken, elements, product, refusal
from pimsim.kinds.hbm_pim.site import HbmPim
from pimsim.kinds.processor.kernel import Kernel, Piece, operand_widths, share_of
from pimsim.kinds.processor.kind import ProcessorKind
from pimsim.kinds.processor.product import product_of
from pimsim.mapping.flow.dataflow import Node
from pimsim.mapping.flow.rules import rule_of
from pimsim.units import fs_from_ns


class HbmPimKind(ProcessorKind):
    """Ops as command programs; weights are in the banks."""

    site: HbmPim

    def refusal(self, node: Node) -> str:
        """The units must do it, and there must be a program for it."""
        return super().refusal(node) or refusal(node, trees=isinstance(self.site.timings.pim, Aim))

    def kernels(self, node: Node, weight_bits: int, input_bits: int, *, alone: bool = False) -> list[Kernel]:
        """Return how an op is done: one kernel, whose pieces are the vectors of a product.

        Raises
        ------
        MappingError
            If an element is wider than a lane, or what stays in the banks or passes through the buffer does not fit.
        """
        op, pim = node.op, self.site.timings.pim
        assert op is not None
        assert pim is not None
        widest = max(operand_widths(node, weight_bits, input_bits))
        if widest > pim.element_bits:
            raise MappingError(
                f"its operands are of {widest} bits, and a lane of '{self.site.name}' takes "
                f"{pim.element_bits}",
                where=f"op '{op.name}' ({op.type})",
                mend="run with narrower ones: weight_bits, input_bits",
            )
        try:
            if rule_of(op.type).multiplies:
                return [self._product(node, pim.element_bits)]
            return [self._elementwise(node)]
        except ConfigError as error:
            raise MappingError(str(error), where=f"op '{op.name}' ({op.type})") from None

    def _product(self, node: Node, bits: int) -> Kernel:
        """Each vector is loaded, multiplied, and its sums are stored: the host adds what lanes summed apart."""
        site = self.site
        assert node.op is not None
        matrix = product_of(node.op)
        vectors = max(1, round(matrix.m * share_of(node)))
        inputs, outputs = matrix.k * bits, matrix.n * bits
        if inputs > 8 * site.buffer.capacity_bytes:
            raise ConfigError(
                f"the buffer of '{site.name}' holds {site.buffer.capacity_kib:g} KiB, a vector is {inputs / 8192:g}",
                mend=f"give a larger --set {site.name}.buffer.capacity_kib",
            )
        taken = product(
            site.standard, site.order, matrix.n, matrix.k, site.channels, vectors, stamp_of(site.standard)
        )
        each = self._cycles(taken.ns / vectors, node.type)
        piece = Piece(1, each, inputs, inputs, outputs, outputs, float(matrix.k * matrix.n))
        pieces = (piece._replace(times=vectors - 1), piece) if vectors > 1 else (piece,)
        words = f"{vectors} vector{'s' if vectors > 1 else ''} of {matrix.k} one after another" + (
            f"; approximate: from the {EXACT}th on all take as long" if vectors > EXACT else ""
        )
        return Kernel(self._name, pieces, words, spent=self._spent(taken, vectors))

    def _elementwise(self, node: Node) -> Kernel:
        """Operands and result lie in the banks."""
        site, op = self.site, node.op
        assert op is not None
        count = max(1, math.ceil(op.output.elements * share_of(node)))
        taken = elements(
            site.standard, site.order, ELEMENTWISE[op.type], count, site.channels, stamp_of(site.standard)
        )
        piece = Piece(1, self._cycles(taken.ns, op.type), 0, 0, 0, 0, float(count))
        return Kernel(self._name, (piece,), f"{count} elements in the banks", spent=self._spent(taken, 1))

    def _spent(self, taken: Taken, pieces: int) -> Energy:
        """Return what the commands of a piece cost in the memory."""
        return () if taken.pj is None else ((self.site.label("memory"), taken.pj / pieces),)

    @property
    def _name(self) -> str:
        (name,) = self.site.digital
        return name

    def _cycles(self, nanoseconds: float, operation: str) -> int:
        """Return the cycles of the units' clock that a program takes, at the cost of its op."""
        unit = self.site.units
        factor = unit.cost_of(operation)
        assert factor is not None
        return max(
            1, -(-math.ceil(fs_from_ns(nanoseconds) * factor) // period_fs(self.site.clocks, unit.clock))
        )
