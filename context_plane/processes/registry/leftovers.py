"""Leftovers: what a killed worker's commands go on doing, ended before they are done again.

A command is a process of its own, and who is killed by force can end nothing. Commands know by their environment which
step they are of, so whoever repeats the step finds them on the same machine. Linux says what environment a process has;
elsewhere nothing is found.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

KEY: Final = "CORTEX_KEY"
"""The variable of a command's environment that holds its step's key."""
_GRACE: Final = 2.0
_PROCESSES: Final = Path("/proc")


def end_leftovers(key: str) -> int:
    """Ends the commands of a step that are still running, told first; how many groups there were."""
    groups = set(_groups(key))
    for number in (signal.SIGTERM, signal.SIGKILL):
        for group in groups:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
        end = time.monotonic() + _GRACE
        while groups and time.monotonic() < end and any(_groups(key)):
            time.sleep(0.02)
    return len(groups)


def _groups(key: str) -> Iterator[int]:
    """The groups of processes that have the key in their environment, without our own."""
    told, own = f"{KEY}={key}".encode(), os.getpgrp()
    for folder in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError, ValueError):
            if told in (folder / "environ").read_bytes().split(b"\0"):
                state, _, group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
                if int(group) != own and state != "Z":
                    yield int(group)
