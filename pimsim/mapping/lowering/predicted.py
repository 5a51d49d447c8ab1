"""The pace of a plan before it runs: the one predictor that the planner, reports and tests share."""

from __future__ import annotations

from collections import Counter

from pimsim.mapping.lowering.lowering import lower
from pimsim.mapping.planning.plan import Plan
from pimsim.netlist.netlist import Netlist
from pimsim.netlist.prediction import Load, Prediction, prediction_of


def predict(plan: Plan) -> Prediction:
    """Return the interval that a plan is predicted to have, and the parts that set it."""
    return predict_rows(plan, lower(plan, 1).net, 1)


def predict_rows(plan: Plan, net: Netlist, inferences: int) -> Prediction:
    """Return the same of a plan whose rows for so many inferences are there already."""
    rounds = {op.node.name: op.round for op in plan.ops} if plan.rounds > 1 else None
    return prediction_of(net, inferences, rounds, _kernels(plan))


def _kernels(plan: Plan) -> list[Load]:
    """Return what the kernels of each processor take, one after another, by their own times."""
    times: dict[int, Counter[str]] = {}
    for op in plan.ops:
        if op.whole:
            tile = op.replicas[0].home
            each = plan.package.kind(tile).service_fs(op.node) * op.node.positions
            times.setdefault(tile, Counter())[op.node.name] += round(each)
    return [
        Load(own.total(), f"tile{tile}", "kernels in turn", *own.most_common(1)[0])
        for tile, own in times.items()
    ]
