"""`process_run`: one job for every process. What it runs is said by an execution's id, not by code.

Its ops are made when a run begins, one for each gate and step of the execution, named after them, so that the UI shows
the run as it is and a process that was written a minute ago needs no reload. What is done the log knows, not Dagster:
an op whose gate or step is done does nothing, one whose predecessor is not done fails, and a run that is executed again
goes on where the execution stands.
"""

from collections.abc import Iterator
from typing import Any, Final

import dagster as dg

from context_assets import names
from context_assets.failures import explained
from context_plane.processes.engine.deciding import Decision, EvaluateGate, Pause, RunStep, decide
from context_plane.processes.engine.records import Record
from context_plane.processes.engine.session import Session
from context_plane.processes.engine.state import Execution, GateResult, StepResult, after
from context_plane.processes.linked import LinkedProcess
from resources.plane import PlaneResource

EXECUTION_TAG: Final = "context_plane/execution"
PROCESS_TAG: Final = "context_plane/process"
_MOST: Final = 4_000
_NO_TURN: Final = -1
"""A worker's turn that is none: no gate before a step passed in it."""


class ExecutionConfig(dg.Config):
    """What a run runs."""

    execution: str
    """Id of the execution: tenant, dot, 24 hexadecimal digits."""


def nodes(process: LinkedProcess) -> Iterator[tuple[str, str, str, int]]:
    """What a process consists of, in the order in which it is done: the name of the op, ``gate`` or ``step``, the step
    (empty for gates before the first), and which of the gates at its place."""
    for index, gate in enumerate(process.gates):
        yield _free("gate", gate.name, index), "gate", "", index
    for step in process.steps:
        for index, gate in enumerate(step.gates):
            yield _free("gate", f"{step.id}__{gate.name}", index), "gate", step.id, index
        yield step.id, "step", step.id, 0


def _free(kind: str, name: str, index: int) -> str:
    """A name that Dagster takes, and that no step has: two gates of one name at one place differ in their number."""
    return f"{kind}_{index}_{name.replace('.', '_')}"


def build_process_run() -> dg.JobDefinition:
    """The job."""

    @dg.op(
        out=dg.DynamicOut(dict),
        description="The execution's gates and steps, each of which becomes an op.",
    )
    def plan(context: dg.OpExecutionContext, config: ExecutionConfig, plane: PlaneResource) -> Iterator[Any]:
        with explained(context.retry_number):
            execution = plane.plane.execution(config.execution)
        context.log.info("%s for %s is %s", execution.process.label, execution.entity, execution.status)
        for name, kind, step, index in nodes(execution.process):
            node = {"execution": execution.id, "kind": kind, "step": step, "index": index}
            yield dg.DynamicOutput(node, mapping_key=name)

    @dg.op(description="One gate or step.")
    def run(context: dg.OpExecutionContext, plane: PlaneResource, node: dict[str, Any]) -> str:
        with explained(context.retry_number):
            return _Node(context, plane, node).run()

    @dg.op(description="What the execution came to.")
    def outcome(context: dg.OpExecutionContext, config: ExecutionConfig, plane: PlaneResource, done: list[str]) -> None:
        with explained(context.retry_number):
            session = _session(plane, config.execution)
            try:
                execution = session.run()
            finally:
                plane.plane.engine.finish(session)
            plane.plane.engine.seal()
        context.log.info("%s %s after %d gates and steps", execution.id, execution.status, len(done))
        context.add_output_metadata({"execution": execution.id, "status": execution.status})
        if execution.status != "succeeded":
            raise dg.Failure(execution.reason or f"the execution is {execution.status}", allow_retries=False)

    @dg.job(
        name=names.PROCESS_RUN,
        description="Runs one execution of a process: each gate and step is an op, named after it.",
        executor_def=dg.in_process_executor,
        # What had not begun when a run died is not in what Dagster repeats from a failure: all ops are, and those that
        # are done do nothing.
        tags={"dagster/retry_strategy": "ALL_STEPS"},
    )
    def process_run() -> None:
        outcome(plan().map(run).collect())

    return process_run


def run_config(execution: str) -> dict[str, Any]:
    """The config of a run of an execution."""
    config = {"config": {"execution": execution}}
    return {"ops": {"plan": config, "outcome": config}}


def _session(plane: PlaneResource, id: str) -> Session:
    """The session that this run holds on an execution, begun if it has none."""
    engine = plane.plane.engine
    return engine.held(id) or engine.open(id)


class _Node:
    """One op's turn."""

    def __init__(self, context: dg.OpExecutionContext, plane: PlaneResource, node: dict[str, Any]) -> None:
        self._context = context
        self._plane = plane
        self._node = node

    def run(self) -> str:
        """Does what the op is for, if it is next and not done."""
        session = _session(self._plane, self._node["execution"])
        kept = False
        try:
            told = self._done(session)
            session.flush()
            kept = True
            return told
        finally:
            if not kept:
                self._plane.plane.engine.finish(session)

    def _done(self, session: Session) -> str:
        if self._is_done(session):
            return "done before"
        decision = session.next()
        if decision is None and session.execution.status in ("halted", "failed") and self._begins(session.execution):
            self._context.log.info("the execution %s; it is resumed", session.execution.status)
            session.resume({})
            decision = session.next()
        while self._is_mine(decision):
            session.advance()
            self._tell(session.execution)
            if self._is_done(session):
                return "done"
            decision = session.next()
        raise self._refusal(session.execution)

    def _is_mine(self, decision: Decision) -> bool:
        step, index = self._node["step"] or None, self._node["index"]
        if isinstance(decision, EvaluateGate):
            return bool(self._node["kind"] == "gate") and (decision.step, decision.index) == (step, index)
        if self._node["kind"] != "step" or not isinstance(decision, (RunStep, Pause)):
            return False
        return bool(decision.step.id == step)

    def _is_done(self, session: Session) -> bool:
        execution, step = session.execution, self._node["step"] or None
        result = execution.steps.get(step or "")
        if self._node["kind"] == "step" or result is not None:
            return result is not None and result.status == "done"
        return session.passed(step, self._node["index"])

    def _begins(self, execution: Execution) -> bool:
        """Whether a stopped execution would begin here if it were resumed: the gate or step that stopped it, or the
        first gate before that step, since a new turn asks them all again."""
        resumed = after(execution, Record(execution.seq, "resumed", execution.updated, {"edit": {}}))
        return self._is_mine(decide(resumed, _NO_TURN))

    def _tell(self, execution: Execution) -> None:
        """Metadata for the UI: what `cortex trace` shows of the gate or step."""
        if self._node["kind"] == "gate" and execution.gates:
            self._context.add_output_metadata(_of_gate(execution.gates[-1]))
        elif (result := execution.steps.get(self._node["step"])) is not None:
            for line in result.lines:
                self._context.log.info(line)
            self._context.add_output_metadata(_of_step(result))

    def _refusal(self, execution: Execution) -> dg.Failure:
        """Why an op did not do what it is for; one that is not next says what stopped the run before it."""
        mine = execution.next_step == self._node["step"] or not self._node["step"]
        if execution.status == "paused":
            what = f"paused before step {execution.paused_before}: resume it (cortex process resume {execution.id})"
        elif mine and execution.reason:
            what = execution.reason
        else:
            what = f"not run: {execution.reason or f'the execution is {execution.status}'}"
        metadata = {"execution": dg.MetadataValue.text(execution.id)}
        return dg.Failure(what, metadata=metadata, allow_retries=False)


def _of_gate(gate: GateResult) -> dict[str, Any]:
    return {
        "gate": gate.gate, "passed": gate.passed, "reason": gate.reason or "-",
        "inputs": dg.MetadataValue.json(gate.inputs or {}), "saw": dg.MetadataValue.json(gate.seen or {}),
    }  # fmt: skip


def _of_step(step: StepResult) -> dict[str, Any]:
    shown: dict[str, Any] = {"step": step.id, "seconds": step.seconds, "attempts": step.attempts}
    if step.repeated:
        shown["repeated"] = "an attempt was cut off: its effects may have happened twice"
    if step.context is not None:
        shown["context"] = dg.MetadataValue.json(dict(step.context))
        shown["tokens"] = step.context["tokens"] or 0
    if step.model is not None:
        shown["model"] = dg.MetadataValue.json(dict(step.model))
    text = step.error or ""
    shown["error" if text else "output"] = text[:_MOST] if text else dg.MetadataValue.json(_short(step.output))
    return shown


def _short(output: Any) -> Any:
    """An output, or how large it is: metadata lie in the row of their event."""
    from context_plane.canonical import canonical

    size = len(canonical(output))
    return {"output": output} if size <= _MOST else {"bytes": size, "see": "cortex trace --json"}
