"""Actions for drafts and tests: one that does nothing, one that fails, and the command that a step holds itself."""

from __future__ import annotations

from typing import Any

from context_plane.processes.linked import Declared
from context_plane.processes.registry import commands
from context_plane.processes.registry.builtin.given import flag, text
from context_plane.processes.registry.decorators import action
from context_plane.processes.registry.handler import Step, StepFailure


@action("note", keyed=True)
def note(step: Step) -> dict[str, Any]:
    """Does nothing and gives back its inputs, for drafts and tests. Takes any inputs."""
    return dict(step.inputs)


@action(
    "fail",
    keyed=True,
    inputs={
        "reason": Declared("text", False, "the process says so", "why, as the failure says it"),
        "retryable": Declared("boolean", False, False, "whether the step is tried again if it has retries"),
    },
)
def fail(step: Step) -> None:
    """Fails, with a reason."""
    reason = text(step, "reason", "the process says so")
    raise StepFailure(reason, where=step.id, retryable=flag(step, "retryable", False))


@action("run")
def run(step: Step) -> dict[str, Any]:
    """Runs the command that the step says with `run`, and gives back {exit_code, passed, stdout, stderr}. A step with
    `run` is one of this action: it is never named."""
    return commands.run(step)
