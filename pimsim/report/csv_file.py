"""Rows as a CSV file."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from pimsim.result.result import write_whole


def write_csv(rows: list[dict[str, Any]], path: Path) -> None:
    """Write rows as CSV, all of it or nothing; what is nested stands in its cell as JSON, None is empty.

    Raises
    ------
    ResultError
        If the file cannot be written.
    """
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                name: json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
                for name, value in row.items()
            }
        )
    write_whole(path, text.getvalue().encode())
