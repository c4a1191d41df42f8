"""Packages in the sensor's tick: which of them are stale, said to the asset graph, and what starts their runs.

Here belongs telling. A tick builds no package and asks for no run of one: it reports that sources changed, of exactly
the packages that this made stale, and the condition of `ctx_packages` asks for these. What stays stale is told again,
ever more rarely: a run that failed, or a change that came while one was going on, would else be forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import time
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from context_assets import names
from context_assets.graph import Graph
from context_assets.packages import PACKAGE, by_tenant, changed, key_of, packages
from sensors.attempts import DELAYS
from sensors.work import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from context_plane.plane import ContextPlane

INTERVAL: Final = 10


def build_rebuild(graph: Graph) -> dg.AutomationConditionSensorDefinition:
    """What evaluates the condition of packages over a graph."""
    del graph  # its assets are named alike in every graph
    return dg.AutomationConditionSensorDefinition(
        "rebuild_packages",
        target=dg.AssetSelection.assets(names.CTX_PACKAGES),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=INTERVAL,
        description="Asks for the packages of which a source changed.",
    )


def declared(plane: ContextPlane) -> str:
    """A short hash of all that the home declares of packages."""
    found = plane.home.packages()
    good = {name: [each.hash, *each.tenants] for name, each in found.good.items()}
    return fingerprint([good, [str(each.error) for each in found.broken]])


@dataclass
class PackageNews:
    """What a tick has to tell of packages."""

    events: list[dg.AssetMaterialization] = field(default_factory=list)
    wanted: dict[str, set[str]] = field(default_factory=dict)
    """The partitions that there should be, of the tenants that were looked at."""

    def look(self, plane: ContextPlane, tenant: str, told: dict[str, Any]) -> bool:
        """Looks at a tenant's packages; whether nothing is left to tell. `told` is what was told before, by tenant:
        a fingerprint of it, how often, and when last."""
        rows = [row for row in plane.packages(tenant, counted=False) if row.origin == "declared" and row.error is None]
        self.wanted[tenant] = {key_of(tenant, row.name) for row in rows}
        lacking = [row for row in rows if row.lacking]
        if not lacking:
            told.pop(tenant, None)
            return True
        state = fingerprint([[row.name, row.version, *row.freshness.changes] for row in lacking])
        before, count, last = told.get(tenant, ["", 0, 0.0])
        if before != state:
            count, last = 0, 0.0
        if time() >= last + (DELAYS[min(count, len(DELAYS)) - 1] if count else 0.0):
            self.events += [changed(tenant, row) for row in lacking]
            told[tenant] = [state, count + 1, time()]
        return False

    def partitions(self, instance: dg.DagsterInstance) -> Iterator[Any]:
        """The partitions to add, and those of packages that are no longer declared."""
        held = by_tenant(instance.get_dynamic_partitions(PACKAGE)) if self.wanted else {}
        have = {key_of(tenant, name) for tenant in self.wanted for name in held.get(tenant, ())}
        want = {key for keys in self.wanted.values() for key in keys}
        if want - have:
            yield packages.build_add_request(sorted(want - have))
        if have - want:
            yield packages.build_delete_request(sorted(have - want))
