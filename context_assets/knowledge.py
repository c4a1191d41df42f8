"""`knowledge`: the topics of every tenant, as a table of their chunks, and whether they are whole and found.

The fold is `context_plane.knowledge.building`. It is of no window, because what a topic says now may come from any day;
a tenant whose topics did not change costs a look at its table. Nothing that readers see waits for it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import dagster as dg

from context_assets import checks, metadata, names
from context_assets.failures import explained, failure
from context_plane.canonical import digest
from context_plane.errors import ContextPlaneError, Unavailable
from context_plane.instants import DAY, now
from context_plane.knowledge import table
from context_plane.knowledge.building import Built, build
from resources.builders import Builders
from resources.plane import PlaneResource

WHOLE: Final = "whole"
INDEXED: Final = "indexed"
_CHECKS: Final = {
    WHOLE: "The chunks of every current version are, in order, the file that its hash is of.",
    INDEXED: "Every current chunk is in the full-text index, or so new that the tail answers for it.",
}
_SHOWN: Final = 200
_SHORT: Final = len("sha256:") + 12


def build_knowledge(indexes: Sequence[str]) -> dg.AssetsDefinition:
    """The asset behind the timeline and the indexes of these names."""

    @dg.asset(
        name=names.KNOWLEDGE,
        deps=[names.TIMELINE, *indexes],
        check_specs=[
            dg.AssetCheckSpec(name, asset=names.KNOWLEDGE, description=text) for name, text in _CHECKS.items()
        ],
        group_name=names.KNOWLEDGE_GROUP,
        owners=list(names.OWNERS),
        kinds={"lancedb"},
        code_version="1",
        metadata={"dagster/column_schema": metadata.columns(table.schema()), "table": table.NAME},
    )
    def knowledge(context: dg.AssetExecutionContext, plane: PlaneResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """What tenants know from files: the chunks of all versions of all topics, one table a tenant."""
        with explained(context.retry_number):
            built, failed = build_all(plane.builders)
        for error in failed:
            context.log.error(str(error))
        if failed:
            raise failure(failed[0])
        return dg.MaterializeResult(
            metadata=_metadata(built),
            check_results=[_result(WHOLE, built, _broken), _result(INDEXED, built, _unindexed)],
            data_version=_data_version(built),
        )

    return knowledge


def build_all(builders: Builders) -> tuple[list[Built], list[ContextPlaneError]]:
    """Builds each tenant's; what is wrong with one (but not an unreachable store) does not keep the others waiting."""
    built: list[Built] = []
    failed: list[ContextPlaneError] = []
    for builder in builders.all():
        try:
            one = build(builder.history, builder.snapshots, builder.files)
        except Unavailable:
            raise
        except ContextPlaneError as error:
            failed.append(error)
        else:
            built += [] if one is None else [one]
    return built, failed


def _broken(built: Built) -> Iterable[str]:
    return built.broken


def _unindexed(built: Built) -> Iterable[str]:
    return built.unindexed


def _result(name: str, built: Sequence[Built], of: Callable[[Built], Iterable[str]]) -> dg.AssetCheckResult:
    failing = [f"{each.tenant} {topic}" for each in built for topic in of(each)]
    topics = sum(len(each.topics) for each in built)
    text = f"{topics:,} topics pass" if topics else "there are no topics"
    values: dict[str, dg.MetadataValue] = {"topics checked": dg.MetadataValue.int(topics)}
    if name == INDEXED:
        values["answered by the tail"] = dg.MetadataValue.int(sum(each.fresh for each in built))
    if failing:
        text = f"{len(failing):,} of {topics:,} topics fail: {', '.join(failing[:3])}"
        values[checks.FAILING] = dg.MetadataValue.text(checks.SEPARATOR.join(failing[:_SHOWN]))
    return dg.AssetCheckResult(check_name=name, passed=not failing, description=text, metadata=values)


def _metadata(built: Sequence[Built]) -> metadata.Values:
    topics = [(each.tenant, info) for each in built for info in each.topics]
    chunks = sum(info.chunks for _, info in topics)
    header = ["tenant", "topic", "version", "tokens", "chunks", "since", "days ago", "title"]
    today = now()
    rows = [
        [
            tenant, info.name, info.version[:_SHORT], f"{info.tokens:,}", f"{info.chunks:,}", info.time,
            f"{max(0, today - info.at) // DAY:,}", info.title,
        ]
        for tenant, info in topics[:_SHOWN]
    ]  # fmt: skip
    more = f"\n\nand {len(topics) - _SHOWN:,} more" if len(topics) > _SHOWN else ""
    return {
        "topics": dg.MetadataValue.int(len(topics)),
        "chunks": dg.MetadataValue.int(chunks),
        "dagster/row_count": dg.MetadataValue.int(chunks),
        "tokens": dg.MetadataValue.int(sum(info.tokens for _, info in topics)),
        "rows written": dg.MetadataValue.int(sum(each.written for each in built)),
        "rows deleted": dg.MetadataValue.int(sum(each.deleted for each in built)),
        "by topic": dg.MetadataValue.md(metadata.table(header, rows) + more if rows else "no tenant knows a topic yet"),
    }


def _data_version(built: Sequence[Built]) -> dg.DataVersion:
    """Of what is known, not of when it was built."""
    return dg.DataVersion(
        digest([[each.tenant, [[info.name, info.version, info.revision] for info in each.topics]] for each in built])
    )
