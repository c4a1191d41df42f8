"""`events`: the log, seen from Dagster. Ingest writes it; nothing here does.

An observation says what is in the log now, tenant by tenant. The sensor records one with all news; the button *Observe*
makes one at any time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dagster as dg

from context_assets import metadata, names
from context_assets.failures import explained
from context_plane.canonical import digest
from context_plane.instants import format_instant
from context_plane.materialize import Builder
from resources.plane import PlaneResource


@dataclass(frozen=True)
class LogState:
    """What the log of a tenant holds."""

    tenant: str
    head: int
    tip: str
    """SHA-256 of the newest commit record: with it, of everything before."""
    events: int
    days: int
    clock: int | None
    size: int | None = None
    """Bytes of all segments; counting them reads every commit's segment list."""


def log_state(builder: Builder, *, count_bytes: bool = False) -> LogState:
    """The state of a tenant's log as of the builder's last look."""
    history = builder.history
    records = history.records()
    size = sum(ref.size for record in records for ref in history.segments(record)) if count_bytes else None
    return LogState(
        history.tenant,
        history.head,
        history.tip,
        sum(record.events for record in records),
        len(history.touched()),
        history.clock(),
        size,
    )


def observed(states: Sequence[LogState]) -> metadata.Values:
    """The metadata of an observation."""
    sizes = [state.size for state in states if state.size is not None]
    header = ["tenant", "commits", "events", "days", "data clock", *(["bytes"] if sizes else [])]
    rows = [
        [
            state.tenant,
            f"{state.head:,}",
            f"{state.events:,}",
            f"{state.days:,}",
            format_instant(state.clock) if state.clock else "",
            *([f"{state.size:,}"] if state.size is not None else []),
        ]
        for state in states
    ]
    values: metadata.Values = {
        "tenants": dg.MetadataValue.int(len(states)),
        "commits": dg.MetadataValue.int(sum(state.head for state in states)),
        "events": dg.MetadataValue.int(sum(state.events for state in states)),
        "by tenant": dg.MetadataValue.md(metadata.table(header, rows)),
    }
    return {**values, "bytes": dg.MetadataValue.int(sum(sizes))} if sizes else values


def data_version(states: Sequence[LogState]) -> dg.DataVersion:
    """Changes with every commit of any tenant."""
    return dg.DataVersion(digest([[state.tenant, state.tip] for state in states]))


def build_events() -> dg.AssetsDefinition:
    """The asset: not materialized, only observed."""
    spec = dg.AssetSpec(
        names.EVENTS,
        description="The immutable log of events. `cortex ingest` and `ContextPlane.ingest` append to it.",
        group_name=names.LOG_GROUP,
        owners=list(names.OWNERS),
        kinds={"json"},
    )

    @dg.multi_observable_source_asset(  # type: ignore[untyped-decorator]
        name="observe_events", specs=[spec]
    )
    def events(plane: PlaneResource) -> Iterator[dg.ObserveResult]:
        with explained():
            states = [log_state(builder, count_bytes=True) for builder in plane.builders.all()]
        yield dg.ObserveResult(asset_key=names.EVENTS, metadata=observed(states), data_version=data_version(states))

    made: dg.AssetsDefinition = events
    return made
