"""`process_triggers` and `process_orphans`: what starts runs of processes.

Both only discover. An execution is accepted by the plane, durable and once for each event and process, before a run of
it is asked for; a tick that is repeated, or a Dagster home that was wiped, finds the executions that there are. What
nobody runs (its run died, or was never asked for) the second sensor asks for again.
"""

import json
from datetime import UTC, datetime
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
from context_plane.processes.triggers.places import lasting
from resources.plane import PlaneResource
from sensors.commits import warm

INTERVAL: Final = 2
SECONDS: Final = 20.0  # of a tick's 60
ORPHAN_INTERVAL: Final = 15
DELAYS: Final = (0.0, 0.0, 60.0, 300.0, 900.0, 1_800.0, 3_600.0, 3_600.0)
"""Seconds from the end of the last run to the next, by how many have died without a record; after these none."""
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
        self.first = cursor is None
        self.cursor: dict[str, Any] = {"tenants": {}, "looked": 0, "catalog": "", "next": "", **(cursor or {})}
        self.lines: list[str] = []
        self.requests: list[dg.RunRequest] = []
        self.known = 0

    def run(self) -> None:
        """Looks at the catalog, at schedules, and at what came into each tenant's log."""
        try:
            self._meet(self.plane.tenants())
            catalog = self.plane.processes()
        except ContextPlaneError as error:
            self.lines.append(f"processes cannot be read: {error}")
            return
        self._of_catalog(catalog)
        self._due()
        self._react_in_turn()

    def result(self) -> dg.SensorResult:
        """What the tick asks Dagster for."""
        why = "; ".join([f"nothing set off in {self.known} tenants", *self.lines[:_SHOWN]])
        return dg.SensorResult(
            run_requests=self.requests,
            skip_reason=None if self.requests else dg.SkipReason(why),
            # A first tick that did not see which tenants there are leaves being the first to the next one.
            cursor=None if self.first else json.dumps(self.cursor, sort_keys=True),
        )

    def _meet(self, tenants: list[str]) -> None:
        """Takes down which tenants there are. Those of the first tick are looked at from where their triggers were
        first seen, or from now on; one that comes later, from its first event on."""
        held = self.cursor["tenants"]
        self.cursor["tenants"] = {tenant: held.get(tenant, None if self.first else 0) for tenant in tenants}
        self.first = False

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
        # The first tick begins here; a clock that was set back asks for nothing twice, since executions have keys.
        last = min(self.cursor["looked"] or now, now)
        try:
            due = self.plane.due(last, now) if last < now else []
        except ContextPlaneError as error:
            self.lines.append(f"schedules cannot be looked at: {error}")
            return
        self.cursor["looked"] = now
        for process, tenant, at in due:
            try:
                self.requests.append(request(self.plane.start_due(process, tenant, at)))
            except ContextPlaneError as error:
                if lasting(error):
                    self.lines.append(f"{process} is due for {tenant} and cannot be run: {error}")
                else:
                    self.cursor["looked"] = min(self.cursor["looked"], at - 1)
                    self.lines.append(f"{process} is due for {tenant} and waits: {error}")

    def _react_in_turn(self) -> None:
        """Looks at each tenant, beginning where the tick before stopped. Each has its share of the time that is left:
        what one does not need is for those after it."""
        deadline, start = monotonic() + SECONDS, self.cursor["next"]
        order = sorted(self.cursor["tenants"], key=lambda tenant: (tenant < start, tenant))
        for at, tenant in enumerate(order):
            left = deadline - monotonic()
            if left <= 0:
                self.cursor["next"] = tenant
                self.lines.append(f"the time of this tick is spent; the next begins with {tenant}")
                return
            self.known += 1
            try:
                self._react(tenant, left / (len(order) - at))
            except ContextPlaneError as error:
                self.lines.append(f"{tenant}: {error}")
        self.cursor["next"] = ""

    def _react(self, tenant: str, seconds: float) -> None:
        found = self.plane.react(tenant, self.cursor["tenants"][tenant], seconds=seconds)
        self.cursor["tenants"][tenant] = found.number
        self.requests += [request(head) for head in found.accepted]
        self.lines += [f"{tenant}: {line}" for line in (*found.refused, *found.waiting)]


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
            turns = [Turn(context.instance, head) for head in opened.engine.orphans()]
        except ContextPlaneError as error:
            return dg.SkipReason(f"executions cannot be looked at: {error}")
        for turn in turns:
            if turn.given_up:
                context.log.warning(turn.line)
        requests = [turn.request() for turn in turns if turn.due]
        if not requests:
            told = [turn.line for turn in turns if turn.line]
            return dg.SkipReason(
                "; ".join(told[:_SHOWN]) or "every execution is over, waits for somebody, or is being run"
            )
        return dg.SensorResult(run_requests=requests)

    return process_orphans


class Turn:
    """Whether an execution that nobody runs is asked for again.

    Runs of it that died without recording anything make the next one wait, ever longer, and after so many none is asked
    for: a step that kills its worker would do so for ever. A record, whoever wrote it, begins the count anew.
    """

    def __init__(self, instance: dg.DagsterInstance, head: Head) -> None:
        self._head = head
        records = instance.get_run_records(dg.RunsFilter(tags={EXECUTION_TAG: head.id}))
        self._runs = len(records)
        self._busy = any(record.dagster_run.status not in _OVER for record in records)
        # Runs that the last record is older than: the one that wrote it did something. Databases may cut off fractions.
        died = [record for record in records if record.create_timestamp.timestamp() >= head.updated // 1_000_000]
        self._died = len(died)
        ended = max((record.end_time or record.create_timestamp.timestamp() for record in died), default=0.0)
        self._next = ended + DELAYS[min(self._died, len(DELAYS) - 1)]

    @property
    def given_up(self) -> bool:
        """Whether it is left alone."""
        return not self._busy and self._died >= len(DELAYS)

    @property
    def due(self) -> bool:
        """Whether a run is asked for now."""
        return not self._busy and not self.given_up and self._next <= time()

    @property
    def line(self) -> str:
        """Why none is; empty where there is nothing to say."""
        head = self._head
        if self.given_up:
            remedy = f"cortex process resume {head.id}, or cortex process cancel {head.id}"
            return f"{head.process} {head.id}: {self._died} runs died without a record, it is left alone: {remedy}"
        if self._busy or self.due:
            return ""
        at = datetime.fromtimestamp(self._next, UTC).strftime("%H:%M:%S")
        return f"{head.process} {head.id}: {self._died} runs died without a record; the next starts at {at} UTC"

    def request(self) -> dg.RunRequest:
        """The request: another one for every run that there was, and the same in every tick."""
        return request(self._head, f"/{self._runs}")
