"""The parts that a chip is made of, one file a part."""

from pimsim.chip.parts.adc import Adc
from pimsim.chip.parts.array import Array
from pimsim.chip.parts.base import Model, Part, Sourced
from pimsim.chip.parts.buffer import Buffer
from pimsim.chip.parts.bus import Bus
from pimsim.chip.parts.clock import Clock
from pimsim.chip.parts.dac import Dac
from pimsim.chip.parts.digital_unit import DigitalUnit
from pimsim.chip.parts.external_links import ExternalLinks
from pimsim.chip.parts.memory import Memory
from pimsim.chip.parts.network import Network
from pimsim.chip.parts.other import Other
from pimsim.chip.parts.register import Register
from pimsim.chip.parts.router_adder import RouterAdder
from pimsim.chip.parts.sample_hold import SampleHold
from pimsim.chip.parts.shift_add import ShiftAdd

PARTS: dict[str, type[Part]] = {
    "array": Array,
    "dac": Dac,
    "sample_hold": SampleHold,
    "adc": Adc,
    "shift_add": ShiftAdd,
    "register": Register,
    "buffer": Buffer,
    "bus": Bus,
    "digital_unit": DigitalUnit,
    "network": Network,
    "router_adder": RouterAdder,
    "external_links": ExternalLinks,
    "memory": Memory,
    "other": Other,
}

__all__ = [
    "PARTS",
    "Adc",
    "Array",
    "Buffer",
    "Bus",
    "Clock",
    "Dac",
    "DigitalUnit",
    "ExternalLinks",
    "Memory",
    "Model",
    "Network",
    "Other",
    "Part",
    "Register",
    "RouterAdder",
    "SampleHold",
    "ShiftAdd",
    "Sourced",
]
