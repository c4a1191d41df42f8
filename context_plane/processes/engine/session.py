"""Sessions: one worker's turn at one execution, from taking the lease to giving it back.

Here belongs the loop: decide, do, record. What a step gave and what is next are one durable write; records that nothing
depends on (a gate that passed) wait for the next such write.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Self

from context_plane.errors import Conflict, ContextPlaneError, InputError
from context_plane.processes.engine import telling
from context_plane.processes.engine.deciding import Decision, EvaluateGate, Finish, Pause, RunStep, decide, gate_holds
from context_plane.processes.engine.handling import Handled
from context_plane.processes.engine.journal import Head, Journal
from context_plane.processes.engine.records import Record
from context_plane.processes.engine.state import Execution, after
from context_plane.processes.engine.stepping import Tried, attempt, evaluate, preview
from context_plane.processes.registry.printed import clean
from context_plane.store.faults import reach
from context_plane.store.state.leases import Leases

if TYPE_CHECKING:
    from context_plane.processes.engine.ports import Ports
    from context_plane.processes.linked import LinkedStep

_LONGEST_WAIT: Final = 3_600.0
_POLL: Final = 0.2
_log: Final = logging.getLogger(telling.LOGGER)
_CANCELLED: Final = "somebody cancelled it"
Told = Callable[[Execution, Record], None]
"""Told of every record once it is made: logs, progress."""


class Session:
    """A turn at an execution. Not safe for threads."""

    def __init__(
        self, execution: Execution, head: Head, token: int, ports: Ports, journal: Journal, leases: Leases,
        told: Told,
    ) -> None:  # fmt: skip
        """Use `Engine.open`."""
        self.execution = execution
        self._head, self._token = head, token
        self._ports, self._journal, self._leases, self._told = ports, journal, leases, told
        self._waiting: list[Record] = []
        self._wanted = head.wanted
        self._asked = time.monotonic()
        self._lost = False
        self.given_back = False

    @property
    def id(self) -> str:
        """The execution's."""
        return self._head.id

    def run(self) -> Execution:
        """Goes on until the execution is over, or waits for somebody."""
        while self.advance() is not None:
            pass
        return self.execution

    def advance(self) -> Decision:
        """Does the one thing that is next, and returns it; `None` where nothing is."""
        decision = self.next()
        match decision:
            case EvaluateGate():
                self._evaluate(decision)
            case Pause():
                self._pause(decision.step)
            case RunStep():
                self._run(decision)
            case Finish():
                self._write(self._record("finished", {"status": "succeeded", "reason": ""}), durable=True)
        return decision

    def next(self) -> Decision:
        """What is next. What somebody asked for meanwhile comes first."""
        decision = decide(self.execution, self._token)
        if decision is not None and self._is_cancelled():
            self._finish("cancelled", _CANCELLED)
            return None
        if isinstance(decision, RunStep) and self._wanted == "paused":
            return Pause(decision.step)
        return decision

    def resume(self, edit: Mapping[str, Any]) -> None:
        """Lets the execution go on, with the next step's context or inputs replaced. What was asked for before is over:
        who lets it go on wants it to."""
        self._unwant()
        self._write(self._record("resumed", {"edit": clean(dict(edit))}), durable=True)

    def cancel(self) -> None:
        """Ends the execution."""
        self._finish("cancelled", _CANCELLED)

    def passed(self, step: str | None, index: int) -> bool:
        """Whether a gate holds: one before a step as long as this turn lasts."""
        return gate_holds(self.execution, step, index, self._token)

    def flush(self) -> None:
        """Makes durable what waits."""
        if self._waiting:
            self._write(durable=True)

    def close(self) -> None:
        """Makes durable what waits, and gives the execution back."""
        try:
            self.flush()
        finally:
            self.give_back()

    def give_back(self) -> bool:
        """Ends the lease; whether that is done. Where the state does not answer it is not, which is no reason for what
        was run to count as failed: whoever asks again later ends it."""
        try:
            self._leases.give_back(self._head.tenant, self._head.id, self._token)
        except ContextPlaneError as error:
            _log.warning("the lease of %s was not given back, and will be tried again: %s", self._head.id, error)
            return False
        self.given_back = True
        return True

    def renew(self) -> bool:
        """Holds the lease for longer; whether it still is this worker's. Where it is not, what runs is stopped."""
        if not self._leases.renew(self._head.tenant, self._head.id, self._token):
            self._lost = True
        return not self._lost

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _evaluate(self, due: EvaluateGate) -> None:
        verdict, inputs, seconds = evaluate(self.execution, due.gate, due.step, self._ports, self._stopping)
        if self._is_cancelled():
            self._finish("cancelled", _CANCELLED)
            return
        body = {
            "gate": due.gate.name, "step": due.step, "index": due.index, "passed": verdict.passed,
            "reason": verdict.reason, "inputs": inputs, "seen": dict(verdict.seen), "seconds": round(seconds, 6),
            "session": self._token, "declared_by": due.gate.declared_by,
        }  # fmt: skip
        try:
            record = self._record("gate", body)
        except InputError as error:
            told = f"what it was given and saw cannot be recorded: {error.what}"
            record = self._record("gate", {**body, "passed": False, "reason": told, "inputs": {}, "seen": {}})
        self._write(record, durable=False)
        if not record.body["passed"]:
            place = "" if due.step is None else f" before step {due.step}"
            reason = record.body["reason"] or "it gave no reason"
            self._finish("halted", f"gate {due.gate.name}{place} is closed: {reason}")

    def _pause(self, step: LinkedStep) -> None:
        shown = preview(self.execution, step, self._ports)
        body = {"step": step.id, "inputs": shown.inputs, "context": shown.context, "error": shown.handled.error}
        try:
            record = self._record("paused", body)
        except InputError as error:
            told = f"what it would be given cannot be recorded: {error.what}"
            record = self._record("paused", {**body, "inputs": {}, "context": None, "error": told})
        self._write(record, durable=True)
        if self._wanted == "paused":
            self._unwant()

    def _run(self, due: RunStep) -> None:
        step = due.step
        if not self._wait_until(self.execution.due, self.execution.delay) or self._asks_otherwise():
            return  # what somebody wants is what is next
        if not step.keyed:
            self._write(self._record("began", {"step": step.id, "attempt": due.attempt}), durable=True)
        if self._is_cancelled():
            tried = Tried(Handled(None, _CANCELLED, False, True))
        else:
            tried = attempt(self.execution, step, due.attempt, self._ports, self._stopping)
        reach("execution.handler-returned")
        handled = tried.handled
        if handled.cancelled or handled.error:
            self._not_done(due, tried)
            return
        record = self._over(due, tried, "done")
        if record.body["status"] != "done":
            self._write(record)
            self._finish("failed", f"step {step.id} failed: {record.body['error']}")
            return
        last = step.id == self.execution.process.steps[-1].id
        self._write(record, durable=not last)
        if last:
            self._finish("succeeded", "")

    def _not_done(self, due: RunStep, tried: Tried) -> None:
        """Takes down an attempt that did not succeed, and what follows."""
        handled = tried.handled
        if handled.cancelled:
            self._write(self._over(due, tried, "failed"))
            self._finish("cancelled", _CANCELLED)
        elif handled.retryable and due.retries > 0:
            self._write(self._again(due, tried), durable=True)
        else:
            self._write(self._over(due, tried, "failed"))
            self._finish("failed", f"step {due.step.id} failed: {handled.error}")

    def _over(self, due: RunStep, tried: Tried, status: str) -> Record:
        """That a step is over. One whose output or inputs no record takes has failed, and the record says so: the
        handler did run, and must not run again because of it."""
        handled, context = tried.handled, tried.context
        body: dict[str, Any] = {
            "step": due.step.id, "status": status, "output": handled.output, "error": handled.error,
            "attempt": due.attempt, "repeated": due.repeated, "inputs": tried.inputs, "context": context,
            "model": tried.model, "lines": tried.lines, "seconds": round(handled.seconds, 6),
            "declared_by": due.step.declared_by, "command": tried.command,
        }  # fmt: skip
        # A receipt refers to what is in the log, and the state in it was made of what has been recorded.
        receipt = {} if tried.receipt is None else {"receipt": dict(tried.receipt)}
        try:
            return self._record("step", body, receipt)
        except InputError as error:
            said = f"{handled.error}; " if handled.error else ""
            told = f"{said}what it was given and gave back cannot be recorded: {error.what}"
            return self._record(
                "step", {**body, "status": "failed", "error": told, "inputs": {}, "output": None, "command": None}
            )

    def _again(self, due: RunStep, tried: Tried) -> Record:
        retries = due.step.retries
        delay = min(_LONGEST_WAIT, retries.delay * retries.backoff ** (due.attempt - 1))
        body = {
            "step": due.step.id, "attempt": due.attempt, "error": tried.handled.error,
            "seconds": round(tried.handled.seconds, 6), "due": self._ports.clock() + int(delay * 1e6),
            "delay": delay,
        }  # fmt: skip
        return self._record("attempt", body)

    def _finish(self, status: str, reason: str) -> None:
        self._write(self._record("finished", {"status": status, "reason": reason}), durable=True)

    def _record(self, kind: str, body: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> Record:
        """The next record, without secrets, as it will be read back: what a worker knows of an execution is what
        anybody else does. `more` has no secrets."""
        told = {**self._ports.redact(dict(body)), **(more or {})}
        made = Record(self.execution.seq, kind, self._ports.clock(), told)
        return Record.of(made.seq, made.checked_text())

    def _write(self, record: Record | None = None, *, durable: bool = False) -> None:
        """Takes a record down; `durable` writes it with all that wait in one transaction. The state in memory is only
        moved on where that worked, so that what was refused did not happen."""
        state = self.execution if record is None else after(self.execution, record)
        waiting = self._waiting if record is None else [*self._waiting, record]
        if self._lost:
            remedy = "nothing is lost: it goes on there"
            raise Conflict(f"execution {self._head.id} was taken over by another worker", where="lease", remedy=remedy)
        if durable and waiting:
            try:
                self._wanted = self._journal.append(self._head, self._token, waiting, state.status)
                self._asked = time.monotonic()
            except ContextPlaneError:
                # What waits was never durable: whoever goes on decides it again.
                self._waiting = []
                raise
            waiting = []
        self.execution, self._waiting = state, waiting
        if record is not None:
            self._told(state, record)

    def _stopping(self) -> bool:
        """Whether what runs is to stop: because somebody cancelled the run, or because another worker has it."""
        return self._lost or self._is_cancelled()

    def _is_cancelled(self) -> bool:
        return self._now_wanted() == "cancelled"

    def _asks_otherwise(self) -> bool:
        """Whether somebody wants something else than that the run goes on."""
        return self._now_wanted() != ""

    def _now_wanted(self) -> str:
        """What somebody wants, as it was a moment ago. A state that does not answer is no reason to end what runs: it
        is asked again."""
        now = time.monotonic()
        if now - self._asked >= _POLL:
            self._asked = now
            try:
                self._wanted = self._journal.wanted(self._head.tenant, self._head.id)
            except ContextPlaneError as error:
                _log.warning("%s cannot be asked whether it is to be cancelled: %s", self._head.id, error)
        return self._wanted

    def _unwant(self) -> None:
        """What was wanted has been done."""
        if self._wanted or self._head.wanted:
            self._journal.want(self._head.tenant, self._head.id, "")
            self._wanted = ""

    def _wait_until(self, due: int, delay: float) -> bool:
        """Waits for the time of a repetition, at most as long as its delay: a clock that was set back must not hold it
        for ever. Whether the run is still to go on."""
        left = min((due - self._ports.clock()) / 1e6, delay)
        end = time.monotonic() + left
        while (left := end - time.monotonic()) > 0:
            if self._asks_otherwise() or self._lost:
                return False
            time.sleep(min(_POLL, left))
        return True
