"""Contract of the engine: a kernel that Python can drive."""

from pimsim_core.crossbar cimport Crossbar
from pimsim_core.dram_ports cimport DramPorts
from pimsim_core.figures cimport Figures
from pimsim_core.ports cimport Ports

cdef class Engine(Figures):
    cdef Crossbar crossbar
    cdef Ports ports
    cdef readonly DramPorts memory
