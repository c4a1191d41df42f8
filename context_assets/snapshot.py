"""`snapshot`: publication, the only thing that readers see.

Which parts may be published is decided by `context_plane.parts.snapshots` from the verdicts in the store: a run whose
checks failed publishes nothing of what failed, whatever Dagster was told to run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from context_assets import metadata, names
from context_assets.failures import explained, failure
from context_plane.canonical import digest
from context_plane.errors import ContextPlaneError, NotFound, Unavailable
from context_plane.materialize import Builder
from context_plane.parts.part import CONTEXTS, TIMELINE
from context_plane.parts.snapshots import Snapshot
from resources.builders import Builders
from resources.plane import PlaneResource


@dataclass(frozen=True)
class Published:
    """What readers of a tenant see after the run."""

    tenant: str
    snapshot: Snapshot | None
    new: bool
    tail: int
    """Events after the snapshot, which readers fold themselves."""


def build_snapshot(contexts: Sequence[str]) -> dg.AssetsDefinition:
    """The asset behind the timeline and the contexts of these names."""

    @dg.asset(
        name=names.SNAPSHOT,
        deps=[names.TIMELINE, *contexts],
        group_name=names.SERVING_GROUP,
        owners=list(names.OWNERS),
        kinds={"json"},
        code_version="1",
    )
    def snapshot(context: dg.AssetExecutionContext, plane: PlaneResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Publishes every tenant of which something is built that readers do not see yet."""
        with explained(context.retry_number):
            published, failed = publish_all(plane.builders)
        for error in failed:
            context.log.error(str(error))
        if failed:
            raise failure(failed[0])
        return dg.MaterializeResult(metadata=_metadata(published), data_version=_data_version(published))

    return snapshot


def publish_all(builders: Builders) -> tuple[list[Published], list[ContextPlaneError]]:
    """Publishes each tenant; what is wrong with one (but not an unreachable store) does not keep the others waiting."""
    published: list[Published] = []
    failed: list[ContextPlaneError] = []
    for tenant in builders.tenants():
        try:
            published.append(_publish(builders.of(tenant)))
        except NotFound:
            continue  # no events yet
        except Unavailable:
            raise
        except ContextPlaneError as error:
            failed.append(error)
    return published, failed


def _publish(builder: Builder) -> Published:
    new = builder.publish() if builder.unpublished() else None
    latest = new or builder.snapshots.latest()
    tail = sum(record.events for record in builder.history.records(latest.log if latest else 0))
    return Published(builder.history.tenant, latest, new is not None, tail)


def _metadata(published: Sequence[Published]) -> metadata.Values:
    shown = [(each, each.snapshot) for each in published if each.snapshot is not None]
    rows = [
        [
            each.tenant,
            f"{snapshot.number:,}" + (" (new)" if each.new else ""),
            f"{snapshot.log:,}",
            f"{each.tail:,}",
            f"{len(snapshot.months.get(TIMELINE, {})):,}",
            ", ".join(f"{_short(name)} {len(parts):,}" for name, parts in snapshot.catalog.parts.items()),
        ]
        for each, snapshot in shown
    ]
    header = ["tenant", "snapshot", "log number", "events after it", "months", "parts"]
    return {
        "published": dg.MetadataValue.int(sum(each.new for each in published)),
        "unchanged": dg.MetadataValue.int(sum(not each.new for each in published)),
        "events after the snapshots": dg.MetadataValue.int(sum(each.tail for each in published)),
        "by tenant": dg.MetadataValue.md(metadata.table(header, rows) if rows else "nothing is published yet"),
    }


def _data_version(published: Sequence[Published]) -> dg.DataVersion:
    """Of what readers see: not of snapshot numbers and times, which differ where the same parts are published again."""
    seen = [
        [each.tenant, {name: dict(months) for name, months in each.snapshot.months.items()}]
        for each in published
        if each.snapshot is not None
    ]
    return dg.DataVersion(digest(seen))


def _short(kind: str) -> str:
    return kind.removeprefix(CONTEXTS)
