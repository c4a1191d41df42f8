"""Attempts: whether the run for a state of staleness is due, by what became of the runs before it.

A run that ended and left the same things stale (it failed, or waits for another) is repeated after a minute, then ever
more rarely, and never given up: whoever frees the disk or mends the network need not know about Dagster. A commit or a
spec that changes what is stale starts afresh at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import dagster as dg

from sensors.work import TENANT_TAG, WORK_TAG

if TYPE_CHECKING:
    from sensors.work import Work

DELAYS: Final = (60.0, 300.0, 1_800.0, 21_600.0)
"""Seconds from the end of one run to the next for the same state; the last is kept."""

_ENDED: Final = frozenset({dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED})
_OPEN: Final = [status for status in dg.DagsterRunStatus if status not in _ENDED]


def busy_tenants(instance: dg.DagsterInstance) -> dict[str, str]:
    """Tenants with a run that has not ended, and its id. Their next run waits, and takes all that came meanwhile."""
    runs = instance.get_runs(dg.RunsFilter(statuses=_OPEN))
    return {run.tags[TENANT_TAG]: run.run_id for run in runs if TENANT_TAG in run.tags}


def attempts(instance: dg.DagsterInstance, work: Work) -> tuple[int, float]:
    """How many runs there were for the work's state, and when the next is due (seconds since 1970; 0 for at once)."""
    records = instance.get_run_records(dg.RunsFilter(tags={WORK_TAG: work.state, TENANT_TAG: work.tenant}))
    if not records:
        return 0, 0.0
    ended = max(record.end_time or record.create_timestamp.timestamp() for record in records)
    return len(records), ended + DELAYS[min(len(records), len(DELAYS)) - 1]
