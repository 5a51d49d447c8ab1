"""What is kept of a run that was interrupted: a file that says so, and when each output had come."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pimsim.errors import InterruptedRunError
from pimsim.result.result import SCHEMA, write_whole


def save_interrupted(path: str | Path, error: InterruptedRunError, identity: Mapping[str, Any]) -> None:
    """Write what was done before a run was interrupted; it has no figures of a whole run, so `Result.load` refuses it.

    Raises
    ------
    ResultError
        If the file cannot be written.
    """
    data = {
        "schema": SCHEMA,
        "identity": dict(identity),
        "interrupted": {"message": str(error), **error.done},
    }
    write_whole(Path(path), (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode())
