"""Which trace each of several processors does, where they share every op."""

from __future__ import annotations

from pimsim.chip import Chip
from pimsim.errors import MappingError
from pimsim.trace.parallel import Trace, shared_out


def shared(chip: Chip, trace: Trace) -> Trace:
    """Return the share of a trace that each processor of a chip does; the trace itself where none share ops.

    Parameters
    ----------
    chip : Chip
        Of which kind.
    trace : Trace
        Bound.

    Raises
    ------
    MappingError
        If there are other sites beside those that share.
    TraceError
        If its heads cannot be dealt out.
    """
    working = chip.config.working
    degree = max((site.sharers for site in working.values()), default=1)
    if degree == 1:
        return trace
    if len(working) > 1:
        raise MappingError(
            f"{' and '.join(working)} beside one another cannot share each op",
            where=chip.config.name,
            mend="leave share: tensor out, or the other sites",
        )
    return shared_out(trace, degree)
