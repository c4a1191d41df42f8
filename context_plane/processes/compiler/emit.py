"""Emit: the fifth stage, compiled processes beside their sources (seed 001, section 3.6).

Here belongs what is checked against what was emitted before: a version that was compiled means the same for ever,
because runs refer to it.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from context_plane.errors import Corrupt, NotFound
from context_plane.processes.compiler.history import FOLDER, History, record_of, write
from context_plane.processes.language.codes import CODES
from context_plane.processes.language.diagnostic import Diagnostic, Place
from context_plane.processes.language.documents import ProcessSource
from context_plane.processes.linked import LinkedProcess

REUSED: Final = "version-reused"
_READ_ONLY: Final = (errno.EROFS, errno.EACCES, errno.EPERM)
_AMEND: Final = "while no run has used version {}, cortex process check --amend"


def emit(compiled: Sequence[tuple[LinkedProcess, ProcessSource]], folder: Path) -> tuple[Diagnostic, ...]:
    """Writes the record of each process beside its source. A folder that cannot be written to keeps none; where writing
    fails for another reason, that is told."""
    files = [(f"{source.name}.{source.version}.json", record_of(source, linked)) for linked, source in compiled]
    try:
        if files:
            write(folder / FOLDER, files)
    except OSError as error:
        if error.errno in _READ_ONLY:
            return ()
        what = f"compiled versions cannot be written: {error.strerror or error}"
        remedy = f"make {folder / FOLDER} a folder that can be written to; edits of a version go unnoticed until then"
        return (_told("not-recorded", Place(FOLDER), what, remedy),)
    return ()


def check_version(history: History, source: ProcessSource, recorded: Sequence[int], amend: bool) -> Diagnostic | None:
    """What is wrong with the version of a process, by the versions of it that are recorded."""
    name, version = source.name, source.version
    place = source.place(source.at("version"))
    highest = max(recorded, default=0)
    if version not in recorded:
        if version > highest:
            return None
        what = f"version {version} of {name} comes after version {highest} was compiled"
        return _told("version-went-back", place, what, f"set version: {highest + 1}")
    try:
        before = history.declaration(name, version)
    except (Corrupt, NotFound) as error:
        record = f"{FOLDER}/{history.path(name, version).name}"
        return _told("history-corrupt", Place(record), error.what, error.remedy)
    if amend or before == source.declaration:
        return None
    what = f"version {version} of {name} was compiled before, and declared something else"
    return _told(REUSED, place, what, f"set version: {highest + 1}, or {_AMEND.format(version)}")


def about_versions(told: Diagnostic) -> bool:
    """Whether a finding is about what was recorded, which may change while no source does."""
    return told.code in (REUSED, "version-went-back", "history-corrupt", "not-recorded")


def _told(code: str, place: Place, message: str, remedy: str) -> Diagnostic:
    return Diagnostic(place, code, CODES[code].severity, message, remedy)
