"""Deciding: what an execution does next, by its state alone.

A pure function: the same state gives the same decision in every process, which is what makes a run that was cut off go
on as if it had not been.
"""

from __future__ import annotations

from dataclasses import dataclass

from context_plane.processes.engine.state import Execution
from context_plane.processes.linked import LinkedGate, LinkedStep


@dataclass(frozen=True)
class EvaluateGate:
    """A gate is next: before the first step (`step` is `None`), or before a step."""

    gate: LinkedGate
    index: int
    step: str | None


@dataclass(frozen=True)
class Pause:
    """A breakpoint is next: its gates have passed."""

    step: LinkedStep


@dataclass(frozen=True)
class RunStep:
    """A step is next."""

    step: LinkedStep
    attempt: int
    retries: int
    """How many repetitions are left if this attempt fails."""
    repeated: bool
    """Whether an attempt was cut off, so that its effects may have happened."""


@dataclass(frozen=True)
class Finish:
    """All steps are done."""


Decision = EvaluateGate | Pause | RunStep | Finish | None


def decide(execution: Execution, session: int) -> Decision:
    """What is next; `None` where nothing is, because the execution is over or waits for somebody.

    Gates before the first step hold once they passed. Those before a step hold for the worker's turn (`session`) in
    which they passed: whoever goes on after a crash asks them again, because the world may have changed.
    """
    if execution.over or execution.status == "paused":
        return None
    next_id = execution.next_step
    if not execution.steps and (gate := _open_gate(execution, None, execution.process.gates, session)):
        return gate
    if next_id is None:
        return Finish()
    step = execution.process.step(next_id)
    if gate := _open_gate(execution, step.id, step.gates, session):
        return gate
    if (step.breakpoint or step.id in execution.breakpoints) and execution.passed_breakpoint != step.id:
        return Pause(step)
    made = execution.attempts.get(step.id, 0)
    left = step.retries.max - (made - execution.spent.get(step.id, 0))
    return RunStep(step, made + 1, left, execution.cut_off == step.id or step.id in execution.interrupted)


def _open_gate(
    execution: Execution, step: str | None, gates: tuple[LinkedGate, ...], session: int
) -> EvaluateGate | None:
    """The first gate of a place that has not passed."""
    return next(
        (EvaluateGate(gate, i, step) for i, gate in enumerate(gates) if not gate_holds(execution, step, i, session)),
        None,
    )


def gate_holds(execution: Execution, step: str | None, index: int, session: int) -> bool:
    """Whether a gate passed, and still holds."""
    return any(
        each.passed and each.step == step and each.index == index and (step is None or each.session == session)
        for each in execution.gates
    )
