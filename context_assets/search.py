"""`embeddings`, `bm25_index` and `vector_index`: what search answers from, one shard a day.

The folds are `context_plane.retrieval.building.fold`: days whose timeline, analysis and model are the same stay as they
are. A plane without an embedder has the index of words alone.
"""

from collections.abc import Sequence
from typing import Final

import dagster as dg

from context_assets import checks, metadata, names
from context_assets.distribution import curve, histogram
from context_assets.failures import explained
from context_assets.folding import Folded, fold_windows
from context_assets.partitions import Span, ranges
from context_assets.progress import report_to
from context_plane.parts.part import FULLTEXT, VECTOR
from resources.plane import PlaneResource

# Raised with every change that gives the same events other shards.
CODE_VERSION: Final = "1"


def build_search(span: Span, embedder: str) -> list[dg.AssetsDefinition]:
    """The assets of search over the windows of a plane."""
    if embedder == "none":
        return [_bm25_index(span)]
    return [_embeddings(span, embedder), _bm25_index(span), _vector_index(span, embedder)]


def _embeddings(span: Span, embedder: str) -> dg.AssetsDefinition:
    @dg.asset(
        name=names.EMBEDDINGS,
        deps=[names.TIMELINE],
        partitions_def=span.partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=f"{CODE_VERSION}/{embedder}",
        group_name=names.SEARCH_GROUP,
        owners=list(names.OWNERS),
        kinds={"lancedb"},
        tags={"grain": span.grain},
        metadata={"embedder": embedder},
    )
    def embeddings(context: dg.AssetExecutionContext, plane: PlaneResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Events with their vectors, in LanceDB: each text is embedded once for each model."""
        embedded = rows = 0
        model = ""
        with explained(context.retry_number):
            for tenant, days in ranges(context.partition_keys):
                builder = plane.builders.of(tenant)
                embedded += builder.embed(days, report_to(context, tenant))
                rows, model = rows + builder.embedded, builder.model.id
        return dg.MaterializeResult(
            metadata={
                "texts embedded": dg.MetadataValue.int(embedded),
                "events with a vector": dg.MetadataValue.int(rows),
                "dagster/row_count": dg.MetadataValue.int(rows),
                "model": dg.MetadataValue.text(model),
            }
        )

    return embeddings


def _bm25_index(span: Span) -> dg.AssetsDefinition:
    @dg.asset(
        name=names.BM25_INDEX,
        deps=[names.TIMELINE],
        partitions_def=span.partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=checks.specs(names.BM25_INDEX, checks.FULLTEXT),
        code_version=CODE_VERSION,
        group_name=names.SEARCH_GROUP,
        owners=list(names.OWNERS),
        kinds={"arrow"},
        tags={"grain": span.grain},
    )
    def bm25_index(context: dg.AssetExecutionContext, plane: PlaneResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Words of the events, by document and by term, for exact BM25 of one history or of all."""
        folded = fold_windows(context, plane, FULLTEXT, lambda builder, days, report: builder.fulltext(days, report))
        metadata.of_windows(context, folded, "events")
        return dg.MaterializeResult(
            metadata={**metadata.of_run(folded, "events"), **_of_text(folded)},
            check_results=checks.results(checks.FULLTEXT, folded),
            data_version=metadata.data_version(folded),
        )

    return bm25_index


def _vector_index(span: Span, embedder: str) -> dg.AssetsDefinition:
    @dg.asset(
        name=names.VECTOR_INDEX,
        deps=[names.TIMELINE, names.EMBEDDINGS],
        partitions_def=span.partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[
            *checks.specs(names.VECTOR_INDEX, checks.VECTOR),
            checks.recall_spec(names.VECTOR_INDEX),
        ],
        code_version=f"{CODE_VERSION}/{embedder}",
        group_name=names.SEARCH_GROUP,
        owners=list(names.OWNERS),
        kinds={"hnsw"},
        tags={"grain": span.grain},
        metadata={"embedder": embedder},
    )
    def vector_index(context: dg.AssetExecutionContext, plane: PlaneResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Vectors of the events in the order of their history, and the graph over all of a tenant's."""
        folded = fold_windows(context, plane, VECTOR, lambda builder, days, report: builder.vectors(days, report))
        metadata.of_windows(context, folded, "events")
        shown, recall = _of_vectors(folded)
        return dg.MaterializeResult(
            metadata={**metadata.of_run(folded, "events"), **shown},
            check_results=[*checks.results(checks.VECTOR, folded), recall],
            data_version=metadata.data_version(folded),
        )

    return vector_index


def _of_text(folded: Sequence[Folded]) -> metadata.Values:
    """What the indexes of the run's tenants are like; of several tenants the plots show the first."""
    from context_plane.retrieval.sample import sample_text

    values: metadata.Values = {}
    for builder in {each.tenant: each.builder for each in folded}.values():
        sample = sample_text(builder.files, builder.history.tenant, builder.snapshots.current())
        tenant = builder.history.tenant
        values[f"terms of {tenant}"] = dg.MetadataValue.int(sample.terms)
        values[f"mean length of {tenant}"] = dg.MetadataValue.float(round(sample.mean_length, 1))
        if sample.scores and "scores" not in values:
            title = f"{tenant}: BM25 of hits, as share of the highest possible"
            values["scores"] = histogram(title, {"hits": sample.scores}, "share of the bound")
            values["latency"] = histogram(
                f"{tenant}: time of a search, in numpy", {"searches": sample.milliseconds}, "milliseconds"
            )
            taken = sorted(sample.milliseconds)
            for share in (50, 99):
                at = min(len(taken) - 1, len(taken) * share // 100)
                values[f"latency p{share} (ms)"] = dg.MetadataValue.float(round(taken[at], 2))
    return values


def _of_vectors(folded: Sequence[Folded]) -> tuple[metadata.Values, dg.AssetCheckResult]:
    from context_plane.retrieval.sample import sample_vectors

    values: metadata.Values = {}
    recall: dict[str, float] = {}
    shown: dict[int, float] = {}
    for builder in {each.tenant: each.builder for each in folded}.values():
        tenant = builder.history.tenant
        sample = sample_vectors(builder.files, tenant, builder.snapshots.current())
        if sample.pairs and "cosines" not in values:
            title = f"{tenant}: cosines of events, at random and to the nearest"
            values["cosines"] = histogram(title, {"at random": sample.pairs, "nearest": sample.nearest}, "cosine")
        if sample.recall:
            recall[tenant] = max(sample.recall.values())
            if not shown:
                shown = dict(sample.recall)
                values["recall"] = curve(f"{tenant}: recall@10 of the graph", shown, "candidates", "recall@10")
    return values, checks.recall_result(recall, shown)
