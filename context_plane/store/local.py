"""`LocalStore`: the store in a folder of a POSIX file system.

Our own, because obstore's local store never syncs (a power cut loses acknowledged commits) and is slower on many small
files (`bench/README.md`). Content goes straight to its final name: what a killed writer leaves torn is named by no
record, and the next put of the same content repairs it. A numbered object is written and flushed under a temporary
name, then linked to its own, which fails where the name is taken, then its folder is flushed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Final

from context_plane.errors import Corrupt, NotFound, Unavailable
from context_plane.store.barrier import Barrier
from context_plane.store.base import Names, check_key, check_prefix, check_range
from context_plane.store.content import Pace, put_all
from context_plane.store.disk import open_nofollow, open_nofollow_or_none, read_all, translated
from context_plane.store.faults import reach
from context_plane.store.tree import FOLDER, FileTree

_PART: Final = re.compile(r"[A-Za-z0-9_%~-][A-Za-z0-9_.%~-]*")
_PACE: Final = Pace(threads=2, portion=128)  # more threads wait for each other in the kernel (`bench/README.md`)
_READ: Final = os.O_RDONLY | os.O_NONBLOCK  # or a pipe that someone dropped here would wait for a writer
_LOOK: Final = getattr(os, "O_PATH", _READ)


class LocalStore:
    """Objects as files under one folder, which is made at the first write. Safe across threads and processes."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = os.path.abspath(os.fspath(root))

    @property
    def url(self) -> str:
        """``file:///…``"""
        return f"file://{self._root}"

    @property
    def local(self) -> bool:
        """True: objects are local files."""
        return True

    def __repr__(self) -> str:
        return f"LocalStore({self._root!r})"

    @cached_property
    def _tree(self) -> FileTree:
        """The root without symbolic links, so that every link inside a path is one too many."""
        return FileTree(os.path.realpath(self._root))

    @cached_property
    def _barrier(self) -> Barrier:
        return Barrier(self._tree.root)

    def get(self, key: str) -> bytes:
        """The whole object; `NotFound` where it is absent."""
        fd, size = self._open(key)
        try:
            return read_all(fd, 0, size)
        except OSError as error:
            raise translated(error, self._where(key)) from error
        finally:
            os.close(fd)

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Exactly the bytes ``[start, start + length)``; `NotFound`, or `Corrupt` where the object ends before."""
        check_range(start, length)
        fd, size = self._open(key)
        try:
            body = read_all(fd, start, length)
        except OSError as error:
            raise translated(error, self._where(key)) from error
        finally:
            os.close(fd)
        if start + length > size or len(body) != length:
            raise Corrupt(f"the object ends at {size}, before {start + length}", where=self._where(key))
        return body

    def head(self, key: str) -> int | None:
        """Size in bytes; None where absent."""
        try:
            fd = open_nofollow_or_none(self._file(key), _LOOK)
        except OSError as error:
            raise translated(error, self._where(key)) from error
        if fd is None:
            return None
        found = os.fstat(fd)
        os.close(fd)
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def path(self, key: str) -> Path | None:
        """The object's file; None where absent."""
        return None if self.head(key) is None else Path(self._file(key))

    def list(self, prefix: str, after: str = "") -> Iterator[str]:
        """Keys under the prefix greater than `after`, in byte order; one folder is read at a time."""
        return self._walk(check_prefix(prefix), after)

    def children(self, prefix: str) -> Names:
        """Sorted names directly under the prefix."""
        return sorted(name.rstrip("/") for name in self._names(check_prefix(prefix)))

    def put_content(self, items: Iterable[tuple[str, bytes]]) -> None:
        """Writes content-addressed objects straight to their names; durable after `sync`."""
        try:
            self._barrier.enter()
        except OSError as error:
            raise translated(error, self._root) from error
        put_all(self._put, items, _PACE)

    def sync(self) -> None:
        """One syncfs of the folder's file system; raises also where another thread's sync of our content failed."""
        try:
            self._barrier.sync()
        except OSError as error:
            raise translated(error, self._root) from error

    def create(self, key: str, body: bytes) -> bool:
        """Creates a numbered object if it is absent: durable when True; False where something is there."""
        path = self._file(key)
        if self.head(key) is not None:
            return False
        try:
            temporary = self._tree.write_temporary(body, durable=True)
            reach("store.create-temp-written")
            try:
                if not self._tree.link(temporary, path):
                    return False
            finally:
                os.unlink(temporary)
        except OSError as error:
            raise translated(error, self._where(key)) from error
        reach("store.create-linked")
        try:
            self._tree.flush_names(path)
        except OSError as error:
            what = f"the object may or may not survive a power cut ({error.strerror})"
            raise Unavailable(what, where=self._where(key), remedy="check the disk, then try again") from error
        return True

    def delete(self, key: str) -> None:
        """Removes an object and the folders that it leaves empty. Absent is fine."""
        if self.head(key) is None:
            return
        try:
            self._tree.remove(self._file(key))
        except FileNotFoundError:
            return
        except OSError as error:
            raise translated(error, self._where(key)) from error

    def _file(self, key: str) -> str:
        return f"{self._tree.root}/{check_key(key)}"

    def _where(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _open(self, key: str, flags: int = _READ) -> tuple[int, int]:
        """Descriptor and size of an object's file."""
        try:
            fd = open_nofollow(self._file(key), flags)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound("no such object", where=self._where(key)) from error
        except OSError as error:
            raise translated(error, self._where(key)) from error
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            os.close(fd)
            raise NotFound("no such object", where=self._where(key))
        return fd, found.st_size

    def _put(self, key: str, body: bytes) -> None:
        try:
            self._tree.put(self._file(key), body, distrust=self._barrier.failures > 0)
        except OSError as error:
            raise translated(error, self._where(key)) from error

    def _walk(self, prefix: str, after: str) -> Iterator[str]:
        for name in self._names(prefix):
            key = prefix + name
            if not name.endswith("/"):
                if key > after:
                    yield key
            elif key > after or after.startswith(key):
                yield from self._walk(key, after)

    def _names(self, prefix: str) -> Names:
        """Names in a folder, sub-folders with a slash: so they sort as the keys below them do."""
        try:
            fd = open_nofollow(f"{self._tree.root}/{prefix}".rstrip("/"), FOLDER)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise translated(error, self._where(prefix)) from error
        try:
            with os.scandir(fd) as entries:
                return sorted(name for entry in entries if (name := _object_name(entry)))
        except OSError as error:
            raise translated(error, self._where(prefix)) from error
        finally:
            os.close(fd)


def _object_name(entry: os.DirEntry[str]) -> str | None:
    """The entry's name if it can be part of a key: no hidden files, no links, nothing that others dropped here."""
    if not _PART.fullmatch(entry.name):
        return None
    if entry.is_dir(follow_symlinks=False):
        return f"{entry.name}/"
    return entry.name if entry.is_file(follow_symlinks=False) else None
