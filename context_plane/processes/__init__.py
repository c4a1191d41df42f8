"""Processes: workflows as data (seed 001, sections 2 to 4). YAML is compiled into linked processes, which are run step
by step, each step with exactly the context that it declares.

`language` reads files, `compiler` turns them into `linked` processes, `registry` holds the actions and gates that steps
name, `models` chooses which model a step asks, `triggers` says what starts a run, `engine` runs and resumes.

What whoever writes an action or a gate needs can be imported from here (docs/actions.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from context_plane.processes.linked import Declared, ModelNeeds
    from context_plane.processes.registry.decorators import action, gate
    from context_plane.processes.registry.handler import CancelledStep, GateCall, Step, StepFailure, Verdict

__all__ = ["CancelledStep", "Declared", "GateCall", "ModelNeeds", "Step", "StepFailure", "Verdict", "action", "gate"]

_HOMES = {
    "Declared": "linked",
    "ModelNeeds": "linked",
    "action": "registry.decorators",
    "gate": "registry.decorators",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'registry.handler')}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
