"""`new_commits`: it discovers, asks for the fewest runs, asks once for each state, and never builds anything itself."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from context_assets.graph import Graph
from context_assets.partitions import TENANT
from sensors import attempts, commits, work
from sensors.commits import build_new_commits
from sensors.daily import build_daily
from sensors.work import TENANT_TAG, WORK_TAG
from tests.dagster.world import QUIET, SPEC, Home, event, events


class Daemon:
    """Stands in for Dagster's daemon: ticks a sensor, keeps its cursor, launches each run key once."""

    def __init__(self, home: Home, instance: dg.DagsterInstance, graph: Graph | None = None) -> None:
        self.home = home
        self.instance = instance
        self.graph = graph or home.graph()
        self.sensor = build_new_commits(self.graph)
        self.cursor: str | None = None
        self.launched: set[str | None] = set()

    def tick(self) -> dg.SensorResult:
        """One evaluation, through the instance but without launching anything."""
        with dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, resources={"plane": self.home.resource}
        ) as context:
            result = self.sensor(context)
        assert isinstance(result, dg.SensorResult)
        for change in result.dynamic_partitions_requests or []:
            for key in change.partition_keys:
                if isinstance(change, dg.AddDynamicPartitionsRequest):
                    self.instance.add_dynamic_partitions(change.partitions_def_name, [key])
                else:
                    self.instance.delete_dynamic_partition(change.partitions_def_name, key)
        self.cursor = result.cursor
        return result

    def launch(self, requests: Sequence[dg.RunRequest]) -> list[dg.ExecuteInProcessResult]:
        """Executes what was requested and not launched before."""
        job = self.graph.definitions().resolve_job_def("refresh")
        fresh = [request for request in requests if request.run_key not in self.launched]
        self.launched |= {request.run_key for request in fresh}
        return [
            job.execute_in_process(
                instance=self.instance,
                tags=dict(request.tags),
                asset_selection=request.asset_selection,
                run_config=QUIET,
                raise_on_error=False,
            )
            for request in fresh
        ]

    def settle(self) -> list[dg.ExecuteInProcessResult]:
        """Ticks and launches until nothing more is asked for."""
        done = []
        while requests := self.tick().run_requests:
            done += self.launch(requests)
        return done


def keys(result: dg.SensorResult) -> list[str | None]:
    return [request.run_key for request in result.run_requests or []]


def reason(result: dg.SensorResult) -> str:
    assert not result.run_requests
    assert isinstance(result.skip_reason, dg.SkipReason)
    return str(result.skip_reason.skip_message)


@pytest.fixture
def daemon(home: Home, instance: dg.DagsterInstance) -> Daemon:
    home.ingest([event(0, "2026-01-01")])
    return Daemon(home, instance)


def test_the_sensor_only_discovers(home: Home, daemon: Daemon) -> None:
    """A tick writes nothing to the store: what it found is built by runs, which may take longer than a tick."""
    home.ingest(events("2026-03-01", 3, 10))
    before = sorted(home.folder.joinpath("store").rglob("*"))
    daemon.tick()
    assert sorted(home.folder.joinpath("store").rglob("*")) == before


def test_new_commits_become_one_run_a_range(home: Home, daemon: Daemon) -> None:
    """Near windows are one run, far ones another; the tags make Dagster run each range in one."""
    home.ingest([event(1, "2026-01-03"), event(2, "2026-03-01"), event(3, "2026-03-02")])
    result = daemon.tick()
    ranges = [
        (request.tags["dagster/asset_partition_range_start"], request.tags["dagster/asset_partition_range_end"])
        for request in result.run_requests or []
    ]
    assert ranges == [("acme|2026-01-01", "acme|2026-01-03"), ("acme|2026-03-01", "acme|2026-03-02")]
    assert {request.tags[TENANT_TAG] for request in result.run_requests or []} == {"acme"}
    assert [result.success for result in daemon.launch(result.run_requests or [])] == [True, True]
    assert reason(daemon.tick()) == "up to date: 1 of 1 tenants"
    snapshot = home.builder().snapshots.latest()
    assert snapshot is not None
    assert snapshot.log == 2


def test_tenants_become_partitions(home: Home, daemon: Daemon, instance: dg.DagsterInstance) -> None:
    """Each tenant is registered before its first run is launched, and once."""
    home.ingest(events("2026-03-01", 1), tenant="beta")
    assert [list(each.partition_keys) for each in daemon.tick().dynamic_partitions_requests or []] == [["acme", "beta"]]
    assert not daemon.tick().dynamic_partitions_requests
    assert instance.get_dynamic_partitions(TENANT) == ["acme", "beta"]


def test_the_same_tick_twice_asks_for_the_same_runs(home: Home, daemon: Daemon) -> None:
    """Run keys follow from what is stale, so that Dagster launches each run once; another commit gives another key."""
    first = keys(daemon.tick())
    daemon.cursor = None
    assert keys(daemon.tick()) == first
    home.ingest([event(1, "2026-01-01")])
    second = keys(daemon.tick())
    assert len(second) == 1
    assert second != first


def test_a_quiet_tenant_is_not_looked_at_again(home: Home, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """While log, snapshot and specs are the same, a tick does not ask what is stale; a new spec or commit wakes it."""
    daemon.settle()
    looked: list[str] = []

    def lacking(*arguments: object, patient: bool) -> object:
        looked.append("again")
        return real(*arguments, patient=patient)  # type: ignore[arg-type]

    real = work.lacking
    monkeypatch.setattr(commits, "lacking", lacking)
    assert reason(daemon.tick()) == "up to date: 1 of 1 tenants"
    assert not looked
    home.write_spec("customer_v0", SPEC.replace("7d", "9d"))
    assert len(daemon.tick().run_requests or []) == 1
    assert looked


def test_wiping_dagsters_home_starts_nothing_harmful(
    home: Home, daemon: Daemon, disk_instance: dg.DagsterInstance
) -> None:
    """Without history and cursor the sensor finds that nothing is stale: what is built is known from the store."""
    daemon.settle()
    wiped = Daemon(home, disk_instance)
    result = wiped.tick()
    assert reason(result) == "up to date: 1 of 1 tenants"
    assert disk_instance.get_dynamic_partitions(TENANT) == ["acme"]


def test_a_tenant_with_a_run_in_progress_waits(home: Home, daemon: Daemon, instance: dg.DagsterInstance) -> None:
    """What comes while a run is not over is taken by one run after it, so that runs do not pile up."""
    job = daemon.graph.definitions().resolve_job_def("refresh")
    instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags={TENANT_TAG: "acme"})
    assert "is not over yet" in reason(daemon.tick())


def test_a_failed_run_is_repeated_ever_more_rarely(
    home: Home, daemon: Daemon, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tick does not loop: the next attempt has a time; a fix without any commit is found then, a commit at once."""
    daemon.settle()
    wrong = home.smuggle(event(0, "2026-01-01"))
    (first,) = daemon.tick().run_requests or []
    assert [result.success for result in daemon.launch([first])] == [False]
    assert "still stale after run 1; the next starts at" in reason(daemon.tick())

    monkeypatch.setattr(attempts, "DELAYS", (0.0, 3_600.0))
    (second,) = daemon.tick().run_requests or []
    assert second.run_key != first.run_key
    assert second.tags[WORK_TAG] == first.tags[WORK_TAG]
    daemon.launch([second])
    assert "still stale after run 2" in reason(daemon.tick())

    home.take_back(wrong)
    (third,) = daemon.tick().run_requests or []
    assert [result.success for result in daemon.launch([third])] == [True]


def test_commits_elsewhere_do_not_repeat_a_failed_run(home: Home, daemon: Daemon) -> None:
    """The state of a range is its own: a day that fails is not built again for every commit to another month."""
    home.ingest([event(1, "2026-03-01")])
    daemon.settle()
    home.smuggle(event(0, "2026-01-01"))
    daemon.launch(daemon.tick().run_requests or [])
    home.ingest([event(2, "2026-03-01", "b")])
    windows = [str(key).split("/")[1] for key in keys(daemon.tick())]
    assert windows == ["2026-03-01..2026-03-01"]


def test_what_is_built_is_published_alone(home: Home, daemon: Daemon) -> None:
    """Where only publication is missing, a run of `snapshot` is asked for and no window is touched."""
    assert home.refresh(
        daemon.instance, "2026-01-01", "2026-01-01", assets=["timeline", "customer_v0", "bm25_index", "memory_chains"]
    ).success
    (request,) = daemon.tick().run_requests or []
    assert request.asset_selection == [dg.AssetKey("snapshot")]
    (result,) = daemon.launch([request])
    assert result.success
    assert home.builder().snapshots.latest() is not None
    assert reason(daemon.tick()) == "up to date: 1 of 1 tenants"


def test_days_without_a_partition_are_told_with_the_remedy(home: Home, daemon: Daemon) -> None:
    """An event before the partitions' start needs a reload; until then the rest is built and the reason is told."""
    daemon.settle()
    home.ingest([event(1, "2025-12-31"), event(2, "2026-02-01")])
    assert [str(key).split("/")[1] for key in keys(daemon.tick())] == ["2026-01-01..2026-02-01"]
    daemon.settle()
    told = reason(daemon.tick())
    assert "days without a partition: 1 from 2025-12-31 to 2025-12-31, partitions start on 2026-01-01: reload" in told
    reloaded = Daemon(home, daemon.instance)
    reloaded.settle()
    assert reason(reloaded.tick()) == "up to date: 1 of 1 tenants"


def test_new_and_broken_specs_are_told(home: Home, daemon: Daemon) -> None:
    """A spec that the graph does not know needs a reload, a broken one a correction; the others go on."""
    daemon.settle()
    home.write_spec("second", SPEC.replace("customer_v0", "second_v0"))
    home.write_spec("typo", "context: typo")
    told = reason(daemon.tick())
    assert "context second_v0 is new: reload the code location" in told
    assert "context spec left out" in told
    assert "typo.yaml" in told


def test_one_damaged_tenant_does_not_stop_the_tick(home: Home, daemon: Daemon) -> None:
    """Its error is told, the next tenant gets its run."""
    home.ingest(events("2026-03-01", 1), tenant="beta")
    record = home.folder / "store" / "tenants" / "acme" / "log" / f"{1:020d}.json"
    record.chmod(0o644)
    record.write_text("{}")
    assert [str(key).split("/")[0] for key in keys(daemon.tick())] == ["beta"]


def test_a_tick_has_a_budget_and_goes_on_where_it_stopped(
    home: Home, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for one request, each tick serves the next tenant, and the last begins anew."""
    for tenant in ("beta", "gamma"):
        home.ingest([event(0, "2026-01-01")], tenant=tenant)
    monkeypatch.setattr(commits, "REQUESTS", 1)
    served = [str(keys(daemon.tick())[0]).split("/")[0] for _ in range(4)]
    assert served == ["acme", "beta", "gamma", "acme"]
    monkeypatch.setattr(commits, "SECONDS", 0.0)
    daemon.cursor = None
    assert reason(daemon.tick()) == (
        "up to date: 0 of 3 tenants; the budget of this tick is spent; the next begins with acme"
    )


def test_news_are_observed_once(home: Home, daemon: Daemon) -> None:
    """A tick that saw new commits records what is in the log; one that saw none records nothing."""
    (observation,) = daemon.tick().asset_events
    assert isinstance(observation, dg.AssetObservation)
    assert observation.metadata["commits"].value == 1
    assert not daemon.tick().asset_events
    home.ingest([event(1, "2026-01-02")])
    assert len(daemon.tick().asset_events) == 1


def test_without_tenants_the_sensor_says_so(home: Home, instance: dg.DagsterInstance) -> None:
    """A fresh home is no error."""
    assert reason(Daemon(home, instance).tick()) == "there are no tenants yet: ingest some events"


def test_the_sensor_evaluates_as_the_daemon_does(home: Home, disk_instance: dg.DagsterInstance) -> None:
    """Dagster resolves the requests against the job: range tags without a partition key pass, so does the cursor."""
    home.ingest(events("2026-03-01", 2))
    graph = home.graph()
    sensor = build_new_commits(graph)
    definitions = dg.Definitions.merge(graph.definitions(), dg.Definitions(sensors=[sensor]))
    with dg.build_sensor_context(
        instance=disk_instance,
        instance_ref=disk_instance.get_ref(),
        resources={"plane": home.resource},
        repository_def=definitions.get_repository_def(),
    ) as context:
        ticked = sensor.evaluate_tick(context)
    (request,) = ticked.run_requests or []
    assert request.tags["dagster/asset_partition_range_end"] == "acme|2026-03-02"
    assert json.loads(ticked.cursor or "") == {"next": "", "quiet": {}, "seen": {"acme": 1}}


def test_the_daily_schedule_asks_for_all_that_is_stale(home: Home, disk_instance: dg.DagsterInstance) -> None:
    """Once a day all stale ranges of all tenants, under keys of that day: failed runs are repeated at least daily."""
    home.ingest(events("2026-03-01", 2))
    home.ingest(events("2026-03-01", 2), tenant="beta")
    schedule = build_daily(home.graph())
    at = datetime(2026, 3, 5, 3, tzinfo=UTC)

    def ask(when: datetime) -> Any:
        with dg.build_schedule_context(
            instance=disk_instance, resources={"plane": home.resource}, scheduled_execution_time=when
        ) as context:
            return schedule.evaluate_tick(context)

    first, again, next_day = ask(at), ask(at), ask(at + timedelta(days=1))
    run_keys = [request.run_key or "" for request in first.run_requests or []]
    assert [key.split("/")[:3] for key in run_keys] == [
        ["daily", "2026-03-05", "acme"],
        ["daily", "2026-03-05", "beta"],
    ]
    assert run_keys == [request.run_key for request in again.run_requests or []]
    assert not set(run_keys) & {request.run_key for request in next_day.run_requests or []}
    assert disk_instance.get_dynamic_partitions(TENANT) == ["acme", "beta"]
    Daemon(home, disk_instance).settle()
    assert ask(at).skip_message == "2 tenants, nothing is stale"


def test_answers_alone_wait(home: Home, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Receipts start no run of their own until there are many, or other news; the daily schedule does not wait."""
    daemon.settle()
    with home.resource.open() as plane:
        for _ in range(3):
            plane.context("acme", "customer/a", "anything", max_tokens=200)
    assert "3 commits of answers and runs of processes wait" in reason(daemon.tick())
    assert work.lacking(home.builder(), daemon.graph.span, daemon.graph.specs.good).work
    monkeypatch.setattr(work, "ANSWERS", 3)
    assert len(daemon.tick().run_requests or []) == 1
    monkeypatch.undo()
    home.ingest([event(9, "2026-01-02", "a")])
    assert daemon.settle()
    assert reason(daemon.tick()) == "up to date: 1 of 1 tenants"
