"""Cost against size: ingest and materialization of 1x, 4x and 16x the events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.clock import stopwatch
from bench.events import ticks
from context_plane import ContextPlane

SPEC = """\
context: usage_v0
entity: customer
window: 7d
fields:
  events: {count: true}
  amount: {sum: amount}
  plan: {latest: plan}
  tickets: {count: true, of: "support.*"}
summary: {max_tokens: 60}
"""


def linear(folder: Path) -> Iterator[dict[str, Any]]:
    """Four times the entities over the same 14 days, twice; microseconds per event should stay what they are."""
    for factor in (1, 4, 16):
        home = folder / f"x{factor}"
        (home / "contexts").mkdir(parents=True)
        (home / "contexts" / "usage_v0.yaml").write_text(SPEC)
        entities = 250 * factor
        count = entities * 70
        with ContextPlane.open(home) as plane:
            with stopwatch() as ingest:
                plane.ingest("acme", ticks(entities, 70, days=14))
            builder = plane.builder("acme")
            with stopwatch() as build:
                for window in builder.stale().windows("day"):
                    builder.timeline(window)
                    builder.contexts("usage_v0", window)
                    builder.search(window)
                builder.publish()
        yield {
            "what": f"{factor}x: {count:,} events, {entities:,} entities, 14 days",
            "ingest_us_per_event": round(ingest.seconds / count * 1e6, 1),
            "materialize_us_per_event": round(build.seconds / count * 1e6, 1),
        }
