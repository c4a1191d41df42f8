"""Sealing: moving records from the operational state into the log, where they are events for good.

Here belong the events: the record itself, as an entity of the execution's own, silent; and of what a person would tell,
a sentence on the timeline of the entity that the run is about. Whoever has the state open seals what is not sealed,
also what a killed worker left; the events are the same whoever does it, and the log takes each once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import ContextPlaneError
from context_plane.instants import format_instant
from context_plane.log.events import EXECUTION
from context_plane.processes.engine.chaining import begun, ended, summary
from context_plane.processes.engine.journal import Head, Journal
from context_plane.processes.engine.records import Record
from context_plane.store.faults import reach

if TYPE_CHECKING:
    from context_plane.processes.engine.ports import Ports

SOURCE: Final = "cortex/executions"
RECORD: Final = EXECUTION
STARTED: Final = "cortex.execution.started"
STEP: Final = "cortex.execution.step"
FINISHED: Final = "cortex.execution.finished"
_BATCH: Final = 500
_EVERY: Final = 0.4
"""Seconds between a record and its sealing, if nobody asks for it before."""
_IDLE: Final = 10.0
_LONGEST: Final = 30.0
_SAID: Final = 600
_log: Final = logging.getLogger("context_plane.executions")


def entity_of(id: str) -> str:
    """The entity that an execution's records belong to."""
    return f"execution/{id.partition('.')[2]}"


def events(head: Head, fresh: Sequence[Record], records: Sequence[Record]) -> Iterator[dict[str, Any]]:
    """The events of records that are not in the log yet; `records` are all there are."""
    for record in fresh:
        body = dict(record.body)
        receipt = body.pop("receipt", None)
        if receipt is not None:
            yield dict(receipt)
        data = {"kind": record.kind, "at": record.at, "body": body}
        yield _event(head, f"{record.seq}", RECORD, entity_of(head.id), record, data)
        yield from _told(head, record, records)


def _told(head: Head, record: Record, records: Sequence[Record]) -> Iterator[dict[str, Any]]:
    """What a person would tell of a record, on the timeline of the entity."""
    body, id = record.body, f"{record.seq}/told"
    about = {"execution": head.id, "process": head.process, "version": head.version}
    if record.kind == "accepted":
        yield _event(head, id, STARTED, head.entity, record, about)
        yield from begun(head, record)
    elif record.kind == "step":
        what = "done" if body["status"] == "done" else f"failed: {body['error']}"
        said = summary(body["output"])
        text = f"process {head.process} {head.version}, step {body['step']} {what}" + (f": {said}" if said else "")
        data = {**about, "step": body["step"], "status": body["status"], "text": text[:_SAID]}
        yield _event(head, id, STEP, head.entity, record, data)
    elif record.kind == "finished":
        data = {**about, "status": body["status"], "reason": body["reason"]}
        yield _event(head, id, FINISHED, head.entity, record, data)
        yield from ended(head, record, records)


def _event(head: Head, id: str, type: str, subject: str, record: Record, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": f"{head.id.partition('.')[2]}/{id}", "source": SOURCE, "type": type,
        "subject": subject, "time": format_instant(record.at), "data": data,
    }  # fmt: skip


def seal(journal: Journal, ports: Ports) -> int:
    """Seals what is not sealed; returns how many records. Raises what the store raises, and loses nothing."""
    count = 0
    while found := journal.unsealed(_BATCH):
        by_tenant: dict[str, list[tuple[Head, list[Record]]]] = {}
        for head, records in found:
            by_tenant.setdefault(head.tenant, []).append((head, records))
        for tenant, mine in by_tenant.items():
            ports.append(
                tenant, [e for head, fresh in mine for e in events(head, fresh, journal.records(tenant, head.id))]
            )
            reach("execution.log-written")
            for head, records in mine:
                journal.seal(tenant, head.id, records[-1].seq)
                count += len(records)
        reach("execution.sealed")
        if sum(len(records) for _, records in found) < _BATCH:
            break
    return count


class Sealer:
    """Seals in the background, a while after the first record that is not sealed; its thread ends when none came for
    long."""

    def __init__(self, journal: Journal, ports: Ports) -> None:
        self._journal, self._ports = journal, ports
        self._turn = threading.Lock()
        """Held by who seals: two at once would do the same."""
        self._changed = threading.Condition()
        self._news = False
        self._closing = False
        self._thread: threading.Thread | None = None

    def tell(self) -> None:
        """There is something to seal."""
        with self._changed:
            self._news = True
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="seal", daemon=True)
                self._thread.start()

    def now(self) -> int:
        """Seals at once."""
        with self._turn:
            with self._changed:
                self._news = False
            try:
                return seal(self._journal, self._ports)
            except ContextPlaneError:
                with self._changed:
                    self._news = True
                raise

    def close(self) -> None:
        """Seals what is left, if anything was told of, and ends. May be used again afterwards."""
        with self._changed:
            thread, self._closing = self._thread, True
            self._changed.notify_all()
        if thread is not None:
            thread.join()
        with self._changed:
            news, self._closing = self._news, False
        if news:
            self.now()

    def _work(self) -> None:
        wait = _EVERY
        while self._due(wait):
            try:
                self.now()
                wait = _EVERY
            except ContextPlaneError as error:
                # Nothing is lost: the records stay where they are, durable, until the store takes them.
                wait = min(_LONGEST, wait * 2)
                _log.warning("records of executions wait to be sealed: %s", error)

    def _due(self, wait: float) -> bool:
        """Waits for news, and then so many seconds for more of them; `False` where the thread is to end."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._news or self._closing, _IDLE) or self._closing:
                self._thread = None
                return False
            if self._changed.wait_for(lambda: self._closing, wait):
                self._thread = None
                return False
            return True
