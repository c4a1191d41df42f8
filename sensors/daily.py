"""`daily_refresh`: once a day, everything that is stale, whatever became of the runs before it, and a publication.

The sensor does the same within seconds of a commit. This is the net beneath it: it runs where the sensor is switched
off, and repeats at once what the sensor repeats ever more rarely.
"""

from time import monotonic
from typing import Final

import dagster as dg

from context_assets.graph import Graph
from context_assets.partitions import TENANT
from context_plane.errors import ContextPlaneError
from resources.plane import PlaneResource
from sensors.work import lacking, request

CRON: Final = "0 3 * * *"
SECONDS: Final = 40.0  # of a tick's 60


def build_daily(graph: Graph) -> dg.ScheduleDefinition:
    """The schedule over a graph."""

    @dg.schedule(
        name="daily_refresh",
        job=graph.refresh,
        cron_schedule=CRON,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Refreshes and publishes everything that is stale at three in the morning, UTC.",
    )
    def daily_refresh(
        context: dg.ScheduleEvaluationContext, plane: PlaneResource
    ) -> list[dg.RunRequest] | dg.SkipReason:
        deadline = monotonic() + SECONDS
        requests: list[dg.RunRequest] = []
        source = f"daily/{context.scheduled_execution_time:%Y-%m-%d}/"
        tenants = plane.builders.tenants()
        for tenant in tenants:
            if monotonic() >= deadline:
                context.log.warning("the tick's time is spent at %s; the sensor does the rest", tenant)
                break
            try:
                work = lacking(plane.builders.of(tenant), graph.span, graph.specs.good).work
            except ContextPlaneError as error:
                context.log.error("%s: %s", tenant, error)
            else:
                requests += [request(each, graph.span, 0, source) for each in work]
        if tenants:
            context.instance.add_dynamic_partitions(TENANT, tenants)
        return requests or dg.SkipReason(f"{len(tenants)} tenants, nothing is stale")

    return daily_refresh
