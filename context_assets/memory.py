"""`memory_chains`: the links that events state, one part a day, and a table of them for SQL and Lance.

The folds are `context_plane.memory`: days whose timeline and declarations are the same stay as they are.
"""

from collections.abc import Sequence
from typing import Final

import dagster as dg

from context_assets import checks, metadata, names
from context_assets.folding import Folded, fold_windows
from context_assets.partitions import Span
from context_plane.memory.chains import kind
from context_plane.parts.part import LINKS
from resources.plane import PlaneResource

# Raised with every change that gives the same events other links.
CODE_VERSION: Final = "1"
_RULES: Final = 40
_LINES: Final = 25


def build_memory(span: Span) -> list[dg.AssetsDefinition]:
    """The assets of memory over the windows of a plane."""
    return [_memory_chains(span)]


def _memory_chains(span: Span) -> dg.AssetsDefinition:
    @dg.asset(
        name=names.MEMORY_CHAINS,
        deps=[names.TIMELINE],
        partitions_def=span.partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=checks.specs(names.MEMORY_CHAINS, checks.LINKS),
        code_version=CODE_VERSION,
        group_name=names.MEMORY_GROUP,
        owners=list(names.OWNERS),
        kinds={"parquet", "lancedb"},
        tags={"grain": span.grain},
        metadata={"dagster/column_schema": metadata.columns(kind.schema()), "table": kind.TABLE},
    )
    def memory_chains(context: dg.AssetExecutionContext, plane: PlaneResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """What refers to what, closes, supersedes or reverts it, as events state it: what chains are walked along."""
        folded = fold_windows(context, plane, LINKS, lambda builder, days, report: builder.links(days, report))
        metadata.of_windows(context, folded, "links")
        return dg.MaterializeResult(
            metadata={**metadata.of_run(folded, "links"), **_of_links(folded)},
            check_results=checks.results(checks.LINKS, folded),
            data_version=metadata.data_version(folded),
        )

    return memory_chains


def _of_links(folded: Sequence[Folded]) -> metadata.Values:
    """What the links of the run's tenants are like; of several tenants the chain is one of the first."""
    from context_plane.memory.chains.sample import sample

    values: metadata.Values = {}
    for builder in {each.tenant: each.builder for each in folded}.values():
        tenant = builder.history.tenant
        found = sample(builder.files, tenant, builder.snapshots.current())
        values[f"links of {tenant}"] = dg.MetadataValue.int(found.links)
        if found.rules:
            rows = [[kind, rule, f"{count:,}"] for (kind, rule), count in found.rules.items()]
            values[f"links of {tenant} by rule"] = dg.MetadataValue.md(
                metadata.table(["kind", "rule", "links"], rows[:_RULES])
            )
        if found.walks:
            rows = [
                [each.start.id, each.start.title.replace("|", "\\|"), links, len(each.steps)]
                for links, each in found.walks
            ]
            header = ["entity", "title", "links", "what came of it, three links deep"]
            values[f"most linked of {tenant}"] = dg.MetadataValue.md(metadata.table(header, rows))
            if "chain" not in values:
                values["chain"] = dg.MetadataValue.md(_drawn(found.walks[0][1].text))
    return values


def _drawn(text: str) -> str:
    """The beginning of a tree, as Markdown shows it line by line."""
    lines = text.split("\n")
    rest = [f"({len(lines) - _LINES:,} more lines)"] if len(lines) > _LINES else []
    return "\n".join(["~~~text", *(line.replace("~~~", "~ ~ ~") for line in lines[:_LINES]), *rest, "~~~"])
