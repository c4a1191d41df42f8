"""Merged indexes on the local disk: what a process merged from many shards, for the next one to map.

Merging a month of daily shards takes ten times as long as mapping the result. A file is named by what it was made of,
checked block by block when it is opened, and only ever a copy: one that is missing, damaged or cannot be written costs
the merging, nothing else. Of a tenant the newest few are kept, so that what was erased does not outlive its snapshot.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from pathlib import Path
from typing import Final
from uuid import uuid4

from context_plane.errors import Corrupt
from context_plane.retrieval.arrays import intact

_KEPT: Final = 4
"""Files a tenant: text and vectors of the newest snapshot and of the one before it."""


class Merged:
    """The merged indexes of one tenant in a cache folder. Processes may share the folder."""

    def __init__(self, cache: Path, tenant: str) -> None:
        self._folder = cache / "indexes" / tenant

    def open(self, name: str) -> memoryview | None:
        """The bytes kept under a name, memory-mapped; `None` where there are none, or they are damaged."""
        path = self._folder / name
        try:
            with path.open("rb") as file:
                view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError):  # an empty file cannot be mapped
            return None
        try:
            good = intact(view, str(path))
        except Corrupt:
            good = False
        with contextlib.suppress(OSError):
            if not good:
                path.unlink()
                return None
            os.utime(path)
        return view if good else None

    def keep(self, name: str, body: bytes) -> None:
        """Keeps bytes under a name, and of the others the newest ones. A full or read-only disk keeps nothing."""
        temporary = self._folder / f"{uuid4().hex}.tmp"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(body)
            os.replace(temporary, self._folder / name)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            return
        with contextlib.suppress(OSError):  # another process may sweep too
            files = sorted(self._folder.iterdir(), key=lambda each: each.stat().st_mtime, reverse=True)
            for path in files[_KEPT:]:
                path.unlink()
