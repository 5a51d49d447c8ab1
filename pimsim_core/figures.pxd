"""Contract of the figures: a kernel that says what it has done."""

from pimsim_core.kernel cimport Kernel

cdef class Figures(Kernel):
    pass
