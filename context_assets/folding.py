"""Folding: what the assets that are built by window have in common.

A run covers one window or a range of them, of one tenant or several. The fold itself is `context_plane`'s; here is who
calls it for which days, and what it did, for checks and metadata to report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from context_assets.failures import explained
from context_assets.partitions import ranges
from context_assets.progress import report_to

if TYPE_CHECKING:
    import dagster as dg

    from context_plane.materialize import Builder
    from context_plane.parts.part import Part
    from context_plane.parts.timeline import Built, Progress
    from resources.plane import PlaneResource

Fold = Callable[["Builder", tuple[int, int], "Progress"], "Built"]


@dataclass(frozen=True)
class Folded:
    """What a run did for one tenant in one range of days."""

    builder: Builder
    kind: str
    """Name of the kind of part (`parts.part`)."""
    days: tuple[int, int]
    built: Built
    parts: Mapping[int, Part]
    """All parts in the range by day, built now or before, with those that failed a check."""

    @property
    def tenant(self) -> str:
        """The tenant's name."""
        return self.builder.history.tenant

    def within(self, days: tuple[int, int]) -> list[Part]:
        """The parts of some of the days, oldest first."""
        return [self.parts[day] for day in range(days[0], days[1] + 1) if day in self.parts]


def fold_windows(context: dg.AssetExecutionContext, plane: PlaneResource, kind: str, fold: Fold) -> list[Folded]:
    """Folds every range of windows that the run covers. Raises `dagster.Failure`, `dagster.RetryRequested`."""
    with explained(context.retry_number):
        return [_fold(context, plane, kind, fold, tenant, days) for tenant, days in ranges(context.partition_keys)]


def _fold(
    context: dg.AssetExecutionContext,
    plane: PlaneResource,
    kind: str,
    fold: Fold,
    tenant: str,
    days: tuple[int, int],
) -> Folded:
    builder = plane.builders.of(tenant)
    built = fold(builder, days, report_to(context, tenant))
    held = builder.snapshots.current().of(kind)
    parts = {day: part for day, part in held.items() if days[0] <= day <= days[1]}
    return Folded(builder, kind, days, built, parts | {part.day: part for part in built.parts})


def all_parts(folded: Iterable[Folded]) -> list[tuple[str, Part]]:
    """(tenant, part) of everything in the run's ranges, oldest first."""
    return [(each.tenant, part) for each in folded for part in each.within(each.days)]
