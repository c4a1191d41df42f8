"""`memory_nodes` and `memory_chains`: what agents were told to remember, and the links that events state, each one part
a day, and tables of both for SQL and Lance.

The folds are `context_plane.memory`: days whose timeline and declarations are the same stay as they are.
"""

from collections.abc import Sequence
from typing import Final

import dagster as dg

from context_assets import checks, metadata, names
from context_assets.folding import Folded, fold_windows
from context_assets.partitions import Span
from context_plane.memory.chains import kind as chains
from context_plane.memory.nodes import kind as nodes
from context_plane.parts.part import LINKS, MEMORY
from resources.plane import PlaneResource

# Raised with every change that gives the same events other nodes or links.
CODE_VERSION: Final = "1"
_RULES: Final = 40
_LINES: Final = 25


def build_memory(span: Span, embedder: str) -> list[dg.AssetsDefinition]:
    """The assets of memory over the windows of a plane."""
    return [_memory_nodes(span, embedder), _memory_chains(span)]


def _memory_nodes(span: Span, embedder: str) -> dg.AssetsDefinition:
    @dg.asset(
        name=names.MEMORY_NODES,
        deps=[names.TIMELINE] if embedder == "none" else [names.TIMELINE, names.EMBEDDINGS],
        partitions_def=span.partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=checks.specs(names.MEMORY_NODES, checks.MEMORY),
        code_version=f"{CODE_VERSION}/{embedder}",
        group_name=names.MEMORY_GROUP,
        owners=list(names.OWNERS),
        kinds={"json", "lancedb"},
        tags={"grain": span.grain},
        metadata={"dagster/column_schema": metadata.columns(nodes.schema()), "table": nodes.TABLE},
    )
    def memory_nodes(context: dg.AssetExecutionContext, plane: PlaneResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """What agents were told to remember: observations, decisions, preferences, and how they follow each other."""
        folded = fold_windows(context, plane, MEMORY, lambda builder, days, report: builder.memory(days, report))
        metadata.of_windows(context, folded, "nodes")
        return dg.MaterializeResult(
            metadata={**metadata.of_run(folded, "nodes"), **_of_nodes(folded)},
            check_results=checks.results(checks.MEMORY, folded),
            data_version=metadata.data_version(folded),
        )

    return memory_nodes


def _memory_chains(span: Span) -> dg.AssetsDefinition:
    @dg.asset(
        name=names.MEMORY_CHAINS,
        deps=[names.TIMELINE, names.MEMORY_NODES],
        partitions_def=span.partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=checks.specs(names.MEMORY_CHAINS, checks.LINKS),
        code_version=CODE_VERSION,
        group_name=names.MEMORY_GROUP,
        owners=list(names.OWNERS),
        kinds={"parquet", "lancedb"},
        tags={"grain": span.grain},
        metadata={"dagster/column_schema": metadata.columns(chains.schema()), "table": chains.TABLE},
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


def _of_nodes(folded: Sequence[Folded]) -> metadata.Values:
    """What the run's tenants remember: how much of which type, and what answers most often held."""
    from context_plane.memory.nodes.sample import sample

    values: metadata.Values = {}
    for builder in {each.tenant: each.builder for each in folded}.values():
        tenant = builder.history.tenant
        found = sample(builder.files, tenant, builder.snapshots.current())
        values[f"nodes of {tenant}"] = dg.MetadataValue.int(found.nodes)
        if found.types:
            rows = [[name, f"{count:,}"] for name, count in found.types.items()]
            values[f"nodes of {tenant} by type"] = dg.MetadataValue.md(metadata.table(["type", "nodes"], rows))
        if found.recalled:
            told = [[node.type, _cell(node.text), node.entity, f"{count:,}"] for node, count in found.recalled]
            header = ["type", "says", "about", "answers"]
            values[f"most recalled of {tenant}"] = dg.MetadataValue.md(metadata.table(header, told))
    return values


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
            table = metadata.table(["kind", "rule", "links"], rows[:_RULES])
            values[f"links of {tenant} by rule"] = dg.MetadataValue.md(table)
        if found.walks:
            most = [[each.start.id, _cell(each.start.title), links, len(each.steps)] for links, each in found.walks]
            header = ["entity", "title", "links", "what came of it, three links deep"]
            values[f"most linked of {tenant}"] = dg.MetadataValue.md(metadata.table(header, most))
            if "chain" not in values:
                values["chain"] = dg.MetadataValue.md(_drawn(found.walks[0][1].text))
    return values


def _cell(text: str) -> str:
    """A text as a cell of a Markdown table, shortened."""
    return " ".join(text.split())[:100].replace("|", "\\|")


def _drawn(text: str) -> str:
    """The beginning of a tree, as Markdown shows it line by line."""
    lines = text.split("\n")
    rest = [f"({len(lines) - _LINES:,} more lines)"] if len(lines) > _LINES else []
    return "\n".join(["~~~text", *(line.replace("~~~", "~ ~ ~") for line in lines[:_LINES]), *rest, "~~~"])
