"""Contract of the token game."""

from libc.stdint cimport int32_t, int64_t
