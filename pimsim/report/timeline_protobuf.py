"""A timeline as Perfetto's own protobuf; needs the extra ``perfetto``."""

from __future__ import annotations

from typing import Any

from pimsim.errors import ResultError
from pimsim.report.timeline_tracks import Group, Timeline, Track, nanoseconds

SEQUENCE = 1


def check_perfetto() -> None:
    """See that the package ``perfetto`` is there.

    Raises
    ------
    ResultError
        If it is not.
    """
    try:
        import perfetto.trace_builder.proto_builder  # noqa: F401
    except ImportError:
        raise ResultError("perfetto is not installed", mend="pip install 'pimsim[perfetto]'") from None


def to_protobuf(timeline: Timeline) -> bytes:
    """Return the bytes of a timeline; the same for the same timeline.

    Raises
    ------
    ResultError
        If the package ``perfetto`` is missing.
    """
    check_perfetto()
    return _Writer(timeline).write()


class _Writer:
    """Working state of `to_protobuf`: the trace, and the tracks that have been given a number."""

    def __init__(self, timeline: Timeline) -> None:
        from perfetto.protos.perfetto.trace import perfetto_trace_pb2
        from perfetto.trace_builder.proto_builder import TraceProtoBuilder

        self.timeline = timeline
        self.types = perfetto_trace_pb2
        self.builder = TraceProtoBuilder()
        self.tracks = 0
        self.arrows_from: dict[int, list[int]] = {}
        self.arrows_to: dict[int, list[int]] = {}
        for number, (source, target) in enumerate(timeline.arrows, start=1):
            self.arrows_from.setdefault(source, []).append(number)
            self.arrows_to.setdefault(target, []).append(number)

    def write(self) -> bytes:
        for order, group in enumerate(self.timeline.groups):
            self._group(group, order)
        raw: bytes = self.builder.serialize()
        return raw

    def _track(self, name: str, parent: int | None, order: int) -> Any:
        self.tracks += 1
        descriptor = self.builder.add_packet().track_descriptor
        descriptor.uuid, descriptor.name = self.tracks, name
        descriptor.sibling_order_rank = order
        if parent is None:
            descriptor.child_ordering = self.types.TrackDescriptor.EXPLICIT
        else:
            descriptor.parent_uuid = parent
        return descriptor

    def _group(self, group: Group, order: int) -> None:
        title = f"{group.name} ({self.timeline.title})" if order == 0 else group.name
        parent = self._track(title, None, order).uuid
        for place, track in enumerate(group.tracks):
            self._slices(track, self._track(track.name, parent, place).uuid)
        for place, counter in enumerate(group.counters, start=len(group.tracks)):
            descriptor = self._track(counter.name, parent, place)
            descriptor.counter.unit_name = counter.unit
            for time, value in counter.points:
                event = self._event(nanoseconds(time), self.types.TrackEvent.TYPE_COUNTER, descriptor.uuid)
                event.double_counter_value = value

    def _event(self, time_ns: int, kind: int, track: int) -> Any:
        packet = self.builder.add_packet()
        packet.timestamp = time_ns
        packet.trusted_packet_sequence_id = SEQUENCE
        packet.track_event.type = kind
        packet.track_event.track_uuid = track
        return packet.track_event

    def _slices(self, track: Track, uuid: int) -> None:
        for each in track.slices:
            event = self._event(nanoseconds(each.begin_fs), self.types.TrackEvent.TYPE_SLICE_BEGIN, uuid)
            event.name = each.name
            for name, value in each.args.items():
                note = event.debug_annotations.add()
                note.name = name
                if isinstance(value, int):
                    note.int_value = value
                else:
                    note.string_value = value
            event.flow_ids.extend(self.arrows_from.get(each.number, ()))
            event.terminating_flow_ids.extend(self.arrows_to.get(each.number, ()))
            self._event(nanoseconds(each.end_fs), self.types.TrackEvent.TYPE_SLICE_END, uuid)
