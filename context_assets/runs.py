"""Runs in one's own process: the job `refresh` over stale ranges, recorded in Dagster's history like any other run.

Here belong what a run is told and what came of it. Which ranges are stale the plane says; who asks is `commands`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import dagster as dg

from context_assets import checks, lost, metadata, names, packages
from context_assets.graph import Graph
from context_assets.instance import open_instance
from context_assets.partitions import TENANT, range_tags
from resources.plane import PlaneResource

if TYPE_CHECKING:
    from pathlib import Path

    from context_plane.bundles.packages.package import Row
    from context_plane.plane import ContextPlane


@dataclass(frozen=True)
class Ran:
    """What one run did."""

    id: str
    built: Mapping[str, int] = field(default_factory=dict)
    """Parts built, by asset."""
    failing: tuple[str, ...] = ()
    """Checks that failed: ``row_count of timeline on acme 2026-03-01``."""
    error: str = ""
    """Why the run failed, where no check says so."""


class Runner:
    """Executes runs on one Dagster home."""

    def __init__(self, plane: ContextPlane, instance: dg.DagsterInstance, *, verbose: bool) -> None:
        self.graph = Graph(PlaneResource(home=str(plane.settings.home), store=plane.settings.store))
        definitions = self.graph.definitions()
        self._job = definitions.resolve_job_def(names.REFRESH)
        self._packages = definitions.resolve_job_def(names.PACKAGES)
        self._instance = instance
        level = "DEBUG" if verbose else "CRITICAL"
        self._config: Final = {"loggers": {"console": {"config": {"log_level": level}}}}

    def register(self, tenants: list[str]) -> None:
        """Makes partitions of the tenants."""
        self._instance.add_dynamic_partitions(TENANT, tenants)

    def refresh(self, tenant: str, days: tuple[int, int]) -> Ran:
        """Builds what is stale in a range of days, then publishes."""
        return self._run(range_tags(tenant, days, self.graph.span.grain), None)

    def publish(self) -> Ran:
        """Only publishes."""
        return self._run({}, [dg.AssetKey(names.SNAPSHOT)])

    def packages(self, tenant: str, rows: Sequence[Row]) -> Iterator[Ran]:
        """Builds packages of which a source changed."""
        keys = [packages.key_of(tenant, row.name) for row in rows]
        self._instance.add_dynamic_partitions(packages.PACKAGE, keys)
        for row in rows:
            self._instance.report_runless_asset_event(packages.changed(tenant, row))
        for first, last in packages.ranges(keys, self._instance.get_dynamic_partitions(packages.PACKAGE)):
            tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
            yield self._run(tags, None, self._packages)

    def _run(
        self, tags: Mapping[str, str], selection: list[dg.AssetKey] | None, job: dg.JobDefinition | None = None
    ) -> Ran:
        result = (job or self._job).execute_in_process(
            instance=self._instance,
            tags={**tags, **lost.this_process()},
            run_config=self._config,
            asset_selection=selection,
            raise_on_error=False,
        )
        failing = [
            f"{check.check_name} of {check.asset_key.to_user_string()} on {day}"
            for check in result.get_asset_check_evaluations()
            if not check.passed
            for day in _failing_days(check)
        ]
        error = "" if result.success or failing else _reason(result)
        return Ran(result.run_id, _built(result), tuple(failing), error)


@contextmanager
def open_runner(plane: ContextPlane, folder: Path, *, verbose: bool = False) -> Iterator[Runner]:
    """A runner on the Dagster home in a folder."""
    with open_instance(folder) as instance:
        lost.end_lost_runs(instance)
        yield Runner(plane, instance, verbose=verbose)


def _built(result: dg.ExecuteInProcessResult) -> dict[str, int]:
    """Parts built, by asset. All events of a range run hold the run's total, so one of each is enough."""
    found: dict[str, int] = {}
    for event in result.all_events:
        if event.is_step_materialization:
            made = event.step_materialization_data.materialization
            count = made.metadata.get(metadata.BUILT)
            if count is not None and isinstance(count.value, int):
                found[made.asset_key.to_user_string()] = count.value
    return found


def _failing_days(check: dg.AssetCheckEvaluation) -> list[str]:
    listed = check.metadata.get(checks.FAILING)
    return str(listed.value).split(checks.SEPARATOR) if listed is not None else ["an unknown day"]


def _reason(result: dg.ExecuteInProcessResult) -> str:
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data is not None and data.user_failure_data.description:
                return data.user_failure_data.description
            if data.error is not None:
                root = data.error
                while root.cause is not None:
                    root = root.cause
                return root.message.strip()
    return "the run failed"
