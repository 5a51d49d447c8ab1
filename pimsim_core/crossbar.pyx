"""Multiplications on arrays: reads, sample-and-holds, and conversions in a bank of their own or one that is shared.

The rules are in ``docs/machine-model.md``, under "A multiplication".
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t

from pimsim_core.records cimport CONVERTED, RELEASE, TIMELINE, align, joined
from pimsim_core.service cimport Service
from pimsim_core.state cimport State

from pimsim_core.records import record_dtype

cdef int64_t[8] _room  # larger than a record
_HOLDS = np.asarray(<Holds[:1]> <Holds*> _room).dtype


cdef class Crossbar(Service):
    """Multiplications; `mvms` are the kinds of them that the machine has, records of the kind ``"mvm"``."""

    def __init__(self, mvms):
        self.mvms = mvms

    def attach(self, State core, int32_t number):
        """Join a machine; see `Service`."""
        Service.attach(self, core, number)
        self.samples = np.zeros(0, dtype=_HOLDS)
        self.extend()

    def extend(self):
        """Give each new resource sample-and-holds that are empty."""
        more = np.zeros(self.core.resources.shape[0] - self.samples.shape[0], dtype=_HOLDS)
        for name in ("unsampled", "sampler", "drainer"):
            more[name] = -1
        self.samples = joined(self.samples, more)

    def add_mvm(self, phases, setup, read, convert, tail, bank, shared):
        """Append a kind of multiplication and return its number; see `pimsim.netlist.rows.Mvm`."""
        more = np.zeros(1, dtype=record_dtype("mvm"))
        more["phases"], more["setup"], more["read"], more["convert"] = phases, setup, read, convert
        more["tail"], more["bank"], more["shared"] = tail, bank, shared
        self.mvms = joined(self.mvms, more)
        return self.mvms.shape[0] - 1

    def converting(self, int32_t resource, int64_t time):
        """Return whether conversions of what arrays have read are under way at a time, now or before the next event."""
        cdef int64_t drained = self.samples[resource].drained
        return time < drained or time == drained > max(self.core.done, 0)

    cdef int grant(self, int32_t w, int32_t r) except -1:
        """Run a multiplication through its phases; with a bank of its own, all of them at once."""
        if self.core.walkers[w].in_bank:
            return self.convert(w, r)
        cdef int32_t m = self.core.steps[self.core.walkers[w].visit].mvm
        self.core.walkers[w].ready = self.core.now + self.mvms[m].setup + self.mvms[m].read
        self.core.walkers[w].phase = 0
        self.core.walkers[w].token = self.core.now
        if not self.mvms[m].shared:
            return self.multiply_at_once(w, r)
        self.core.walkers[w].sample_node = -1
        if self.samples[r].unsampled >= 0:
            self.samples[r].sampler = w
            return 0
        return self.schedule_sample(w, r)

    cdef int multiply_at_once(self, int32_t w, int32_t r) except -1:
        """Run a multiplication through all phases of a bank of its own, which never waits."""
        cdef int32_t m = self.core.steps[self.core.walkers[w].visit].mvm
        cdef int32_t bank = self.mvms[m].bank
        cdef int64_t clock = self.core.resources[r].period
        cdef int64_t adc_clock = self.core.resources[bank].period
        cdef int64_t read = self.mvms[m].read
        cdef int64_t convert = self.mvms[m].convert
        cdef int64_t sampled, drained, following, middle, first
        cdef int32_t left, node, h, array_label, adc_label
        array_label = self.core.walkers[w].label
        adc_label = self.core.label_of(self.core.resources[bank].cause, self.core.resources[bank].part, self.core.walkers[w].op)
        if self.samples[r].drained > self.core.walkers[w].ready and self.samples[r].drainer >= 0:
            self.wait_for_drainer(w, r, bank)
            self.core.walkers[w].ready = self.samples[r].drained
        self.note_drainer(r, w)
        sampled = align(max(self.core.walkers[w].ready, self.samples[r].drained), clock)
        first = align(sampled, adc_clock)
        drained = first + convert
        left = self.mvms[m].phases - 1
        while left > 0:
            following = align(max(sampled + read, drained), clock)
            if (following - sampled) % adc_clock == 0:  # both clocks stand as before: the rest repeats this phase
                sampled += left * (following - sampled)
                left = 1
            else:
                sampled = following
            drained = align(sampled, adc_clock) + convert
            left -= 1
        h = self.core.new_hold(
            r, w, array_label if read >= convert else adc_label, self.core.walkers[w].cost
        )
        if read < convert:
            self.core.holds[h].place = self.core.resources[bank].place
        self.core.queue.push(sampled, <int64_t>h * 8 + RELEASE)
        self.core.go_on(w, drained + self.mvms[m].tail)
        self.samples[r].drained = drained
        self.core.resources[bank].visits += self.mvms[m].phases
        # The slower of read and conversion sets the pace of the phases and is charged for them.
        middle = sampled if read >= convert else self.core.walkers[w].ready
        node = self.core.path.new(self.core.walkers[w].node, middle, array_label, self.core.resources[r].place)
        self.core.path.drop(self.core.walkers[w].node)
        self.core.walkers[w].node = node
        self.core.walkers[w].label = adc_label
        self.core.walkers[w].place = self.core.resources[bank].place
        self.core.walkers[w].ready = first
        return 0

    cdef int schedule_sample(self, int32_t w, int32_t r) except -1:
        """The read of a phase has a known end; the samples are taken once the holds are drained as well."""
        cdef int32_t bank = self.mvms[self.core.steps[self.core.walkers[w].visit].mvm].bank
        cdef int32_t binding = r if self.core.walkers[w].ready >= self.samples[r].drained else bank
        cdef int64_t time = align(max(self.core.walkers[w].ready, self.samples[r].drained), self.core.resources[r].period)
        if binding == bank and self.core.walkers[w].phase == 0 and self.samples[r].drainer >= 0:
            self.wait_for_drainer(w, r, bank)
        self.core.walkers[w].label = self.core.label_of(
            self.core.resources[binding].cause, self.core.resources[binding].part, self.core.walkers[w].op
        )
        self.core.walkers[w].place = self.core.resources[binding].place
        return self.core.serve_at(w, time)

    cdef int event(self, int32_t w) except -1:
        """Latch the bit lines; the array can read on, the bank is asked to convert."""
        cdef int32_t step = self.core.walkers[w].visit
        cdef int32_t r = self.core.steps[step].resource
        cdef int32_t m = self.core.steps[step].mvm
        cdef int32_t bank = self.mvms[m].bank
        cdef int32_t node = self.core.path.new(
            self.core.walkers[w].node, self.core.now, self.core.walkers[w].label, self.core.walkers[w].place
        )
        cdef int32_t h
        self.core.path.drop(self.core.walkers[w].node)
        self.core.walkers[w].node = node
        if self.core.walkers[w].phase + 1 == self.mvms[m].phases:
            h = self.core.new_hold(r, w, self.core.walkers[w].label, self.core.walkers[w].cost)
            self.core.holds[h].place = self.core.walkers[w].place
            self.core.holds[h].begin = self.core.walkers[w].token
            self.samples[r].unsampled = w
            self.core.release(h)
        self.core.walkers[w].sample_node = node
        self.core.path.hold(node)
        self.core.walkers[w].label = self.core.label_of(self.core.resources[bank].cause, self.core.resources[bank].part, self.core.walkers[w].op)
        self.core.walkers[w].place = self.core.resources[bank].place
        self.core.walkers[w].ready = self.core.now + self.mvms[m].read  # of the next phase
        self.core.walkers[w].in_bank = 1
        return self.core.ask(w, bank)

    cdef int convert(self, int32_t w, int32_t bank) except -1:
        """Convert the samples of a phase, and go on with the next one, or to the end."""
        cdef int32_t step = self.core.walkers[w].visit
        cdef int32_t r = self.core.steps[step].resource
        cdef int32_t m = self.core.steps[step].mvm
        cdef int32_t other
        cdef int64_t drained = self.core.now + self.mvms[m].convert
        cdef int32_t h = self.core.new_hold(bank, w, self.core.walkers[w].label, -1)
        self.core.queue.push(drained, <int64_t>h * 8 + RELEASE)
        self.samples[r].drained = drained
        self.core.walkers[w].in_bank = 0
        self.core.walkers[w].phase += 1
        if self.core.walkers[w].phase < self.mvms[m].phases:
            if self.core.walkers[w].ready >= drained:  # the next sample waits for the read that began with this one
                self.core.path.drop(self.core.walkers[w].node)
                self.core.walkers[w].node = self.core.walkers[w].sample_node
            else:
                self.core.path.drop(self.core.walkers[w].sample_node)
            return self.schedule_sample(w, r)
        self.core.path.drop(self.core.walkers[w].sample_node)
        self.note_drainer(r, w)
        self.samples[r].unsampled = -1
        other = self.samples[r].sampler
        if other >= 0:
            self.samples[r].sampler = -1
            self.schedule_sample(other, r)
        return self.core.go_on(w, drained + self.mvms[m].tail)

    cdef int wait_for_drainer(self, int32_t w, int32_t r, int32_t bank) except -1:
        """It is the conversions of the multiplication before, to their end, that the first sample waits for."""
        cdef int32_t node = self.core.path.new(
            self.samples[r].drained_node,
            self.samples[r].drained,
            self.core.label_of(self.core.resources[bank].cause, self.core.resources[bank].part, self.core.walkers[w].op),
            self.core.resources[bank].place,
        )
        self.core.path.drop(self.core.walkers[w].node)
        self.core.walkers[w].node = node
        self.core.wait_over(w)
        return 0

    cdef int note_drainer(self, int32_t r, int32_t w) except -1:
        """The sample-and-holds of an array will be empty once a walker's last conversion is over."""
        if self.samples[r].drainer >= 0:
            self.core.path.drop(self.samples[r].drained_node)
        self.samples[r].drainer = w
        self.samples[r].drained_node = self.core.walkers[w].node
        self.core.path.hold(self.core.walkers[w].node)
        return 0

    cdef int leave(self, int32_t w) except -1:
        """A multiplication is over."""
        cdef int32_t r = self.core.steps[self.core.walkers[w].visit].resource
        cdef int32_t m = self.core.steps[self.core.walkers[w].visit].mvm
        cdef int32_t bank = self.mvms[m].bank
        self.core.walkers[w].grant = self.core.walkers[w].token
        if self.samples[r].drainer == w:
            self.samples[r].drainer = -1
            self.core.path.drop(self.samples[r].drained_node)
        if self.mvms[m].shared:
            return 0
        self.core.resources[bank].busy += self.mvms[m].phases * self.mvms[m].convert
        if self.core.recording & TIMELINE:
            self.core.keep_record(
                CONVERTED, self.core.walkers[w].actor, self.core.walkers[w].firing, self.core.walkers[w].output, -1,
                self.core.resources[bank].place, self.core.walkers[w].op, self.core.walkers[w].ready, self.core.now - self.mvms[m].tail,
                self.mvms[m].phases * self.mvms[m].convert,
            )
        return 0
