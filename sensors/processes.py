"""`process_triggers` and `process_orphans`: what starts runs of processes.

Both only discover. An execution is accepted by the plane, durable and once for each event and process, before a run of
it is asked for; a tick that is repeated, or a Dagster home that was wiped, finds the executions that there are. What
nobody runs (its run died, or was never asked for) the second sensor asks for again.
"""

import json
from time import monotonic, time
from typing import Any, Final

import dagster as dg

from context_assets import names
from context_assets.graph import Graph
from context_assets.lost import end_lost_runs
from context_assets.process_run import EXECUTION_TAG, PROCESS_TAG, run_config
from context_plane.errors import ContextPlaneError
from context_plane.plane import ContextPlane
from context_plane.processes.engine.journal import Head
from resources.plane import PlaneResource
from sensors.commits import warm

INTERVAL: Final = 2
SECONDS: Final = 20.0  # of a tick's 60
ORPHAN_INTERVAL: Final = 15
_SHOWN: Final = 5
_OVER: Final = [
    dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED,
]  # fmt: skip


def build_triggers(graph: Graph) -> dg.SensorDefinition:
    """The sensor that holds events and times against triggers."""

    @dg.sensor(
        name="process_triggers",
        jobs=[graph.process_run, graph.catalog],
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=INTERVAL,
        description="Accepts the executions that new events and schedules set off, and asks for runs of them.",
    )
    def process_triggers(context: dg.SensorEvaluationContext, plane: PlaneResource) -> dg.SensorResult:
        tick = Tick(warm(plane).plane, json.loads(context.cursor) if context.cursor else None)
        tick.run()
        for line in tick.lines:
            context.log.info(line)
        return tick.result()

    return process_triggers


class Tick:
    """One look at all tenants."""

    def __init__(self, plane: ContextPlane, cursor: dict[str, Any] | None) -> None:
        self.plane = plane
        self.fresh = cursor is None
        self.cursor: dict[str, Any] = {"tenants": {}, "looked": 0, "catalog": "", **(cursor or {})}
        self.lines: list[str] = []
        self.requests: list[dg.RunRequest] = []
        self.known = 0

    def run(self) -> None:
        """Looks at the catalog, at schedules, and at what came into each tenant's log."""
        try:
            catalog = self.plane.processes()
        except ContextPlaneError as error:
            self.lines.append(f"processes cannot be read: {error}")
            return
        self._of_catalog(catalog)
        self._due()
        deadline = monotonic() + SECONDS
        for tenant in self.plane.tenants():
            self.known += 1
            left = deadline - monotonic()
            if left <= 0:
                self.lines.append(f"the time of this tick is spent; {tenant} is next")
                return
            try:
                self._react(tenant, left)
            except ContextPlaneError as error:
                self.lines.append(f"{tenant}: {error}")

    def result(self) -> dg.SensorResult:
        """What the tick asks Dagster for."""
        why = "; ".join([f"nothing set off in {self.known} tenants", *self.lines[:_SHOWN]])
        return dg.SensorResult(
            run_requests=self.requests,
            skip_reason=None if self.requests else dg.SkipReason(why),
            cursor=json.dumps(self.cursor, sort_keys=True),
        )

    def _of_catalog(self, catalog: Any) -> None:
        """A catalog that changed is materialized, and what is wrong with it said, once."""
        if self.cursor["catalog"] == catalog.digest:
            return
        self.cursor["catalog"] = catalog.digest
        wrong = [each for each in catalog.diagnostics if each.severity == "error"]
        self.lines += [str(each) for each in wrong[:_SHOWN]]
        if catalog.processes or wrong:
            request = dg.RunRequest(run_key=f"catalog/{catalog.digest}", job_name=names.CATALOG_JOB)
            self.requests.append(request)

    def _due(self) -> None:
        now = int(time() * 1e6)
        last = self.cursor["looked"]
        self.cursor["looked"] = now
        # The first tick begins here; a clock that was set back asks for nothing twice, since executions have keys.
        for process, tenant, at in self.plane.due(last, now) if 0 < last < now else ():
            try:
                self.requests.append(request(self.plane.start_due(process, tenant, at)))
            except ContextPlaneError as error:
                self.lines.append(f"{process} is due for {tenant} and cannot be run: {error}")

    def _react(self, tenant: str, seconds: float) -> None:
        held = self.cursor["tenants"]
        # A tenant that came while the sensor was there is looked at from its first event on.
        after = held.get(tenant, None if self.fresh else 0)
        found = self.plane.react(tenant, after, seconds=seconds)
        held[tenant] = found.number
        self.requests += [request(head) for head in found.accepted]
        self.lines += [f"{tenant}: {line}" for line in found.refused]


def request(head: Head, attempt: str = "") -> dg.RunRequest:
    """The request for a run of an execution: the same one is asked for once."""
    return dg.RunRequest(
        run_key=f"{head.id}{attempt}",
        job_name=names.PROCESS_RUN,
        run_config=run_config(head.id),
        tags={
            EXECUTION_TAG: head.id,
            PROCESS_TAG: f"{head.process} {head.version}",
            # Somebody waits for it; what is built meanwhile is for later.
            "dagster/priority": "5",
        },
    )


def build_orphans(graph: Graph) -> dg.SensorDefinition:
    """The sensor that looks for executions that nobody runs."""

    @dg.sensor(
        name="process_orphans",
        job=graph.process_run,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=ORPHAN_INTERVAL,
        description="Seals what killed workers left, and asks for runs of executions that nobody runs.",
    )
    def process_orphans(context: dg.SensorEvaluationContext, plane: PlaneResource) -> dg.SensorResult | dg.SkipReason:
        opened = warm(plane).plane
        try:
            opened.engine.seal()
            end_lost_runs(context.instance)
            found = [head for head in opened.engine.orphans() if not _has_run(context.instance, head)]
        except ContextPlaneError as error:
            return dg.SkipReason(f"executions cannot be looked at: {error}")
        if not found:
            return dg.SkipReason("every execution is over, waits for somebody, or is being run")
        # The last record's time makes the key another one for every death of a worker, and the same for every tick.
        return dg.SensorResult(run_requests=[request(head, f"/{head.updated}") for head in found])

    return process_orphans


def _has_run(instance: dg.DagsterInstance, head: Head) -> bool:
    """Whether a run of an execution is queued or going on."""
    runs = instance.get_runs(dg.RunsFilter(tags={EXECUTION_TAG: head.id}), limit=5)
    return any(run.status not in _OVER for run in runs)
