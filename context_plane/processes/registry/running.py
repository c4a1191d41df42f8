"""Running: one command without a shell, in a group of its own, with what it prints bounded.

Here belongs that nothing of a command outlives it: not when its time is over, when its step is cancelled, or when it
ends and leaves something behind. What is run, and what its end means, is said by who calls.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from context_plane.processes.registry.handler import CancelledStep, StepFailure
from context_plane.processes.registry.printed import Printed

GRACE: Final = 2.0
"""Seconds between telling a group to end and ending it."""
_LAST_WORDS: Final = 0.5
"""Seconds in which what was printed is read when a group has ended."""
_POLL: Final = 0.05
_CHUNK: Final = 1 << 16
_PASSED_ON: Final = frozenset(
    "PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TMPDIR VIRTUAL_ENV GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL "
    "GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL".split()
)
"""What a command sees of the environment, and all that begins with ``LC_``: everything else may be a secret."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    """Its exit code; of one that a signal ended, minus the signal's number."""
    out: Printed
    err: Printed

    @property
    def how(self) -> str:
        """In words."""
        if self.code >= 0:
            return f"ended with exit code {self.code}"
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-self.code).name}"
        return f"was ended by signal {-self.code}"


def environment(**more: str) -> dict[str, str]:
    """What a command sees of the environment, and what it is told besides."""
    passed = {n: v for n, v in os.environ.items() if n in _PASSED_ON or n.startswith("LC_")}
    return passed | more


def execute(
    arguments: Sequence[str],
    workspace: Path,
    env: Mapping[str, str],
    *,
    timeout: float | None = None,
    cancelled: threading.Event | None = None,
    keep: int,
) -> Ended:
    """Runs a command to its end, keeping of what it prints the first and the last `keep` bytes of each stream.

    Raises `StepFailure` for one that cannot be run or takes too long, `CancelledStep` where its step is cancelled.
    """
    process = _started(arguments, workspace, env)
    out, err = Printed(keep), Printed(keep)
    readers = [_reader(process.stdout, out), _reader(process.stderr, err)]
    try:
        _wait(process, timeout, cancelled)
        over = process.returncode is None
    finally:
        # The engine may raise CancelledStep in this thread at any line: whatever happens, the group ends.
        _end(process)
        _finish(readers)
    if not over:
        return Ended(process.returncode, out, err)
    if cancelled is not None and cancelled.is_set():
        raise CancelledStep
    output = {"exit_code": None, "passed": False, "stdout": out.text, "stderr": err.text}
    what, remedy = f"{arguments[0]} took longer than {timeout:g} s", "raise the timeout, or let it do less"
    raise StepFailure(what, where=_shown(arguments), remedy=remedy, output=output)


def _started(arguments: Sequence[str], workspace: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [_executable(arguments[0], env), *arguments[1:]], cwd=workspace, env=dict(env), start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    except FileNotFoundError as error:
        if not workspace.is_dir():
            raise _impossible(f"the workspace {workspace} is not there", arguments, "make the folder") from error
        remedy = "install it, or correct the command's first argument; paths are relative to the workspace"
        raise _impossible(f"there is no command {arguments[0]!r:.200}", arguments, remedy) from error
    except PermissionError as error:
        what = f"{arguments[0]!r:.200} may not be run: {error.strerror}"
        raise _impossible(what, arguments, "make it executable (chmod +x)") from error
    except (OSError, ValueError) as error:  # a NUL or a lone surrogate in an argument is a ValueError
        what = f"{arguments[0]!r:.200} cannot be run: {getattr(error, 'strerror', None) or error}"
        raise _impossible(what, arguments, "correct the command: what is long goes into a file") from error


def _executable(name: str, env: Mapping[str, str]) -> str:
    """``python`` is this Python where the machine has none by that name."""
    return sys.executable if name == "python" and shutil.which(name, path=env.get("PATH")) is None else name


def _impossible(what: str, arguments: Sequence[str], remedy: str) -> StepFailure:
    return StepFailure(what, where=_shown(arguments), remedy=remedy, retryable=False)


def _shown(arguments: Sequence[str]) -> str:
    return " ".join(arguments)[:200].encode(errors="replace").decode()


def _reader(stream: IO[bytes] | None, printed: Printed) -> threading.Thread:
    assert stream is not None

    def read(stream: IO[bytes]) -> None:
        with stream:
            while part := os.read(stream.fileno(), _CHUNK):
                printed.add(part)

    thread = threading.Thread(target=read, args=(stream,), name="output", daemon=True)
    thread.start()
    return thread


def _finish(readers: Sequence[threading.Thread]) -> None:
    """Waits for what was printed. A process that left the group may hold a stream open for ever: not that long."""
    for reader in readers:
        reader.join(_LAST_WORDS)


def _wait(process: subprocess.Popen[bytes], timeout: float | None, cancelled: threading.Event | None) -> None:
    """Until the command's end, its time or its cancellation, whichever is first."""
    end = None if timeout is None else time.monotonic() + timeout
    while not (cancelled is not None and cancelled.is_set()):
        left = _POLL if end is None else min(_POLL, end - time.monotonic())
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(left, 0))
            return
        if left <= 0:
            return


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends all that is left of a command's group: told first, and ended if it does not listen."""
    try:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)
            end = time.monotonic() + GRACE
            while time.monotonic() < end:
                process.poll()
                os.killpg(process.pid, 0)
                time.sleep(0.01)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
