"""`entity_context`: one asset per context spec, named after it, and a sign for each spec file that does not read.

The fold is `context_plane.bundles.fold`: a pack holds the entities whose bundle changed since the pack before.
"""

from collections.abc import Sequence
from functools import partial

import dagster as dg

from context_assets import checks, metadata, names
from context_assets.folding import fold_windows
from context_assets.partitions import Span
from context_plane.bundles.folder import BrokenSpec
from context_plane.bundles.spec import ContextSpec
from context_plane.errors import NotFound
from context_plane.instants import DAY
from context_plane.materialize import Builder
from context_plane.parts.part import CONTEXTS
from context_plane.parts.timeline import Built, Progress
from resources.plane import PlaneResource


def build_context(spec: ContextSpec, span: Span) -> dg.AssetsDefinition:
    """The asset of one spec over the windows of a plane."""
    name = names.asset_name(spec.name)

    # The dependency is by window, although a pack reads the timelines of all days in the spec's window: Dagster runs
    # together only what maps one to one, and the plane itself works out which packs a late event makes stale.
    @dg.asset(
        name=name,
        deps=[names.TIMELINE],
        partitions_def=span.partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=checks.specs(name, checks.CONTEXTS),
        code_version=spec.hash,
        group_name=names.CONTEXT_GROUP,
        owners=list(names.OWNERS),
        kinds={"duckdb"},
        tags={"grain": span.grain, "entity": _tag(spec.entity)},
        metadata={"dagster/column_schema": metadata.bundle_columns(spec), "window": _window(spec)},
        description=f"Bundles of every {spec.entity} over {_window(spec)}: {', '.join(f.name for f in spec.fields)}.",
    )
    def entity_context(context: dg.AssetExecutionContext, plane: PlaneResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        kind, fold = CONTEXTS + spec.name, partial(_build, spec.name)
        folded = fold_windows(context, plane, kind, fold)
        metadata.of_windows(context, folded, "bundles")
        return dg.MaterializeResult(
            metadata=metadata.of_run(folded, "bundles"),
            check_results=checks.results(checks.CONTEXTS, folded),
            data_version=metadata.data_version(folded),
        )

    return entity_context


def build_broken(broken: Sequence[BrokenSpec], taken: set[str]) -> list[dg.AssetSpec]:
    """What the graph shows of spec files that do not read: something that nobody can materialize, saying why."""
    found = []
    for each in broken:
        name = _free("broken_" + "".join(c if c.isascii() and c.isalnum() else "_" for c in each.file.stem), taken)
        taken.add(name)
        found.append(
            dg.AssetSpec(
                name,
                description=f"**This context spec does not read.** {each.error}\n\nCorrect the file and reload.",
                group_name=names.CONTEXT_GROUP,
                owners=list(names.OWNERS),
                kinds={"yaml"},
                tags={"broken": ""},
                metadata={"file": dg.MetadataValue.path(each.file), "remedy": each.error.remedy},
            )
        )
    return found


def _build(spec: str, builder: Builder, days: tuple[int, int], report: Progress) -> Built:
    if spec not in builder.specs:
        raise NotFound(
            f"there is no context spec {spec!r} any more", where="contexts/", remedy="reload the code location"
        )
    return builder.contexts(spec, days, report)


def _free(name: str, taken: set[str]) -> str:
    return name if name not in taken else _free(f"{name}_", taken)


def _window(spec: ContextSpec) -> str:
    return "all history" if spec.longest is None else f"{spec.longest / DAY:g} days"


def _tag(text: str) -> str:
    """The text as far as a tag's value may hold it."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-.") else "_" for c in text)[:63]
