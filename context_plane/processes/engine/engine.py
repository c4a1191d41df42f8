"""The engine: accepts executions, opens sessions on them, and says how they stand.

Here belong identity, acceptance, and what may be asked of an execution from outside. The loop is `session`'s.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import Conflict, ContextPlaneError, Infeasible, InputError, NotFound
from context_plane.processes.engine import telling
from context_plane.processes.engine.identity import call_cause, cause_of, event_cause, execution_id, key_cause, split
from context_plane.processes.engine.inputs import checked
from context_plane.processes.engine.journal import Head, Journal
from context_plane.processes.engine.ports import Ports
from context_plane.processes.engine.records import Record
from context_plane.processes.engine.sealer import Sealer
from context_plane.processes.engine.session import Session
from context_plane.processes.engine.state import RESUMABLE, Execution, fold
from context_plane.processes.engine.stepping import check_inputs
from context_plane.processes.references import fill_text
from context_plane.store.state.database import Database
from context_plane.store.state.failures import shown
from context_plane.store.state.leases import Leases
from context_plane.store.state.workers import Worker

if TYPE_CHECKING:
    from context_plane.processes.engine.dry import DryRun
    from context_plane.processes.linked import LinkedProcess

GOING: Final = ("accepted", "running")
_CANCELLABLE: Final = (*GOING, "paused", "halted", "failed")
_log: Final = logging.getLogger(telling.LOGGER)
_BEATS: Final = 3
"""How often a lease is renewed while it lasts."""


@dataclass(frozen=True)
class Wish:
    """What an execution is to be: who runs what, for whom, because of what."""

    tenant: str
    process: LinkedProcess
    inputs: Mapping[str, Any]
    entity: str | None = None
    event: Mapping[str, Any] | None = None
    """The event that sets it off, as CloudEvents JSON."""
    breakpoints: tuple[str, ...] = ()
    """Steps before which the run waits, beside those that the process declares."""
    key: str | None = None
    """The same key makes the same execution; without one and without an event each call makes a new one."""


class Engine:
    """The engine of one operational state. Safe for threads; a session is not."""

    def __init__(self, ports: Ports, database: Database) -> None:
        self._ports = ports
        self.journal = Journal(database)
        file = database.file
        self._worker = Worker(None if file is None else file.parent / "workers")
        self._leases = Leases(database, self._worker, ports.settings.lease_seconds)
        self._sealer = Sealer(self.journal, ports)
        self._database = database
        self._open: dict[str, Session] = {}
        self._kept: list[Session] = []
        """Ended, but their leases could not be given back yet."""
        self._beat: threading.Thread | None = None
        self._closed = threading.Event()
        self._guard = threading.Lock()

    def accept(self, wish: Wish) -> tuple[Head, bool]:
        """The execution of a wish, and whether it is new: created only if absent, durable when this returns.

        Raises `InputError` for inputs that do not fit, `Infeasible` for what cannot be run here."""
        process = wish.process
        _check_runnable(process)
        self._check_models(process)
        cause = _cause(wish)
        if wish.event is not None or wish.key is not None:
            found = self._recall(wish.tenant, cause_of(wish.tenant, process.name, cause))
            if found is not None:
                self._check_same(wish, found)
                return found, False
        id = execution_id(wish.tenant, process.name, process.version, cause)
        record, entity = self._accepted(wish, id)
        at = record.at
        head = Head(wish.tenant, id, process.name, process.version, process.digest, entity, "accepted", at, at)
        head, new = self.journal.create(head, [record])
        if new:
            telling.record(fold(id, [record]), record)
            self._sealer.tell()
        return head, new

    def _check_same(self, wish: Wish, found: Head) -> None:
        """Raises `Conflict` where a key comes again with other inputs: who gives it means something else."""
        if wish.key is None or not wish.inputs:
            return
        first = self.execution(found.id)
        given = self._ports.redact(dict(wish.inputs))
        other = sorted(name for name in given if name not in first.inputs or first.inputs[name] != given[name])
        if other:
            what = f"key {wish.key!r:.60} is that of {found.id}, which has another {other[0]}"
            raise Conflict(what, where="key", remedy="give another key, or the same inputs")

    def known(self, tenant: str, process: str, event: Mapping[str, Any]) -> bool:
        """Whether an event has set off a process, in whatever version."""
        return self._recall(tenant, cause_of(tenant, process, event_cause(event["source"], event["id"]))) is not None

    def dry_run(self, wish: Wish) -> DryRun:
        """What a run would do, without its handlers; nothing is recorded. Raises what `accept` does, but for missing
        models."""
        from context_plane.processes.engine.dry import dry_run

        _check_runnable(wish.process)
        id = execution_id(wish.tenant, wish.process.name, wish.process.version, "dry")
        record, _ = self._accepted(wish, id)
        return dry_run(id, record, self._ports)

    def open(self, id: str) -> Session:
        """A session on an execution: this worker's turn. Raises `NotFound`, `Conflict` where another worker has it."""
        tenant, _ = split(id)
        self.head(id)
        token = self._leases.take(tenant, id)
        try:
            head = self.head(id)
            execution = fold(id, self._whole(tenant, id))
        except BaseException:
            self._leases.give_back(tenant, id, token)
            raise
        session = Session(execution, head, token, self._ports, self.journal, self._leases, self._told)
        with self._guard:
            self._open[id] = session
            self._start_beat()
        return session

    def _start_beat(self) -> None:
        """Under the guard: lets leases be renewed, and given back that could not be."""
        if self._beat is None:
            self._closed.clear()
            self._beat = threading.Thread(target=self._renew, name="leases", daemon=True)
            self._beat.start()

    def held(self, id: str) -> Session | None:
        """The session that this engine holds on an execution."""
        with self._guard:
            return self._open.get(id)

    def finish(self, session: Session) -> None:
        """Ends a session."""
        with self._guard:
            self._open.pop(session.id, None)
        try:
            session.close()
        finally:
            if not session.given_back:
                with self._guard:
                    self._kept.append(session)
                    self._start_beat()
        self._cancel_if_wanted(session)

    def run(self, id: str) -> Execution:
        """Runs an execution until it is over or waits for somebody."""
        session = self.open(id)
        try:
            return session.run()
        finally:
            self.finish(session)

    def resume(self, id: str, *, context: str | None = None, inputs: Mapping[str, Any] | None = None) -> Head:
        """Lets an execution that is paused, halted or failed go on, with its next step's context or inputs replaced
        where given. Raises `Conflict` for one that cannot."""
        session = self.open(id)
        try:
            status = session.execution.status
            if status not in RESUMABLE:
                raise Conflict(f"execution {id} is {status}", where="resume", remedy="run the process again")
            edit = ({} if context is None else {"context": context}) | (
                {} if inputs is None else {"inputs": dict(inputs)}
            )
            next_step = session.execution.next_step
            if inputs and next_step is not None:
                check_inputs(session.execution.process.step(next_step), inputs, self._ports.registry().actions)
            if status in ("accepted", "running") and not edit:
                return self.head(id)
            session.resume(edit)
        finally:
            self.finish(session)
        return self.head(id)

    def cancel(self, id: str) -> Head:
        """Asks for the end of an execution; one that nobody runs ends at once."""
        return self._want(id, "cancelled")

    def pause(self, id: str) -> Head:
        """Asks that an execution waits before its next step."""
        return self._want(id, "paused")

    def head(self, id: str) -> Head:
        """Where an execution stands. Raises `NotFound`, `InputError`."""
        tenant, _ = split(id)
        found = self._recall(tenant, id)
        if found is None:
            remedy = f"cortex process list --runs {tenant} shows those that there are"
            raise NotFound(f"there is no execution {id}", where=f"tenant {tenant}", remedy=remedy)
        return found

    def heads(
        self, tenant: str | None, statuses: Collection[str] | None, process: str | None, limit: int | None
    ) -> list[Head]:
        """Where executions stand, the newest first; of a tenant also those that only the log has."""
        if tenant is not None:
            known = {head.id for head in self.journal.heads(tenant)}
            for id in self._ports.sealed_ids(tenant):
                if id not in known:
                    self._recall(tenant, id)
        return self.journal.heads(tenant, statuses, process, limit)

    def execution(self, id: str) -> Execution:
        """An execution with all that is known of it, as it stands now. Raises `NotFound` for one that was erased."""
        tenant, _ = split(id)
        self.head(id)
        records = self.records(id)
        if not records:
            raise _erased(tenant, id)
        return fold(id, records)

    def records(self, id: str) -> list[Record]:
        """Its records."""
        tenant, _ = split(id)
        return self.journal.records(tenant, id) or self._ports.sealed(tenant, id)

    def orphans(self, tenant: str | None = None) -> Iterator[Head]:
        """Executions that are to go on and that nobody runs, the oldest first."""
        for head in reversed(self.journal.heads(tenant, GOING)):
            if self._leases.orphaned(head.tenant, head.id):
                yield head

    @property
    def shown_state(self) -> str:
        """Where the state is, for people."""
        return shown(self._database.url)

    def seal(self) -> int:
        """Puts into the log what is not there yet, also what other workers left."""
        return self._sealer.now() if self._database.exists() else 0

    def close(self) -> None:
        """Gives back what is open, and seals."""
        with self._guard:
            sessions, self._open = list(self._open.values()), {}
            beat, self._beat = self._beat, None
        self._closed.set()
        if beat is not None:
            beat.join()
        for each in [*(session.close for session in sessions), self._sealer.close]:
            try:
                each()
            except ContextPlaneError as error:
                # What is not sealed stays in the state, durable, for whoever has it open next.
                _log.warning("records of executions wait to be sealed: %s", error)
        self._worker.leave()
        self._database.close()

    def _accepted(self, wish: Wish, id: str) -> tuple[Record, str]:
        """The first record of an execution, and its entity."""
        process = wish.process
        ids = [step.id for step in process.steps]
        for unknown in sorted(set(wish.breakpoints) - set(ids)):
            remedy = f"its steps are: {', '.join(ids)}"
            raise InputError(f"there is no step {unknown!r:.60}", where="breakpoints", remedy=remedy)
        scope = {"event": wish.event or {}, "execution": {"id": id, "tenant": wish.tenant}}
        inputs = checked(process.inputs, wish.inputs, f"process {process.name}", scope)
        entity = _entity(wish, inputs, id)
        body = {
            "process": process.to_json(), "entity": entity, "inputs": self._ports.redact(inputs),
            "event": self._ports.redact(wish.event), "known_at": self._ports.number(wish.tenant),
            "digest": process.digest, "breakpoints": list(wish.breakpoints),
        }  # fmt: skip
        record = Record(0, "accepted", self._ports.clock(), body)
        try:
            record.checked_text()
        except InputError as error:
            what = f"the inputs, the event and the process cannot be recorded: {error.what}"
            raise InputError(what, where=process.label, remedy=error.remedy) from error
        return record, entity

    def _told(self, execution: Execution, record: Record) -> None:
        telling.record(execution, record)
        self._sealer.tell()

    def _recall(self, tenant: str, start: str) -> Head | None:
        """An execution of an id, or of a cause by how the ids of its executions begin: where only the log has it, its
        head is brought back into the state. `None` for one that is nowhere, or was erased."""
        found = self.journal.like(tenant, start)
        if found is not None:
            return found
        id = self._ports.sealed_like(tenant, start)
        records = [] if id is None else self._ports.sealed(tenant, id)
        if id is None or not records:
            return None
        told = fold(id, records)
        process = told.process
        head = Head(
            tenant, id, process.name, process.version, process.digest, told.entity, told.status, told.created,
            told.updated,
        )  # fmt: skip
        # A worker of the state that was lost may be there still, and gates that passed hold for his turn: his token
        # must not be given again. Gates say which it was; a turn without one has left a record, if it did anything.
        return self.journal.restore(head, max([len(records), *(gate.session for gate in told.gates)]))

    def _whole(self, tenant: str, id: str) -> list[Record]:
        """All records of an execution that this worker has, in the state, so that more can follow them."""
        records = self.journal.records(tenant, id)
        if not records:
            records = self._ports.sealed(tenant, id)
            if not records:
                raise _erased(tenant, id)
            self.journal.bring_back(tenant, id, records)
        return records

    def _want(self, id: str, what: str) -> Head:
        head = self.head(id)
        if what == "paused" and head.status == "paused":
            return head
        if head.status not in (_CANCELLABLE if what == "cancelled" else GOING):
            raise Conflict(f"execution {id} is {head.status}", where=what, remedy="there is nothing left to do")
        self.journal.want(head.tenant, id, what)
        if what == "cancelled" and self._leases.orphaned(head.tenant, id):
            self._cancel(id)
        return self.head(id)

    def _cancel(self, id: str) -> None:
        session = self.open(id)
        try:
            if session.execution.status in _CANCELLABLE:
                session.cancel()
        finally:
            self.finish(session)

    def _cancel_if_wanted(self, session: Session) -> None:
        """A wish that came when the execution had stopped already and its lease was not given back yet: whoever wished
        it saw it held, and left it to whoever held it."""
        if session.execution.status not in ("paused", "halted", "failed"):
            return
        with contextlib.suppress(ContextPlaneError):  # another worker was faster, or the state does not answer
            head = self.journal.head(session.execution.tenant, session.id)
            if head is not None and head.wanted == "cancelled":
                self._cancel(session.id)

    def _check_models(self, process: LinkedProcess) -> None:
        """A run that would ask a model is refused where there is none."""
        actions = self._ports.registry().actions
        asking = [step for step in process.steps if step.model is not None]
        asking = [step for step in asking if not (step.action in actions and actions[step.action].model_optional)]
        if asking and self._ports.gateway() is None:
            what = f"step {asking[0].id} asks a model, and none is configured"
            remedy = "write models.yaml into the home (docs/models.md), or give the step another action"
            raise Infeasible(what, where=process.label, remedy=remedy)

    def _renew(self) -> None:
        pause = self._ports.settings.lease_seconds / _BEATS
        while not self._closed.wait(pause):
            with self._guard:
                kept, self._kept = self._kept, []
            still = [each for each in kept if not each.give_back()]
            with self._guard:
                self._kept += still
                sessions = list(self._open.values())
                if not sessions and not self._kept:
                    self._beat = None  # under the guard: whoever opens one now starts another
                    return
            for session in sessions:
                try:
                    mine = session.renew()
                except Exception as error:  # noqa: BLE001 - a lease that is not renewed must not keep others from being
                    _log.warning("the lease of %s was not renewed, and will be tried again: %s", session.id, error)
                    continue
                if not mine:
                    _log.warning("%s was taken over by another worker: what runs of it here is stopped", session.id)
                    with self._guard:
                        if self._open.get(session.id) is session:
                            del self._open[session.id]


def _check_runnable(process: LinkedProcess) -> None:
    if process.abstract:
        what = f"process {process.name} is abstract"
        raise InputError(what, where=process.label, remedy="run one that extends it")


def _cause(wish: Wish) -> str:
    """What identifies the cause of an execution, so that it is run once whatever the version."""
    if wish.key is not None:
        return key_cause(wish.key)
    if wish.event is not None:
        return event_cause(wish.event["source"], wish.event["id"])
    return call_cause()


def _erased(tenant: str, id: str) -> NotFound:
    return NotFound(f"what execution {id} did was erased", where=f"tenant {tenant}", remedy="run the process again")


def _entity(wish: Wish, inputs: Mapping[str, Any], id: str) -> str:
    """Whose events the records become."""
    process, event = wish.process, wish.event
    if wish.entity is not None:
        entity = wish.entity
    elif process.entity is not None:
        scope = {
            "inputs": inputs, "event": event or {}, "steps": {},
            "execution": {"id": id, "tenant": wish.tenant, "entity": ""},
        }  # fmt: skip
        entity = fill_text(process.entity, scope)
    else:
        entity = event["subject"] if event is not None else f"process/{process.name}"
    kind, slash, name = entity.partition("/")
    if not slash or not kind or not name or len(entity) > 1_024 or not entity.isprintable():
        remedy = "name one as type/id, such as repository/acme"
        raise InputError(f"{entity!r:.100} is no entity", where=f"process {process.name}: entity", remedy=remedy)
    return entity
