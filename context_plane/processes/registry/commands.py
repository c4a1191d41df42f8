"""Commands: actions and gates that run one, and say by its exit code how it went."""

from __future__ import annotations

from typing import Any, Final

from context_plane.processes.linked import Command
from context_plane.processes.registry.handler import Call, GateCall, Step, StepFailure, Verdict
from context_plane.processes.registry.leftovers import end_leftovers
from context_plane.processes.registry.printed import keep_of
from context_plane.processes.registry.running import Ended, environment, execute
from context_plane.processes.registry.secrets import shortened

GATE_SECONDS: Final = 60.0
"""How long a gate's command may take."""
_LAST: Final = 300
"""Characters of the last line that errors quote."""


def run(step: Step) -> dict[str, Any]:
    """Runs the step's command in its workspace: ``{exit_code, passed, stdout, stderr}``.

    Raises `StepFailure` for one that cannot be run, takes longer than the step's timeout, or fails and is checked.
    """
    command = _command(step.run)
    env = environment(CORTEX_EXECUTION=step.execution, CORTEX_STEP=step.id, CORTEX_KEY=step.key)
    if step.attempt > 1 and (left := end_leftovers(step.key)):
        step.log(f"ended what {left} earlier attempt{'s' if left > 1 else ''} had left running")
    ended = execute(
        command.arguments, step.workspace, env, timeout=step.timeout, cancelled=step.cancelled, keep=_keep(step)
    )
    output = _output(ended)
    if command.check and not output["passed"]:
        what, remedy = _said(command, ended), "look at its output, or allow failure with check: false"
        raise StepFailure(what, where=step.id, remedy=remedy, output=output)
    return output


def passes(call: GateCall) -> Verdict:
    """Whether the gate's command ends with exit code 0; of one that does not, its last line is the reason."""
    command = _command(call.run)
    env = environment(CORTEX_EXECUTION=call.execution, CORTEX_STEP=call.step or "")
    ended = execute(command.arguments, call.workspace, env, timeout=GATE_SECONDS, keep=_keep(call))
    return Verdict(ended.code == 0, "" if ended.code == 0 else _said(command, ended), _output(ended))


def _command(command: Command | None) -> Command:
    if command is None or not command.arguments or not command.arguments[0]:
        raise StepFailure("there is no command", where="run", remedy="write run: [program, argument]", retryable=False)
    return command


def _keep(call: Call) -> int:
    return keep_of(call.settings.output_kb)


def _output(ended: Ended) -> dict[str, Any]:
    return {
        "exit_code": ended.code, "passed": ended.code == 0, "stdout": ended.out.text, "stderr": ended.err.text,
    }  # fmt: skip


def _said(command: Command, ended: Ended) -> str:
    """How it ended, and the last line that it printed: that is where programs say why."""
    lines = (ended.err.text.strip() or ended.out.text.strip()).splitlines()
    last = f": {shortened(lines[-1].strip(), _LAST)}" if lines else ""
    return f"{command.arguments[0]} {ended.how}{last}"
