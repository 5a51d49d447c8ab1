"""A timeline as Chrome trace JSON, which Perfetto and chrome://tracing open.

The format: "Trace Event Format", Google, https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator

from pimsim.report.timeline_tracks import Slice, Timeline, nanoseconds


def to_json(timeline: Timeline, *, compressed: bool) -> bytes:
    """Return the bytes of a timeline; the same for the same timeline."""
    lines = ",\n".join(_events(timeline))
    about = json.dumps({"title": timeline.title, "fs": "exact times stand in the arguments of slices"})
    raw = f'{{"displayTimeUnit":"ns","otherData":{about},"traceEvents":[\n{lines}\n]}}\n'.encode()
    return gzip.compress(raw, compresslevel=6, mtime=0) if compressed else raw


def _events(timeline: Timeline) -> Iterator[str]:
    """Yield an event a line: names of the groups and tracks, slices, counters."""
    leaving, arriving = defaultdict(list), defaultdict(list)
    for number, (source, target) in enumerate(timeline.arrows, start=1):
        leaving[source].append(number)
        arriving[target].append(number)
    thread = 0
    for process, group in enumerate(timeline.groups, start=1):
        title = f"{group.name} ({timeline.title})" if process == 1 else group.name
        yield _metadata("process_name", process, 0, name=title)
        yield _metadata("process_sort_index", process, 0, sort_index=process)
        for track in group.tracks:
            thread += 1
            yield _metadata("thread_name", process, thread, name=track.name)
            yield _metadata("thread_sort_index", process, thread, sort_index=thread)
            for each in track.slices:
                yield _slice(each, process, thread)
                # An arrow is bound to the slice that is open at its time: it comes right behind it.
                for number in arriving[each.number]:
                    yield _arrow("f", number, each, process, thread)
                for number in leaving[each.number]:
                    yield _arrow("s", number, each, process, thread)
        for counter in group.counters:
            for time, value in counter.points:
                yield (
                    f'{{"ph":"C","pid":{process},"ts":{_microseconds(time)},'
                    f'"name":{json.dumps(counter.name)},"args":{{{json.dumps(counter.unit)}:{value}}}}}'
                )


def _metadata(kind: str, process: int, thread: int, **args: object) -> str:
    return f'{{"ph":"M","pid":{process},"tid":{thread},"name":"{kind}","args":{json.dumps(args)}}}'


def _slice(each: Slice, process: int, thread: int) -> str:
    duration = nanoseconds(each.end_fs) - nanoseconds(each.begin_fs)
    return (
        f'{{"ph":"X","pid":{process},"tid":{thread},"ts":{_microseconds(each.begin_fs)},'
        f'"dur":{duration // 1000}.{duration % 1000:03},"name":{json.dumps(each.name)},'
        f'"args":{json.dumps(each.args)}}}'
    )


def _arrow(kind: str, number: int, each: Slice, process: int, thread: int) -> str:
    bound = ',"bp":"e"' if kind == "f" else ""
    return (
        f'{{"ph":"{kind}","id":{number},"pid":{process},"tid":{thread},"ts":{_microseconds(each.begin_fs)},'
        f'"name":"critical path","cat":"critical path"{bound}}}'
    )


def _microseconds(fs: int) -> str:
    whole = nanoseconds(fs)
    return f"{whole // 1000}.{whole % 1000:03}"
