"""What each op type is to the data flow, a row each; a type that works element by element needs none.

Everything that depends on an op's type is asked of its row: how its output is cut into positions, what it needs and
reads of each operand, its work, and whether it multiplies, reduces, moves nothing or bounds an expert.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pimsim.mapping.flow import costs, cuts, needs, spans, views
from pimsim.mapping.flow.layout import Axes, Layout, Shape, Source
from pimsim.mapping.flow.windows import Window
from pimsim.trace.op import Op
from pimsim.trace.optypes import OP_TYPES


@dataclass(frozen=True, slots=True)
class OpRule:
    """One row; the defaults are those of an op that works element by element, operands broadcast.

    Parameters
    ----------
    cut : callable
        Op and the axes of its leading operand to the axes of its output that count positions (`cuts`).
    seen : callable
        Op, shape of an operand and layout of the output to the operand's layout (`cuts`).
    own_position : callable
        Whether a position needs but its own position of an operand (`needs`).
    span : callable, optional
        Which positions it reads (`spans`), where its own are laid out otherwise.
    window : bool
        Whether a window slides over the pixels of its operand (attributes of ONNX's Conv).
    pools : bool
        Whether it may take in all positions of an image, each once, and leave one.
    reads : callable
        Elements of an operand that a firing reads (`costs`).
    work : callable
        Elements that a firing processes (`costs`).
    matrix : callable, optional
        Op and the shape of its weight to rows, outputs and groups of the matrix; given if it multiplies (`costs`).
    holds_right : bool
        Whether its second operand, if it is an activation, is a matrix that stays while the first one's rows pass.
    joins : bool
        Whether its outputs, of one form, stand side by side in its tokens.
    follows : bool
        Whether it may take its elements in whatever order they come.
    carried : callable, optional
        Op, source and which output to that output's source if no data move (`views`).
    expert : {"begins", "ends"}, optional
        Whether an expert of a mixture begins with it, or ends before it.
    """

    cut: Callable[[Op, Axes | None], Axes] = cuts.like_operand
    seen: Callable[[Op, Shape, Layout], Layout] = cuts.seen_like_output
    own_position: Callable[[Op, int, Layout], bool] = needs.own_position
    span: Callable[[Op, int, Layout, Layout], Window | None] | None = None
    window: bool = False
    pools: bool = False
    reads: Callable[[Op, int, Layout, Layout, int], int] = costs.share
    work: Callable[[Op, Layout, Sequence[int]], float] = costs.elementwise
    matrix: Callable[[Op, Shape], tuple[int, int, int]] | None = None
    holds_right: bool = False
    joins: bool = False
    follows: bool = False
    carried: Callable[[Op, Source, int], Source | None] | None = None
    expert: Literal["begins", "ends"] | None = None

    @property
    def elementwise(self) -> bool:
        """Whether an element comes of those at its place, or of those of its position."""
        return self.work is costs.elementwise

    @property
    def multiplies(self) -> bool:
        """Whether its work is multiply-accumulates."""
        return self.matrix is not None


_ELEMENTWISE = OpRule(follows=True)
_VIEW = OpRule(carried=views.view)
_WINDOW_POOL = OpRule(
    cut=cuts.pixels, window=True, pools=True, reads=costs.under_window, work=costs.pooled
)  # a single window sees each pixel once
_GLOBAL_POOL = OpRule(cut=cuts.pixels, pools=True)
_PIXELWISE = OpRule(cut=cuts.pixels)
_NORMALIZATION = OpRule(own_position=needs.from_axis_on, follows=True)
_OVER_IMAGE = OpRule(cut=cuts.pixels, own_position=needs.everything, follows=True)
_ALONG_AXIS = OpRule(own_position=needs.along_axis_or_alone, follows=True)
_REDUCTION = OpRule(cut=cuts.reduced, seen=cuts.seen_before_reduction, own_position=needs.reduced, pools=True)
_INDEXED = OpRule(cut=cuts.rows, own_position=needs.everything, work=costs.moved)

OP_RULES: dict[str, OpRule] = {
    "Input": OpRule(cut=cuts.as_it_comes),
    "DataMovement": OpRule(work=costs.moved),
    # matrix products
    "Conv": OpRule(
        cut=cuts.pixels,
        own_position=needs.left_rows,
        window=True,
        reads=costs.under_window,
        work=costs.multiplied,
        matrix=costs.conv_matrix,
    ),
    "Gemm": OpRule(
        cut=cuts.rows,
        own_position=needs.left_rows,
        reads=costs.row_and_matrix,
        work=costs.multiplied,
        matrix=costs.gemm_matrix,
    ),
    "MatMul": OpRule(
        cut=cuts.product,
        own_position=needs.left_rows,
        reads=costs.row_and_matrix,
        work=costs.multiplied,
        matrix=costs.matmul_matrix,
        holds_right=True,
    ),
    # normalization
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax", "LpNormalization"), _ALONG_AXIS),
    "MeanVarianceNormalization": OpRule(own_position=needs.over_axes),
    "InstanceNormalization": _OVER_IMAGE,
    "GroupNormalization": _OVER_IMAGE,
    "LRN": _PIXELWISE,
    "BatchNormalization": _PIXELWISE,
    "LayerNormalization": _NORMALIZATION,
    "RMSNormalization": _NORMALIZATION,
    # pooling and reduction
    "MaxPool": _WINDOW_POOL,
    "AveragePool": _WINDOW_POOL,
    "LpPool": _WINDOW_POOL,
    "GlobalAveragePool": _GLOBAL_POOL,
    "GlobalMaxPool": _GLOBAL_POOL,
    "GlobalLpPool": _GLOBAL_POOL,
    **dict.fromkeys((type_ for type_ in OP_TYPES if type_.startswith("Reduce")), _REDUCTION),
    "ArgMax": OpRule(cut=cuts.reduced, seen=cuts.seen_before_reduction, own_position=needs.chosen),
    "ArgMin": OpRule(cut=cuts.reduced, seen=cuts.seen_before_reduction, own_position=needs.chosen),
    # recurrent cells
    "LSTMCell": OpRule(work=costs.long_cell, joins=True),
    "GRUCell": OpRule(work=costs.gated_cell),
    # mixtures of experts
    "Dispatch": OpRule(reads=costs.one_row, expert="begins"),
    "Combine": OpRule(reads=costs.rows_of_experts, work=costs.combined, expert="ends"),
    # rearrangement
    "Concat": OpRule(
        cut=cuts.joined, own_position=needs.along_axis, span=spans.side_by_side, work=costs.moved
    ),
    "Reshape": _VIEW,
    "Flatten": _VIEW,
    "Squeeze": _VIEW,
    "Unsqueeze": _VIEW,
    "Transpose": OpRule(
        cut=cuts.transposed,
        seen=cuts.seen_transposed,
        own_position=needs.transposed,
        work=costs.moved,
        carried=views.transposed,
    ),
    "Pad": OpRule(own_position=needs.padded, span=spans.padded, work=costs.moved),
    "Slice": OpRule(own_position=needs.over_axes, span=spans.cut_out, work=costs.moved, carried=views.sliced),
    "Split": OpRule(own_position=needs.along_axis, work=costs.moved, carried=views.divided),
    "Gather": OpRule(own_position=needs.everything, work=costs.moved),
    **dict.fromkeys(("GatherElements", "GatherND", "ScatterElements", "ScatterND", "OneHot"), _INDEXED),
    "ReverseSequence": OpRule(own_position=needs.everything, work=costs.moved),
    "Tile": OpRule(own_position=needs.tiled, span=spans.tiled, work=costs.moved),
    "Expand": OpRule(work=costs.moved, carried=views.repeated),
    "Resize": OpRule(cut=cuts.pixels, own_position=needs.everything, span=spans.resized),
    "DepthToSpace": OpRule(
        cut=cuts.pixels, own_position=needs.everything, span=spans.from_blocks, work=costs.moved
    ),
    "SpaceToDepth": OpRule(
        cut=cuts.pixels, own_position=needs.everything, span=spans.to_blocks, work=costs.moved
    ),
    "Col2Im": OpRule(
        cut=cuts.pixels,
        seen=cuts.seen_as_pixels,
        own_position=needs.everything,
        span=spans.overlapped,
        work=costs.all_read,
    ),
    "GridSample": OpRule(cut=cuts.pixels, own_position=needs.everything, work=costs.sampled),
    "RoiAlign": OpRule(cut=cuts.pixels, own_position=needs.everything, work=costs.sampled),
    "MaxUnpool": OpRule(cut=cuts.pixels, own_position=needs.everything, work=costs.moved),
}


def rule_of(op_type: str) -> OpRule:
    """Return the row of an op type; types without one work element by element."""
    return OP_RULES.get(op_type, _ELEMENTWISE)
