"""Fault points: the places where a process may be killed to prove that nothing is lost.

Every persistence boundary calls `reach` with a name from the table. In production that costs one look into the
environment. With ``CONTEXT_PLANE_FAULT=name`` (or ``name:3`` for the third time) the process kills itself there, as
`kill -9` would: no handlers, no flushing. Faults of the store itself (lost replies, torn writes) are in `faulty`.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Final

FAULT_POINTS: Final[dict[str, str]] = {
    "ingest.segments-written": "segments are written, nothing is synced",
    "ingest.segments-synced": "segments are durable, nothing names them",
    "ingest.list-written": "the segment list is durable, no record names it",
    "ingest.ids-written": "the hashes of the event ids are durable, no record names them",
    "ingest.committed": "the commit record exists, the caller has no answer",
    "ingest.checkpointed": "a checkpoint exists",
    "timeline.day-written": "one day's timeline is written, nothing is synced",
    "timeline.synced": "all timelines of the run are durable, nothing names them",
    "timeline.noted": "the build note of the timelines exists",
    "contexts.pack-written": "one pack is written, nothing is synced",
    "contexts.synced": "all packs of the run are durable, nothing names them",
    "contexts.noted": "the build note of the packs exists",
    "lance.turn-taken": "who may make a table of LanceDB is settled, there is no table yet",
    "embeddings.written": "a batch of vectors is in the table, no shard holds them",
    "index.day-written": "one day's shard is written, nothing is synced",
    "index.graph-written": "a graph over all vectors is written, nothing is synced",
    "index.synced": "all shards of the run are durable, nothing names them",
    "index.noted": "the build notes of the shards exist",
    "memory.day-written": "one day's part of memory is written, nothing is synced",
    "memory.synced": "all parts of memory of the run are durable, nothing names them",
    "memory.settled": "a table of memory has the rows of the run, nothing names their parts",
    "memory.noted": "the build notes of the parts of memory exist",
    "package.body-written": "a package's version is written, nothing is synced",
    "package.head-created": "a package's newest version is another one, the builder has no answer",
    "publish.months-written": "month manifests are written, nothing is synced",
    "publish.synced": "month manifests are durable, no snapshot names them",
    "publish.snapshot-created": "the snapshot exists, the publisher has no answer",
    "execution.accepted-written": "a new execution is in the transaction, which is not committed",
    "execution.accepted": "a new execution is durable, nobody has its id",
    "execution.record-written": "a record of an execution is in the transaction, which is not committed",
    "execution.record-durable": "a record of an execution is durable, its worker has not gone on",
    "execution.handler-returned": "a step's handler has returned, its output is not recorded",
    "execution.log-written": "records of executions are in the log, the state does not know it",
    "execution.sealed": "records of executions are in the log, and the state knows",
    "store.create-temp-written": "local disk: a numbered object's bytes are durable under a temporary name",
    "store.create-linked": "local disk: a numbered object has its name, which is not yet durable",
}
"""Name of each fault point and what has happened when it is reached."""

VARIABLE: Final = "CONTEXT_PLANE_FAULT"
_reached: Counter[str] = Counter()


def reach(name: str) -> None:
    """Says that a fault point was reached; kills the process where the environment asks for that."""
    assert name in FAULT_POINTS, f"fault point {name!r} is not in FAULT_POINTS"
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    wanted_name, _, nth = wanted.partition(":")
    if wanted_name != name:
        return
    _reached[name] += 1
    if _reached[name] == int(nth or 1):
        os.kill(os.getpid(), signal.SIGKILL)
