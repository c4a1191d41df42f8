"""`Barrier`: one process's syncs of a file system, and who must be told where one of them failed.

A failed sync is reported once. Linux reports it to every descriptor that was open when it happened, so ours is opened
before the first write and kept: another process that syncs first cannot swallow our error. Within the process one
thread's sync would swallow another's, so failures are counted: a thread that put content before a failure is told at
its own next sync, even where that one succeeds.
"""

from __future__ import annotations

import errno
import os
import threading
import weakref
from typing import Final

from context_plane.store.disk import sync_filesystem

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY


class Barrier:
    """What one store's content writes pass before anything may name them. All methods raise `OSError`."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._thread = threading.local()
        self._descriptor: int | None = None
        self._close: weakref.finalize[[int], Barrier] | None = None
        self.failures = 0
        """Failed syncs of this process: from the first on, what the page cache holds proves nothing."""

    def enter(self) -> None:
        """To be called before a thread writes content. Makes the folder."""
        with self._lock:
            self._open()
            if not hasattr(self._thread, "since"):
                self._thread.since = self.failures

    def sync(self) -> None:
        """Makes durable what was written before; raises where this sync or one since this thread's `enter` failed."""
        with self._lock:
            if self._descriptor is None and not os.path.isdir(self._folder):
                return  # nothing was ever written
            since = getattr(self._thread, "since", self.failures)
            self._thread.__dict__.clear()
            descriptor = self._open()
            try:
                sync_filesystem(descriptor)
            except OSError:
                self.failures += 1
                raise
            if since != self.failures:
                raise OSError(errno.EIO, "an earlier sync failed", self._folder)

    def _open(self) -> int:
        """The kept descriptor; a new one where the folder was moved to another file system."""
        try:
            device = os.stat(self._folder).st_dev
        except FileNotFoundError:
            os.makedirs(self._folder, exist_ok=True)
            device = os.stat(self._folder).st_dev
        if self._descriptor is not None and os.fstat(self._descriptor).st_dev == device:
            return self._descriptor
        if self._close is not None:
            self._close()
        self._descriptor = os.open(self._folder, _FOLDER)
        self._close = weakref.finalize(self, os.close, self._descriptor)
        return self._descriptor
