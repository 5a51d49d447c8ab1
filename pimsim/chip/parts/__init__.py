"""The parts that a chip is made of, one file a part."""

from pimsim.chip.base import Model, Part, Sourced
from pimsim.chip.parts.adc import Adc
from pimsim.chip.parts.array import Array
from pimsim.chip.parts.buffer import Buffer
from pimsim.chip.parts.bus import Bus
from pimsim.chip.parts.clock import Clock
from pimsim.chip.parts.dac import Dac
from pimsim.chip.parts.device_memory import DeviceMemory
from pimsim.chip.parts.digital_unit import DigitalUnit
from pimsim.chip.parts.external_links import ExternalLinks
from pimsim.chip.parts.launcher import Launcher
from pimsim.chip.parts.links import Links
from pimsim.chip.parts.network import Network
from pimsim.chip.parts.other import Other
from pimsim.chip.parts.port import Port
from pimsim.chip.parts.register import Register
from pimsim.chip.parts.router_adder import RouterAdder
from pimsim.chip.parts.sample_hold import SampleHold
from pimsim.chip.parts.shift_add import ShiftAdd

__all__ = [
    "Adc",
    "Array",
    "Buffer",
    "Bus",
    "Clock",
    "Dac",
    "DeviceMemory",
    "DigitalUnit",
    "ExternalLinks",
    "Launcher",
    "Links",
    "Model",
    "Network",
    "Other",
    "Part",
    "Port",
    "Register",
    "RouterAdder",
    "SampleHold",
    "ShiftAdd",
    "Sourced",
]
