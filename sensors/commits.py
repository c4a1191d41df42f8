"""`new_commits`: turns what came into the log into runs for the windows that it made stale.

A sensor that only discovers: it registers tenants, compares the log with what is built, and asks for runs. It builds
nothing itself, because a tick has a minute for all tenants and a fold may take longer. Each tick has a budget and goes
on where the last one stopped; a tenant of which nothing changed costs a few probes of the store.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic, time
from typing import Any, Final

import dagster as dg

from context_assets import names
from context_assets.events import LogState, data_version, log_state, observed
from context_assets.graph import Graph
from context_assets.lost import end_lost_runs
from context_assets.partitions import TENANT, tenants
from context_plane.config import Settings
from context_plane.errors import ContextPlaneError, NotFound
from context_plane.materialize import Builder
from context_plane.plane import ContextPlane
from resources.builders import Builders
from resources.plane import PlaneResource
from sensors.attempts import attempts, busy_tenants
from sensors.packages import PackageNews, declared
from sensors.work import fingerprint, lacking, request

INTERVAL: Final = 5
SECONDS: Final = 20.0  # of a tick's 60
REQUESTS: Final = 50  # a tick

_warm: dict[Settings, Builders] = {}


def build_new_commits(graph: Graph) -> dg.SensorDefinition:
    """The sensor over a graph."""

    @dg.sensor(
        name="new_commits",
        job=graph.refresh,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=INTERVAL,
        description="Asks for a refresh of the windows that new commits made stale, tenant by tenant.",
    )
    def new_commits(context: dg.SensorEvaluationContext, plane: PlaneResource) -> dg.SensorResult:
        tick = Tick(graph, warm(plane), context.instance, _cursor(context.cursor))
        tick.run()
        for line in tick.lines:
            context.log.info(line)
        return tick.result()

    return new_commits


def warm(plane: PlaneResource) -> Builders:
    """The builders that this process keeps between ticks, so that a tick reads only what is new in the log."""
    settings = plane.plane.settings
    if settings not in _warm:
        _warm.clear()  # of another home: there is one per code location, and many only in tests
        _warm[settings] = Builders(plane.open())
    _warm[settings].look_again()
    return _warm[settings]


def _cursor(text: str | None) -> dict[str, Any]:
    """The cursor: the log numbers seen, which tenants were up to date in which state, which packages were told to be
    stale, and where to go on."""
    held: dict[str, Any] = json.loads(text) if text else {}
    return {"seen": {}, "quiet": {}, "packages": {}, "next": "", **held}


@dataclass
class Tick:
    """One look at all tenants, as far as the budget goes."""

    graph: Graph
    builders: Builders
    instance: dg.DagsterInstance
    cursor: dict[str, Any]
    lines: list[str] = field(default_factory=list)
    """What goes on, for the tick's log."""
    requests: list[dg.RunRequest] = field(default_factory=list)
    states: list[LogState] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    """Names of all tenants."""
    quiet: int = 0
    """How many tenants lack nothing."""
    packages: PackageNews = field(default_factory=PackageNews)
    news: bool = False

    def run(self) -> None:
        """Looks at the tenants, beginning where the tick before stopped."""
        deadline = monotonic() + SECONDS
        self.known = self.builders.tenants()
        self.lines += self._of_specs()
        self.lines += [f"run {run[:8]} is over: its process was killed" for run in end_lost_runs(self.instance)]
        busy = busy_tenants(self.instance)
        for tenant in self._in_turn():
            if monotonic() >= deadline or len(self.requests) >= REQUESTS:
                self.cursor["next"] = tenant
                self.lines.append(f"the budget of this tick is spent; the next begins with {tenant}")
                return
            try:
                self._look(tenant, busy.get(tenant))
            except NotFound:
                continue  # no event yet: a killed writer may have left the folder
            except ContextPlaneError as error:
                self.lines.append(f"{tenant}: {error}")
        self.cursor["next"] = ""
        for name in ("seen", "quiet", "packages"):
            self.cursor[name] = {tenant: state for tenant, state in self.cursor[name].items() if tenant in self.known}

    def result(self) -> dg.SensorResult:
        """What the tick asks Dagster for."""
        held = set(self.instance.get_dynamic_partitions(TENANT))
        added = [tenant for tenant in self.known if tenant not in held]
        return dg.SensorResult(
            run_requests=self.requests,
            skip_reason=None if self.requests else dg.SkipReason(self._why()),
            cursor=json.dumps(
                {name: each for name, each in self.cursor.items() if each or name != "packages"}, sort_keys=True
            ),
            dynamic_partitions_requests=[
                *([tenants.build_add_request(added)] if added else []),
                *self.packages.partitions(self.instance),
            ],
            asset_events=[*([self._observation()] if self.news else []), *self.packages.events],
        )

    def _of_specs(self) -> Iterator[str]:
        """What is wrong with the home's specs, or newer than the code location."""
        specs = self.builders.specs
        yield from (f"context spec left out: {broken.error}" for broken in specs.broken)
        yield from (f"package left out: {broken.error}" for broken in self.builders.plane.home.packages().broken)
        for name in specs.good:
            if name not in self.graph.specs.good:
                yield f"context {name} is new: reload the code location"

    def _in_turn(self) -> Iterator[str]:
        start = self.cursor["next"]
        yield from sorted(self.known, key=lambda tenant: (tenant < start, tenant))

    def _look(self, tenant: str, run: str | None) -> None:
        builder = self.builders.of(tenant)
        self.states.append(log_state(builder))
        if self.cursor["seen"].get(tenant) != builder.history.head:
            self.cursor["seen"][tenant], self.news = builder.history.head, True
        if self.cursor["quiet"].get(tenant) == _state(builder, self.builders.plane):
            self.quiet += 1
            return
        fresh = self._look_at_packages(tenant)
        if run is not None:
            self.lines.append(f"{tenant}: run {run[:8]} is not over yet; what came meanwhile is next")
        else:
            self._ask(tenant, builder, fresh)

    def _look_at_packages(self, tenant: str) -> bool:
        """Whether there is nothing to tell of a tenant's packages; what cannot be seen hinders nothing else."""
        try:
            return self.packages.look(self.builders.plane, tenant, self.cursor["packages"])
        except ContextPlaneError as error:
            self.lines.append(f"{tenant}: packages are not looked at: {error}")
            return True

    def _ask(self, tenant: str, builder: Builder, fresh: bool) -> None:
        span = self.graph.span
        lack = lacking(builder, span, self.graph.specs.good, patient=True)
        self.lines += [f"{tenant}: {note}" for note in lack.notes]
        for work in lack.work:
            attempt, due = attempts(self.instance, work)
            if due > time():
                at = datetime.fromtimestamp(due, UTC).strftime("%H:%M:%S")
                text = f"{tenant} {work.windows(span)}: still stale after run {attempt}; the next starts at {at} UTC"
                self.lines.append(text)
            else:
                self.requests.append(request(work, span, attempt))
        if not lack.work and not lack.notes and fresh:
            self.cursor["quiet"][tenant] = _state(builder, self.builders.plane)
            self.quiet += 1

    def _observation(self) -> dg.AssetObservation:
        tags = {"dagster/data_version": data_version(self.states).value}
        return dg.AssetObservation(names.EVENTS, metadata=observed(self.states), tags=tags)

    def _why(self) -> str:
        if not self.known:
            return "there are no tenants yet: ingest some events"
        return "; ".join([f"up to date: {self.quiet} of {len(self.known)} tenants", *self.lines[:5]])


def _state(builder: Builder, plane: ContextPlane) -> str:
    """Log number, snapshot, specs, what search and memory are built by, and the declared packages: while these are the
    same, nothing is stale."""
    latest = builder.snapshots.latest()
    specs = fingerprint({name: spec.hash for name, spec in builder.specs.items()})
    return f"{builder.history.head}.{latest.number if latest else 0}.{specs}.{builder.identity}.{declared(plane)}"
