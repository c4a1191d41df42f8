"""What events set off: through the façade, on a real log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from context_plane import instants
from context_plane.errors import ContextPlaneError, Corrupt, Denied, Infeasible, Unavailable
from context_plane.instants import DAY
from context_plane.log.history import removed
from context_plane.plane import ContextPlane
from context_plane.processes.engine.chaining import begun_id
from context_plane.processes.engine.engine import Engine
from context_plane.processes.triggers import watching
from context_plane.processes.triggers.places import MISSED
from context_plane.processes.triggers.watching import MOST_DEEP, Sighting, depth, sightings
from context_plane.store.state.database import Database
from tests.knowledge.log import erase, rewrite

CHANGES = """
interface: changing
version: 1
required_steps: [{id: look}]
trigger: {type: event, match: {source: ci, type: [ci.run, "cd.*"]}}
---
process: for_bugs
version: 1
implements: changing
dispatch: {when: {kind: bug}, preference: 5}
steps: [{id: look, action: note}]
---
process: for_all
version: 1
implements: changing
steps: [{id: look, action: note}]
"""
RELAY = """
process: relay
version: 1
trigger: {type: event, match: {source: relay, type: relay.ping}}
steps: [{id: pass_on, action: pass_on}]
"""
FOLLOWING = """
process: first
version: 1
steps: [{id: look, action: note}]
---
process: second
version: 1
trigger: {type: event, match: {type: cortex.execution.finished, process: first}}
steps: [{id: look, action: note}]
"""
WANTING = """
process: wanting
version: 1
trigger: {type: event, match: {source: ci}}
inputs: {branch: {type: text, default: "${event.data.branch}"}}
steps: [{id: look, action: note}]
"""
WATCH = """
process: watch
version: 1
trigger: {type: event, match: {source: ci}}
steps: [{id: look, action: note}]
"""
DECISIONS = "type: cortex.memory.decision"
REMEMBERING = '''
"""An action that remembers what sets its own process off, which no compiler can see."""

from context_plane.processes import action


@action("pass_on", keyed=True)
def pass_on(step):
    step.plane.remember(step.tenant, "thing/a", f"for {step.execution}", type="decision", session=step.execution)
    return 1
'''
ACTIONS = '''
"""An action that writes what sets its own process off, which no compiler can see."""

from context_plane.processes import action


@action("pass_on", keyed=True)
def pass_on(step):
    event = {
        "id": step.key.replace("/", "-"), "source": "relay", "type": "relay.ping", "subject": "thing/a",
        "time": "2026-03-01T09:00:00Z", "execution": step.execution,
    }
    step.plane.ingest(step.tenant, [event])
    return 1
'''


def event(number: int, **changed: Any) -> dict[str, Any]:
    return {
        "id": str(number), "source": "ci", "type": "ci.run", "subject": "repository/acme",
        "time": "2026-03-01T09:00:00Z", "data": {"kind": "bug"}, **changed,
    }  # fmt: skip


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ContextPlane]:
    folder = tmp_path / "processes"
    folder.mkdir()
    (folder / "changes.yaml").write_text(CHANGES)
    (folder / "relay.yaml").write_text(RELAY)
    (folder / "acts.py").write_text(ACTIONS)
    with ContextPlane.open(tmp_path, embedder="none") as opened:
        yield opened


def test_an_interface_is_triggered_and_dispatches(plane: ContextPlane, tmp_path: Path) -> None:
    """The process that fits the event runs; the event runs once, also where another would be chosen later."""
    plane.ingest("acme", [event(1), event(2, data={"kind": "chore"}), event(3, type="cd.deploy"), event(4, type="x.y")])
    found = plane.react("acme", 0)
    assert sorted(head.process for head in found.accepted) == ["for_all", "for_bugs", "for_bugs"]
    assert found.refused == ()
    text = CHANGES.replace("preference: 5", "preference: -5").replace(
        "version: 1\nimplements", "version: 2\nimplements"
    )
    (tmp_path / "processes" / "changes.yaml").write_text(text)
    again = plane.react("acme", 0)
    assert (again.accepted, again.known) == ((), 3)


def test_a_process_reacts_from_when_it_was_first_seen(plane: ContextPlane) -> None:
    """The log remembers when that was: who has no place in it goes on from there, and finds what there is."""
    plane.ingest("acme", [event(1)])
    assert plane.react("acme").accepted == ()
    plane.ingest("acme", [event(2)])
    assert len(plane.react("acme").accepted) == 1
    with ContextPlane.open(plane.settings.home, embedder="none") as other:
        assert (other.react("acme").accepted, other.react("acme").known) == ((), 1)


def test_runs_that_set_each_other_off_for_ever_are_refused(plane: ContextPlane) -> None:
    """What a compiler cannot see is stopped after so many in a row, and said."""
    plane.ingest("acme", [event(1, source="relay", type="relay.ping", subject="thing/a")])
    number, ran = 0, 0
    while True:
        found = plane.react("acme", number)
        number = found.number
        if not found.accepted:
            break
        for head in found.accepted:
            ran += 1
            assert plane.engine.run(head.id).status == "succeeded"
        assert ran < 50
    assert ran == MOST_DEEP + 1
    assert f"set each other off {MOST_DEEP} times in a row" in found.refused[0]


def test_depth_counts_the_runs_before_an_event() -> None:
    """Of whatever an execution writes; a circle ends the count."""
    one, two, nine = (f"acme.{digit * 24}" for digit in "129")
    chain = {two: {"execution": one}, one: {}}
    assert depth({}, "acme", chain.get) == 0
    assert depth({"execution": two}, "acme", chain.get) == 2
    assert depth({"execution": nine}, "acme", chain.get) == 1
    told = {"type": "cortex.execution.finished", "data": {"execution": two}}
    assert depth(told, "acme", chain.get) == 2
    circle = {one: {"execution": one}}
    assert depth({"execution": one}, "acme", circle.get) == MOST_DEEP + 1


def test_a_run_that_anothers_end_sets_off_follows_from_it(plane: ContextPlane, tmp_path: Path) -> None:
    """In depth, and as memory."""
    (tmp_path / "processes" / "relay.yaml").write_text(FOLLOWING)
    plane.ingest("acme", [event(1)])
    number = plane.react("acme").number
    first = plane.run("first", tenant="acme")
    plane.engine.seal()
    (second,) = plane.react("acme", number).accepted
    plane.engine.seal()
    caused = plane.execution(second.id).event
    assert caused is not None
    assert depth(caused, "acme", plane._event_of) == 1
    edges = plane.sql(
        "acme", "SELECT data->>'actor' AS a, data->>'target' AS b FROM events WHERE type = 'cortex.memory.link'"
    )
    pairs = list(zip(edges["a"].to_pylist(), edges["b"].to_pylist(), strict=True))
    assert (begun_id(first.id), begun_id(second.id)) in pairs


def test_memories_of_runs_that_no_compiler_sees_are_counted(plane: ContextPlane, tmp_path: Path) -> None:
    """An action that remembers for its run what sets its own process off is stopped as one that ingests it."""
    (tmp_path / "processes" / "acts.py").write_text(REMEMBERING)
    (tmp_path / "processes" / "relay.yaml").write_text(RELAY.replace("source: relay, type: relay.ping", DECISIONS))
    plane.ingest("acme", [event(1)])
    number, ran, refused = plane.react("acme").number, 0, ()
    plane.remember("acme", "thing/a", "something", type="decision")
    while not refused:
        found = plane.react("acme", number)
        number, refused = found.number, found.refused
        for head in found.accepted:
            ran += 1
            assert plane.engine.run(head.id).status == "succeeded"
        assert ran < 50
    assert ran == MOST_DEEP + 1


# --- what passes, and what does not ----------------------------------------------------------------------------------

FULL = Infeasible("the state cannot be written: disk is full")
FULL.__cause__ = OSError(28, "No space left on device")


@pytest.mark.parametrize("error", [Unavailable("the state does not answer"), FULL, Corrupt("odd"), Denied("no")])
def test_an_event_that_meets_an_error_which_passes_is_tried_again(
    plane: ContextPlane, monkeypatch: pytest.MonkeyPatch, error: ContextPlaneError
) -> None:
    """The number stays before its commit, also for whoever has nothing but the number."""
    plane.ingest("acme", [event(1)])
    number = plane.react("acme").number
    plane.ingest("acme", [event(2)])
    plane.ingest("acme", [event(3)])
    with monkeypatch.context() as broken:
        broken.setattr(Database, "write", _raising(error))
        found = plane.react("acme", number)
        assert (found.accepted, found.refused, len(found.waiting)) == ((), (), 1)
    assert str(error) in found.waiting[0]
    with ContextPlane.open(plane.settings.home, embedder="none") as other:
        assert len(other.react("acme", found.number).accepted) == 2
    found = plane.react("acme", found.number)
    assert (found.known, plane.react("acme", found.number).known) == (2, 0)


def test_a_chain_that_cannot_be_counted_for_the_moment_waits(
    plane: ContextPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than being taken for its beginning; and of two events in one commit the first is told."""
    plane.ingest("acme", [event(1)])
    number = plane.react("acme").number
    plane.ingest("acme", [event(2, execution=f"acme.{'1' * 24}"), event(3)])
    with monkeypatch.context() as broken:
        broken.setattr(Engine, "execution", _raising(Unavailable("the state does not answer")))
        found = plane.react("acme", number)
    assert (found.accepted, len(found.waiting)) == ((), 1)
    assert len(plane.react("acme", found.number).accepted) == 2


def test_what_will_be_the_same_next_time_is_refused_once(plane: ContextPlane, tmp_path: Path) -> None:
    (tmp_path / "processes" / "changes.yaml").write_text(WANTING)
    plane.ingest("acme", [event(1)])
    number = plane.react("acme").number
    plane.ingest("acme", [event(2), event(3, data={"branch": "main"})])
    found = plane.react("acme", number)
    assert (len(found.accepted), len(found.refused), found.waiting) == (1, 1, ())
    assert "refers to nothing" in found.refused[0]
    assert plane.react("acme", found.number).refused == ()


@pytest.mark.parametrize(
    "wrong",
    [
        "process: [",
        "process: watch\nversion: 2\ntrigger: {type: event, match: {source: ci}}\nsteps: [{id: a, action: nota}]\n",
    ],
)
def test_a_process_that_does_not_compile_waits_and_the_others_go_on(
    plane: ContextPlane, tmp_path: Path, wrong: str
) -> None:
    """A typo for some seconds loses nothing, and nothing is read twice because of it."""
    file = tmp_path / "processes" / "watch.yaml"
    file.write_text(WATCH)
    plane.ingest("acme", [event(1)])
    number = plane.react("acme").number
    file.write_text(wrong)
    plane.ingest("acme", [event(2)])
    found = plane.react("acme", number)
    assert [head.process for head in found.accepted] == ["for_bugs"]
    assert found.waiting == (f"watch does not compile: it waits at log number {number}",)
    plane.ingest("acme", [event(3)])
    again = plane.react("acme", found.number)
    assert ([head.process for head in again.accepted], again.known) == (["for_bugs"], 0)
    # Who comes meanwhile is not older than what the others have seen.
    (tmp_path / "processes" / "new.yaml").write_text(WATCH.replace("watch", "new"))
    again = plane.react("acme", again.number)
    assert (again.accepted, again.number) == ((), number)
    file.write_text(WATCH)
    with ContextPlane.open(plane.settings.home, embedder="none") as other:
        found = other.react("acme", again.number)
    assert [head.process for head in found.accepted] == ["watch", "watch"]
    assert (found.known, found.waiting) == (2, ())


def test_what_waited_too_long_is_passed_over_and_told(
    plane: ContextPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody wants all failures of a summer mended at its end."""
    file = tmp_path / "processes" / "watch.yaml"
    file.write_text(WATCH)
    plane.ingest("acme", [event(1)])
    number = plane.react("acme").number
    file.write_text("process: [")
    plane.ingest("acme", [event(2)])
    monkeypatch.setattr(instants, "now", lambda before=instants.now: before() + MISSED + DAY)
    found = plane.react("acme", number)
    assert found.number > number
    assert "too old" in found.refused[0]
    file.write_text(WATCH)
    assert plane.react("acme", found.number).accepted == ()


def test_a_process_that_was_taken_away_holds_nothing_back(plane: ContextPlane, tmp_path: Path) -> None:
    file = tmp_path / "processes" / "watch.yaml"
    file.write_text(WATCH)
    plane.ingest("acme", [event(1)])
    number = plane.react("acme").number
    file.unlink()
    plane.ingest("acme", [event(2)])
    found = plane.react("acme", number)
    assert (found.number > number, found.waiting) == (True, ())


def test_an_interface_waits_for_the_process_that_does_not_compile(plane: ContextPlane, tmp_path: Path) -> None:
    """Where none of its processes does: what nobody could take is not refused for want of takers."""
    plane.ingest("acme", [event(1)])
    number = plane.react("acme").number
    file = tmp_path / "processes" / "changes.yaml"
    file.write_text(CHANGES.replace("action: note", "action: nota"))
    plane.ingest("acme", [event(2)])
    found = plane.react("acme", number)
    assert (found.refused, len(found.waiting)) == ((), 1)
    file.write_text(CHANGES)
    assert len(plane.react("acme", found.number).accepted) == 1


# --- where a process begins ------------------------------------------------------------------------------------------


def test_a_trigger_that_changed_does_not_react_to_what_came_before(plane: ContextPlane, tmp_path: Path) -> None:
    """Also where the place in the log is lost: what is registered is the trigger, not the process."""
    file = tmp_path / "processes" / "watch.yaml"
    file.write_text(WATCH.replace("source: ci", "source: rare"))
    plane.ingest("acme", [event(1, type="x.y")])
    number = plane.react("acme").number
    plane.ingest("acme", [event(2, type="x.y")])
    number = plane.react("acme", number).number
    file.write_text(WATCH.replace("version: 1", "version: 2"))
    assert plane.react("acme", number).accepted == ()
    assert plane.react("acme").accepted == ()
    plane.ingest("acme", [event(3, type="x.y")])
    assert [head.version for head in plane.react("acme").accepted] == [2]


def test_two_who_see_a_trigger_at_once_say_the_same(plane: ContextPlane) -> None:
    """The log takes it once; where one of the two had seen less, nothing is lost."""
    plane.ingest("acme", [event(1)])
    watchers = plane._watchers("acme")
    with ContextPlane.open(plane.settings.home, embedder="none") as other:
        for each, number in ((plane, 1), (other, 1), (other, 0), (plane, 2)):
            each._tenant("acme").history.refresh()
            each._register("acme", watchers, {}, number)
        assert set(other._registrations("acme").known().values()) == {0}


def test_what_was_erased_sets_off_nothing(plane: ContextPlane) -> None:
    """Also where its segment is gone, and for the registrations on the process's own entity."""
    plane.ingest("acme", [event(1)])
    number = plane.react("acme").number
    plane.ingest("acme", [event(2, subject="person/x"), event(3)])
    erase(plane.store, "acme", "person/x")
    _lose(plane, "person/x")
    assert len(plane.react("acme", number).accepted) == 1
    erase(plane.store, "acme", "process/relay")
    _lose(plane, "process/relay")
    with ContextPlane.open(plane.settings.home, embedder="none") as other:
        assert other.react("acme", number).known == 1


def test_a_registration_that_was_erased_is_made_again(plane: ContextPlane) -> None:
    """Or, where the log keeps its id, does without."""
    plane.ingest("acme", [event(1)])
    assert len(plane.react("acme", 0).accepted) == 1
    for name in ("relay", "changing"):
        erase(plane.store, "acme", f"process/{name}")
    assert plane.react("acme", 0).known == 1


def test_a_rewrite_is_no_news(plane: ContextPlane) -> None:
    """The same events in other segments, which a trigger that begins between the two must not take for new ones; and
    what was taken back before it was looked at sets off nothing."""
    plane.ingest("acme", [event(1)])
    plane.ingest("acme", [event(2)])
    number = plane.react("acme").number
    rewrite(plane.store, "acme", "repository/acme")
    found = plane.react("acme", number)
    assert (found.accepted, found.known, found.number) == ((), 0, plane._tenant("acme").history.head)
    plane.ingest("acme", [event(3, subject="person/x")])
    rewrite(plane.store, "acme", "person/x", keep=False)
    assert plane.react("acme", found.number).accepted == ()


def test_a_number_beyond_the_log_is_its_end(plane: ContextPlane) -> None:
    """As after a restore from an older backup."""
    plane.ingest("acme", [event(1)])
    plane.react("acme")
    number = plane.react("acme", 1_000).number
    plane.ingest("acme", [event(2)])
    assert len(plane.react("acme", number).accepted) == 1


def test_who_stopped_is_not_looked_for_any_more(plane: ContextPlane) -> None:
    plane.ingest("acme", [event(1)])
    plane.ingest("acme", [event(2)])
    history, stopped = plane._tenant("acme").history, set[str]()
    history.refresh()
    watchers = plane._watchers("acme")
    seen = []
    for each in sightings(history, watchers, {w.key: 0 for w in watchers}, 0, 10.0, stopped):
        seen.append(each if isinstance(each, int) else each.name)
        stopped |= {each.name} if isinstance(each, Sighting) else set()
    assert seen == ["changing", 1, 2]


def test_a_look_reads_the_history_of_erasures_once(plane: ContextPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a look costs grows with the commits that are new, not with their square."""
    plane.ingest("acme", [event(1)])
    number = plane.react("acme").number
    for each in range(2, 6):
        plane.ingest("acme", [event(each, type="x.y")])
    calls = []
    monkeypatch.setattr(watching, "removed", lambda records: calls.append(len(records)) or removed(records))
    plane.react("acme", number)
    assert len(calls) == 1


def _raising(error: ContextPlaneError) -> Any:
    def call(*_: Any) -> Any:
        raise error

    return call


def _lose(plane: ContextPlane, entity: str) -> None:
    """Takes an entity's segments out of the store."""
    history = plane._tenant("acme").history
    history.refresh()
    for record in history.records():
        for ref in history.segments(record):
            if ref.entity == entity:
                plane.store.delete(ref.key("acme"))
