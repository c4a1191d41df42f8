"""Trust: whether a Python file of a home may be run, by who could have written it.

As git's safe.directory: a home that somebody else could write into, on a machine or a disk that is shared, is not run
as you. What you copied or cloned yourself is yours, so this is no judgement of what is in it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from context_plane.errors import ContextPlaneError, Denied


def state_of(path: Path) -> tuple[int, ...]:
    """What the trust in a file or folder depends on. Raises `OSError`."""
    found = path.stat()
    return (found.st_mode, found.st_uid, found.st_gid)


def problem_of(path: Path, above: Sequence[Path]) -> ContextPlaneError | None:
    """Why a file is not to be run: it, or a folder above it, is somebody else's, or others may write to it. `None`
    where it may be."""
    for each in (path, *above):
        try:
            reason, remedy = _doubt(each)
        except OSError as error:
            reason, remedy = f"cannot be looked at ({error.strerror})", "check the rights on it"
        if reason:
            what = f"it is not loaded, because {'it' if each == path else each} {reason}"
            return Denied(what, where=str(path), remedy=remedy)
    return None


def _doubt(path: Path) -> tuple[str, str]:
    """What speaks against a file or folder, and what to do; empty where nothing does."""
    mode, owner, group = state_of(path)
    if not hasattr(os, "geteuid"):
        return "", ""  # Windows has other rights, which a home in a user's profile inherits
    if owner not in (0, os.geteuid()):
        return f"belongs to another user ({owner})", f"look at what it does, then: chown {os.geteuid()} {path}"
    if stat.S_ISDIR(mode) and mode & stat.S_ISVTX:
        return "", ""  # as /tmp: others may write beside, and not replace what is there
    if mode & stat.S_IWOTH:
        return "may be written to by everybody", f"chmod o-w {path}"
    # Where each user has a group of his own, files are often made writable to it (umask 002).
    if mode & stat.S_IWGRP and group not in (0, os.getegid(), _primary_group()):
        return f"may be written to by the group {group}", f"chmod g-w {path}"
    return "", ""


def _primary_group() -> int:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_gid
    except KeyError:  # a container may run as a number that has no name
        return os.getegid()
