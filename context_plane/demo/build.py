"""Materializing without Dagster: the same folds, called one after the other, for where Dagster is not installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from context_plane.plane import ContextPlane

Report = Callable[[int, int | None], None]


def build(plane: ContextPlane, tenant: str, report: Report) -> None:
    """Builds what is stale of a tenant and publishes it."""
    builder = plane.builder(tenant)
    grain = plane.settings.grain
    for window in builder.stale().windows(grain):
        builder.build(window, report)
    builder.publish()
