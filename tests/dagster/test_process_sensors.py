"""The sensors of processes when things go wrong: what passes is tried again, nothing is forgotten, nothing for ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from context_assets import names
from context_assets.lost import TAG
from context_assets.process_run import EXECUTION_TAG, PROCESS_TAG, run_config
from context_plane import ContextPlane
from context_plane.errors import ContextPlaneError, InputError, Unavailable
from context_plane.facade.reacting import Reaction
from context_plane.processes.engine.journal import Head
from context_plane.store.state.database import Database
from sensors import processes as sensing
from sensors.processes import DELAYS, Tick, build_orphans
from tests.dagster.world import Home, event

WATCH = """
process: watch
version: 1
trigger: {type: event, match: {source: crm}}
steps: [{id: look, action: note}]
"""
EVERY_MINUTE = """
process: hourly
version: 1
trigger: {type: schedule, cron: "* * * * *", tenants: [acme]}
steps: [{id: look, action: note}]
"""


def declare(home: Home, text: str) -> ContextPlane:
    folder = home.folder / "processes"
    folder.mkdir(exist_ok=True)
    (folder / "watch.yaml").write_text(text)
    return home.plane


def tick(plane: ContextPlane, cursor: str | None) -> tuple[Tick, str | None]:
    """One tick, and the cursor that Dagster hands to the next."""
    made = Tick(plane, None if cursor is None else json.loads(cursor))
    made.run()
    result = made.result()
    return made, cursor if result.cursor is None else result.cursor


def asked(made: Tick) -> list[str | None]:
    return [each.run_key for each in made.requests if each.job_name == names.PROCESS_RUN]


def raising(error: ContextPlaneError) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> Any:
        raise error

    return call


# --- triggers --------------------------------------------------------------------------------------------------------


def test_an_event_is_not_lost_while_the_state_is_down(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    plane = declare(home, WATCH)
    home.ingest([event(1, "2026-03-01")])
    _, cursor = tick(plane, None)
    home.ingest([event(2, "2026-03-01")])
    with monkeypatch.context() as down:
        down.setattr(Database, "write", raising(Unavailable("connection refused")))
        made, cursor = tick(plane, cursor)
    assert asked(made) == []
    assert any("connection refused" in line for line in made.lines)
    made, _ = tick(plane, cursor)
    assert len(asked(made)) == 1


def test_a_time_is_not_lost_while_the_state_is_down(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was started for the same time is not started again, and a refusal is not repeated."""
    plane = declare(home, EVERY_MINUTE)
    home.ingest([event(1, "2026-03-01")])
    _, cursor = tick(plane, None)
    held = json.loads(str(cursor))
    held["looked"] -= 90_000_000
    with monkeypatch.context() as down:
        down.setattr(Database, "write", raising(Unavailable("connection refused")))
        made, cursor = tick(plane, json.dumps(held))
    assert asked(made) == []
    assert json.loads(str(cursor))["looked"] > held["looked"]
    made, cursor = tick(plane, cursor)
    assert len(asked(made)) == 1
    made, _ = tick(plane, cursor)
    assert asked(made) == []
    with monkeypatch.context() as refused:
        refused.setattr(ContextPlane, "start_due", raising(InputError("an input is missing")))
        made, cursor = tick(plane, json.dumps(held))
    assert any("cannot be run" in line for line in made.lines)
    made, _ = tick(plane, cursor)
    assert asked(made) == []


def test_times_are_not_moved_past_while_nobody_can_say_what_is_due(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    plane = declare(home, EVERY_MINUTE)
    home.ingest([event(1, "2026-03-01")])
    _, cursor = tick(plane, None)
    held = json.loads(str(cursor))
    held["looked"] -= 90_000_000
    with monkeypatch.context() as down:
        down.setattr(ContextPlane, "due", raising(Unavailable("the store does not answer")))
        _, cursor = tick(plane, json.dumps(held))
    assert json.loads(str(cursor))["looked"] == held["looked"]


@pytest.mark.parametrize("broken", ["tenants", "processes", "react"])
def test_a_first_tick_that_was_disturbed_does_not_run_all_of_history(
    home: Home, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """A tenant that was there then is looked at from now on; one that comes later from its first event."""
    plane = declare(home, WATCH)
    home.ingest([event(1, "2026-03-01")])
    with monkeypatch.context() as down:
        down.setattr(ContextPlane, broken, raising(Unavailable("not now")))
        _, cursor = tick(plane, None)
    home.ingest([event(2, "2026-03-01")], tenant="later")
    made, cursor = tick(plane, cursor)
    found = [str(key).partition(".")[0] for key in asked(made)]
    assert found == ([] if broken == "tenants" else ["later"])
    home.ingest([event(3, "2026-03-01")])
    made, _ = tick(plane, cursor)
    assert [str(key).partition(".")[0] for key in asked(made)] == ["acme"]


def test_a_first_tick_that_ran_out_of_time_does_not_either(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    plane = declare(home, WATCH)
    home.ingest([event(1, "2026-03-01")])
    with monkeypatch.context() as spent:
        spent.setattr(sensing, "SECONDS", -1.0)
        made, cursor = tick(plane, None)
    assert made.lines == ["the time of this tick is spent; the next begins with acme"]
    made, _ = tick(plane, cursor)
    assert asked(made) == []


def test_a_tenant_that_went_is_forgotten(home: Home) -> None:
    """One that comes again under its name is a new one, whatever its number was."""
    plane = declare(home, WATCH)
    home.ingest([event(1, "2026-03-01")])
    cursor = json.dumps({"tenants": {"gone": 90, "acme": 0}, "looked": 0, "catalog": ""})
    made, after = tick(plane, cursor)
    assert len(asked(made)) == 1
    assert list(json.loads(str(after))["tenants"]) == ["acme"]


class Busy:
    """A plane of which some tenants always need all the time that they are given."""

    def __init__(self, clock: Clock, busy: str, overrun: float = 0.0) -> None:
        self.clock, self.busy, self.overrun = clock, busy, overrun
        self.seen: list[str] = []

    def processes(self) -> Any:
        return SimpleNamespace(digest="d", diagnostics=(), processes={})

    def tenants(self) -> list[str]:
        return ["a", "b", "c"]

    def due(self, *_: int) -> list[Any]:
        return []

    def react(self, tenant: str, after: int | None, *, seconds: float) -> Reaction:
        self.seen.append(tenant)
        if tenant in self.busy:
            self.clock.now += seconds + self.overrun
        return Reaction((after or 0) + 1)


class Clock:
    """A clock that only work moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_busy_tenant_leaves_the_others_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tick reaches every tenant, whichever needs all it is given."""
    clock = Clock()
    monkeypatch.setattr(sensing, "monotonic", clock)
    plane: Any = Busy(clock, "ab")
    cursor: str | None = None
    for _ in range(3):
        made, cursor = tick(plane, cursor)
        assert made.lines == []
    assert plane.seen == ["a", "b", "c"] * 3


def test_a_tick_begins_where_the_one_before_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where one tenant takes more than there is."""
    clock = Clock()
    monkeypatch.setattr(sensing, "monotonic", clock)
    plane: Any = Busy(clock, "abc", overrun=100.0)
    cursor: str | None = None
    for _ in range(4):
        made, cursor = tick(plane, cursor)
        assert "the next begins with" in made.lines[0]
    assert plane.seen == ["a", "b", "c", "a"]
    plane.busy = ""
    _, cursor = tick(plane, cursor)
    assert plane.seen[4:] == ["b", "c", "a"]
    assert json.loads(str(cursor))["next"] == ""


# --- orphans ---------------------------------------------------------------------------------------------------------


class Orphans:
    """The sensor over one execution, and runs of it that die before they record anything."""

    def __init__(self, home: Home, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.instance = home, instance
        self.sensor = build_orphans(home.graph())
        self.job = home.graph().definitions().resolve_job_def(names.PROCESS_RUN)
        self.later = 0.0
        real = sensing.time
        monkeypatch.setattr(sensing, "time", lambda: real() + self.later)

    def keys(self) -> list[str | None]:
        """What a tick asks for."""
        result = self.tick()
        return [each.run_key for each in result.run_requests or []] if isinstance(result, dg.SensorResult) else []

    def tick(self) -> Any:
        with dg.build_sensor_context(instance=self.instance, resources={"plane": self.home.resource}) as context:
            return self.sensor(context)

    def die(self, head: Head, key: str | None) -> None:
        """A run that Dagster made for a key, and whose worker was killed at once."""
        tags = {EXECUTION_TAG: head.id, "dagster/run_key": str(key)}
        run = self.instance.create_run_for_job(self.job, run_config=run_config(head.id), tags=tags)
        self.instance.report_run_failed(run, "killed")


@pytest.fixture
def orphans(home: Home, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Orphans:
    declare(home, WATCH)
    return Orphans(home, instance, monkeypatch)


def test_an_execution_whose_workers_die_is_asked_for_again_ever_more_rarely(orphans: Orphans) -> None:
    """With a key that Dagster has not seen, after a growing while; and in the end left alone, with what to do."""
    head = orphans.home.plane.start("watch", tenant="acme", event=event(1, "2026-03-01"))
    seen = set()
    for delay in DELAYS:
        orphans.later = delay - 10
        if delay:
            assert orphans.keys() == []
            assert "the next starts at" in orphans.tick().skip_message
        orphans.later = delay + 1
        (key,) = orphans.keys()
        assert orphans.keys() == [key]  # the same until it is run
        assert key not in seen
        seen.add(key)
        orphans.die(head, key)
    orphans.later = 1_000_000
    told = orphans.tick().skip_message
    assert f"{len(DELAYS)} runs died without a record" in told
    assert f"cortex process resume {head.id}" in told
    assert f"cortex process cancel {head.id}" in told
    # Who lets Dagster run it once more need not read this while it is being run.
    orphans.instance.create_run_for_job(orphans.job, run_config=run_config(head.id), tags={EXECUTION_TAG: head.id})
    assert "every execution" in orphans.tick().skip_message


def test_a_record_begins_the_count_anew(orphans: Orphans) -> None:
    """A run that did something before it died is gone on with at once, with another key than any before."""
    plane = orphans.home.plane
    head = plane.start("watch", tenant="acme", event=event(1, "2026-03-01"))
    for _ in DELAYS:
        orphans.die(head, "some")
    assert orphans.keys() == []
    later = plane.engine.head(head.id).updated
    with plane.engine._database.write() as connection:
        connection.exec_driver_sql(f"update executions set updated = {later + 10**10}")
    assert orphans.keys() == [f"{head.id}/{len(DELAYS)}"]


def test_an_execution_with_a_run_under_way_is_left_to_it(orphans: Orphans) -> None:
    head = orphans.home.plane.start("watch", tenant="acme", event=event(1, "2026-03-01"))
    orphans.instance.create_run_for_job(orphans.job, run_config=run_config(head.id), tags={EXECUTION_TAG: head.id})
    assert orphans.keys() == []
    assert orphans.tick().skip_message == "every execution is over, waits for somebody, or is being run"


def test_tags_mean_one_thing_each() -> None:
    """Who runs it, which execution, of which process."""
    assert len({TAG, EXECUTION_TAG, PROCESS_TAG}) == 3
