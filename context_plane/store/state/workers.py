"""Workers: who runs executions, and whether he still lives.

A worker holds a lock on a file of his own beside the database. The system frees it when his process ends, however it
ends, so that whoever shares the machine sees at once that he is gone; no clock is asked. Where there is no such file (a
server's database, another machine) only the lease's time says so.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
import uuid
from pathlib import Path
from typing import Final

from context_plane.store.state import forks

_ID: Final = re.compile(r"[0-9a-f]{32}")


class Worker:
    """This process as a worker. Its file is made by `enter` and goes with `leave`, or with the process. Safe for
    threads; a child that was forked is another worker."""

    def __init__(self, folder: Path | None) -> None:
        """`folder` is where workers of this database have their files; `None` where they have none."""
        self.id = uuid.uuid4().hex
        self._folder = folder
        self._file: int | None = None
        self._lock = threading.Lock()
        forks.let_go(self)

    def enter(self) -> bool:
        """Takes the lock; whether that had to be done."""
        with self._lock:
            if self._folder is None or self._file is not None:
                return False
            self._folder.mkdir(parents=True, exist_ok=True)
            # Locked before others can see it: a file without a lock is of a worker who is gone.
            making = self._folder / f"{self.id}.new"
            descriptor = os.open(making, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            making.rename(self._path(self.id))
            self._file = descriptor
            return True

    def leave(self) -> None:
        """Gives the lock back."""
        with self._lock:
            if self._file is not None:
                self._path(self.id).unlink(missing_ok=True)
                os.close(self._file)
            self._file = None
            self.id = uuid.uuid4().hex

    def forked(self) -> None:
        """A child closes its parent's file: the lock would last for as long as one of them lives."""
        if self._file is not None:
            os.close(self._file)
        self._file, self._lock = None, threading.Lock()
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
            # Shared: two who look at once must not take each other for the worker.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def bury(self, id: str) -> None:
        """Removes the file of a worker that does not live."""
        if self._folder is not None and id != self.id and _ID.fullmatch(id) and self.lives(id) is False:
            self._path(id).unlink(missing_ok=True)

    def gone(self) -> set[str]:
        """Workers whose files are there and who do not live."""
        files = [] if self._folder is None else self._folder.glob("*.lock")
        return {each.stem for each in files if self.lives(each.stem) is False}

    def _path(self, id: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{id}.lock"
