"""What the fault tests run in a process of its own: ``python -m tests.faults.worker HOME JOB …``.

Jobs print one JSON line when they have succeeded, which is the acknowledgement the tests hold the plane to.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from context_plane.log import checkpoints
from context_plane.plane import ContextPlane
from context_plane.retrieval.building import fold, lance
from context_plane.retrieval.shards import near

SPEC = """\
context: customer_context_v0
entity: customer
window: 3d
fields:
  n: {count: true}
  total: {sum: n}
  last: {latest: n}
"""


SOURCE = """\
source: test
format: cloudevents
links: {caused_by: after}
"""


PACKAGE = """\
package: team/numbers
scope: team
queries: [{query: number, k: 100}]
"""


def event(number: int) -> dict[str, Any]:
    """Event `number`: one of 5 customers, one of 6 days."""
    return {
        "id": str(number),
        "source": "test",
        "type": "test.event",
        "subject": f"customer/{number % 5}",
        "time": f"2026-03-{1 + number % 6:02d}T{number % 24:02d}:00:00Z",
        "data": {"n": number, "text": f"number {number}", "after": str(number % 7)},
    }


def ingest(plane: ContextPlane, start: str, end: str) -> dict[str, Any]:
    """Ingests events start … end as one batch."""
    commit = plane.ingest("acme", (event(n) for n in range(int(start), int(end))))
    return {"accepted": commit.accepted, "duplicates": commit.duplicates, "commit": commit.id}


def overlapping(plane: ContextPlane, worker: str, batches: str) -> dict[str, Any]:
    """Ingests batches of 40 events of which every other worker's batches share a half."""
    totals = {"accepted": 0, "duplicates": 0}
    for batch in range(int(batches)):
        start = batch * 40 + int(worker) % 2 * 20
        commit = plane.ingest("acme", (event(n) for n in range(start, start + 40)))
        totals["accepted"] += commit.accepted
        totals["duplicates"] += commit.duplicates
    return totals


def materialize(plane: ContextPlane) -> dict[str, Any]:
    """Builds whatever is stale, and publishes."""
    builder = plane.builder("acme")
    for first, last in builder.stale().windows(plane.settings.grain):
        builder.build((first, last))
    snapshot = builder.publish()
    return {"snapshot": snapshot.number if snapshot else None}


def package(plane: ContextPlane) -> dict[str, Any]:
    """Builds the packages that are stale."""
    return {each.name: each.new for each in plane.build_packages("acme", table=False)}


def main(home: str, job: str, *arguments: str) -> None:
    """Runs one job."""
    checkpoints.EVERY = 2  # type: ignore[misc]
    lance._MADE_WITHIN = 0.2  # type: ignore[misc]
    near.LEAST = 8  # type: ignore[misc]
    fold._UNGRAPHED = 8  # type: ignore[misc]
    jobs: dict[str, Any] = {each.__name__: each for each in (ingest, overlapping, materialize, package)}
    print(json.dumps(jobs[job](ContextPlane.open(home), *arguments)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
