"""Stepping: evaluating one gate and trying one step, as values in and values out.

Here belongs calling handlers with what they need. What is recorded of it, and when, is `session`'s business.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from context_plane.errors import ContextPlaneError, InputError, NotFound
from context_plane.processes.engine.handling import Handled, call
from context_plane.processes.language.types import fits
from context_plane.processes.linked import Command, LinkedGate, LinkedStep
from context_plane.processes.references import fill, fill_known, fill_text
from context_plane.processes.registry.handler import Action, GateCall, Step, Verdict
from context_plane.processes.registry.printed import clean
from context_plane.processes.registry.prompts import filled
from context_plane.processes.registry.secrets import shortened

if TYPE_CHECKING:
    from context_plane.processes.engine.ports import Ports
    from context_plane.processes.engine.state import Execution

OWN_COMMAND = "run"
"""The action of a step that holds its command itself."""
GATE_SECONDS = 60.0
"""How long a gate may take."""


@dataclass
class Tried:
    """An attempt of a step, and what is told of it."""

    handled: Handled
    inputs: Any = None
    context: Mapping[str, Any] | None = None
    receipt: Mapping[str, Any] | None = None
    """The receipt's event, for the log."""
    model: Mapping[str, Any] | None = None
    lines: list[str] = field(default_factory=list)
    command: list[str] | None = None


def scope_of(execution: Execution) -> dict[str, Any]:
    """What references of an execution refer to."""
    return {
        "inputs": dict(execution.inputs), "event": dict(execution.event or {}),
        "steps": {id: {"output": output} for id, output in execution.outputs.items()},
        "execution": {"id": execution.id, "entity": execution.entity, "tenant": execution.tenant},
    }  # fmt: skip


def workspace_of(execution: Execution, ports: Ports) -> Path:
    """The folder that an execution works in; made if it is missing: what the process says, by default one for each
    tenant and process. Raises `InputError` for the root of them all, and for one that is not below it, be it by a
    link."""
    written, process = execution.process.workspace, execution.process.name
    name = f"{execution.tenant}/{process}" if written is None else fill_text(written, scope_of(execution))
    root = ports.workspaces.resolve()
    folder = Path(os.path.normpath(ports.workspaces / name))
    if "\0" not in name and name.strip():
        found = folder.resolve()
        if found != root and found.is_relative_to(root):
            folder.mkdir(parents=True, exist_ok=True)
            return folder
    remedy = f"name a folder below {ports.workspaces}"
    raise InputError(f"workspace {name!r:.100} is none of the plane's", where=process, remedy=remedy)


def evaluate(
    execution: Execution, gate: LinkedGate, step: str | None, ports: Ports, wanted: Callable[[], bool] = lambda: False
) -> tuple[Verdict, Any, float]:
    """The verdict of a gate, its inputs and the seconds it took. A gate that raises, hangs, is stopped because of
    `wanted` or is not registered is closed, with the reason."""
    begun = time.monotonic()
    inputs: Any = None
    try:
        scope = scope_of(execution)
        inputs = fill(gate.inputs, scope)
        own = scope | {"inputs": inputs}  # as the references of a declared command mean them
        gating = GateCall(**_common(execution, inputs, ports), step=step, run=_filled(gate.run, own))
        handler = _gate_handler(gate, ports)
        handled = call(lambda: _judged(handler(gating)), GATE_SECONDS, threading.Event(), wanted, 1 << 20)
        verdict = Verdict(False, f"the gate failed: {handled.error}") if handled.error else Verdict(**handled.output)
    except ContextPlaneError as error:
        verdict = Verdict(False, clean(f"the gate cannot be evaluated: {error}"))
    return verdict, inputs, time.monotonic() - begun


def _judged(said: Verdict | bool) -> dict[str, Any]:
    """A verdict as JSON, so that what a gate saw is checked like an output."""
    if isinstance(said, Verdict):
        return {"passed": bool(said.passed), "reason": str(said.reason), "seen": dict(said.seen)}
    if isinstance(said, bool):
        return {"passed": said, "reason": "", "seen": {}}
    raise InputError(f"the gate returned {type(said).__name__}", remedy="return a Verdict, True or False")


def attempt(execution: Execution, step: LinkedStep, number: int, ports: Ports, wanted: Callable[[], bool]) -> Tried:
    """One attempt of a step: its inputs, its context, its handler."""
    tried = Tried(Handled(None))
    try:
        shown = _prepared(execution, step, ports, tried)
        actions = {} if step.run is not None or step.prompt is not None else ports.registry().actions
        check_inputs(step, tried.inputs, actions)
        handler = _handler(step, actions)
        stop = threading.Event()
        given = replace(_step_call(execution, step, number, ports, tried, shown), context=shown, cancelled=stop)
        given = replace(given, ask=_asking(given, step, ports, tried))
        tried.handled = call(lambda: handler(given), step.timeout, stop, wanted, ports.settings.output_kb << 10)
        if tried.handled.place:
            given.log(f"raised at {tried.handled.place}")
    except ContextPlaneError as error:
        tried.handled = Handled(None, clean(str(error)), bool(getattr(error, "retryable", False)))
    return tried


def check_inputs(step: LinkedStep, inputs: Mapping[str, Any], actions: Mapping[str, Action]) -> None:
    """Raises `InputError` for inputs that the step's action does not take, or of another type: references and those who
    resume a run can give anything."""
    action = actions.get(step.action)
    if action is None or action.inputs is None or step.run is not None:
        return
    for name, value in inputs.items():
        declared, where = action.inputs.get(name), f"step {step.id}: inputs.{name}"
        if declared is None:
            close = get_close_matches(name, action.inputs, 1)
            remedy = f"did you mean {close[0]}?" if close else f"it takes: {', '.join(action.inputs) or 'none'}"
            raise InputError(f"{step.action} takes no input {name!r:.60}", where=where, remedy=remedy)
        if not fits(value, declared.type) and not (value is None and not declared.required):
            what = f"{step.action} takes {declared.type} here, not {json.dumps(value, default=str)[:60]}"
            raise InputError(what, where=where, remedy=declared.description or f"give a {declared.type}")


def preview(execution: Execution, step: LinkedStep, ports: Ports) -> Tried:
    """What an attempt would be given: inputs and context, without calling the handler. Inputs that come from steps
    that are not done stay as they are written."""
    tried = Tried(Handled(None))
    try:
        shown = _prepared(execution, step, ports, tried, fill_known)
        if shown is not None and tried.context is not None:
            tried.context = {**tried.context, "text": shown.text}
    except ContextPlaneError as error:
        tried.handled = Handled(None, clean(str(error)), False)
    return tried


def _prepared(
    execution: Execution, step: LinkedStep, ports: Ports, tried: Tried, filling: Callable[[Any, Any], Any] = fill
) -> Any:
    """Fills in inputs and compiles the context, telling `tried` of both; an edit of the step comes first."""
    edit = execution.edit
    tried.inputs = {**filling(step.inputs, scope_of(execution)), **edit.get("inputs", {})}
    if "context" in edit:
        tried.context = {"receipt": None, "tokens": None, "budget": None, "edited": True, "text": edit["context"]}
        return Edited(edit["context"])
    if step.context is None:
        return None
    shown = ports.context(execution, step, _shown_state(execution, step))
    sections = {each["name"]: len(each["items"]) for each in shown.manifest.sections}
    tried.context = {
        "receipt": shown.receipt, "tokens": shown.tokens, "budget": step.context.budget, "sections": sections,
        "edited": False,
    }  # fmt: skip
    tried.receipt = shown.manifest.event()
    return shown


@dataclass(frozen=True)
class Edited:
    """A context that somebody wrote at a breakpoint instead of the compiled one."""

    text: str


def _shown_state(execution: Execution, step: LinkedStep) -> dict[str, Any]:
    """What the step's context may show of the execution: its inputs, and outputs of the steps before."""
    assert step.context is not None
    if "state" not in step.context.sections and not step.context.steps:
        return {}
    outputs = execution.outputs
    wanted = step.context.steps or tuple(outputs)
    steps = {id: outputs[id] for id in wanted if id in outputs}
    return {"steps": steps} if step.context.steps else {"inputs": dict(execution.inputs), "steps": steps}


def _common(execution: Execution, inputs: Any, ports: Ports) -> dict[str, Any]:
    """What handlers are called with. Values are theirs: what they do to them is not done to the execution."""
    return {
        "tenant": execution.tenant, "execution": execution.id, "process": execution.process.name,
        "entity": execution.entity, "inputs": _own(inputs), "event": _own(execution.event),
        "arguments": _own(execution.inputs), "outputs": _own(execution.outputs),
        "workspace": workspace_of(execution, ports), "plane": ports.plane, "settings": ports.settings,
    }  # fmt: skip


def _own(value: Any) -> Any:
    """A copy of a JSON value, all the way down."""
    if isinstance(value, Mapping):
        return {key: _own(each) for key, each in value.items()}
    return [_own(each) for each in value] if isinstance(value, (list, tuple)) else value


def _step_call(
    execution: Execution, step: LinkedStep, number: int, ports: Ports, tried: Tried, shown: Any = None
) -> Step:
    # A step's own command refers to what the run and the step are given, that of a declared action to what it is given.
    given = {**execution.inputs, **tried.inputs} if step.action == OWN_COMMAND else tried.inputs
    scope = scope_of(execution) | {"inputs": given}
    command = _filled(step.run, scope)
    tried.command = None if command is None else list(command.arguments)
    return Step(
        **_common(execution, tried.inputs, ports), id=step.id, key=f"{execution.id}/{step.id}", attempt=number,
        timeout=step.timeout, run=command,
        prompt=None if step.prompt is None else filled(step.prompt, scope, "" if shown is None else shown.text),
        log=_logging(tried),
    )  # fmt: skip


def _logging(tried: Tried) -> Callable[[str], None]:
    def log(line: str) -> None:
        if len(tried.lines) < 1_000:
            tried.lines.append(clean(shortened(str(line), 2_000)))

    return log


def _filled(command: Command | None, scope: Mapping[str, Any]) -> Command | None:
    return None if command is None else Command(tuple(fill_text(a, scope) for a in command.arguments), command.check)


def _handler(step: LinkedStep, actions: Mapping[str, Action]) -> Callable[[Step], Any]:
    if step.run is not None:
        from context_plane.processes.registry.commands import run

        return run
    if step.prompt is not None:
        from context_plane.processes.registry.prompts import ask

        return ask
    found = actions.get(step.action)
    if found is None:
        remedy = "install or restore what registers it, then resume the run"
        raise NotFound(f"action {step.action!r} is not registered any more", where=f"step {step.id}", remedy=remedy)
    return found.handler


def _gate_handler(gate: LinkedGate, ports: Ports) -> Callable[[GateCall], Verdict | bool]:
    if gate.run is not None:
        from context_plane.processes.registry.commands import passes

        return passes
    found = ports.registry().gates.get(gate.name)
    if found is None:
        remedy = "install or restore what registers it, then resume the run"
        raise NotFound(f"gate {gate.name!r} is not registered any more", where="gates", remedy=remedy)
    return found.handler


def _asking(given: Step, step: LinkedStep, ports: Ports, tried: Tried) -> Callable[..., Any] | None:
    """What the handler asks a model by; each answer is told of."""
    gateway = None if step.model is None else ports.gateway()
    if gateway is None or step.model is None:
        return None
    needs = step.model

    def ask(prompt: str, **how: Any) -> Any:
        shown = "" if given.context is None else given.context.text
        reply = gateway.ask(needs, prompt, shown, system=step.description, key=given.key, **how)
        told = {
            "name": reply.model, "why": reply.why, "input_tokens": reply.input_tokens,
            "output_tokens": reply.output_tokens, "cost": reply.cost, "seconds": reply.seconds,
        }  # fmt: skip
        tried.model = told if tried.model is None else _both(tried.model, told)
        return reply

    return ask


def _both(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Two answers of one step as one: counts add up, the last model is named."""
    summed = {
        name: (first[name] or 0) + (second[name] or 0) for name in ("input_tokens", "output_tokens", "cost", "seconds")
    }
    return {**second, **summed}
