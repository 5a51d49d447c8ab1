"""pimsim: a cycle-level simulator of processing-in-memory chips.

The whole public API is here, flat; names are imported when they are used, so that ``import pimsim`` stays fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pimsim.analysis.breakdown import Breakdown as Breakdown
    from pimsim.analysis.breakdown import breakdown as breakdown
    from pimsim.analysis.compare import Comparison as Comparison
    from pimsim.analysis.compare import compare as compare
    from pimsim.analysis.roofline import Roofline as Roofline
    from pimsim.analysis.roofline import roofline as roofline
    from pimsim.analysis.whatif import WhatIf as WhatIf
    from pimsim.analysis.whatif import whatif as whatif
    from pimsim.chip import Chip as Chip
    from pimsim.chip.router import Router as Router
    from pimsim.dram.compute import ProgramResult as ProgramResult
    from pimsim.dram.compute import memory_program as memory_program
    from pimsim.dram.memory import MemoryResult as MemoryResult
    from pimsim.dram.memory import memory as memory
    from pimsim.dram.policy import Policy as Policy
    from pimsim.errors import ConfigError as ConfigError
    from pimsim.errors import MappingError as MappingError
    from pimsim.errors import PimsimError as PimsimError
    from pimsim.errors import ResultError as ResultError
    from pimsim.errors import SimulationError as SimulationError
    from pimsim.errors import TraceError as TraceError
    from pimsim.mapping.mapper import make_plan as make_plan
    from pimsim.mapping.saved import SavedPlan as SavedPlan
    from pimsim.network.noc import NocResult as NocResult
    from pimsim.network.noc import noc as noc
    from pimsim.registry import register as register
    from pimsim.report.html.page import write_report as write_report
    from pimsim.report.timeline import write_timeline as write_timeline
    from pimsim.result.result import Result as Result
    from pimsim.run.accuracy import AccuracyResult as AccuracyResult
    from pimsim.run.accuracy import accuracy as accuracy
    from pimsim.run.experiment import Experiment as Experiment
    from pimsim.run.generate import generate as generate
    from pimsim.run.mapping import saved_plan as saved_plan
    from pimsim.run.options import Options as Options
    from pimsim.run.simulate import IntervalInterrupted as IntervalInterrupted
    from pimsim.run.simulate import simulate as simulate
    from pimsim.trace.op import Op as Op
    from pimsim.trace.schema import Trace as Trace
    from pimsim.trace.tensor import Operand as Operand
    from pimsim.trace.tensor import Tensor as Tensor
    from pimsim.values.sidecar import Sidecar as Sidecar

__version__ = "0.1.0"

_HOMES = {
    "AccuracyResult": "pimsim.run.accuracy",
    "Breakdown": "pimsim.analysis.breakdown",
    "Chip": "pimsim.chip",
    "Comparison": "pimsim.analysis.compare",
    "ConfigError": "pimsim.errors",
    "Experiment": "pimsim.run.experiment",
    "MappingError": "pimsim.errors",
    "MemoryResult": "pimsim.dram.memory",
    "NocResult": "pimsim.network.noc",
    "Op": "pimsim.trace.op",
    "Operand": "pimsim.trace.tensor",
    "Options": "pimsim.run.options",
    "PimsimError": "pimsim.errors",
    "Policy": "pimsim.dram.policy",
    "ProgramResult": "pimsim.dram.compute",
    "Result": "pimsim.result.result",
    "ResultError": "pimsim.errors",
    "Roofline": "pimsim.analysis.roofline",
    "Router": "pimsim.chip.router",
    "SavedPlan": "pimsim.mapping.saved",
    "SimulationError": "pimsim.errors",
    "Sidecar": "pimsim.values.sidecar",
    "Tensor": "pimsim.trace.tensor",
    "Trace": "pimsim.trace.schema",
    "TraceError": "pimsim.errors",
    "WhatIf": "pimsim.analysis.whatif",
    "accuracy": "pimsim.run.accuracy",
    "breakdown": "pimsim.analysis.breakdown",
    "compare": "pimsim.analysis.compare",
    "make_plan": "pimsim.mapping.mapper",
    "memory": "pimsim.dram.memory",
    "memory_program": "pimsim.dram.compute",
    "noc": "pimsim.network.noc",
    "roofline": "pimsim.analysis.roofline",
    "generate": "pimsim.run.generate",
    "register": "pimsim.registry",
    "saved_plan": "pimsim.run.mapping",
    "IntervalInterrupted": "pimsim.run.simulate",
    "simulate": "pimsim.run.simulate",
    "whatif": "pimsim.analysis.whatif",
    "write_report": "pimsim.report.html.page",
    "write_timeline": "pimsim.report.timeline",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    """Import a public name from where it lives."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'pimsim' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
