"""Dry runs: everything but the handlers (seed 001, section 4.6).

Nothing is recorded, and nothing has an effect but what gates do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from context_plane.processes.engine.records import Record
from context_plane.processes.engine.state import Execution, GateResult, fold
from context_plane.processes.engine.stepping import evaluate, preview
from context_plane.processes.references import references, texts

if TYPE_CHECKING:
    from context_plane.processes.engine.ports import Ports
    from context_plane.processes.linked import LinkedGate, LinkedStep


@dataclass(frozen=True)
class DryStep:
    """A step as it would be run."""

    step: LinkedStep
    gates: tuple[GateResult, ...]
    inputs: Any
    """Filled in as far as they do not come from steps before."""
    waits_for: tuple[str, ...]
    """The steps whose outputs its inputs need."""
    context: Mapping[str, Any] | None
    """With its ``text``."""
    error: str


@dataclass(frozen=True)
class DryRun:
    """A run without its handlers."""

    execution: Execution
    gates: tuple[GateResult, ...]
    steps: tuple[DryStep, ...]

    @property
    def open(self) -> bool:
        """Whether the gates before the first step and before steps that wait for no output are open, and no context
        fails."""
        before = all(each.passed for each in self.gates)
        return before and all(
            not step.error and (step is not self.steps[0] or all(gate.passed for gate in step.gates))
            for step in self.steps
        )

    def to_json(self) -> dict[str, Any]:
        """As ``cortex process dry-run --json`` prints it."""
        return {
            "process": self.execution.process.name, "version": self.execution.process.version,
            "digest": self.execution.process.digest, "entity": self.execution.entity, "open": self.open,
            "gates": [_gate(each) for each in self.gates],
            "steps": [
                {
                    "id": each.step.id, "action": each.step.action, "gates": [_gate(gate) for gate in each.gates],
                    "inputs": each.inputs, "waits_for": list(each.waits_for), "context": each.context,
                    "error": each.error,
                }
                for each in self.steps
            ],
        }  # fmt: skip


def dry_run(id: str, accepted: Record, ports: Ports) -> DryRun:
    """The run that an acceptance would begin."""
    execution = fold(id, [accepted])
    process = execution.process
    gates = tuple(_evaluated(execution, gate, index, None, ports) for index, gate in enumerate(process.gates))
    return DryRun(execution, gates, tuple(_dry(execution, step, ports) for step in process.steps))


def _dry(execution: Execution, step: LinkedStep, ports: Ports) -> DryStep:
    gates = tuple(_evaluated(execution, gate, index, step.id, ports) for index, gate in enumerate(step.gates))
    shown = preview(execution, step, ports)
    waits = {path[1] for _, text in texts(dict(step.inputs)) for path in _paths(text) if path[0] == "steps"}
    in_order = tuple(each.id for each in execution.process.steps if each.id in waits)
    return DryStep(step, gates, shown.inputs, in_order, shown.context, shown.handled.error)


def _paths(text: str) -> list[tuple[str, ...]]:
    return [each.path for each in references(text)] if "${" in text else []


def _evaluated(execution: Execution, gate: LinkedGate, index: int, step: str | None, ports: Ports) -> GateResult:
    verdict, inputs, seconds = evaluate(execution, gate, step, ports)
    return GateResult(
        gate.name, step, index, verdict.passed, verdict.reason, inputs, dict(verdict.seen), round(seconds, 6),
        execution.created, 0,
    )  # fmt: skip


def _gate(each: GateResult) -> dict[str, Any]:
    return {"gate": each.gate, "passed": each.passed, "reason": each.reason, "inputs": each.inputs, "seen": each.seen}
