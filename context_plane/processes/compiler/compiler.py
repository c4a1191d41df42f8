"""The compiler: a folder of process files to a catalog, again and again, doing only what changed.

Here belongs the order of the stages and what is kept between two compilations: a file that did not change is not read,
a process is compiled again if its document, a parent, or something that it refers to changed.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from context_plane.processes.compiler import cache
from context_plane.processes.compiler.assembling import Assembly
from context_plane.processes.compiler.catalog import Catalog
from context_plane.processes.compiler.emit import about_versions
from context_plane.processes.compiler.files import Loaded, load, refreshed, scan
from context_plane.processes.compiler.history import History
from context_plane.processes.compiler.surroundings import Surroundings
from context_plane.processes.compiler.versions import Difference, Version, difference, versions_of


class Compiler:
    """Compiles the process files of a folder. May be used by several threads."""

    def __init__(
        self, folder: str | os.PathLike[str], surroundings: Surroundings, *, amend: bool = False, record: bool = True
    ) -> None:
        """`amend`: a version that declares something else than before replaces what was recorded of it. `record`:
        whether versions are recorded, and the catalog kept for the next process."""
        self.folder = Path(folder)
        self._surroundings = surroundings
        self._amend, self._record = amend, record
        self._history = History(self.folder)
        self._assembly = Assembly(self._history, amend=amend)
        self._files: dict[str, Loaded] = {}
        self._catalog: Catalog | None = None
        self._lock = threading.Lock()

    def compile(self, surroundings: Surroundings | None = None) -> Catalog:
        """The catalog of the folder as it is now. What is wrong with its files is in the catalog: nothing is raised."""
        with self._lock:
            same = surroundings is None or surroundings.fingerprint == self._surroundings.fingerprint
            self._surroundings = surroundings or self._surroundings
            paths = scan(str(self.folder))
            if self._catalog is None and not self._amend:
                self._take_kept()
            before = self._catalog
            if before is not None and same and not any(map(about_versions, before.diagnostics)):
                files = _current(paths, self._files)
                if files is not None:
                    self._files = files
                    return before
            return self._compiled(paths)

    def check(self, paths: Iterable[str | os.PathLike[str]]) -> Catalog:
        """The catalog of certain files (or all below certain folders), compiled with what else is in the folder.

        Where one from elsewhere declares what the folder has too, the one that was given counts; one of the folder's is
        what it is there. Diagnostics are those of these files, named as they were given, and the errors of other files
        that keep their processes from being compiled, named relative to the folder. Nothing is recorded.
        """
        given: dict[str, str] = {}
        for path in [os.fspath(each) for each in paths]:
            if os.path.isdir(path):
                given |= {os.path.join(path, name): each for name, each in scan(path).items()}
            else:
                given[path] = path
        with self._lock:
            real: dict[str, str] = {}
            for name, path in given.items():
                real.setdefault(os.path.realpath(path), name)
            folder = scan(str(self.folder))
            here = {name: real[file] for name, path in folder.items() if (file := os.path.realpath(path)) in real}
            mine = {name: load(name, given[name], None) for name in real.values()}
            others = {n: load(n, path, self._files.get(n)) for n, path in folder.items() if n not in here}
            return Assembly(self._history, amend=self._amend).some(mine, others, here, self._surroundings)

    def history(self, process: str) -> tuple[Version, ...]:
        """The versions of a process that ever compiled, the oldest first. Raises `NotFound`, `Corrupt`."""
        return versions_of(self._history, process)

    def diff(self, process: str, before: int, after: int) -> Difference:
        """What one version of a process has and does otherwise than another. Raises `NotFound`, `Corrupt`."""
        return difference(self._history.record(process, before), self._history.record(process, after))

    def _take_kept(self) -> None:
        """Begins with what the last process kept, if that is of these surroundings."""
        found = cache.kept(self.folder, self._surroundings.fingerprint)
        if found is not None:
            self._catalog, self._files = found.catalog, found.files

    def _compiled(self, paths: Mapping[str, str]) -> Catalog:
        self._files = {name: load(name, path, self._files.get(name)) for name, path in paths.items()}
        catalog = self._assembly.all(self._files, self._surroundings, self.folder if self._record else None)
        if self._record and paths:
            with contextlib.suppress(OSError):  # only the next process notices, and compiles for itself
                cache.keep(self.folder, catalog, self._files, self._surroundings.fingerprint)
        self._catalog = catalog
        return catalog


def _current(paths: Mapping[str, str], files: Mapping[str, Loaded]) -> dict[str, Loaded] | None:
    """The files with their present stamps; `None` where any is another than it was."""
    if list(paths) != list(files):
        return None
    found = {}
    for name, path in paths.items():
        now = refreshed(path, files[name])
        if now is None:
            return None
        found[name] = now
    return found
