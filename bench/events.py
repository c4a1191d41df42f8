"""Generated events for the measurements; deterministic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def ticks(entities: int, per_entity: int, days: int = 1) -> Iterator[dict[str, Any]]:
    """`per_entity` usage events for each entity, spread evenly over the days, in order of time."""
    for n in range(per_entity):
        day, minute = n % days, (n // days) % 1_440
        date = f"2026-{3 + day // 28:02d}-{1 + day % 28:02d}"
        for entity in range(entities):
            yield {
                "specversion": "1.0",
                "id": f"{n}-{entity}",
                "source": "bench",
                "type": "usage.tick" if n % 5 else "support.ticket",
                "subject": f"customer/c-{entity}",
                "time": f"{date}T{minute // 60:02d}:{minute % 60:02d}:00Z",
                "data": {"text": f"Event {n} of customer {entity}: report exported", "amount": n * 1.25, "plan": "pro"},
            }


def write(path: Path, events: Iterator[dict[str, Any]]) -> int:
    """Writes events as JSONL and returns their number."""
    count = 0
    with path.open("w") as file:
        for count, event in enumerate(events, 1):  # noqa: B007
            file.write(json.dumps(event) + "\n")
    return count
