"""The disk tier: copies of objects and of what was made from them, bounded by bytes, shared by processes.

Here belongs what stays and what goes. Eviction is by frequency that fades with time: every access counts one, and
counts half as much with every day that passes. That order can be kept in one number that needs no updating as time goes
by (forward decay: Cormode et al., ICDE 2009) — the instant at which a single access would count as much as all so far
do — and that number is the file's modification time. So there is no index to keep, to lock or to repair.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

HALF_LIFE: Final = 86_400.0
"""Seconds in which an access comes to count half."""
_FARTHEST: Final = 64 * HALF_LIFE
"""No file counts more than 2^64 accesses: what lies beyond is a clock that was wrong."""
_LEAVE: Final = 0.9
"""Share of the limit that an eviction leaves."""
_TEMPORARY: Final = ".tmp"
_ABANDONED: Final = 3_600.0
"""Seconds after which nobody goes on writing a temporary file."""


class Disk:
    """Files by name in the folders of a folder. Safe for threads; processes may share the folder."""

    def __init__(self, folder: Path, limit: int) -> None:
        """Reads and writes nothing yet."""
        self.folder = folder
        self.limit = limit
        self.hits = self.misses = self.evictions = 0
        self._used: int | None = None
        self._lock = threading.Lock()

    def path(self, name: str) -> Path | None:
        """The file of a name, and an access that counts for it; `None` where there is none."""
        path = self.folder / name
        try:
            stamp = path.stat().st_mtime
        except OSError:
            self.misses += 1
            return None
        self.hits += 1
        now = time.time()
        with contextlib.suppress(OSError):  # a folder that cannot be written to still serves
            os.utime(path, (now, credited(stamp, now)))
        return path

    def keep(self, name: str, body: bytes | memoryview) -> Path | None:
        """Keeps bytes under a name; `None` where they are more than may be kept, or the disk does not take them."""
        if len(body) > self.limit:
            return None
        path = self.folder / name
        temporary = path.with_name(f"{uuid4().hex}{_TEMPORARY}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(body)
            os.replace(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            return None
        self._grown(len(body), path)
        return path

    def forget(self, name: str) -> None:
        """Removes a file."""
        with contextlib.suppress(OSError):
            (self.folder / name).unlink()

    def files(self) -> Iterator[tuple[Path, os.stat_result]]:
        """All files that are kept, with what the system says of them. Leftovers of killed writers are removed."""
        for parent, _, names in os.walk(self.folder):
            for name in names if parent != str(self.folder) else ():
                path = Path(parent, name)
                with contextlib.suppress(OSError):  # another process may evict meanwhile
                    found = path.stat()
                    if path.suffix != _TEMPORARY:
                        yield path, found
                    elif found.st_mtime < time.time() - _ABANDONED:
                        path.unlink()

    def usage(self) -> tuple[int, int]:
        """How many files there are, and their bytes."""
        sizes = [found.st_size for _, found in self.files()]
        return len(sizes), sum(sizes)

    def _grown(self, size: int, newest: Path) -> None:
        with self._lock:
            self._used = self.usage()[1] if self._used is None else self._used + size
            if self._used > self.limit:
                self._used = self._evict(newest)

    def _evict(self, newest: Path) -> int:
        """Removes what counts least until some room is left; the bytes that stay."""
        found = sorted(self.files(), key=lambda each: each[1].st_mtime)
        used = sum(about.st_size for _, about in found)
        for path, about in found:
            if used <= self.limit * _LEAVE:
                break
            if path != newest:
                with contextlib.suppress(OSError):
                    path.unlink()
                    self.evictions += 1
                used -= about.st_size
        return used


def credited(stamp: float, now: float) -> float:
    """The stamp of a file after one more access, given the one before it, both in seconds since 1970."""
    ahead = (stamp - now) / HALF_LIFE
    if ahead > _FARTHEST / HALF_LIFE:
        return now + _FARTHEST
    return now + HALF_LIFE * math.log2(1 + 2.0**ahead)
