"""The engine in trouble: a state that fails for a moment, workers that lose executions, wishes that come too late,
handlers that give back what nothing can hold."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from context_plane.errors import Conflict, ContextPlaneError, InputError, Unavailable
from context_plane.processes.engine import session as sessions
from context_plane.processes.engine.journal import Journal
from context_plane.processes.engine.sealing import RECORD
from context_plane.processes.engine.trace import tree
from context_plane.processes.linked import Declared, Retries
from context_plane.processes.registry.handler import StepFailure
from context_plane.store.state.leases import Leases
from tests.processes.engine.harness import Harness, gate, process, step


class Killed(BaseException):
    """A worker's end, as far as it can be had without ending the tests."""


def cut_off(house: Harness, id: str, patch: pytest.MonkeyPatch) -> None:
    """Runs an execution to where a step without a key has begun, and then lets its worker be gone."""
    with patch.context() as patched:
        patched.setattr(sessions, "attempt", _killed)
        session = house.engine.open(id)
        with pytest.raises(Killed):
            session.run()
    with house.database.write() as connection:
        connection.exec_driver_sql("UPDATE leases SET worker = ''")
    house.engine._open.clear()
    house.engine = house.another()


def _killed(*_: Any) -> Any:
    raise Killed


# --- a state that fails ----------------------------------------------------------------------------------------------


def failing(times: int, of: Callable[..., Any], error: Exception) -> Callable[..., Any]:
    """The function, whose first calls raise."""
    left = iter([error] * times)

    def called(*args: Any) -> Any:
        if (found := next(left, None)) is not None:
            raise found
        return of(*args)

    return called


def test_a_state_that_does_not_answer_ends_no_step(house: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a run is cancelled is asked while a handler runs; where nobody answers it runs on."""
    house.action("slow", lambda call: time.sleep(0.7) or "done")
    monkeypatch.setattr(Journal, "wanted", failing(2, Journal.wanted, Unavailable("the server went away")))
    assert house.run(process(step("slow"))).outputs == {"slow": "done"}


def test_a_renewal_that_fails_is_tried_again(house: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """One failure must not let the lease run out."""
    house.settings = type(house.settings)(lease_seconds=0.6)
    engine = house.another()
    tried: list[float] = []
    renew = failing(1, Leases.renew, Unavailable("the server went away"))

    def counted(*args: Any) -> Any:
        tried.append(time.monotonic())
        return renew(*args)

    monkeypatch.setattr(Leases, "renew", counted)
    house.action("slow", lambda call: time.sleep(1.2) or "done")
    assert engine.run(house.accept(process(step("slow")))).status == "succeeded"
    assert len(tried) >= 3
    engine.close()


def test_who_lost_an_execution_stops_its_handler_and_writes_nothing(house: Harness) -> None:
    """Another worker took it over: two at once is what leases are for."""
    house.settings = type(house.settings)(lease_seconds=0.6)
    engine, stopped = house.another(), []

    def slow(call: Any) -> str:
        if call.cancelled.wait(20):
            stopped.append(True)
        return "done"

    house.action("slow", slow)
    id = house.accept(process(step("slow", keyed=True)))
    failed: list[BaseException] = []
    worker = threading.Thread(target=lambda: _caught(lambda: engine.run(id), failed))
    worker.start()
    _until(lambda: engine.held(id) is not None)
    with house.database.write() as connection:
        connection.exec_driver_sql("UPDATE leases SET token = token + 1")
    worker.join(15)
    assert [type(each) for each in failed] == [Conflict]
    assert "taken over" in str(failed[0])
    assert stopped == [True]
    assert [each.kind for each in house.engine.records(id)] == ["accepted"]
    engine.close()


def test_a_lease_that_could_not_be_given_back_is_given_back_later(
    house: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run counts as what it came to, and others may go on with the execution before this worker ends."""
    house.settings = type(house.settings)(lease_seconds=0.3)
    engine = house.another()
    monkeypatch.setattr(Leases, "give_back", failing(1, Leases.give_back, Unavailable("the server went away")))
    house.action("a", lambda call: 1)
    id = house.accept(process(step("a", breakpoint=True)))
    assert engine.run(id).status == "paused"
    assert _until(lambda: engine._leases.orphaned("acme", id))
    assert not engine._kept
    engine.close()


def test_closing_with_a_lost_session_gives_back_the_others(house: Harness) -> None:
    """And seals what there is."""
    house.action("a", lambda call: 1)
    house.gate("g", lambda call: True)
    ids = [house.accept(process(step("a"), gates=(gate("g"),))) for _ in range(3)]
    for each in ids:
        house.engine.open(each).advance()
    with house.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE leases SET token = token + 1 WHERE execution = '{ids[0]}'")
    house.engine.close()
    other = house.another()
    assert {each.id for each in other.orphans()} >= set(ids[1:])
    assert house.engine.journal.waiting() == 0


# --- what was cut off ------------------------------------------------------------------------------------------------


def test_a_repetition_is_told_though_an_attempt_between_failed(house: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def pay(call: Any) -> int:
        calls.append(call.attempt)
        if len(calls) == 1:
            raise RuntimeError("not now")
        return 1

    house.action("pay", pay)
    id = house.accept(process(step("pay", retries=Retries(3, 0, 1))))
    cut_off(house, id, monkeypatch)
    found = house.engine.run(id).steps["pay"]
    assert (found.attempts, found.repeated) == (3, True)


def test_a_repetition_is_told_though_the_run_halted_between(house: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    open_ = [True]
    house.action("pay", lambda call: 1)
    house.gate("g", lambda call: open_[0])
    id = house.accept(process(step("pay", gates=(gate("g"),))))
    cut_off(house, id, monkeypatch)
    open_[0] = False
    assert house.engine.run(id).status == "halted"
    open_[0] = True
    house.engine.resume(id)
    assert house.engine.run(id).steps["pay"].repeated


def test_what_was_cut_off_and_cancelled_had_begun(house: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trace does not say of it that it did not run."""
    house.action("pay", lambda call: 1)
    id = house.accept(process(step("pay")))
    cut_off(house, id, monkeypatch)
    house.engine.cancel(id)
    done = house.engine.execution(id)
    assert (done.status, done.cut_off) == ("cancelled", "pay")
    assert any("had begun and was cut off" in line for line in tree(done))


# --- wishes ----------------------------------------------------------------------------------------------------------


def test_a_gate_can_be_cancelled(house: Harness) -> None:
    """No step runs after it."""
    house.action("a", lambda call: 1)
    house.gate("slow", lambda call: time.sleep(0.8) or True)
    id = house.accept(process(step("a", gates=(gate("slow"),))))
    done: list[Any] = []
    worker = threading.Thread(target=lambda: done.append(house.engine.run(id)))
    worker.start()
    _until(lambda: house.engine.held(id) is not None)
    house.engine.cancel(id)
    worker.join(15)
    assert done[0].status == "cancelled"
    assert not done[0].steps


def test_a_pause_during_the_wait_for_a_repetition_comes_before_it(house: Harness) -> None:
    calls: list[int] = []

    def fails(call: Any) -> None:
        calls.append(call.attempt)
        raise RuntimeError("not now")

    house.action("a", fails)
    id = house.accept(process(step("a", keyed=True, retries=Retries(1, 3, 1))))
    done: list[Any] = []
    worker = threading.Thread(target=lambda: done.append(house.engine.run(id)))
    worker.start()
    _until(lambda: bool(calls))
    house.engine.pause(id)
    worker.join(15)
    assert (done[0].status, calls) == ("paused", [1])
    assert house.engine.head(id).wanted == ""


def test_a_cancel_that_meets_a_pause_is_not_lost(house: Harness) -> None:
    """It came when the run had paused already and its worker still had it."""
    house.action("a", lambda call: 1)
    id = house.accept(process(step("a", breakpoint=True)))
    session = house.engine.open(id)
    session.run()
    house.another().cancel(id)
    house.engine.finish(session)
    assert house.engine.head(id).status == "cancelled"


def test_wishes_do_not_outlive_what_they_were_for(house: Harness) -> None:
    """A pause of a paused run is nothing more, one of a run that is over is refused, and who lets a run go on means
    it."""
    house.action("a", lambda call: 1)
    id = house.accept(process(step("a", breakpoint=True)))
    house.engine.run(id)
    house.engine.pause(id)
    house.engine.resume(id)
    assert house.engine.run(id).status == "succeeded"
    with pytest.raises(Conflict):
        house.engine.pause(id)
    house.gate("shut", lambda call: False)
    halted = house.run(process(step("a"), gates=(gate("shut"),))).id
    house.engine.journal.want("acme", halted, "cancelled")  # by somebody who was too late
    house.gate("shut", lambda call: True)
    house.engine.resume(halted)
    assert house.engine.run(halted).status == "succeeded"


def test_what_was_resumed_has_its_retries_again(house: Harness) -> None:
    """And nothing of what failed before is forgotten."""
    for keyed in (True, False):
        calls: list[int] = []

        def fails(call: Any, calls: list[int] = calls) -> int:
            calls.append(call.attempt)
            if len(calls) <= 4:
                raise RuntimeError(f"failure {len(calls)}")
            return 1

        house.action("a", fails, keyed=keyed)
        made = process(step("a", keyed=keyed, retries=Retries(2, 0, 1)), name=f"p{keyed}")
        id = house.accept(made)
        assert house.engine.run(id).steps["a"].attempts == 3
        house.engine.resume(id)
        done = house.engine.run(id)
        assert done.status == "succeeded"
        assert calls == [1, 2, 3, 4, 5]
        errors = [each["error"] for each in done.steps["a"].failures]
        assert errors == [f"RuntimeError: failure {n}" for n in (1, 2, 3, 4)]


def test_an_edit_holds_until_its_step_is_done(house: Harness) -> None:
    """Also over a failure; and a breakpoint is passed once."""
    seen: list[Any] = []

    def fails(call: Any) -> int:
        seen.append(dict(call.inputs))
        if len(seen) < 3:
            raise StepFailure("not now", retryable=False)
        return 1

    house.action("a", fails)
    id = house.accept(process(step("a", breakpoint=True)))
    assert house.engine.run(id).status == "paused"
    for edit in (None, {"fixed": True}, None):
        house.engine.resume(id, inputs=edit)
        done = house.engine.run(id)
    assert done.status == "succeeded"
    assert seen == [{}, {"fixed": True}, {"fixed": True}]


# --- values ----------------------------------------------------------------------------------------------------------


def test_what_handlers_do_to_values_is_not_done_to_the_execution(
    house: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was cut off would not know of it."""
    house.action("one", lambda call: {"list": [1]})
    house.action("two", lambda call: [call.outputs["one"]["list"].append(2), call.inputs["given"].append(3)])
    house.action("three", lambda call: [call.outputs["one"]["list"], call.arguments["x"]])
    done = house.run(
        process(
            step("one"), step("two", inputs={"given": "${inputs.x}"}), step("three"), inputs={"x": Declared("list")}
        ),
        inputs={"x": [0]},
    )
    assert done.outputs["three"] == [[1], [0]]
    assert done.steps["two"].inputs == {"given": [0]}


def nested(times: int) -> Any:
    value: Any = 1
    for _ in range(times):
        value = [value]
    return value


class Unsayable(Exception):
    """An exception without words."""

    def __str__(self) -> str:
        raise RuntimeError("nothing can be said of it")


def _raises(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize(
    "handler",
    [
        lambda call: _raises(RuntimeError("a \0 byte")),
        lambda call: _raises(RuntimeError("a \udcff surrogate")),
        lambda call: _raises(Unsayable()),
        lambda call: _raises(RuntimeError("x" * 5_000_000)),
        lambda call: _raises(StepFailure("with an output", retryable=False, output=nested(70))),
        lambda call: _raises(StepFailure("with an output", retryable=False, output={1: {2}})),
        lambda call: nested(63),
        lambda call: nested(59),
    ],
    ids=["nul", "surrogate", "unsayable", "long", "deep-failure", "no-json-failure", "deep", "too-deep-for-the-log"],
)
def test_what_nothing_can_hold_fails_the_step_and_nothing_else(house: Harness, handler: Any) -> None:
    """Once; the run is over, its records are sealed, and another's too."""
    calls: list[int] = []

    def counted(call: Any) -> Any:
        calls.append(1)
        return handler(call)

    house.action("a", counted)
    done = house.run(process(step("a")))
    assert (done.status, calls) == ("failed", [1])
    assert done.steps["a"].error
    house.engine.seal()
    assert house.engine.journal.waiting() == 0
    assert house.engine.journal.aside() == 0


def test_lines_of_a_handler_are_what_the_log_takes(house: Harness) -> None:
    def talks(call: Any) -> int:
        call.log("a \0 byte and a \udcff surrogate")
        return 1

    house.action("a", talks)
    done = house.run(process(step("a")))
    assert done.steps["a"].lines == ("a  byte and a \ufffd surrogate",)


def test_inputs_that_are_too_large_together_fail_their_step(house: Harness) -> None:
    """A record has a limit, because the log has one; outputs have one each."""
    house.settings = type(house.settings)(output_kb=3_000)
    house.engine = house.another()
    house.action("large", lambda call: "x" * 2_900_000)
    house.action("small", lambda call: 1)
    both = {"first": "${steps.one.output}", "second": "${steps.two.output}"}
    done = house.run(process(step("one", "large"), step("two", "large"), step("three", "small", inputs=both)))
    assert done.status == "failed"
    assert "cannot be recorded" in done.steps["three"].error
    house.gate("shut", lambda call: True)
    closed = house.run(
        process(step("one", "large"), step("two", "large"), step("three", "small", gates=(gate("shut", inputs=both),)))
    )
    assert closed.status == "halted"
    assert "cannot be recorded" in closed.reason


@pytest.mark.parametrize(
    ("value", "told"),
    [("a \0 byte", "NUL"), ("x" * 4_000_000, "cannot be recorded"), (nested(60), "nested"), ({"a": {1}}, "not a JSON")],
    ids=["nul", "large", "deep", "no-json"],
)
def test_inputs_that_no_record_takes_are_refused_at_once(house: Harness, value: Any, told: str) -> None:
    """An execution that is accepted can be run, recorded and sealed."""
    house.action("a", lambda call: 1)
    with pytest.raises(InputError, match=told):
        house.accept(process(step("a"), inputs={"x": Declared("any")}), inputs={"x": value})
    assert not house.engine.journal.heads()


# --- sealing ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def quiet(house: Harness, monkeypatch: pytest.MonkeyPatch) -> Harness:
    """An engine that seals when it is told to."""
    monkeypatch.setattr("context_plane.processes.engine.sealer.Sealer.tell", lambda self: None)
    return house


def test_what_one_tenant_s_log_refuses_keeps_no_other_from_being_sealed(quiet: Harness) -> None:
    """It is put aside, and the doctor finds it."""
    quiet.action("a", lambda call: 1)
    id = quiet.accept(process(step("a")))
    quiet.engine.run(id)
    append = quiet.log.append

    def refusing(tenant: str, events: Any) -> None:
        if any(each["type"] == RECORD and each["id"].endswith("/1") for each in events):
            raise InputError("the log takes no such thing")
        append(tenant, events)

    quiet.log.append = refusing  # type: ignore[method-assign]
    quiet.engine = quiet.another()
    quiet.engine.seal()
    assert quiet.engine.journal.waiting() == 0
    assert quiet.engine.journal.aside() == 1
    assert [each.seq for each in quiet.log.records("acme", id)] == [0, 2, 3]
    assert quiet.engine.execution(id).status == "succeeded"  # of the state


def test_a_log_that_does_not_answer_keeps_no_other_from_being_sealed(quiet: Harness) -> None:
    """What it raised is raised, and later it is tried again."""
    quiet.action("a", lambda call: 1)
    made = process(step("a"))
    from context_plane.processes.engine.engine import Wish

    ids = {name: quiet.engine.accept(Wish(name, made, {}))[0].id for name in ("aaa", "zzz")}
    append = quiet.log.append

    def refusing(tenant: str, events: Any) -> None:
        if tenant == "aaa":
            raise Unavailable("the store does not answer")
        append(tenant, events)

    quiet.log.append = refusing  # type: ignore[method-assign]
    quiet.engine = quiet.another()
    with pytest.raises(Unavailable):
        quiet.engine.seal()
    assert not quiet.log.records("aaa", ids["aaa"])
    assert quiet.log.records("zzz", ids["zzz"])
    quiet.log.append = append  # type: ignore[method-assign]
    quiet.engine = quiet.another()
    assert quiet.engine.seal() == 1


def test_what_was_sealed_in_other_words_is_sealed(quiet: Harness) -> None:
    """A worker of another release was killed between the log and the state."""
    quiet.action("a", lambda call: 1)
    id = quiet.accept(process(step("a")))
    quiet.engine.run(id)
    append = quiet.log.append

    def changed(tenant: str, events: Any) -> None:
        append(tenant, [{**each, "data": {**each["data"], "text": "other words"}} for each in events])
        raise Unavailable("killed")

    def conflicting(tenant: str, events: Any) -> None:
        for event in events:
            if (held := quiet.log.events.get((tenant, f"{event['source']} {event['id']}"))) not in (None, event):
                raise InputError(f"{event['id']} is in the log with other content {held}")
        append(tenant, events)

    quiet.log.append = changed  # type: ignore[method-assign]
    quiet.engine = quiet.another()
    with pytest.raises(Unavailable):
        quiet.engine.seal()
    quiet.log.append = conflicting  # type: ignore[method-assign]
    quiet.engine = quiet.another()
    quiet.engine.seal()
    assert (quiet.engine.journal.waiting(), quiet.engine.journal.aside()) == (0, 0)


def test_the_sealing_thread_survives_whatever_the_store_raises(house: Harness) -> None:
    """It tries again."""
    append, failures = house.log.append, iter([OSError("an odd one"), ZeroDivisionError()])

    def odd(tenant: str, events: Any) -> None:
        if (error := next(failures, None)) is not None:
            raise error
        append(tenant, events)

    house.log.append = odd  # type: ignore[method-assign]
    house.engine = house.another()
    house.action("a", lambda call: 1)
    house.run(process(step("a")))
    assert _until(lambda: house.engine.journal.waiting() == 0, 20)


def test_a_handler_cannot_swallow_its_end_by_accident(house: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """`except Exception` in a loop is what handlers do."""
    monkeypatch.setattr("context_plane.processes.engine.handling.POLITE", 0.1)
    alive = threading.Event()

    def swallows(call: Any) -> None:
        alive.set()
        while True:
            try:
                time.sleep(0.02)
            except Exception:  # noqa: BLE001 - that is the point
                continue

    house.action("a", swallows)
    done = house.run(process(step("a", timeout=0.1)))
    assert done.reason == "step a failed: the time of 0.1 s is over"


def _caught(call: Callable[[], Any], into: list[BaseException]) -> None:
    try:
        call()
    except ContextPlaneError as error:
        into.append(error)


def _until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()
