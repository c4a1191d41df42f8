"""New files in a folder tree that other processes write and prune at the same time.

Here belong exclusive creation, temporary files, linking, and the flushing of names. What an object is, and which of
these steps make one, is in `local`.
"""

from __future__ import annotations

import contextlib
import os
from typing import Final
from uuid import uuid4

from context_plane import instants
from context_plane.store.disk import flush, open_nofollow, read_all, write_all

FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY
_EXCLUSIVE: Final = os.O_CREAT | os.O_EXCL | os.O_WRONLY
_TEMPORARY: Final = ".tmp"
_STALE: Final = 3_600 * instants.SECOND  # no write takes an hour; one that does finds its file gone, and fails
_TRIES: Final = 64  # the sweep of another process may prune an empty folder just before we write into it


class FileTree:
    """The folder tree under one root, which is made at the first write. All methods raise `OSError`."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._durable: set[str] = set()  # folders whose names, up to the root, were flushed by this process
        self._swept = False

    def put(self, path: str, body: bytes, *, distrust: bool) -> None:
        """Writes a file straight to its final name; what has the name already stays where it is the same.

        With `distrust` it is replaced even then: after a failed sync, equal bytes in the page cache prove nothing.
        """
        fd = self._open_new(path)
        if fd is None:
            if distrust or not _holds(path, body):
                self._replace(path, body)
            return
        try:
            write_all(fd, body)
        except BaseException:
            os.ftruncate(fd, 0)  # our file only: by now the name may be that of a good one (see `_replace`)
            raise
        finally:
            os.close(fd)

    def write_temporary(self, body: bytes, *, durable: bool) -> str:
        """Path of a new hidden file on the same file system that holds the body."""
        self._sweep_temporary()
        path = f"{self.root}/{_TEMPORARY}/{uuid4().hex}"
        fd = self._open_new(path)
        assert fd is not None, "two random names are equal"
        try:
            write_all(fd, body)
            if durable:
                flush(fd)
        except BaseException:
            os.unlink(path)
            raise
        finally:
            os.close(fd)
        return path

    def link(self, temporary: str, path: str) -> bool:
        """Gives a temporary file its final name, with the folders; False where something has the name."""
        for last in (False,) * _TRIES + (True,):
            try:
                os.link(temporary, path)
                return True
            except FileExistsError:
                return False
            except FileNotFoundError:
                if last or not os.path.lexists(temporary):
                    raise
                self._make_folders(_parent(path))
        return False

    def flush_names(self, path: str) -> None:
        """Makes the file's name durable: its folder, and once per process every folder above it.

        Above too where we did not make it: another process may have made it and not flushed it yet.
        """
        folder = _parent(path)
        _flush_folder(folder)
        while folder != self.root and folder not in self._durable:
            _flush_folder(_parent(folder))
            self._durable.add(folder)
            folder = _parent(folder)
        if folder == self.root and folder not in self._durable:
            self._flush_above_root()

    def remove(self, path: str) -> None:
        """Removes a file and the folders that it leaves empty."""
        os.unlink(path)
        folder = _parent(path)
        with contextlib.suppress(OSError):  # not empty, or pruned by another process
            while folder != self.root:
                os.rmdir(folder)
                self._durable.discard(folder)
                folder = _parent(folder)

    def _open_new(self, path: str) -> int | None:
        """A new file with its folders, open for writing; None where something has the name."""
        for last in (False,) * _TRIES + (True,):
            try:
                return open_nofollow(path, _EXCLUSIVE)
            except FileExistsError:
                return None
            except FileNotFoundError:
                if last:
                    raise
                self._make_folders(_parent(path))
        return None

    def _replace(self, path: str, body: bytes) -> None:
        """Puts the content in the place of what a killed writer left torn."""
        temporary = self.write_temporary(body, durable=False)
        try:
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise

    def _make_folders(self, folder: str) -> None:
        """Makes a folder and what it lies in."""
        try:
            os.mkdir(folder)
        except FileExistsError:
            return
        except FileNotFoundError:
            self._make_folders(_parent(folder))
            with contextlib.suppress(FileExistsError, FileNotFoundError):  # the caller tries again
                os.mkdir(folder)
        self._durable.discard(folder)

    def _flush_above_root(self) -> None:
        """Flushes the folders that the root lies in; those we may not open were there before us."""
        folder = self.root
        while folder != "/":
            folder = _parent(folder)
            with contextlib.suppress(PermissionError):
                _flush_folder(folder)
        self._durable.add(self.root)

    def _sweep_temporary(self) -> None:
        """Once per process, removes temporary files that killed processes left behind."""
        if self._swept:
            return
        self._swept = True
        with contextlib.suppress(FileNotFoundError), os.scandir(f"{self.root}/{_TEMPORARY}") as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    age = instants.now() - entry.stat(follow_symlinks=False).st_mtime_ns // 1_000
                    if age > _STALE:
                        os.unlink(entry.path)


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _flush_folder(folder: str) -> None:
    fd = os.open(folder, FOLDER)
    try:
        flush(fd)
    finally:
        os.close(fd)


def _holds(path: str, body: bytes) -> bool:
    """Whether the file is there and holds exactly these bytes."""
    try:
        fd = open_nofollow(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    try:
        return os.fstat(fd).st_size == len(body) and read_all(fd, 0, len(body)) == body
    finally:
        os.close(fd)
