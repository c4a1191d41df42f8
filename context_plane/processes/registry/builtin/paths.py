"""Paths: which file of the workspace a path names, and that it names none outside.

Links are followed before it is looked where a path leads. Between the look and the use whoever can write into the
workspace could still lay another link: who can do that can run commands there anyhow.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from context_plane.errors import InputError

GIT: Final = ".git"


def inside(workspace: Path, path: str) -> Path:
    """The file or folder that a path names, links followed; it need not exist. An absolute path must lie in the
    workspace too. Raises `InputError` for one that leads out of it."""
    root = workspace.resolve()
    try:
        found = (root / path).resolve() if path.strip() else None
    except (OSError, ValueError, RuntimeError) as error:  # a NUL, a circle of links, a name that is too long
        what = f"{path!r:.120} names no file: {getattr(error, 'strerror', None) or error}"
        raise InputError(what, where="path", remedy="correct the path") from error
    if found is None or not found.is_relative_to(root):
        remedy = "name a file below the workspace; links must not lead out of it either"
        raise InputError(f"{path!r:.120} is not in the workspace {root}", where="path", remedy=remedy)
    return found


def writable(workspace: Path, path: str) -> Path:
    """The same for a file to write. Git's own folder is refused: what is written there can be what git runs next."""
    found = inside(workspace, path)
    root = workspace.resolve()
    if found == root:
        raise InputError(f"{path!r:.120} is the workspace itself", where="path", remedy="name a file in it")
    if GIT in (part.lower() for part in found.relative_to(root).parts):
        raise InputError(f"{path!r:.120} is git's own", where="path", remedy="use the git actions, or another path")
    return found


def shown(workspace: Path, path: Path) -> str:
    """A path of the workspace as outputs name it: relative, with ``/``; bytes that are no UTF-8 are replaced."""
    return os.fsencode(path.relative_to(workspace.resolve()).as_posix()).decode(errors="replace")
