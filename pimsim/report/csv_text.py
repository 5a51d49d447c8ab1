"""Rows as CSV."""

from __future__ import annotations

import csv
import io
import json
from typing import Any


def to_csv(rows: list[dict[str, Any]]) -> bytes:
    """Return rows as CSV in UTF-8; what is nested stands in its cell as JSON, None is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(
        text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n"
    )
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                name: json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
                for name, value in row.items()
            }
        )
    return text.getvalue().encode()
