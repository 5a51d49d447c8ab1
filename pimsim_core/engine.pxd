"""Contract of the engine: a kernel that Python can drive."""

from pimsim_core.kernel cimport Kernel

cdef class Engine(Kernel):
    pass
