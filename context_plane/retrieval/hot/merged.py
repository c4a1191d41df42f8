"""Merged indexes in the disk tier: what a process merged from many shards, for the next one to map.

Merging a month of daily shards takes ten times as long as mapping the result. A file is named by what it was made of,
checked block by block when it is opened, and only ever a copy: one that is missing, damaged or cannot be written costs
the merging, nothing else. Of a tenant the few used last are kept: what was erased does not outlive its snapshot.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from context_plane.errors import Corrupt
from context_plane.parts.disk import Disk
from context_plane.parts.files import mapped
from context_plane.retrieval.shards.arrays import intact

_KEPT: Final = 6
"""Files a tenant: text and vectors of what was compacted, of the newest snapshot and of the one before it."""


class Merged:
    """The merged indexes of one tenant. Processes may share the disk tier."""

    def __init__(self, disk: Disk, tenant: str) -> None:
        self._disk = disk
        self._folder = f"indexes/{tenant}"

    def has(self, name: str) -> bool:
        """Whether there is a file of a name; it may yet turn out to be damaged."""
        return (self._disk.folder / self._folder / name).exists()

    def open(self, name: str) -> memoryview | None:
        """The bytes kept under a name, memory-mapped; `None` where there are none, or they are damaged."""
        path = self._disk.path(f"{self._folder}/{name}")
        if path is None:
            return None
        try:
            view = mapped(path)
            good = intact(view, str(path))
        except (OSError, ValueError, Corrupt):  # an empty file cannot be mapped
            good = False
        if not good:
            self._disk.forget(f"{self._folder}/{name}")
            return None
        return view

    def keep(self, name: str, body: bytes) -> memoryview | None:
        """Keeps bytes under a name, and of the others those used last. The bytes, memory-mapped; `None` where the disk
        is full, read-only, or too small for them."""
        path = self._disk.keep(f"{self._folder}/{name}", body)
        if path is None:
            return None
        try:
            view = mapped(path)
        except (OSError, ValueError):
            return None
        self._sweep(path)
        return view

    def _sweep(self, newest: Path) -> None:
        """Removes all but the few used last. The time of change says when that was; the time of modification says how
        much a file was used at all."""
        with contextlib.suppress(OSError):  # another process may sweep too
            files = [path for path in newest.parent.iterdir() if path != newest]
            files.sort(key=lambda each: each.stat().st_ctime, reverse=True)
            for path in files[_KEPT - 1 :]:
                path.unlink()
