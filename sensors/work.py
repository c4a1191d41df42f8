"""Work: which runs a tenant's materialization lacks, and the requests for them.

A request carries a fingerprint of what is stale. The same state gives the same run key, which Dagster launches once, so
that a tick may be repeated; another commit, another spec or another attempt gives another key.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from context_assets import names
from context_assets.partitions import Span, joined, range_tags
from context_plane.canonical import digest
from context_plane.instants import DAY, SECOND, day_of, now, parse_instant
from context_plane.parts.grain import runs, window_key

if TYPE_CHECKING:
    from context_plane.log.commits import CommitRecord
    from context_plane.materialize import Builder, Stale

TENANT_TAG: Final = "context_plane/tenant"
WINDOWS_TAG: Final = "context_plane/windows"
WORK_TAG: Final = "context_plane/work"
ANSWERS: Final = 500
"""Commits of answers and executions that start a run of their own: a reader has so many from the log in some
milliseconds."""
_EXECUTIONS: Final = "execution/"
PATIENCE: Final = 60.0
"""Seconds that what executions said waits for other news: else every run of a process would start one that builds."""


@dataclass(frozen=True)
class Work:
    """One run that would bring a tenant further."""

    tenant: str
    days: tuple[int, int] | None
    """The windows to refresh; `None` where only publication is missing."""
    state: str
    """Fingerprint of what is stale."""

    def windows(self, span: Span) -> str:
        """The first and last window for people: ``2026-03-01..2026-03-31``."""
        if self.days is None:
            return "publish"
        return "..".join(window_key(day, span.grain) for day in self.days)


@dataclass(frozen=True)
class Lack:
    """What a tenant lacks: runs, and what no run of this code location can do."""

    work: tuple[Work, ...]
    notes: tuple[str, ...]


def lacking(builder: Builder, span: Span, specs: Collection[str], *, patient: bool = False) -> Lack:
    """What a tenant's materialization lacks. `specs` are those that the code location has assets for; `patient` is who
    asks every few seconds."""
    stale = builder.stale()
    contexts = {name: days for name, days in stale.contexts.items() if name in specs and days}
    kinds = (*contexts.values(), *stale.indexes.values(), *stale.memory.values())
    wanted = {*stale.timeline, *(day for days in kinds for day in days)}
    if patient and (waiting := _own_alone(builder, stale, wanted)):
        what = f"{waiting} commits of answers and runs of processes"
        return Lack((), (f"{what} wait for other news, for {ANSWERS:,} of them, or for a minute",))
    outside = {day for day in wanted if not span.covers(day)}
    ranges = joined(runs(wanted - outside, span.grain), span.grain)
    work = [_refresh(builder, stale, contexts, days) for days in ranges]
    if not work and stale.unpublished:
        state = [stale.until, *sorted(builder.specs), builder.identity]
        work = [Work(stale.tenant, None, fingerprint(state))]
    return Lack(tuple(work), _without_partition(outside, span))


def _own_alone(builder: Builder, stale: Stale, wanted: Collection[int]) -> int:
    """How many commits of answers and executions are all that came since the snapshot: readers have them from the log,
    and an agent that asks every second, or a process that is run, should not start a run every few. 0 for anything
    else, for too many, and where executions said something a while ago."""
    latest = builder.snapshots.latest()
    if latest is None or stale.unpublished:
        return 0
    news = builder.history.records(latest.log)
    if not news or len(news) >= ANSWERS or not all(_may_wait(builder, record) for record in news):
        return 0
    told = next((record for record in news if not record.silent), None)
    if told is not None and now() - parse_instant(told.time) > PATIENCE * SECOND:
        return 0
    days = {day for record in news for day in builder.history.days(record)}
    return len(news) if days.issuperset(wanted) else 0


def _may_wait(builder: Builder, record: CommitRecord) -> bool:
    """Whether a commit is of answers or of executions."""
    if record.silent or not record.own:
        return record.silent
    return any(ref.entity.startswith(_EXECUTIONS) for ref in builder.history.segments(record))


def _without_partition(days: Collection[int], span: Span) -> tuple[str, ...]:
    if not days:
        return ()
    first, last = day_of(min(days) * DAY), day_of(max(days) * DAY)
    place = f"days without a partition: {len(days)} from {first} to {last}, partitions start on {span.first}"
    return (f"{place}: reload the code location, or set CONTEXT_PLANE_START earlier",)


def _refresh(builder: Builder, stale: Stale, contexts: dict[str, tuple[int, ...]], days: tuple[int, int]) -> Work:
    """The work of a range. Its state is all that its outcome depends on: its days, and the timelines before them."""
    first, last = days
    touched = builder.history.touched()
    state: dict[str, Any] = {
        "timeline": [[day, touched.get(day, 0)] for day in stale.timeline if day <= last],
        "contexts": {
            name: [builder.specs[name].hash, *(day for day in found if first <= day <= last)]
            for name, found in contexts.items()
        },
        "indexes": {kind: [day for day in found if first <= day <= last] for kind, found in stale.indexes.items()},
        "memory": {kind: [day for day in found if first <= day <= last] for kind, found in stale.memory.items()},
        "made by": builder.identity,
    }
    return Work(stale.tenant, days, fingerprint(state))


def request(work: Work, span: Span, attempt: int, source: str = "") -> dg.RunRequest:
    """The run request of a work. `attempt` counts the runs before it for the same state."""
    tags = {TENANT_TAG: work.tenant, WORK_TAG: work.state, WINDOWS_TAG: work.windows(span)}
    key = f"{source}{work.tenant}/{work.windows(span)}/{work.state}/{attempt}"
    if work.days is None:
        return dg.RunRequest(run_key=key, tags=tags, asset_selection=[dg.AssetKey(names.SNAPSHOT)])
    return dg.RunRequest(run_key=key, tags=tags | range_tags(work.tenant, work.days, span.grain))


def fingerprint(state: Any) -> str:
    """A short hash of JSON values: what makes run keys differ where the state does."""
    return digest(state).removeprefix("sha256:")[:16]
