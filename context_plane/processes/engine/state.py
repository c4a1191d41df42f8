"""State: what follows from the records of an execution.

A pure fold. What an execution is, is what its records say; whoever has them has everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from context_plane.canonical import canonical
from context_plane.errors import Corrupt
from context_plane.processes.engine.records import KINDS, Record
from context_plane.processes.linked import LinkedProcess

Status = Literal["accepted", "running", "paused", "halted", "failed", "cancelled", "succeeded"]
OVER: Final = ("halted", "failed", "cancelled", "succeeded")
"""Of an execution that nobody goes on with by himself; all but the last two may be resumed."""
RESUMABLE: Final = ("accepted", "running", "paused", "halted", "failed")


@dataclass(frozen=True)
class GateResult:
    """One evaluation of a gate."""

    gate: str
    step: str | None
    """The step it stands before; `None` before the first."""
    index: int
    """Which of the gates at its place."""
    passed: bool
    reason: str
    inputs: Any
    seen: Any
    seconds: float
    at: int
    session: int
    """The worker's turn in which it was evaluated."""


@dataclass(frozen=True)
class StepResult:
    """What became of a step."""

    id: str
    status: Literal["done", "failed"]
    output: Any
    error: str
    attempts: int
    repeated: bool
    """Whether an attempt before this one was cut off by a crash, so that its effects may have happened twice."""
    context: Mapping[str, Any] | None
    """``{receipt, tokens, budget, sections, edited}``."""
    model: Mapping[str, Any] | None
    """``{name, why, input_tokens, output_tokens, cost, seconds}``."""
    inputs: Any
    lines: tuple[str, ...]
    seconds: float
    at: int
    command: tuple[str, ...] = ()
    """What was run, where the step is a command."""
    failures: tuple[Mapping[str, Any], ...] = ()
    """Attempts before the last: error, and seconds."""


@dataclass(frozen=True)
class Execution:
    """An execution as its records tell it."""

    id: str
    """``tenant.hex``."""
    tenant: str
    process: LinkedProcess
    entity: str
    inputs: Mapping[str, Any]
    event: Mapping[str, Any] | None
    """The event that set it off, as CloudEvents JSON."""
    known_at: int
    """The log number that its contexts are read at."""
    breakpoints: tuple[str, ...] = ()
    """Steps before which it waits, beside those that the process declares."""
    status: Status = "accepted"
    reason: str = ""
    created: int = 0
    updated: int = 0
    gates: tuple[GateResult, ...] = ()
    steps: Mapping[str, StepResult] = field(default_factory=dict)
    """By id, in the order in which they were done."""
    attempts: Mapping[str, int] = field(default_factory=dict)
    """Attempts of the step that is not over: those that failed or were cut off."""
    spent: Mapping[str, int] = field(default_factory=dict)
    """Of these, attempts before somebody last let the execution go on: they take nothing from its retries."""
    failures: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    cut_off: str | None = None
    """The step that had begun and of which nothing more was recorded."""
    interrupted: frozenset[str] = frozenset()
    """Steps that are not done and of which an attempt was cut off, however the execution went on since."""
    paused_before: str | None = None
    pause: Mapping[str, Any] = field(default_factory=dict)
    """What a pause shows: context, inputs."""
    edit: Mapping[str, Any] = field(default_factory=dict)
    """What a resume changed for the step it goes on with."""
    passed_breakpoint: str | None = None
    """The step whose breakpoint was passed; it need not be passed again as long as the step is not done."""
    due: int = 0
    """When the step that failed is to be repeated, microseconds."""
    delay: float = 0.0
    """How many seconds after its failure that was: a clock that was set back must not make it longer."""
    seq: int = 0
    """The number of the next record."""

    @property
    def over(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.status in OVER

    @property
    def next_step(self) -> str | None:
        """The first step that is not done; `None` after the last."""
        done = self.steps
        return next((s.id for s in self.process.steps if s.id not in done or done[s.id].status != "done"), None)

    @property
    def outputs(self) -> dict[str, Any]:
        """Outputs of the steps that are done, by id."""
        return {id: each.output for id, each in self.steps.items() if each.status == "done"}

    def outcome(self) -> bytes:
        """What the execution came to, without times, workers, attempts and receipts, as canonical JSON: the same for
        an execution that was cut off and resumed as for one that was not."""
        gates = {f"{each.step or ''}/{each.index}": [each.gate, each.passed] for each in self.gates}
        steps = [[each.id, each.status, each.output, each.error] for each in self.steps.values()]
        return canonical(
            {
                "id": self.id, "process": self.process.digest, "entity": self.entity, "inputs": self.inputs,
                "status": self.status, "reason": self.reason, "gates": gates, "steps": steps,
            }
        )  # fmt: skip


def fold(id: str, records: Iterable[Record]) -> Execution:
    """The execution that records tell. Raises `Corrupt` for records that cannot follow each other."""
    found: Execution | None = None
    for record in records:
        found = _first(id, record) if found is None else after(found, record)
    if found is None:
        raise Corrupt("an execution has no records", where=id, remedy="restore the state or the log")
    return found


def after(execution: Execution, record: Record) -> Execution:
    """The execution after one record more."""
    if record.seq != execution.seq or record.kind not in KINDS or record.kind == "accepted":
        what = f"record {record.seq} ({record.kind}) cannot follow record {execution.seq - 1}"
        raise Corrupt(what, where=execution.id, remedy="restore the state or the log")
    now = replace(execution, seq=record.seq + 1, updated=max(execution.updated, record.at))
    if now.cut_off is not None and record.kind not in _OF_AN_ATTEMPT:
        now = replace(now, interrupted=now.interrupted | {now.cut_off})
    return _TAKE[record.kind](now, record.body, record.at)


def _first(id: str, record: Record) -> Execution:
    if record.kind != "accepted" or record.seq != 0:
        raise Corrupt(f"the first record is {record.kind}", where=id, remedy="restore the state or the log")
    body = record.body
    return Execution(
        id, id.partition(".")[0], LinkedProcess.from_json(body["process"]), body["entity"], body["inputs"],
        body["event"], body["known_at"], tuple(body["breakpoints"]), created=record.at, updated=record.at, seq=1,
    )  # fmt: skip


def _gate(now: Execution, body: Mapping[str, Any], at: int) -> Execution:
    found = GateResult(
        body["gate"], body["step"], body["index"], body["passed"], body["reason"], body["inputs"], body["seen"],
        body["seconds"], at, body["session"],
    )  # fmt: skip
    return replace(now, status="running", gates=(*now.gates, found))


def _began(now: Execution, body: Mapping[str, Any], _: int) -> Execution:
    id = body["step"]
    return replace(now, status="running", cut_off=id, attempts={**now.attempts, id: body["attempt"]})


def _attempt(now: Execution, body: Mapping[str, Any], _: int) -> Execution:
    id = body["step"]
    failure = {"error": body["error"], "seconds": body["seconds"], "attempt": body["attempt"]}
    return replace(
        now, status="running", cut_off=None, due=body["due"], delay=body["delay"],
        attempts={**now.attempts, id: body["attempt"]},
        failures={**now.failures, id: (*now.failures.get(id, ()), failure)},
    )  # fmt: skip


def _step(now: Execution, body: Mapping[str, Any], at: int) -> Execution:
    id = body["step"]
    result = StepResult(
        id, body["status"], body["output"], body["error"], body["attempt"], body["repeated"], body["context"],
        body["model"], body["inputs"], tuple(body["lines"]), body["seconds"], at, tuple(body.get("command") or ()),
        now.failures.get(id, ()),
    )  # fmt: skip
    others = {name: each for name, each in now.steps.items() if name != id}
    now = replace(now, status="running", steps={**others, id: result}, cut_off=None, due=0, paused_before=None)
    if result.status == "failed":  # what somebody gave it, and what it was, is its own until it is done
        return replace(now, attempts={**now.attempts, id: body["attempt"]})
    return replace(now, edit={}, passed_breakpoint=None, interrupted=now.interrupted - {id})


def _paused(now: Execution, body: Mapping[str, Any], _: int) -> Execution:
    return replace(now, status="paused", paused_before=body["step"], pause=body)


def _resumed(now: Execution, body: Mapping[str, Any], _: int) -> Execution:
    done = {name: each for name, each in now.steps.items() if each.status == "done"}
    failures = dict(now.failures)
    for each in now.steps.values():
        if each.status == "failed":
            last = {"error": each.error, "seconds": each.seconds, "attempt": each.attempts}
            failures[each.id] = (*failures.get(each.id, ()), last)
    return replace(
        now, status="running", reason="", steps=done, failures=failures, spent=dict(now.attempts),
        edit={**now.edit, **body["edit"]}, paused_before=None, pause={},
        passed_breakpoint=now.paused_before or now.passed_breakpoint, due=0,
    )  # fmt: skip


def _finished(now: Execution, body: Mapping[str, Any], _: int) -> Execution:
    return replace(now, status=body["status"], reason=body["reason"], paused_before=None)


_OF_AN_ATTEMPT: Final = ("attempt", "step")
"""Records that say how an attempt ended; any other after its beginning says that it was cut off."""
_TAKE: Final = {
    "gate": _gate, "began": _began, "attempt": _attempt, "step": _step, "paused": _paused, "resumed": _resumed,
    "finished": _finished,
}  # fmt: skip
