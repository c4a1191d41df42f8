"""The engine: gates, steps, retries, time limits, pauses, cancellation, leases, resumption, sealing."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from context_plane.errors import Conflict, Corrupt, Infeasible, InputError, NotFound, Unavailable
from context_plane.processes.engine.identity import split
from context_plane.processes.engine.sealing import FINISHED, STARTED, STEP
from context_plane.processes.engine.state import fold
from context_plane.processes.engine.trace import tree
from context_plane.processes.linked import Declared, LinkedProcess, ModelNeeds, Needs, Retries
from context_plane.processes.registry.handler import Step, StepFailure, Verdict
from context_plane.store.state.database import Database
from tests.processes.engine.harness import Harness, gate, process, step

EVENT = {
    "specversion": "1.0", "id": "42", "source": "ci", "type": "ci.run", "subject": "repository/acme",
    "time": "2026-03-01T09:30:00Z", "data": {"status": "failure", "branch": "main"},
}  # fmt: skip


def test_steps_run_in_order_and_see_the_outputs_before_them(house: Harness) -> None:
    """Each step gets its inputs with references filled in, and what the steps before it gave back."""
    house.action("read", lambda call: {"test": "test_tax", "log": call.inputs["log"]})
    house.action(
        "fix", lambda call: f"{call.inputs['what']} on {call.inputs['branch']}, {call.outputs['read']['test']}"
    )
    done = house.run(
        process(
            step("read", inputs={"log": "${event.data.status}"}),
            step("fix", inputs={"what": "fixed ${steps.read.output.test}", "branch": "${inputs.branch}"}),
            inputs={"branch": Declared("text", False, "main")},
        ),
        event=EVENT,
    )
    assert done.status == "succeeded"
    assert done.outputs == {"read": {"test": "test_tax", "log": "failure"}, "fix": "fixed test_tax on main, test_tax"}
    assert done.entity == "repository/acme"
    assert list(done.steps) == ["read", "fix"]


def test_an_event_is_run_once_whatever_the_version(house: Harness) -> None:
    """The execution of an event and a process is created only if absent, also when the process got a new version."""
    house.action("a", lambda call: 1)
    first = house.accept(process(step("a")), event=EVENT)
    assert house.accept(process(step("a")), event=EVENT) == first
    assert house.accept(process(step("a"), version=2), event=EVENT) == first
    assert house.accept(process(step("a"), name="other"), event=EVENT) != first
    assert house.accept(process(step("a"))) != house.accept(process(step("a")))
    assert house.accept(process(step("a")), key="k") == house.accept(process(step("a")), key="k")


def test_a_closed_gate_halts_with_its_reason(house: Harness) -> None:
    """Nothing runs behind a closed gate; the reason, inputs and what it saw are recorded."""
    ran: list[str] = []
    house.action("a", lambda call: ran.append("a"))
    house.action("b", lambda call: ran.append("b"))
    house.gate("open", lambda call: True)
    house.gate("tests_pass", lambda call: Verdict(False, "2 tests fail", {"failed": 2, "given": call.inputs["of"]}))
    done = house.run(
        process(step("a"), step("b", gates=(gate("open"), gate("tests_pass", inputs={"of": "${steps.a.output}"}))))
    )
    assert (done.status, ran) == ("halted", ["a"])
    assert done.reason == "gate tests_pass before step b is closed: 2 tests fail"
    assert [(each.gate, each.step, each.passed) for each in done.gates] == [
        ("open", "b", True),
        ("tests_pass", "b", False),
    ]
    assert done.gates[1].seen == {"failed": 2, "given": None}


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (lambda call: 1 / 0, "the gate failed: ZeroDivisionError"),
        (lambda call: "yes", "the gate failed: the gate returned str"),
        (lambda call: None, "the gate failed: the gate returned NoneType"),
    ],
)
def test_a_gate_that_fails_is_closed(house: Harness, handler: Any, reason: str) -> None:
    """An error is never a pass."""
    house.action("a", lambda call: 1)
    house.gate("odd", handler)
    done = house.run(process(step("a"), gates=(gate("odd"), gate("gone"))))
    assert done.status == "halted"
    assert done.gates[0].reason.startswith(reason)
    again = house.run(process(step("a"), gates=(gate("gone"),)))
    assert "not registered any more" in again.reason


def test_a_halted_run_resumes_where_it_halted(house: Harness) -> None:
    """Gates that passed before the first step are not asked again; those before the step are."""
    ready, asked = [False], []
    house.action("a", lambda call: asked.append("a"))
    house.gate("start", lambda call: asked.append("start") is None)
    house.gate("ready", lambda call: asked.append("ready") is None and ready[0])
    done = house.run(process(step("a"), step("b", "a", gates=(gate("ready"),)), gates=(gate("start"),)))
    assert done.status == "halted"
    ready[0] = True
    house.engine.resume(done.id)
    assert house.engine.run(done.id).status == "succeeded"
    assert asked == ["start", "a", "ready", "ready", "a"]


def test_a_failed_step_is_repeated_as_often_as_it_says(house: Harness) -> None:
    """Attempts are counted and told; after the last the run fails, and it can be resumed."""
    calls: list[int] = []

    def flaky(call: Step) -> str:
        calls.append(call.attempt)
        if len(calls) < 3:
            raise OSError("the line is busy")
        return call.key

    house.action("a", flaky)
    done = house.run(process(step("a", retries=Retries(2, 0.01, 1.0))))
    assert (done.status, calls) == ("succeeded", [1, 2, 3])
    assert done.steps["a"].attempts == 3
    assert [each["error"] for each in done.steps["a"].failures] == ["OSError: the line is busy"] * 2
    calls.clear()
    failed = house.run(process(step("a", retries=Retries(1, 0.01, 1.0)), name="other"))
    assert (failed.status, failed.reason) == ("failed", "step a failed: OSError: the line is busy")
    house.engine.resume(failed.id)
    assert house.engine.run(failed.id).status == "succeeded"


def test_a_handler_that_hangs_is_stopped(house: Harness) -> None:
    """The time is kept, the thread is told to end, and the run goes on without it."""
    ended = threading.Event()

    def hangs(call: Step) -> None:
        try:
            while True:
                time.sleep(0.01)
        finally:
            ended.set()

    house.action("a", hangs)
    done = house.run(process(step("a", timeout=0.05)))
    assert done.reason == "step a failed: the time of 0.05 s is over"
    assert ended.wait(5)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (object(), "no JSON: object is not a JSON value"),
        (float("nan"), "no JSON: JSON has no NaN"),
        ({1: 2}, "no JSON"),
        ("x" * 300_000, "262,144 are allowed"),
        ("\ud800", "lone surrogate"),
    ],
)
def test_an_output_that_is_no_json_fails_the_step(house: Harness, output: Any, said: str) -> None:
    """The error says what to return instead, and nothing is repeated."""
    house.action("a", lambda call: output)
    done = house.run(process(step("a", retries=Retries(5, 0.01))))
    assert (done.status, done.steps["a"].attempts) == ("failed", 1)
    assert said in done.reason


def test_a_missing_reference_fails_the_step_with_what_there_is(house: Harness) -> None:
    house.action("a", lambda call: {"file": "x"})
    done = house.run(process(step("a"), step("b", "a", inputs={"x": "${steps.a.output.flie}"})))
    assert "there is no steps.a.output.flie" in done.reason
    assert "there are: file" in done.reason


def test_secrets_are_not_recorded(house: Harness) -> None:
    """What redaction takes out is in no record, and neither in what later steps are given."""

    def redact(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("hunter2", "[redacted]")
        if isinstance(value, dict):
            return {key: redact(each) for key, each in value.items()}
        return [redact(each) for each in value] if isinstance(value, (list, tuple)) else value

    house.redact = redact

    def prints(call: Step) -> str:
        call.log("password is hunter2")
        raise ValueError("wrong password hunter2")

    house.action("a", lambda call: "token hunter2")
    house.action("b", prints)
    done = house.run(process(step("a"), step("b")))
    assert done.outputs == {"a": "token [redacted]"}
    assert "hunter2" not in str(house.engine.records(done.id))
    said, place = done.steps["b"].lines
    assert said == "password is [redacted]"
    assert place.startswith("raised at test_engine.py:")


def test_a_breakpoint_shows_the_context_and_takes_an_edit(house: Harness) -> None:
    """The run waits with the context that would be injected; resumed, it runs with what somebody wrote instead."""
    house.action("a", lambda call: {"context": call.context.text, "n": call.inputs["n"]})
    done = house.run(process(step("a", breakpoint=True, inputs={"n": 1}, context=Needs(("state",)))))
    assert (done.status, done.paused_before) == ("paused", "a")
    assert done.pause["context"]["text"] == "context of a"
    assert house.engine.run(done.id).status == "paused"
    house.engine.resume(done.id, context="mine", inputs={"n": 2})
    done = house.engine.run(done.id)
    assert done.outputs == {"a": {"context": "mine", "n": 2}}
    assert done.steps["a"].context == {"receipt": None, "tokens": None, "budget": None, "edited": True, "text": "mine"}


def test_breakpoints_can_be_given_at_run_time(house: Harness) -> None:
    house.action("a", lambda call: call.id)
    id = house.accept(process(step("a"), step("b", "a")), breakpoints=("b",))
    assert house.another().run(id).paused_before == "b"
    house.engine.resume(id)
    assert house.engine.run(id).status == "succeeded"
    with pytest.raises(InputError, match="there is no step 'z'"):
        house.accept(process(step("a")), breakpoints=("z",))


def test_a_run_is_cancelled_from_outside_while_a_step_runs(house: Harness) -> None:
    """Another worker asks; the handler is told, and what comes after it does not run."""
    begun = threading.Event()

    def waits(call: Step) -> None:
        begun.set()
        assert call.cancelled.wait(10)

    house.action("a", waits)
    id = house.accept(process(step("a"), step("b", "a")))
    other = house.another()
    worker = threading.Thread(target=house.engine.run, args=(id,))
    worker.start()
    assert begun.wait(5)
    other.cancel(id)
    worker.join(10)
    assert house.engine.execution(id).status == "cancelled"
    with pytest.raises(Conflict, match="is cancelled"):
        other.cancel(id)
    with pytest.raises(Conflict, match="is cancelled"):
        other.resume(id)


def test_a_run_that_nobody_runs_is_cancelled_at_once(house: Harness) -> None:
    id = house.accept(process(step("a")))
    assert house.engine.cancel(id).status == "cancelled"


def test_two_workers_never_run_one_execution(house: Harness) -> None:
    """The second is told that it is being run; once the first gives it back, it may."""
    house.action("a", lambda call: 1)
    id = house.accept(process(step("a")))
    other = house.another()
    session = house.engine.open(id)
    with pytest.raises(Conflict, match="another worker"):
        other.open(id)
    assert list(other.orphans()) == []
    house.engine.finish(session)
    assert [head.id for head in other.orphans()] == [id]
    assert other.run(id).status == "succeeded"
    other.close()


def test_a_worker_who_lost_an_execution_cannot_write_to_it(house: Harness) -> None:
    """Whatever clocks say: the lease's token counts."""
    house.action("a", lambda call: 1)
    id = house.accept(process(step("a"), step("b", "a")))
    session = house.engine.open(id)
    session.advance()
    with house.database.write() as connection:
        connection.exec_driver_sql("UPDATE leases SET token = token + 1")
    with pytest.raises(Conflict, match="taken over"):
        session.advance()
    assert session.renew() is False
    assert len(house.engine.records(id)) == 3


def test_a_clock_that_jumps_changes_no_outcome(house: Harness) -> None:
    """Set back by a day between attempts, or forward: the repetition comes after its delay, no later."""
    calls: list[int] = []

    def flaky(call: Step) -> str:
        calls.append(call.attempt)
        house.clock.now += -86_400_000_000 if len(calls) == 1 else 86_400_000_000
        if len(calls) < 3:
            raise OSError("busy")
        return "done"

    house.action("a", flaky)
    begun = time.monotonic()
    done = house.run(process(step("a", retries=Retries(3, 0.05, 1.0))))
    assert done.status == "succeeded"
    assert time.monotonic() - begun < 5


def test_everything_is_sealed_and_comes_back_from_the_log_alone(house: Harness, tmp_path: Path) -> None:
    """With the state deleted, the log gives the same execution; nothing is fired again; a paused one goes on."""
    house.action("a", lambda call: {"summary": "did it"})
    done = house.run(process(step("a", context=Needs(("state",)))), event=EVENT)
    paused = house.run(process(step("a", breakpoint=True), name="waits"), event=EVENT)
    house.engine.seal()
    types = [event["type"] for event in house.log.events.values()]
    assert {STARTED, STEP, FINISHED, "cortex.receipt"} <= set(types)
    told = next(event for event in house.log.events.values() if event["type"] == STEP)
    assert told["subject"] == "repository/acme"
    assert told["data"]["text"] == "process fix 1, step a done: did it"
    house.engine.close()
    house.database.close()
    house.database = Database(f"sqlite:///{tmp_path}/other/state.db")
    house.engine = house.another()
    assert house.engine.execution(done.id).outcome() == done.outcome()
    assert house.accept(process(step("a"), version=9), event=EVENT) == done.id
    house.engine.resume(paused.id)
    assert house.engine.run(paused.id).status == "succeeded"
    assert house.engine.seal() > 0
    assert fold(paused.id, house.log.records("acme", paused.id)).status == "succeeded"


def test_sealing_happens_by_itself_within_a_second(house: Harness) -> None:
    house.action("a", lambda call: 1)
    done = house.run(process(step("a")))
    end = time.monotonic() + 5
    while house.engine.journal.unsealed(10) and time.monotonic() < end:
        threading.Event().wait(0.02)
    assert fold(done.id, house.log.records("acme", done.id)).status == "succeeded"


def test_a_store_that_is_away_loses_nothing(house: Harness, caplog: pytest.LogCaptureFixture) -> None:
    """Runs go on; what waits is sealed when the store is back."""
    house.log.refuses = Unavailable("the store is away")
    house.action("a", lambda call: 1)
    done = house.run(process(step("a")))
    assert done.status == "succeeded"
    with pytest.raises(Unavailable):
        house.engine.seal()
    house.engine.close()
    assert "wait to be sealed" in caplog.text
    house.log.refuses = None
    house.engine = house.another()
    assert house.engine.seal() > 0


def test_a_process_with_a_model_step_is_refused_without_models(house: Harness) -> None:
    house.action("ask", lambda call: 1, model=ModelNeeds())
    house.action("maybe", lambda call: call.ask is None, model=ModelNeeds(), model_optional=True)
    with pytest.raises(Infeasible, match=r"models\.yaml"):
        house.accept(process(step("ask", model=ModelNeeds())))
    assert house.run(process(step("maybe", model=ModelNeeds()))).outputs == {"maybe": True}


def test_wrong_inputs_are_named(house: Harness) -> None:
    declared = {"branch": Declared("text"), "depth": Declared("integer", False, 1)}
    with pytest.raises(InputError, match="input branch is missing"):
        house.accept(process(step("a"), inputs=declared))
    with pytest.raises(InputError, match="did you mean branch"):
        house.accept(process(step("a"), inputs=declared), inputs={"brunch": "x"})
    with pytest.raises(InputError, match="input depth is bool"):
        house.accept(process(step("a"), inputs=declared), inputs={"branch": "x", "depth": True})
    with pytest.raises(InputError, match="is abstract"):
        house.accept(process(step("a"), abstract=True))
    with pytest.raises(InputError, match="is no entity"):
        house.accept(process(step("a")), entity="acme")


def test_unknown_executions_are_named(house: Harness) -> None:
    with pytest.raises(NotFound, match="no execution"):
        house.engine.run("acme." + "0" * 24)
    with pytest.raises(InputError, match="is no id"):
        house.engine.execution("nonsense")
    assert split("acme." + "0" * 24) == ("acme", "0" * 24)


def test_a_workspace_cannot_lie_outside_the_root(house: Harness) -> None:
    house.action("a", lambda call: str(call.workspace))
    outside = house.folder / "outside"
    outside.mkdir()
    (house.folder / "workspaces" / "fix").mkdir(parents=True)
    (house.folder / "workspaces" / "fix" / "link").symlink_to(outside)
    for name in ("../x", "/etc", "a/../../b", " ", ".", "x/..", "fix/link", "fix/link/deeper"):
        assert "is none of the plane's" in house.run(process(step("a"), workspace=name)).reason
    done = house.run(process(step("a"), workspace="${event.data.branch}/x"), event=EVENT)
    assert done.outputs["a"] == str(house.folder / "workspaces" / "main" / "x")
    assert house.run(process(step("a"))).outputs["a"] == str(house.folder / "workspaces" / "acme" / "fix")
    assert not list(outside.iterdir())


def test_the_log_tells_of_every_record_with_the_execution(house: Harness, caplog: pytest.LogCaptureFixture) -> None:
    """Levels are the seed's; the correlation id is an attribute of every entry."""
    caplog.set_level(5, "context_plane.executions")
    house.gate("shut", lambda call: False)
    done = house.run(process(step("a"), gates=(gate("shut"),)))
    mine = [entry for entry in caplog.records if getattr(entry, "execution", None) == done.id]
    assert [entry.levelname for entry in mine if entry.levelno > 5] == ["INFO", "ERROR", "ERROR"]
    assert any(entry.levelname == "TRACE" for entry in mine)
    assert logging.getLevelName(5) == "TRACE"


def test_steps_with_and_without_a_key_are_begun_as_they_say(house: Harness) -> None:
    """Only where a repetition could have a second effect is a record made before."""
    house.action("a", lambda call: 1)
    done = house.run(process(step("keyed", "a", keyed=True), step("unkeyed", "a")))
    kinds = [record.kind for record in house.engine.records(done.id)]
    assert kinds == ["accepted", "step", "began", "step", "finished"]


def test_a_step_that_was_cut_off_is_repeated_and_told(house: Harness) -> None:
    """The worker vanished after the effect and before the record."""
    house.action("a", lambda call: call.attempt)
    id = house.accept(process(step("a")))
    session = house.engine.open(id)
    session._write(session._record("began", {"step": "a", "attempt": 1}), durable=True)
    house.engine.finish(session)
    done = house.engine.run(id)
    assert (done.outputs, done.steps["a"].repeated) == ({"a": 2}, True)


def test_the_state_is_the_same_in_any_process(house: Harness) -> None:
    """Folding the stored records gives what the worker had in memory."""
    house.action("a", lambda call: {"n": 1.5, "text": "é"})
    done = house.run(process(step("a", context=Needs(("state",))), step("b", "a")), event=EVENT)
    assert house.engine.execution(done.id) == done
    assert list(tree(house.engine.execution(done.id))) == list(tree(done))
    assert isinstance(done.process, LinkedProcess)


@pytest.mark.parametrize("house", ["sqlite"], indirect=True)
def test_a_full_disk_stops_the_run_and_loses_nothing(house: Harness) -> None:
    """The step's output cannot be written: the caller is told what to do, and once there is room the run goes on; the
    step whose output was lost is repeated, which is told if it has no key."""
    calls: list[str] = []

    def large(call: Step) -> str:
        calls.append(call.key)
        return "x" * 200_000

    house.action("small", lambda call: 1)
    house.action("large", large)
    id = house.accept(process(step("a", "small"), step("b", "large"), step("c", "small")))
    limits: list[int] = []

    def limit(connection: Any, *_: Any) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {limits[0] if limits else pages + 4}")

    event.listen(house.database._opened(), "checkout", limit)
    with pytest.raises(Infeasible, match="free space"):
        house.engine.run(id)
    assert house.engine.execution(id).outputs == {"a": 1}
    limits.append(100_000)
    done = house.engine.run(id)
    assert (done.status, done.steps["b"].repeated, len(set(calls)), len(calls)) == ("succeeded", True, 1, 2)


def test_breakpoints_of_a_run_survive_its_worker(house: Harness) -> None:
    """A breakpoint that the process declares stops whoever goes on."""
    house.action("a", lambda call: 1)
    id = house.accept(process(step("a"), step("b", "a", breakpoint=True)))
    session = house.engine.open(id)
    session.advance()
    house.engine.finish(session)
    assert house.another().run(id).paused_before == "b"


def test_a_broken_state_is_named(tmp_path: Path) -> None:
    """Neither a file that is no database nor a URL that is none is an internal error; no password is shown."""
    (tmp_path / "odd.db").write_text("this is no database, but a text that is long enough to be taken for one" * 20)
    with pytest.raises(Corrupt, match="move the file away"), Database(f"sqlite:///{tmp_path}/odd.db").read():
        pass
    for url in ("nonsense", "nosuch://x", "sqlite+nosuch:///x"):
        with pytest.raises(InputError, match="URL does not work"), Database(url).read():
            pass
    with pytest.raises(Unavailable) as caught, Database("postgresql+psycopg2://me:hunter2@127.0.0.1:9/x").read():
        pass
    assert "hunter2" not in str(caught.value)


def test_what_a_stopped_handler_had_to_show_is_kept(house: Harness) -> None:
    """Such as what a command had printed when its time was over."""

    def hangs(call: Step) -> None:
        while not call.cancelled.wait(0.01):
            pass
        raise StepFailure("stopped", output={"stdout": "half of it"})

    house.action("a", hangs)
    done = house.run(process(step("a", timeout=0.05)))
    assert (done.status, done.steps["a"].output) == ("failed", {"stdout": "half of it"})


def test_an_output_with_a_nul_is_one_that_the_log_takes(house: Harness) -> None:
    house.action("a", lambda call: {"text": "a\0b", "written": "a\\u0000b", "n": 1.0})
    done = house.run(process(step("a")))
    assert done.outputs == {"a": {"text": "ab", "written": "a\\u0000b", "n": 1}}


def test_what_a_handler_keeps_hold_of_is_not_what_was_recorded(house: Harness) -> None:
    kept: list[Any] = []

    def first(call: Step) -> Any:
        kept.append({"n": 1})
        return kept[0]

    house.action("a", first)
    house.action("b", lambda call: kept[0].update(n=2))
    assert house.run(process(step("a"), step("b"))).outputs["a"] == {"n": 1}
