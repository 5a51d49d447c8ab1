"""The commands that a DRAM channel has been sent: how often each, and, if asked for, every one."""

import numpy as np

from libc.stdint cimport int32_t, int64_t


cdef class DramLog:
    """Counts of so many commands, and a list of those that are sent."""

    def __init__(self, commands, recording):
        self.sent, self.recording = np.zeros(commands, dtype=np.int64), recording
        self.rows_ = np.zeros((1024 if recording else 1, 3), dtype=np.int64)

    @property
    def counts(self):
        """How often each command was sent."""
        return np.array(self.sent)

    @property
    def rows(self):
        """Every command so far: its cycle, its number, and the bank; int64, shape (commands, 3)."""
        return np.array(self.rows_[: self.count])

    cdef int note(self, int64_t time, int32_t command, int32_t bank) except -1 nogil:
        """Count a command, and keep it if that is asked for."""
        self.sent[command] += 1
        if not self.recording:
            return 0
        if self.count == self.rows_.shape[0]:
            with gil:
                self.rows_ = np.concatenate([np.asarray(self.rows_), np.zeros_like(np.asarray(self.rows_))])
        self.rows_[self.count, 0], self.rows_[self.count, 1], self.rows_[self.count, 2] = time, command, bank
        self.count += 1
        return 0
