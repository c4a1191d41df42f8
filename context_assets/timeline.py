"""`timeline`: one sorted Parquet file a day with the events of all entities of a tenant.

The fold is `context_plane.parts.timeline`: days to which nothing came are left as they are.
"""

from typing import Final

import dagster as dg

from context_assets import checks, metadata, names
from context_assets.folding import fold_windows
from context_assets.partitions import Span
from context_plane.parts.part import TIMELINE
from context_plane.parts.timeline import schema
from resources.plane import PlaneResource

# Raised with every change that gives the same events another file.
CODE_VERSION: Final = "1"


def build_timeline(span: Span) -> dg.AssetsDefinition:
    """The asset over the windows of a plane."""

    @dg.asset(
        name=names.TIMELINE,
        deps=[names.EVENTS],
        partitions_def=span.partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=checks.specs(names.TIMELINE, checks.TIMELINE),
        code_version=CODE_VERSION,
        group_name=names.LOG_GROUP,
        owners=list(names.OWNERS),
        kinds={"parquet"},
        tags={"grain": span.grain},
        metadata={
            "dagster/column_schema": metadata.columns(schema()),
            "partitions start": f"{span.first}: {span.reason}",
        },
    )
    def timeline(context: dg.AssetExecutionContext, plane: PlaneResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Events of all entities, sorted by entity, time, source and id: one Parquet file a day."""
        folded = fold_windows(context, plane, TIMELINE, lambda builder, days, report: builder.timeline(days, report))
        metadata.of_windows(context, folded, "events")
        return dg.MaterializeResult(
            metadata=metadata.of_run(folded, "events"),
            check_results=checks.results(checks.TIMELINE, folded),
            data_version=metadata.data_version(folded),
        )

    return timeline
