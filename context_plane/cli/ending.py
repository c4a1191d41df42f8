"""Ending: what others do to a command while it runs, and what its handlers do to its output.

Here belong SIGTERM, by which services and containers end a program, and `print` in code that a user wrote.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO


class Terminated(BaseException):
    """Somebody sent SIGTERM: raised where the command is, so that it gives back what it holds and ends what it runs."""


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Within it SIGTERM raises `Terminated`, as SIGINT raises `KeyboardInterrupt`."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(*_: object) -> None:
    raise Terminated


@contextmanager
def handlers_print_to_stderr() -> Iterator[None]:
    """Within it what other threads print goes to stderr: stdout is the command's answer, which scripts read."""
    with redirect_stdout(_Ours(sys.stdout)):
        yield


class _Ours:
    """The stdout of the main thread; for others it is stderr."""

    def __init__(self, real: TextIO) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        ours = threading.current_thread() is threading.main_thread()
        return getattr(self._real if ours else sys.stderr, name)
