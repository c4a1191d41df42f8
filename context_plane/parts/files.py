"""Files: parts as local files, checked against their hash before anything reads them.

On a local store a part is read where it lies; from a remote one it is fetched once into the cache folder. Each file is
verified once per process, so that a damaged object is an error that names it and never a wrong answer.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from context_plane.errors import Corrupt, NotFound
from context_plane.log.segments import check_bytes

if TYPE_CHECKING:
    from context_plane.store.base import Store

_REMEDY: Final = "delete the object and materialize again: it is derived from the log"


class Files:
    """Verified local files of immutable objects."""

    def __init__(self, store: Store, cache: Path) -> None:
        self.store = store
        self.cache = cache
        self._verified: dict[str, Path] = {}
        self._lock = threading.Lock()

    def fetch(self, key: str, sha256: str, size: int) -> Path:
        """The local file of an object. Raises `Corrupt` where its bytes are not the recorded ones, and `NotFound`."""
        known = self._verified.get(key)
        if known is not None:
            return known
        path = self.store.path(key) if self.store.local else self._cached(key, sha256, size)
        if path is None:
            raise NotFound("a part is gone from the store", where=key, remedy="materialize again")
        try:
            self._verify(key, path, sha256, size)
        except Corrupt:
            if self.store.local:
                raise
            path.unlink(missing_ok=True)  # only the copy is damaged: the store has the object
            self._verify(key, self._cached(key, sha256, size), sha256, size)
        with self._lock:
            self._verified[key] = path
        return path

    def map(self, key: str, sha256: str, size: int) -> memoryview:
        """The object's bytes, memory-mapped."""
        path = self.fetch(key, sha256, size)
        with open(path, "rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def _cached(self, key: str, sha256: str, size: int) -> Path:
        path = self.cache / "parts" / sha256[:2] / f"{sha256}{Path(key).suffix}"
        if path.exists() and path.stat().st_size == size:
            return path
        body = self.store.get(key)
        check_bytes(key, body, size, sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{uuid4().hex}.tmp")
        temporary.write_bytes(body)
        os.replace(temporary, path)
        return path

    def _verify(self, key: str, path: Path, sha256: str, size: int) -> None:
        if (found := path.stat().st_size) != size:
            raise Corrupt(f"part has {found} bytes, {size} are recorded", where=key, remedy=_REMEDY)
        with open(path, "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise Corrupt("part is damaged: its SHA-256 is not the recorded one", where=key, remedy=_REMEDY)
