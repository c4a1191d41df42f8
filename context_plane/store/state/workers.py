"""Workers: who runs executions, and whether he still lives.

A worker holds a lock on a file of his own beside the database. The system frees it when his process ends, however it
ends, so that whoever shares the machine sees at once that he is gone; no clock is asked. Where there is no such file (a
server's database, another machine) only the lease's time says so.
"""

from __future__ import annotations

import fcntl
import os
import re
import uuid
from pathlib import Path
from typing import Final

_ID: Final = re.compile(r"[0-9a-f]{32}")


class Worker:
    """This process as a worker. Its file is made by `enter` and goes with `leave`, or with the process."""

    def __init__(self, folder: Path | None) -> None:
        """`folder` is where workers of this database have their files; `None` where they have none."""
        self.id = uuid.uuid4().hex
        self._folder = folder
        self._file: int | None = None
        self._owner = 0

    def enter(self) -> None:
        """Takes the lock. A child that was forked is another worker and takes one of its own."""
        if self._folder is None or self._owner == os.getpid():
            return
        if self._owner:
            self.id, self._file = uuid.uuid4().hex, None
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path(self.id), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._file, self._owner = descriptor, os.getpid()

    def leave(self) -> None:
        """Gives the lock back."""
        if self._file is not None and self._owner == os.getpid():
            self._path(self.id).unlink(missing_ok=True)
            os.close(self._file)
        self._file, self._owner = None, 0
        self.id = uuid.uuid4().hex

    def lives(self, id: str) -> bool | None:
        """Whether another worker lives; `None` where that cannot be seen from here."""
        if id == self.id:
            return True
        if self._folder is None or not _ID.fullmatch(id):
            return None
        try:
            descriptor = os.open(self._path(id), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError:
            return True  # it is there and another user's
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def bury(self, id: str) -> None:
        """Removes the file of a worker that does not live."""
        if self._folder is not None and id != self.id and _ID.fullmatch(id) and self.lives(id) is False:
            self._path(id).unlink(missing_ok=True)

    def _path(self, id: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{id}.lock"
