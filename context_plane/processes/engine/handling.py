"""Handling: one call of a handler, with a limit of time, in a thread of its own.

Here belongs what keeps a handler from taking the engine with it: it may raise anything, hang, or return what is no
JSON. A thread cannot be killed; one that overruns is told so, an exception is raised inside it, and if it does not end
even then the step fails without a repetition, because two at once could do more harm than none.
"""

from __future__ import annotations

import ctypes
import json
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from context_plane.errors import ContextPlaneError, Denied, InputError
from context_plane.processes.engine.records import written
from context_plane.processes.registry.handler import CancelledStep
from context_plane.processes.registry.printed import clean
from context_plane.processes.registry.secrets import shortened

POLITE: Final = 2.5
"""Seconds that a handler has to end by itself: a command is terminated and, after two seconds, killed."""
GRACE: Final = 3.0
"""Seconds that it has to end after that."""
_POLL: Final = 0.1
_LIBRARIES: Final = (*{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}, "<")
"""Where code lies that is nobody's own."""
_MOST_SAID: Final = 20_000
"""Characters of an exception's text."""


@dataclass(frozen=True)
class Handled:
    """How a call ended."""

    output: Any
    error: str = ""
    """Empty where it returned."""
    retryable: bool = True
    cancelled: bool = False
    seconds: float = 0.0
    place: str = ""
    """Where in the handler's code it raised what it did not mean to."""


def call(
    handler: Callable[[], Any], timeout: float | None, stop: threading.Event, wanted: Callable[[], bool], most: int
) -> Handled:
    """Calls a handler. `stop` is set when its time is over or `wanted` says that the run is to be cancelled; `most` is
    the number of bytes that its output may have as JSON."""
    begun = time.monotonic()
    box = _Box()
    thread = threading.Thread(target=box.fill, args=(handler,), name="step", daemon=True)
    thread.start()
    try:
        why = _wait(box.done, begun, timeout, wanted)
    except BaseException:  # whoever is interrupted here leaves no handler behind that works on
        _ended(thread, box, stop)
        raise
    if why and not _ended(thread, box, stop):
        told = f"{why}, and the handler did not end within {GRACE:g} s of being told; it may still be running"
        return Handled(None, told, False, why == _CANCELLED, time.monotonic() - begun)
    seconds = time.monotonic() - begun
    late = bool(why) and why != _CANCELLED and box.returned
    if why and not late:  # what came a moment too late is what was asked for
        # What there is to see of it, such as what a command had printed.
        seen = clean(getattr(box.error, "output", None))
        return Handled(seen, why, why != _CANCELLED, why == _CANCELLED, seconds)
    if box.error is not None:
        seen = clean(getattr(box.error, "output", None))
        return Handled(seen, *_told(box.error), False, seconds, _place(box.error))
    return _checked(box.output, most, seconds)


_CANCELLED: Final = "the run was cancelled"


def _wait(done: threading.Event, begun: float, timeout: float | None, wanted: Callable[[], bool]) -> str:
    """Waits for the end, the time or the wish to cancel, whichever is first; why it did not wait longer."""
    while True:
        left = None if timeout is None else begun + timeout - time.monotonic()
        if left is not None and left <= 0:
            return f"the time of {timeout:g} s is over"
        if done.wait(_POLL if left is None else min(_POLL, left)):
            return ""
        if wanted():
            return _CANCELLED


class _Box:
    """What a thread leaves behind."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.output: Any = None
        self.error: BaseException | None = None
        self.returned = False

    def fill(self, handler: Callable[[], Any]) -> None:
        try:
            self.output = handler()
            self.returned = True
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises is its step's failure
            self.error = error
        finally:
            self.done.set()


def _ended(thread: threading.Thread, box: _Box, stop: threading.Event) -> bool:
    """Tells a handler to end, first by `stop`, which it may look at, then by raising `CancelledStep` at its next Python
    instruction; whether it did."""
    stop.set()
    if not box.done.wait(POLITE) and thread.ident is not None:
        raised = ctypes.py_object(CancelledStep)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), raised)
    return box.done.wait(GRACE)


def _told(error: BaseException) -> tuple[str, bool]:
    """What an error says, and whether a repetition may help."""
    if isinstance(error, CancelledStep):
        return "the handler was stopped", True
    if isinstance(error, ContextPlaneError):
        return clean(shortened(str(error), _MOST_SAID)), bool(
            getattr(error, "retryable", not isinstance(error, (Denied, InputError)))
        )
    text = clean(_said(error)).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__, True


def _place(error: BaseException) -> str:
    """The line of the handler's own file that an error comes from, for those that nobody raised on purpose."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename != __file__]
    if isinstance(error, (ContextPlaneError, CancelledStep)) or not frames:
        return ""
    own = [each for each in frames if not each.filename.startswith(_LIBRARIES)]
    found = (own or frames)[-1]
    return f"{PurePath(found.filename).name}:{found.lineno} in {found.name}"


def _said(error: BaseException) -> str:
    try:
        return shortened(str(error), _MOST_SAID)
    except Exception:  # noqa: BLE001 - an exception whose text fails is still the handler's failure
        return ""


def _checked(output: Any, most: int, seconds: float) -> Handled:
    """The output as JSON that the log takes, or the failure that it is none."""
    try:
        text = written(output)
    except (InputError, RecursionError) as error:
        what = error.what if isinstance(error, InputError) else "it is nested too deep"
        told = f"the output is no JSON: {what}: return objects, lists, text, numbers, booleans or null"
        return Handled(None, told, False, False, seconds)
    if len(text) > most:
        told = (
            f"the output has {len(text):,} bytes of JSON, {most:,} are allowed: write it to a file and return its path"
        )
        return Handled(None, told, False, False, seconds)
    # The log takes no NUL; whatever a handler keeps hold of afterwards is not what was recorded.
    return Handled(clean(json.loads(text)) if b"\\u0000" in text else json.loads(text), seconds=seconds)
