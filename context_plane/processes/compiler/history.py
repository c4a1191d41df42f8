"""History: every version of a process that ever compiled, beside its source.

Here belong the records, one file each: ``.compiled/{process}.{version}.json``. They are how it is known that a version
means today what it meant when it was run, and what `versions` compares.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from context_plane.canonical import canonical
from context_plane.errors import Corrupt, NotFound
from context_plane.processes.language.diagnostic import Place
from context_plane.processes.language.documents import ProcessSource
from context_plane.processes.linked import LinkedProcess
from context_plane.store.disk import flush, sync_filesystem

FOLDER: Final = ".compiled"
FORMAT: Final = 1
_NAME: Final = re.compile(r"([a-z][a-z0-9_]{0,62})\.([1-9][0-9]{0,8})\.json", re.ASCII)
_SEALED: Final = re.compile(rb'\{"seal":"sha256:([0-9a-f]{64})",')
_TEMPORARY: Final = ".tmp"
_ABANDONED: Final = 3_600
"""Seconds after which nobody is still writing a file."""
_FEW: Final = 8
"""Files that are made durable one by one; more are with the whole file system at once."""


@dataclass(frozen=True)
class Record:
    """A version of a process as it compiled last."""

    process: str
    version: int
    declaration: str
    """``sha256:…`` over what its own document declares, without comments and layout: what must not change."""
    digest: str
    """That of the linked process, which changes with its parents too."""
    source: str
    """The document."""
    place: Place
    """Where it was."""
    linked: LinkedProcess


def record_of(source: ProcessSource, linked: LinkedProcess) -> bytes:
    """The bytes of a version's record: the same for the same source, whenever and wherever it is compiled."""
    place = source.place(source.at("process"))
    fields = {
        "declaration": source.declaration, "digest": linked.digest, "format": FORMAT, "place": [*place],
        "process": source.name, "source": source.text, "version": source.version,
    }  # fmt: skip
    # The linked form is canonical already, and most of the record.
    rest = canonical(fields)[1:-1] + b',"linked":' + linked.canonical + b"}\n"
    return b'{"seal":"sha256:' + sha256(rest).hexdigest().encode() + b'",' + rest


class History:
    """The records of a folder of sources."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FOLDER
        self._declarations: dict[tuple[str, int], tuple[tuple[int, int, int], str]] = {}

    def versions(self) -> dict[str, list[int]]:
        """The recorded versions of each process, in order."""
        found: dict[str, list[int]] = {}
        try:
            names = os.listdir(self.folder)
        except OSError:
            return {}
        for name in names:
            if (match := _NAME.fullmatch(name)) is not None:
                found.setdefault(match[1], []).append(int(match[2]))
        return {name: sorted(versions) for name, versions in sorted(found.items())}

    def path(self, process: str, version: int) -> Path:
        """The file of a record."""
        return self.folder / f"{process}.{version}.json"

    def raw(self, process: str, version: int) -> dict[str, Any]:
        """The fields of a record. Raises `NotFound`, or `Corrupt` for one that is not what was written."""
        path = self.path(process, version)
        remedy = (
            "restore it from a backup; if no run has used the version, remove it to record the version as it is now"
        )
        try:
            body = path.read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"version {version} of {process} was never compiled", where=str(path)) from error
        except OSError as error:
            what = f"the record of {process} {version} cannot be read: {error.strerror}"
            raise Corrupt(what, where=str(path), remedy=remedy) from error
        sealed = _SEALED.match(body)
        if sealed is None or sha256(body[sealed.end() :]).hexdigest().encode() != sealed[1]:
            raise Corrupt(f"the record of {process} {version} is damaged", where=str(path), remedy=remedy)
        fields: dict[str, Any] = json.loads(body)
        if (fields["process"], fields["version"], fields["format"]) != (process, version, FORMAT):
            raise Corrupt(f"the record of {process} {version} is that of another", where=str(path), remedy=remedy)
        return fields

    def record(self, process: str, version: int) -> Record:
        """A version. Raises as `raw`."""
        raw = self.raw(process, version)
        return Record(
            process, version, raw["declaration"], raw["digest"], raw["source"], Place(*raw["place"]),
            LinkedProcess.from_json(raw["linked"]),
        )  # fmt: skip

    def declaration(self, process: str, version: int) -> str:
        """The digest of what a version declared. Raises as `raw`."""
        try:
            found = os.stat(self.path(process, version))
        except OSError:
            return str(self.raw(process, version)["declaration"])
        stamp = (found.st_ctime_ns, found.st_size, found.st_ino)
        known = self._declarations.get((process, version))
        if known is None or known[0] != stamp:
            known = (stamp, str(self.raw(process, version)["declaration"]))
            self._declarations[process, version] = known
        return known[1]


def write(folder: Path, files: Iterable[tuple[str, bytes]], *, durable: bool = True) -> None:
    """Writes files into a folder, each whole or not at all; what is there already as it is stays. Raises `OSError`."""
    temporary: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _tidy(folder)
        for name, body in files:
            path = folder / name
            if _is(path, body):
                continue
            temporary.append((path.with_name(f".{name}.{uuid4().hex}{_TEMPORARY}"), path))
            temporary[-1][0].write_bytes(body)
        if durable and len(temporary) > _FEW:
            sync_filesystem(str(folder))
        elif durable:
            for path, _ in temporary:
                _sync(path)
        while temporary:
            os.replace(*temporary[-1])
            temporary.pop()
        if durable:
            _sync(folder)
    finally:
        for path, _ in temporary:
            path.unlink(missing_ok=True)


def _is(path: Path, body: bytes) -> bool:
    try:
        return path.read_bytes() == body
    except OSError:
        return False


def _tidy(folder: Path) -> None:
    """Removes what a writer that was killed left behind."""
    for name in os.listdir(folder):
        if name.endswith(_TEMPORARY):
            with contextlib.suppress(OSError):  # its writer may be alive after all, and have renamed it
                if (folder / name).stat().st_mtime < time.time() - _ABANDONED:
                    (folder / name).unlink()


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        flush(fd)
    finally:
        os.close(fd)
