"""Decorators: how Python says that a function is an action or a gate.

Here belongs what a decoration means; where decorated functions are looked for is `registry`'s to say. What was
decorated is kept by module: a module that is loaded is asked for what it declares, whatever its functions are called.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import threading
from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from typing import Any, Final, TypeVar

from context_plane.errors import InputError
from context_plane.processes.linked import Declared, ModelNeeds
from context_plane.processes.registry.declaring import check, inputs_of
from context_plane.processes.registry.handler import Action, CancelledStep, Gate

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}(?:\.[a-z][a-z0-9_]{0,62})*", re.ASCII)
"""Names of actions and gates."""
_POLL: Final = 0.05
Inputs = Mapping[str, str | Declared]
Function = TypeVar("Function", bound=Callable[..., Any])
_declared: Final[dict[str, list[tuple[Callable[..., Any], Action | Gate]]]] = {}


def action(
    name: str,
    *,
    inputs: Inputs | None = None,
    keyed: bool = False,
    model: ModelNeeds | None = None,
    model_optional: bool = False,
    timeout: float | None = None,
    description: str = "",
) -> Callable[[Function], Function]:
    """Makes a function that takes a `Step` and returns JSON an action. It may be a coroutine function.

    `inputs` says what it takes, as name to ``text``, ``number``, ``integer``, ``boolean``, ``list``, ``mapping``,
    ``any`` or a `Declared`, and is checked when a process is compiled; without it anything is taken. `keyed` promises
    that a repetition with the same `Step.key` has no second effect. `model` says which model it asks. The description
    is by default the first paragraph of the docstring. Raises `InputError` for what cannot be meant.
    """

    def register(function: Function) -> Function:
        made = Action(
            _name(name, function), _awaited(function), _description(description, function),
            inputs_of(inputs, _place(function)), keyed, model, model_optional, timeout=timeout, origin=_place(function),
        )  # fmt: skip
        check(made, made.origin)
        return _registered(function, made)

    return register


def gate(name: str, *, inputs: Inputs | None = None, description: str = "") -> Callable[[Function], Function]:
    """Makes a function that takes a `GateCall` and returns a `Verdict` or a `bool` a gate. See `action`."""

    def register(function: Function) -> Function:
        made = Gate(
            _name(name, function), _awaited(function), _description(description, function),
            inputs_of(inputs, _place(function)), origin=_place(function),
        )  # fmt: skip
        return _registered(function, made)

    return register


def declared_in(module: str) -> list[Action | Gate]:
    """What a loaded module decorated, in the order in which it did."""
    return [made for _, made in _declared.get(module, ())]


def declared_by(function: object) -> list[Action | Gate]:
    """What a decorated function was made, once for each decoration."""
    module = getattr(function, "__module__", "")
    return [made for known, made in _declared.get(module, ()) if known is function]


def forget(module: str) -> None:
    """Forgets what a module decorated: it is to be loaded anew, or did not load."""
    _declared.pop(module, None)


def _registered(function: Function, made: Action | Gate) -> Function:
    _declared.setdefault(function.__module__, []).append((function, made))
    return function


def _name(name: object, function: Callable[..., Any]) -> str:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        remedy = "use a-z, 0-9 and _ in parts divided by dots, such as crm.add_note"
        raise InputError(f"{name!r:.80} is no name", where=_place(function), remedy=remedy)
    return name


def _description(given: str, function: Callable[..., Any]) -> str:
    paragraph = (inspect.getdoc(function) or "").strip().partition("\n\n")[0]
    return given or " ".join(paragraph.split())


def _place(function: Callable[..., Any]) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else getattr(function, "__module__", "")


def _awaited(function: Callable[..., Any]) -> Callable[[Any], Any]:
    """The function, run to its end where it is a coroutine function."""
    if not inspect.iscoroutinefunction(function):
        return function

    @wraps(function)
    def run(call: Any) -> Any:
        return asyncio.run(_until_cancelled(function(call), getattr(call, "cancelled", None)))

    return run


async def _until_cancelled(work: Coroutine[Any, Any, Any], cancelled: threading.Event | None) -> Any:
    """What a coroutine returns; it is cancelled where its step is."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait({task}, timeout=_POLL)
        if cancelled is not None and cancelled.is_set() and not task.done():
            task.cancel()
    if task.cancelled():
        raise CancelledStep
    return task.result()
