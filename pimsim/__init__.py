"""pimsim: a cycle-level simulator of processing-in-memory chips.

The whole public API is here, flat; names are imported when they are used, so that ``import pimsim`` stays fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pimsim.chip import Chip as Chip
    from pimsim.chip.router import Router as Router
    from pimsim.errors import ConfigError as ConfigError
    from pimsim.errors import MappingError as MappingError
    from pimsim.errors import PimsimError as PimsimError
    from pimsim.errors import ResultError as ResultError
    from pimsim.errors import SimulationError as SimulationError
    from pimsim.errors import TraceError as TraceError
    from pimsim.mapping.planner import make_plan as make_plan
    from pimsim.network.noc import NocResult as NocResult
    from pimsim.network.noc import noc as noc
    from pimsim.result.result import Result as Result
    from pimsim.result.simulate import simulate as simulate
    from pimsim.trace.schema import Op as Op
    from pimsim.trace.schema import Operand as Operand
    from pimsim.trace.schema import Tensor as Tensor
    from pimsim.trace.schema import Trace as Trace

__version__ = "0.1.0"

_HOMES = {
    "Chip": "pimsim.chip",
    "ConfigError": "pimsim.errors",
    "MappingError": "pimsim.errors",
    "NocResult": "pimsim.network.noc",
    "Op": "pimsim.trace.schema",
    "Operand": "pimsim.trace.schema",
    "PimsimError": "pimsim.errors",
    "Result": "pimsim.result.result",
    "ResultError": "pimsim.errors",
    "Router": "pimsim.chip.router",
    "SimulationError": "pimsim.errors",
    "Tensor": "pimsim.trace.schema",
    "Trace": "pimsim.trace.schema",
    "TraceError": "pimsim.errors",
    "make_plan": "pimsim.mapping.planner",
    "noc": "pimsim.network.noc",
    "simulate": "pimsim.result.simulate",
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
