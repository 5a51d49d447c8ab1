"""A run as a timeline that opens in Perfetto (ui.perfetto.dev): tracks, slices, counters, and the critical path.

A tile is a group of tracks, one for each of its array groups, ADC banks, memory ports and units; a chip's network is a
group with a track for each link (and virtual channel, where several carry packets). Slices are named after ops. The
critical path has a track of its own, whose slices are joined to what they wait for by arrows. Viewers count whole
nanoseconds, so slices begin and end at the nanosecond below; the exact femtoseconds stand in their arguments.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pimsim.analysis.causes import phrase
from pimsim.errors import ConfigError, ResultError
from pimsim.report.timeline_tracks import Counter, Group, Slice, Timeline, Track, nanoseconds
from pimsim.result.recording import CROSSED, Recording
from pimsim.result.result import Result, write_whole
from pimsim.units import format_time

JSON_SUFFIXES = (".json", ".json.gz")
PROTOBUF_SUFFIXES = (".pftrace", ".perfetto-trace")


def write_timeline(result: Result, path: Path) -> str:
    """Write a run's timeline: Chrome trace JSON (``.json``, ``.json.gz``) or protobuf (``.pftrace``).

    Parameters
    ----------
    result : Result
        Of ``simulate(…, timeline=(begin, end))``.
    path : path
        Where to.

    Returns
    -------
    str
        What is in it and what is left out, in words.

    Raises
    ------
    ConfigError
        If the window lies outside the run.
    ResultError
        If the run was not recorded, an extra is missing, or the file cannot be written.
    """
    check_timeline(path)
    recording = result.recording
    if recording is None:
        raise ResultError("this run was not recorded", mend="simulate it with timeline=(begin_fs, end_fs)")
    if recording.window_fs[0] >= recording.latency_fs:
        begin, end = map(format_time, recording.window_fs)
        last = format_time(recording.latency_fs)
        raise ConfigError(
            f"found {begin} to {end}, expected a time within the run, which ends at {last}",
            where="--timeline-window",
        )
    timeline = build(result, recording)
    if path.name.endswith(PROTOBUF_SUFFIXES):
        from pimsim.report.timeline_protobuf import to_protobuf

        raw = to_protobuf(timeline)
    else:
        from pimsim.report.timeline_json import to_json

        raw = to_json(timeline, compressed=path.suffix == ".gz")
    write_whole(path, raw)
    return timeline.title


def check_timeline(path: Path) -> None:
    """See, before a long run, that a timeline can be written.

    Raises
    ------
    ConfigError
        If the name of the file says no format.
    ResultError
        If an extra is missing.
    """
    if path.name.endswith(PROTOBUF_SUFFIXES):
        from pimsim.report.timeline_protobuf import check_perfetto

        check_perfetto()
    elif not path.name.endswith(JSON_SUFFIXES):
        raise ConfigError(
            f"found the name '{path.name}', expected one that ends in "
            + ", ".join((*JSON_SUFFIXES, *PROTOBUF_SUFFIXES)),
            where="--timeline",
        )


def build(result: Result, recording: Recording) -> Timeline:
    """Arrange a recording in groups, tracks and slices."""
    builder = _Builder(result, recording)
    groups = list(builder.groups())
    arrows = [
        (source.number, target.number)
        for source, target in itertools.pairwise(builder.path)
        if (nanoseconds(source.begin_fs), source.number) < (nanoseconds(target.begin_fs), target.number)
    ]
    return Timeline(_title(result, recording), groups, arrows)


def _title(result: Result, recording: Recording) -> str:
    begin, end = recording.window_fs
    parts = [f"{result.model} on {result.chip}: {len(recording.held):,} slices"]
    if begin > 0 or end < recording.latency_fs:
        parts.append(
            f"what reaches into {format_time(begin)} to {format_time(min(end, recording.latency_fs))}"
        )
    if recording.every > 1:
        parts.append(
            f"a sample: every {recording.every}th firing of each actor and its packets; a shorter window has more"
        )
    else:
        parts.append("every visit")
    return "; ".join(parts)


class _Builder:
    """Working state of `build`."""

    def __init__(self, result: Result, recording: Recording) -> None:
        self.result, self.recording = result, recording
        self.count = 0
        self.by_place: dict[int, list[Slice]] = {}
        self.path: list[Slice] = []
        """The slices that the critical path goes through."""
        for row in recording.held[
            ["place", "op", "firing", "output", "begin", "end", "amount", "kind", "step"]
        ].tolist():
            place, op, firing, output, begin, end, amount, kind, step = row
            args = {"firing": firing, "begin_fs": begin, "duration_fs": end - begin}
            if output >= 0:
                args["packet_of_output"] = output
            if kind == CROSSED:
                args["flits"], args["vc"] = amount, step
                args["busy_fs"] = amount * recording.network_period_fs
            else:
                args["busy_fs"] = amount
            self.by_place.setdefault(place, []).append(self._slice(begin, end, recording.ops[op], args))

    def _slice(self, begin: int, end: int, name: str, args: dict[str, Any]) -> Slice:
        self.count += 1
        return Slice(begin, end, name, args, self.count)

    def groups(self) -> Iterator[Group]:
        yield self._critical_path()
        if self.recording.spans:
            yield self._controllers()
        found: dict[tuple[int, int], Group] = {}
        for place, slices in sorted(self.by_place.items()):
            where = self.recording.places[place]
            assert where is not None
            if where.tile is not None:
                key, title = (1, where.tile), f"tile {where.tile}"
                name = where.name.partition(".")[2] or where.name
            elif where.chip is not None:
                key, title, name = (2, where.chip), f"network of chip {where.chip}", where.name
            else:
                key, title, name = (0, 0), "host, external links, adders", where.name
            group = found.setdefault(key, Group(title))
            group.tracks += _lanes(name, slices)
        for (kind, tile), group in sorted(found.items(), key=lambda item: item[0]):
            if kind == 1:
                group.counters = list(self._counters(tile))
            yield group

    def _controllers(self) -> Group:
        """What controllers did: a track for each site that a controller ran, and one for each other controller."""
        group, (low, high) = Group("controllers"), self.recording.window_fs
        for name, spans in self.recording.spans.items():
            by_site: dict[int | None, list[Slice]] = {}
            for begin, end, what, tile in sorted(spans):
                if end >= low and begin <= high:
                    args = {"begin_fs": begin, "duration_fs": end - begin}
                    by_site.setdefault(tile, []).append(self._slice(begin, end, what, args))
            for tile, slices in sorted(by_site.items(), key=lambda item: -1 if item[0] is None else item[0]):
                group.tracks += _lanes(name if tile is None else f"{name}, site {tile}", slices)
        return group

    def _counters(self, tile: int) -> Iterator[Counter]:
        for name, unit, series in (
            ("dynamic power", "mW", self.recording.power_mw.get(tile)),
            ("buffer fill", "bytes", self.recording.fill_bytes.get(tile)),
        ):
            if series is not None:
                width = self.recording.bin_fs
                points = [(i * width, float(f"{value:.6g}")) for i, value in enumerate(series)]
                yield Counter(name, unit, self._within(points))

    def _within(self, points: list[tuple[int, float]]) -> list[tuple[int, float]]:
        begin, end = self.recording.window_fs
        return [point for point in points if point[0] + self.recording.bin_fs > begin and point[0] <= end]

    def _critical_path(self) -> Group:
        """The critical path as a track, and the slices that it goes through."""
        track = Track("critical path")
        begins = {place: [each.begin_fs for each in slices] for place, slices in self.by_place.items()}
        low, high = self.recording.window_fs
        for begin, end, cause, part, op, place in self.recording.path:
            if end < low or begin > high:
                continue
            args = {"cause": cause, "part": part, "op": op, "begin_fs": begin, "duration_fs": end - begin}
            if place >= 0 and self.recording.places[place] is not None:
                args["where"] = self.recording.places[place].name  # type: ignore[union-attr]
            track.slices.append(self._slice(begin, end, f"{op}: {phrase(cause, part)}", args))
            passed = self._passed(begins, place, begin, end)
            if passed is not None and (not self.path or self.path[-1] is not passed):
                self.path.append(passed)
        return Group("critical path", [track])

    def _passed(self, begins: dict[int, list[int]], place: int, begin: int, end: int) -> Slice | None:
        """The recorded slice at a place that covers a stretch of the critical path, if it is in the sample."""
        if place not in begins:
            return None
        last = bisect.bisect_right(begins[place], begin)
        for each in self.by_place[place][max(0, last - 8) : last]:
            if each.begin_fs <= begin and each.end_fs >= end:
                return each
        return None


def _lanes(name: str, slices: list[Slice]) -> list[Track]:
    """Deal slices out to as few tracks as hold them without overlaps; of a place with one server that is one."""
    tracks: list[Track] = []
    free: list[int] = []
    for each in slices:
        lane = next((i for i, time in enumerate(free) if time <= each.begin_fs), len(free))
        if lane == len(free):
            tracks.append(Track(name if lane == 0 else f"{name} ({lane + 1})"))
            free.append(0)
        free[lane] = max(each.end_fs, each.begin_fs)
        tracks[lane].slices.append(each)
    return tracks
