"""Files: the sources of a folder, and which of them changed since they were read.

Here belongs noticing changes: by size, times and inode, and by content where these may say too little.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from context_plane.processes.compiler.parse import parse
from context_plane.processes.compiler.validate import Validated, validate
from context_plane.processes.language.diagnostic import Place
from context_plane.processes.language.findings import Findings
from context_plane.processes.language.reading import fetch

SUFFIXES: Final = (".yaml", ".yml")
Stamp = tuple[int, int, int, int]
"""Times of modification and of change in nanoseconds, size, inode. Copying sets back the former, but not the latter."""
_SECOND: Final = 1_000_000_000
_TICK: Final = 50_000_000
"""Nanoseconds within which two writes may get one modification time, where times are finer than seconds."""


@dataclass(frozen=True)
class Loaded:
    """A file as it was read."""

    stamp: Stamp | None
    """`None` where it has to be read again: it could not be, or was written a moment before."""
    digest: str
    validated: Validated | None
    """`None` where it was compiled by another process, and needs not be read."""


def scan(folder: str) -> dict[str, str]:
    """The source files below a folder: relative name, with ``/``, to path; in order. What begins with a dot is left
    out."""
    found = {}
    for path in _walk(folder):
        found[os.path.relpath(path, folder).replace(os.sep, "/")] = path
    return dict(sorted(found.items()))


def _walk(folder: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    except OSError:  # what cannot be listed cannot be read either, and that is told
        yield folder
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
        elif entry.name.lower().endswith(SUFFIXES) and not _is_folder(entry.path):
            yield entry.path


def _is_folder(path: str) -> bool:
    return os.path.islink(path) and os.path.isdir(path)


def load(name: str, path: str, before: Loaded | None) -> Loaded:
    """A file, which is read only if it may have changed. Raises nothing: one that cannot be read has a finding."""
    stamp = stamp_of(path)
    if before is not None and stamp is not None and stamp == before.stamp and before.validated is not None:
        return before
    now = time.time_ns()
    try:
        raw = fetch(path)
    except OSError as error:
        return Loaded(None, "", _unreadable(name, error))
    digest = sha256(raw).hexdigest()
    if not _settled(stamp, now):
        stamp = None
    if before is not None and before.digest == digest and before.validated is not None:
        return Loaded(stamp, digest, before.validated)
    return Loaded(stamp, digest, validate(parse(raw, name)))


def refreshed(path: str, before: Loaded) -> Loaded | None:
    """A file as it was, with its present stamp; `None` where it is another now."""
    stamp = stamp_of(path)
    if stamp is not None and stamp == before.stamp:
        return before
    now = time.time_ns()
    try:
        same = bool(before.digest) and sha256(fetch(path)).hexdigest() == before.digest
    except OSError:
        return None
    return Loaded(stamp if _settled(stamp, now) else None, before.digest, before.validated) if same else None


def stamp_of(path: str) -> Stamp | None:
    """What changes when a file is written or replaced; `None` where there is no file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _settled(stamp: Stamp | None, now: int) -> bool:
    """Whether another write of the same size would be noticed: not if it may get the same time."""
    if stamp is None:
        return False
    coarse = stamp[0] % _SECOND == stamp[1] % _SECOND == 0
    return now - max(stamp[:2]) > (2 * _SECOND if coarse else _TICK)


def _unreadable(name: str, error: OSError) -> Validated:
    findings = Findings(name)
    what = f"the file cannot be read: {error.strerror or error}"
    findings.put("file-unreadable", Place(name), what, "check the path and its permissions")
    return Validated(name, (), {}, frozenset(), frozenset(), tuple(findings.found))


def to_json(files: Mapping[str, Loaded]) -> dict[str, Any]:
    """Stamps and digests."""
    return {name: [each.stamp, each.digest] for name, each in files.items()}


def from_json(raw: Mapping[str, Any]) -> dict[str, Loaded]:
    """Reverse of `to_json`, without what is in the files."""
    return {name: Loaded(tuple(stamp) if stamp else None, digest, None) for name, (stamp, digest) in raw.items()}
