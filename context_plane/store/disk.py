"""The few system calls that the standard library lacks, and what their errors mean to a user.

Here belong `syncfs`, opening without following symbolic links, flushing, and the translation of `OSError`. What is
written where, and in which order, is `local`'s.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import sys
from functools import cache
from typing import Any, Final, NoReturn

from context_plane.errors import ContextPlaneError, Denied, Infeasible, InputError, NotFound, Unavailable

_SYS_OPENAT2: Final = 437  # one number on every Linux architecture but alpha
_RESOLVE_NO_SYMLINKS: Final = 0x04
_AT_FDCWD: Final = -100
_NOFOLLOW_ANY: Final = 0x2000_0000  # macOS
_ABSENT: Final = (-errno.ENOENT, -errno.ENOTDIR)

_SPACE: Final = "free space on the disk (or raise the quota), then run the same command again; nothing is half visible"
_RIGHTS: Final = "make the folder writable for this user, or set CONTEXT_PLANE_STORE to another place"
_MEANINGS: Final[dict[int, tuple[type[ContextPlaneError], str, str]]] = {
    errno.ENOENT: (NotFound, "no such object", ""),
    errno.ENOSPC: (Infeasible, "the disk is full", _SPACE),
    errno.EDQUOT: (Infeasible, "the disk quota is used up", _SPACE),
    errno.EFBIG: (Infeasible, "the file is larger than the system allows", "raise the file size limit (ulimit -f)"),
    errno.EROFS: (Denied, "the disk is read-only", _RIGHTS),
    errno.EACCES: (Denied, "permission denied", _RIGHTS),
    errno.EPERM: (Denied, "permission denied", _RIGHTS),
    errno.ELOOP: (Denied, "a symbolic link lies in the store", "replace the link by what it points to"),
    errno.ENOTDIR: (Denied, "a file lies where the store needs a folder", "choose an empty folder for the store"),
    errno.EISDIR: (Denied, "a folder lies where the store needs a file", "choose an empty folder for the store"),
    errno.EXDEV: (Denied, "the store spreads over several disks", "keep the whole folder on one file system"),
    errno.ENAMETOOLONG: (InputError, "a path is longer than the file system allows", "use a shorter store folder"),
    errno.EMFILE: (Unavailable, "too many open files", "raise the limit (ulimit -n)"),
    errno.EIO: (Unavailable, "the disk reports an input/output error", "check the disk before trying again"),
}


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


@cache
def _has_openat2() -> bool:
    """Whether the kernel has openat2 (Linux 5.6) and no sandbox forbids it."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        os.close(_openat2("/", os.O_RDONLY))
    except OSError:
        return False
    return True


@cache
def _how(flags: int) -> tuple[Any, Any]:
    """How to open, by reference, and its size; the kernel only reads it."""
    how = _OpenHow(flags | os.O_CLOEXEC, 0o666 if flags & os.O_CREAT else 0, _RESOLVE_NO_SYMLINKS)
    return ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how))


def _openat2(path: str, flags: int) -> int:
    fd = _try_openat2(path, flags)
    return fd if fd >= 0 else _fail(-fd, path)


def _try_openat2(path: str, flags: int) -> int:
    """The descriptor, or the number of the error, negated."""
    how, size = _how(flags)
    while True:
        fd: int = _libc().syscall(_SYS_OPENAT2, _AT_FDCWD, os.fsencode(path), how, size)
        if fd >= 0:
            return fd
        code = ctypes.get_errno()
        if code not in (errno.EINTR, errno.EAGAIN):
            return -code


def _fail(code: int, path: str) -> NoReturn:
    raise OSError(code, os.strerror(code), path)


def open_nofollow(path: str, flags: int) -> int:
    """`os.open` of an absolute path in which no part may be a symbolic link (ELOOP otherwise)."""
    if _has_openat2():
        return _openat2(path, flags)
    if sys.platform == "darwin":
        return os.open(path, flags | _NOFOLLOW_ANY, 0o666)
    return _open_stepwise(path, flags)


def open_nofollow_or_none(path: str, flags: int) -> int | None:
    """`open_nofollow`; `None` where nothing is there. Most looks at a store find nothing new, and making two errors of
    that would take longer than the look."""
    if _has_openat2():
        fd = _try_openat2(path, flags)
        if fd in _ABSENT:
            return None
        return fd if fd >= 0 else _fail(-fd, path)
    try:
        return open_nofollow(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _open_stepwise(path: str, flags: int) -> int:
    """The same with some system calls per folder, for kernels and sandboxes without openat2."""
    *folders, name = path.split("/")[1:]
    folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in folders:
            below = _open_below(folder, part, os.O_RDONLY | os.O_DIRECTORY)
            os.close(folder)
            folder = below
        return _open_below(folder, name or ".", flags)
    finally:
        os.close(folder)


def _open_below(folder: int, name: str, flags: int) -> int:
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISLNK(os.lstat(name, dir_fd=folder).st_mode):  # O_NOFOLLOW alone would say "not a directory"
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
    return os.open(name, flags | os.O_NOFOLLOW, 0o666, dir_fd=folder)


def write_all(fd: int, body: bytes) -> None:
    """Writes the whole body (one `write` may take less)."""
    written = os.write(fd, body)
    while written < len(body):
        written += os.write(fd, memoryview(body)[written:])


def read_all(fd: int, start: int, length: int) -> bytes:
    """Up to `length` bytes from `start`; less only where the file ends."""
    body = os.pread(fd, length, start)
    if len(body) == length or not body:
        return body
    parts = [body]
    length -= len(body)
    while length and (body := os.pread(fd, length, start + sum(map(len, parts)))):
        parts.append(body)
        length -= len(body)
    return b"".join(parts)


def flush(fd: int) -> None:
    """Makes one file or folder durable; on macOS through the drive's own cache, where `fsync` stops before it."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fsync(fd)


def sync_filesystem(folder: str | int) -> None:
    """Makes everything durable that was written to the file system of a folder, or of its descriptor.

    One syncfs on Linux (which reports write-back errors since 5.8). Elsewhere `sync`, which covers every disk but
    reports no errors; on macOS it only schedules the writes, hence the F_FULLFSYNC after it, which drains the drive.
    """
    if isinstance(folder, str):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return sync_filesystem(fd)
        finally:
            os.close(fd)
    syncfs = getattr(_libc(), "syncfs", None)
    if syncfs is None:
        os.sync()
        flush(folder)
    elif syncfs(folder) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return None


def translated(error: OSError, where: str) -> ContextPlaneError:
    """What an `OSError` means to a user of the store, with place and remedy."""
    kind, what, remedy = _MEANINGS.get(error.errno or 0, (Unavailable, error.strerror or str(error), "try again"))
    return kind(what, where=where, remedy=remedy)
