"""The cache: memory, then disk, then store — one for parts, packs of bundles and indexes.

Here belongs how an object's bytes come to where they are read. On a local store a part is read where it lies; from a
remote one it is fetched once, with one request, into the disk tier (`disk`) that processes share, and mapped from
there. What is decoded or merged of them is held in the memory tier (`arc`). Each object is verified once per process,
so that a damaged one is an error that names it and never a wrong answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import Corrupt, Infeasible, NotFound
from context_plane.parts import usage
from context_plane.parts.arc import Arc
from context_plane.parts.disk import Disk

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from context_plane.store.base import Store

MEMORY: Final = 256 << 20
DISK: Final = 2 << 30
Object = tuple[str, str, int]
"""Key, SHA-256 and size."""
_REMEDY: Final = "delete the object and materialize again: it is derived from the log"
_AGAIN: Final = "materialize again (cortex materialize): it is derived from the log"
_DAMAGED: Final = "part is damaged: its SHA-256 is not the recorded one"
_PARALLEL: Final = 32
_BEHIND: Final = 32 << 20
"""Bytes of an object up to which it is used before it is on disk."""
_REPORTED: Final = 3_600.0
"""Seconds after which a process that goes on says what it used."""


class Files:
    """The cache of one process over one store. Safe for threads."""

    def __init__(self, store: Store, cache: Path, memory: int = MEMORY, disk: int = DISK) -> None:
        """`memory` and `disk` are limits in bytes. Nothing is read or written yet."""
        self.store = store
        self.memory = Arc(memory)
        """Decoded things by key: ``("index", tenant)``, ``("packs", tenant, spec, …)``."""
        self.disk = Disk(cache, disk)
        self.requests: Counter[str] = Counter()
        """What was asked of a remote store: requests and bytes."""
        self._usage = cache / "usage.jsonl"
        self._verified: dict[str, Path] = {}
        self._bodies: set[str] = set()
        """Keys of objects that are in memory: not yet on disk, or not taken there."""
        self._writer: ThreadPoolExecutor | None = None
        self._reader: ThreadPoolExecutor | None = None
        self._fetching: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._reported: Counter[tuple[str, str]] = Counter()
        self._report_at = time.monotonic() + _REPORTED

    def fetch(self, key: str, sha256: str, size: int) -> Path:
        """The local file of an object.

        Raises `Corrupt` where its bytes are not the recorded ones, `NotFound`, and `Infeasible` where the disk tier
        cannot hold it.
        """
        found = self._found(key, sha256, size)
        if not isinstance(found, Path):
            self._settle()
            found = self._found(key, sha256, size)
        if isinstance(found, Path):
            return found
        what = f"the cache's disk does not take {size:,} bytes of {key}"
        remedy = f"free space there, or raise disk_mb under [cache] in plane.toml (now {self.disk.limit >> 20})"
        raise Infeasible(what, where=str(self.disk.folder), remedy=remedy)

    def fetch_all(self, objects: Iterable[Object]) -> list[Path]:
        """The local files of objects, fetched in parallel. Raises like `fetch`."""
        wanted = list(objects)
        self.prefetch(wanted)
        return [self.fetch(*each) for each in wanted]

    def map(self, key: str, sha256: str, size: int) -> memoryview:
        """The object's bytes, memory-mapped; in memory while they are written to disk, or where no disk takes them.

        Raises `Corrupt`, `NotFound`.
        """
        found = self._found(key, sha256, size)
        if isinstance(found, Path):
            with contextlib.suppress(FileNotFoundError):  # another process has evicted it just now
                return mapped(found)
            found = self._found(key, sha256, size)
        return mapped(found) if isinstance(found, Path) else found

    def prefetch(self, objects: Iterable[Object]) -> None:
        """Fetches what is not here yet, and verifies it, in parallel. Raises like `map`."""
        lacking = [each for each in objects if each[0] not in self._verified]
        if len(lacking) < 2 or (self.store.local and sum(size for _, _, size in lacking) < _BEHIND):
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(_PARALLEL, len(lacking)), "prefetch") as pool:
            for _ in pool.map(lambda each: self.map(*each), lacking):
                pass

    def ranges(self, spans: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """Ranges (key, start, length) of objects, in parallel, unverified: whoever asks checks them.

        Raises `NotFound`, `Unavailable`.
        """
        if self.store.local:
            return [self._range(*span) for span in spans]
        self.requests.update(requests=len(spans), bytes=sum(length for _, _, length in spans))
        if len(spans) == 1:
            return [self._range(*spans[0])]
        from concurrent.futures import ThreadPoolExecutor

        with self._lock:
            if self._reader is None:
                self._reader = ThreadPoolExecutor(_PARALLEL, "ranges")
            asked = [self._reader.submit(self._range, *span) for span in spans]  # before `close` can shut it down
        return [each.result() for each in asked]

    def _range(self, key: str, start: int, length: int) -> bytes:
        return part_of(key, lambda: self.store.get_range(key, start, length))

    def has(self, key: str, sha256: str) -> bool:
        """Whether an object's bytes are on this machine."""
        return self.store.local or key in self._verified or (self.disk.folder / _name(key, sha256)).exists()

    def put(self, key: str, sha256: str, body: bytes) -> None:
        """Writes content to the store, and to the disk tier of a remote one: readers of this machine find it there."""
        self.store.put_content([(key, body)])
        if not self.store.local:
            self.disk.keep(_name(key, sha256), body)

    def close(self) -> None:
        """Finishes writing to disk, and says what was used (`usage`), for the next process; the cache goes on."""
        self._settle()
        with self._lock:
            reader, self._reader = self._reader, None
        if reader is not None:
            reader.shutdown()
        self._say()

    def _say(self) -> None:
        counts = self.counts()
        fresh = {t: {n: counts[t][n] - self._reported[t, n] for n in names} for t, names in usage.COUNTED.items()}
        uses, self.memory.uses = self.memory.uses, {}
        self._reported = Counter({(t, n): counts[t][n] for t, names in usage.COUNTED.items() for n in names})
        self._report_at = time.monotonic() + _REPORTED
        if any(count for each in fresh.values() for count in each.values()):
            named: Counter[str] = Counter()
            for key, count in uses.items():
                named[named_by(key)] += count
            usage.record(self._usage, fresh, named)

    def grown(self) -> None:
        """To be called when something held in memory has come to take more, which was slow anyway: measures what is
        held, drops what has to go, and once an hour says what was used."""
        self.memory.measure()
        if time.monotonic() > self._report_at:
            self._say()

    def used(self) -> usage.Usage:
        """What all processes of the last 30 days said when they closed."""
        return usage.read(self._usage)

    def counts(self) -> dict[str, dict[str, int]]:
        """This process's own counts, by tier."""
        memory, disk, store = self.memory, self.disk, self.requests
        return {
            "memory": {"hits": memory.hits, "misses": memory.misses, "evictions": memory.evictions},
            "disk": {"hits": disk.hits, "misses": disk.misses, "evictions": disk.evictions},
            "store": {"requests": store["requests"], "bytes": store["bytes"]},
        }

    def _found(self, key: str, sha256: str, size: int) -> Path | memoryview:
        """The verified file of an object, or its bytes where no disk takes them."""
        known = self._verified.get(key)
        if known is not None and known.exists():  # another process may have evicted it
            return known
        with self._turn(key):
            known = self._verified.get(key)
            if known is not None and known.exists():
                return known
            found = self._local(key, sha256, size) if self.store.local else self._copied(key, sha256, size)
            if isinstance(found, Path):
                self._verified[key] = found
            return found

    def _local(self, key: str, sha256: str, size: int) -> Path:
        path = self.store.path(key)
        if path is None:
            raise NotFound("a part is gone from the store", where=key, remedy=_AGAIN)
        _verify(key, path, sha256, size)
        return path

    def _copied(self, key: str, sha256: str, size: int) -> Path | memoryview:
        """The verified copy in the disk tier, fetched where it is not there."""
        held: _Body | None = self.memory.get(("object", key)) if key in self._bodies else None
        if held is not None:
            return memoryview(held.body)
        name = _name(key, sha256)
        path = self.disk.path(name)
        if path is not None:
            try:
                _verify(key, path, sha256, size)
            except (Corrupt, OSError):  # only the copy is damaged: the store has the object
                self.disk.forget(name)
            else:
                return path
        held = _Body(self._get(key, sha256, size))
        if size > _BEHIND:
            path = self.disk.keep(name, held.body)
            if path is not None:
                return path
        self._bodies.add(key)
        self.memory.put(("object", key), held)
        if size <= _BEHIND:
            self._write_behind(key, name, held)
        return memoryview(held.body)

    def _write_behind(self, key: str, name: str, held: _Body) -> None:
        """Writes a small object to disk while it is being used."""
        from concurrent.futures import ThreadPoolExecutor

        with self._lock:
            if self._writer is None:
                self._writer = ThreadPoolExecutor(1, "write-behind")
            self._writer.submit(self._write, key, name, held)

    def _write(self, key: str, name: str, held: _Body) -> None:
        path = self.disk.keep(name, held.body)
        if path is not None:
            self._verified[key] = path
            self._bodies.discard(key)
            self.memory.drop(lambda each: each == ("object", key))

    def _settle(self) -> None:
        """Waits until what was fetched is on disk."""
        with self._lock:
            writer, self._writer = self._writer, None
        if writer is not None:
            writer.shutdown()

    def _get(self, key: str, sha256: str, size: int) -> bytes:
        self.requests.update(requests=1, bytes=size)
        body = part_of(key, lambda: self.store.get(key))
        if len(body) != size or hashlib.sha256(body).hexdigest() != sha256:
            what = f"part has {len(body)} bytes, {size} are recorded" if len(body) != size else _DAMAGED
            raise Corrupt(what, where=key, remedy=_REMEDY)
        return body

    def _turn(self, key: str) -> threading.Lock:
        """The lock of an object, so that threads fetch it once."""
        with self._lock:
            return self._fetching.setdefault(key, threading.Lock())


@dataclass(frozen=True)
class _Body:
    """An object's bytes, in the memory tier."""

    body: bytes

    @property
    def nbytes(self) -> int:
        return len(self.body)


def part_of(key: str, read: Callable[[], bytes]) -> bytes:
    """What is read of a part. Raises `NotFound` and `Corrupt` with the remedy that parts have."""
    try:
        return read()
    except NotFound as error:
        raise NotFound("a part is gone from the store", where=key, remedy=_AGAIN) from error
    except Corrupt as error:
        raise Corrupt(error.what, where=key, remedy=_REMEDY) from error


def mapped(path: Path) -> memoryview:
    """A file's bytes, memory-mapped."""
    with open(path, "rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def named_by(key: Any) -> str:
    """What a memory key is called in usage: kind, tenant and, where there is one, spec."""
    return "/".join(map(str, key[:3] if key[0] == "packs" else key[:2]))


def _name(key: str, sha256: str) -> str:
    return f"parts/{sha256[:2]}/{sha256}{os.path.splitext(key)[1]}"


def _verify(key: str, path: Path, sha256: str, size: int) -> None:
    if (found := path.stat().st_size) != size:
        raise Corrupt(f"part has {found} bytes, {size} are recorded", where=key, remedy=_REMEDY)
    with open(path, "rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise Corrupt(_DAMAGED, where=key, remedy=_REMEDY)
