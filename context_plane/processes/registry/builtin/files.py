"""Actions on the files of the workspace."""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from context_plane.errors import InputError
from context_plane.processes.linked import Declared
from context_plane.processes.registry.builtin.given import named, text, whole
from context_plane.processes.registry.builtin.paths import GIT, inside, shown, writable
from context_plane.processes.registry.decorators import action
from context_plane.processes.registry.handler import Step, StepFailure

_MOST_FILES: Final = 1_000
_MOST_READ: Final = 64 << 20
_PATH: Final = Declared("text", description="a file below the workspace")


@action(
    "file.read",
    keyed=True,
    inputs={
        "path": _PATH,
        "last": Declared("integer", False, 0, "give only the last so many lines; 0 for all"),
    },
)
def read(step: Step) -> dict[str, Any]:
    """Reads a text file: {path, text, size, sha256}; the last two are of the whole file."""
    path, last = inside(step.workspace, named(step, "path")), whole(step, "last", 0, 0, 1_000_000)
    try:
        raw = _content(path)
        found = raw.decode()
    except UnicodeDecodeError as error:
        what, remedy = f"{shown(step.workspace, path)} is not UTF-8 text", "read it with a command"
        raise StepFailure(what, where="path", remedy=remedy, retryable=False) from error
    except OSError as error:
        raise _failed(step, path, error) from error
    if last:
        found = "".join(found.splitlines(keepends=True)[-last:])
    most = int(step.settings.output_kb * 1024) * 4 // 5
    if len(found.encode()) > most:
        what = f"{shown(step.workspace, path)} has {len(raw):,} bytes, an output may hold {most:,}"
        remedy = "read the last lines with `last`, or raise output_kb under [processes] in plane.toml"
        raise StepFailure(what, where="path", remedy=remedy, retryable=False)
    digest = hashlib.sha256(raw).hexdigest()
    return {"path": shown(step.workspace, path), "text": found, "size": len(raw), "sha256": digest}


@action("file.write", keyed=True, inputs={"path": _PATH, "text": Declared("text", description="all of its content")})
def write(step: Step) -> dict[str, Any]:
    """Writes a text file whole, or not at all; folders that are missing are made: {path, size, sha256}. The same again
    changes nothing."""
    path, raw = writable(step.workspace, named(step, "path")), _encoded(step)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, raw, hashlib.sha256(f"{step.key} {path}".encode()).hexdigest()[:12])
    except OSError as error:
        raise _failed(step, path, error) from error
    return {"path": shown(step.workspace, path), "size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}


@action("file.append", inputs={"path": _PATH, "text": Declared("text", description="what to add to its end")})
def append(step: Step) -> dict[str, Any]:
    """Adds text to the end of a file, which is made if it is missing: {path, size}. Once more is twice: a repetition
    after a crash is told in the trace."""
    path, raw = writable(step.workspace, named(step, "path")), _encoded(step)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_regular(path)
        with path.open("ab") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
    except OSError as error:
        raise _failed(step, path, error) from error
    return {"path": shown(step.workspace, path), "size": size}


@action(
    "file.list",
    keyed=True,
    inputs={
        "pattern": Declared("text", False, "*", "a glob over whole paths: `*` crosses folders too"),
    },
)
def list_files(step: Step) -> dict[str, Any]:
    """Lists the files of the workspace whose path fits a pattern, sorted: {files, count}. At most 1,000 are named;
    git's own are left out, and what links lead to is not looked into."""
    pattern, root = text(step, "pattern", "*"), step.workspace.resolve()
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name != GIT]
        at = Path(folder)
        named = [shown(root, at / name) for name in files if name != GIT]
        found += [path for path in named if fnmatchcase(path, pattern)]
    return {"files": sorted(found)[:_MOST_FILES], "count": len(found)}


def _encoded(step: Step) -> bytes:
    try:
        return text(step, "text").encode()
    except UnicodeEncodeError as error:
        raise InputError("text holds a lone surrogate", where="inputs.text", remedy="give valid Unicode") from error


def _content(path: Path) -> bytes:
    """The bytes of a file. Raises `OSError` where it is too large to be looked at."""
    _check_regular(path)
    if path.stat().st_size > _MOST_READ:
        raise OSError(errno.EFBIG, f"larger than {_MOST_READ >> 20} MiB: look at it with a command")
    return path.read_bytes()


def _check_regular(path: Path) -> None:
    """Raises `OSError` for what is there and no file: a pipe would be waited for without end."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no file")


def _replace(path: Path, raw: bytes, mark: str) -> None:
    """Puts content under a name at once: who reads finds all of the old or all of the new. The mode of a file that was
    there is kept. `mark` is part of the temporary name: a repetition after a crash leaves nothing behind. The rest of
    it cannot be guessed, and the file is made here: a link that waits under the name would lead anywhere."""
    _check_regular(path)
    mode = path.stat().st_mode & 0o7777 if path.exists() else None
    for left in path.parent.glob(f".writing-{mark}-*"):
        with suppress(OSError):
            left.unlink()
    temporary = path.parent / f".writing-{mark}-{token_hex(8)}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        with open(handle, "wb") as file:
            file.write(raw)
            file.flush()
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


def _failed(step: Step, path: Path, error: OSError) -> StepFailure:
    what = f"{shown(step.workspace, path)}: {error.strerror or error}"
    return StepFailure(what, where="path", remedy="check the path and the rights on it")
