"""Sealing: moving records from the operational state into the log, where they are events for good.

Here belong the events: the record itself, as an entity of the execution's own, silent; and of what a person would tell,
a sentence on the timeline of the entity that the run is about. Whoever has the state open seals what is not sealed,
also what a killed worker left; the events are the same whoever does it, and the log takes each once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import ContextPlaneError, InputError
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
_SAID: Final = 600
_log: Final = logging.getLogger("context_plane.executions")


def entity_of(id: str) -> str:
    """The entity that an execution's records belong to."""
    return f"execution/{id.partition('.')[2]}"


def events(head: Head, fresh: Sequence[Record], records: Callable[[], Sequence[Record]]) -> Iterator[dict[str, Any]]:
    """The events of records that are not in the log yet; `records` gives all there are."""
    for record in fresh:
        body = dict(record.body)
        receipt = body.pop("receipt", None)
        if receipt is not None:
            yield dict(receipt)
        data = {"kind": record.kind, "at": record.at, "body": body}
        yield _event(head, f"{record.seq}", RECORD, entity_of(head.id), record, data)
        yield from _told(head, record, records)


def _told(head: Head, record: Record, records: Callable[[], Sequence[Record]]) -> Iterator[dict[str, Any]]:
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
        yield from ended(head, record, records())


def _event(head: Head, id: str, type: str, subject: str, record: Record, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": f"{head.id.partition('.')[2]}/{id}", "source": SOURCE, "type": type,
        "subject": subject, "time": format_instant(record.at), "data": data,
    }  # fmt: skip


def seal(journal: Journal, ports: Ports) -> int:
    """Seals what is not sealed; returns how many records. A tenant whose log does not answer keeps none of the others
    from being sealed; what it raised is raised at the end. Nothing is lost."""
    count = 0
    failed: dict[str, ContextPlaneError] = {}
    while found := journal.unsealed(_BATCH, besides=failed):
        by_tenant: dict[str, list[tuple[Head, list[Record]]]] = {}
        for head, records in found:
            by_tenant.setdefault(head.tenant, []).append((head, records))
        for tenant, mine in by_tenant.items():
            try:
                _seal(journal, ports, tenant, mine)
                count += sum(len(records) for _, records in mine)
            except ContextPlaneError as error:
                failed[tenant] = error
        reach("execution.sealed")
    for first in failed.values():
        raise first
    return count


def _seal(journal: Journal, ports: Ports, tenant: str, found: Sequence[tuple[Head, list[Record]]]) -> None:
    """Seals records of one tenant, in one commit; where the log refuses one of them, each by itself."""
    try:
        told = [e for head, fresh in found for e in events(head, fresh, _all(journal, head))]
        ports.append(tenant, told)
    except (InputError, LookupError, TypeError, ValueError) as error:
        _log.warning("executions of tenant %s are sealed one record after the other: %s", tenant, error)
        for head, fresh in found:
            for record in fresh:
                _seal_alone(journal, ports, head, record)
        return
    reach("execution.log-written")
    for head, records in found:
        journal.seal(tenant, head.id, records[-1].seq)


def _seal_alone(journal: Journal, ports: Ports, head: Head, record: Record) -> None:
    """Seals one record. One that the log has already, in the words of another release, is as good; one that it refuses
    is put aside, so that the others come into it."""
    refused = ""
    try:
        for event in events(head, [record], _all(journal, head)):
            try:
                ports.append(head.tenant, [event])
            except InputError as error:
                what = f"{event['type']} of record {record.seq} of {head.id}"
                if event["type"] != RECORD:
                    _log.warning("%s is not in the log: %s", what, error)
                elif all(each.seq != record.seq for each in ports.sealed(head.tenant, head.id)):
                    refused = str(error)
    except (LookupError, TypeError, ValueError) as error:  # what a person would be told cannot be told
        _log.warning("record %d of %s is sealed without what it tells: %r", record.seq, head.id, error)
    if refused:
        _log.error("record %d of %s cannot be sealed, and stays in the state alone: %s", record.seq, head.id, refused)
        journal.put_aside(head.tenant, head.id, record.seq)
    else:
        journal.seal(head.tenant, head.id, record.seq)


def _all(journal: Journal, head: Head) -> Callable[[], Sequence[Record]]:
    return lambda: journal.records(head.tenant, head.id)
