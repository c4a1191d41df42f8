"""Telling: records of executions as structured log entries (seed 001, section 4.4).

Every entry is of the logger ``context_plane.executions`` and carries the execution's id as `execution`, beside tenant,
process and what the record says, as attributes of the `logging.LogRecord`. TRACE is below DEBUG, as the seed names it.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from context_plane.processes.engine.records import Record
    from context_plane.processes.engine.state import Execution

TRACE: Final = 5
LOGGER: Final = "context_plane.executions"
logging.addLevelName(TRACE, "TRACE")
_log: Final = logging.getLogger(LOGGER)


def record(execution: Execution, told: Record) -> None:
    """Tells of one record, and in detail of it at TRACE."""
    level, text = _entry(told)
    extra = {
        "execution": execution.id, "tenant": execution.tenant, "process_name": execution.process.name,
        "process_version": execution.process.version, "record": told.kind, "seq": told.seq,
    }  # fmt: skip
    if _log.isEnabledFor(level):
        _log.log(level, "%s: %s", execution.id, text, extra=extra)
    if _log.isEnabledFor(TRACE):
        _log.log(TRACE, "%s: %s %s", execution.id, told.kind, told.text(), extra=extra)


def _entry(told: Record) -> tuple[int, str]:
    body = told.body
    match told.kind:
        case "accepted":
            return logging.INFO, f"accepted, for {body['entity']}"
        case "gate":
            where = f" before {body['step']}" if body["step"] else ""
            verdict = "open" if body["passed"] else f"closed: {body['reason']}"
            return logging.INFO if body["passed"] else logging.ERROR, f"gate {body['gate']}{where} is {verdict}"
        case "began":
            return logging.DEBUG, f"step {body['step']}, attempt {body['attempt']}"
        case "attempt":
            return logging.WARNING, f"step {body['step']} failed, again in {body['delay']:g} s: {body['error']}"
        case "step" if body["status"] == "done":
            return (logging.WARNING if body["repeated"] else logging.INFO), f"step {body['step']} done{_again(body)}"
        case "step":
            return logging.ERROR, f"step {body['step']} failed: {body['error']}"
        case "finished":
            bad = body["status"] != "succeeded"
            return (logging.ERROR if bad else logging.INFO), f"{body['status']} {body['reason']}".rstrip()
        case _:
            return logging.INFO, f"{told.kind} {body.get('step', '')}".rstrip()


def _again(body: Any) -> str:
    return ", after an attempt that was cut off: its effects may have happened twice" if body["repeated"] else ""


class JSONLines(logging.Formatter):
    """One JSON object a line, with the correlation id: for `cortex --log json` and collectors."""

    def format(self, record: logging.LogRecord) -> str:
        """The entry as JSON."""
        names = ("execution", "tenant", "process_name", "process_version", "record", "seq")
        known: dict[str, Any] = {name: getattr(record, name) for name in names if hasattr(record, name)}
        told = {
            "time": record.created,
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        return json.dumps({**told, **known}, ensure_ascii=False)
