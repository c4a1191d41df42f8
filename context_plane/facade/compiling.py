"""Processes as the home declares them: compiled when they are looked at, from what changed since."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import ContextPlaneError, InputError, NotFound
from context_plane.facade.answering import Answering

if TYPE_CHECKING:
    from context_plane.processes.compiler.catalog import Catalog
    from context_plane.processes.compiler.compiler import Compiler
    from context_plane.processes.compiler.surroundings import Surroundings
    from context_plane.processes.compiler.versions import Difference, Version
    from context_plane.processes.finding import Found
    from context_plane.processes.linked import LinkedProcess
    from context_plane.processes.models.gateway import Gateway
    from context_plane.processes.registry.registry import Registry


_log: Final = logging.getLogger("context_plane.processes")


class Compiling(Answering):
    """The process catalog, the registry, the models."""

    _compiler: Compiler | None = None
    _catalog_told: Catalog | None = None

    def processes(self) -> Catalog:
        """All that the home's ``processes/`` declares, compiled: processes, interfaces, actions, gates, and every
        diagnostic. Files that did not change are not compiled again."""
        surroundings, begun = self._surroundings(), monotonic()
        with self._lock:
            if self._compiler is None:
                self._compiler = self._new_compiler(surroundings)
            catalog = self._compiler.compile(surroundings)
            if catalog is not self._catalog_told:
                self._catalog_told = catalog
                _log.debug(
                    "%s compiled in %.1f ms: %d processes, %d findings",
                    self.settings.process_folder, (monotonic() - begun) * 1e3, len(catalog.processes),
                    len(catalog.diagnostics),
                )  # fmt: skip
            return catalog

    def check_processes(self, paths: Iterable[str | Path] = (), *, amend: bool = False) -> Catalog:
        """The same of certain files or folders, beside what the home declares; with `amend`, a version that declares
        something else than before takes the place of what was recorded of it."""
        found, surroundings = list(paths), self._surroundings()
        if amend:
            with self._lock:
                self._compiler = None
            self._new_compiler(surroundings, amend=True).compile()
        if not found:
            return self.processes()
        for path in found:
            if not Path(path).exists():
                raise NotFound("there is no such file or folder", where=str(path), remedy="check the path")
        return self._new_compiler(surroundings).check(found)

    def process(self, name: str) -> LinkedProcess:
        """A process by its name. Raises `NotFound` with the nearest name, `InputError` with what is wrong with it."""
        from difflib import get_close_matches

        catalog = self.processes()
        found = catalog.processes.get(name)
        if found is not None:
            return found
        wrong = [each for each in catalog.diagnostics if each.severity == "error"]
        if name in catalog.broken:
            first = next((each for each in wrong if _about(each, catalog, name)), wrong[0] if wrong else None)
            what = f"process {name} does not compile" + (f": {first.message}" if first else "")
            remedy = first.remedy if first else "run cortex process check"
            raise InputError(what, where=str(first.place) if first else name, remedy=remedy)
        close = get_close_matches(name, [*catalog.processes, *catalog.broken], 1)
        known = ", ".join(sorted(catalog.processes)) or "none"
        remedy = f"did you mean {close[0]}?" if close else f"known are: {known}"
        raise NotFound(f"there is no process {name!r:.80}", where=str(self.settings.process_folder), remedy=remedy)

    def find_processes(self, text: str, k: int = 10) -> list[Found]:
        """The processes that fit a text best, by names and descriptions."""
        from context_plane.processes.finding import find
        from context_plane.retrieval.text.analysis import Analyzer

        analyzer = Analyzer(self.settings.analyzer)
        return find(text, self.processes().processes.values(), analyzer.terms, k)

    def process_history(self, name: str) -> tuple[Version, ...]:
        """The versions of a process that ever compiled, the oldest first. Raises `NotFound`, `Corrupt`."""
        return self._compiled().history(name)

    def process_diff(self, name: str, old: int, new: int) -> Difference:
        """What one version of a process has and does otherwise than another. Raises `NotFound`, `Corrupt`."""
        return self._compiled().diff(name, old, new)

    def registry(self) -> Registry:
        """The actions and gates of Python: built in, of packages, and of the home's files. Raises nothing: what did not
        load is in its `problems`."""
        from context_plane.processes.registry.registry import open_registry

        return open_registry(self.settings)

    def gateway(self) -> Gateway | None:
        """The models that ``models.yaml`` names; `None` without that file. Raises `InputError` for one that does not
        read."""
        from context_plane.processes.models.gateway import open_gateway

        return open_gateway(self.settings)

    def process_problems(self) -> tuple[ContextPlaneError, ...]:
        """What is wrong beside the process files: Python files and packages that did not load, names that are there
        twice, models that do not read. Each has its place and a remedy; processes that need none of it run."""
        models = self._models_problem()
        return self.registry().problems + (() if models is None else (models,))

    def _models_problem(self) -> ContextPlaneError | None:
        try:
            self.gateway()
        except ContextPlaneError as error:
            return error
        return None

    def _compiled(self) -> Compiler:
        """The compiler, having compiled what there is now."""
        self.processes()
        assert self._compiler is not None
        return self._compiler

    def _new_compiler(self, surroundings: Surroundings, *, amend: bool = False) -> Compiler:
        from context_plane.processes.compiler.compiler import Compiler

        return Compiler(self.settings.process_folder, surroundings, amend=amend)

    def _surroundings(self) -> Surroundings:
        """What processes may refer to."""
        from context_plane.canonical import digest
        from context_plane.processes.compiler.surroundings import Surroundings

        registry, topics = self.registry(), self._topic_files()
        packages = sorted(self.home.packages().good)
        models = self._models_problem() is not None or self.gateway() is not None
        state: list[Any] = [registry.fingerprint, sorted(topics), packages, models]
        return Surroundings(
            registry, lambda name: _topic(topics, name), sorted(topics), packages, models, digest(state)
        )

    def _topic_files(self) -> frozenset[str]:
        """The topics of the home's knowledge folder."""
        from context_plane.knowledge.folder import scan

        folder = self.settings.knowledge
        return frozenset(scan(folder, folder).files) if folder.is_dir() else frozenset()


def _topic(topics: frozenset[str], reference: str) -> str | None:
    """The topic that a reference means."""
    from context_plane.knowledge.names import meant

    return next((name for name in meant(reference) if name in topics), None)


def _about(diagnostic: Any, catalog: Catalog, name: str) -> bool:
    place = catalog.sources.get(name)
    return place is not None and diagnostic.place.file == place.file
