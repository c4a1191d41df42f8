"""The shelf: the packages of a tenant as a view shows them, whether they are declared, imported, built already or not.

Here belongs where a package comes from. What the home declares goes first; then what was imported; where a home
declares no packages at all, what was built is gone on with, as readers of contexts do. A package that was built and is
fresh is read, every other one is compiled, and the bytes are the same.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

from context_plane.bundles.packages.compile import Compiled, compile_package
from context_plane.bundles.packages.declaration import Declaration, check_name
from context_plane.bundles.packages.sources import Reader, Source, find
from context_plane.bundles.packages.stale import changes
from context_plane.errors import ContextPlaneError, InputError, NotFound

if TYPE_CHECKING:
    from context_plane.bundles.packages.compose import Part
    from context_plane.bundles.packages.folder import Packages
    from context_plane.bundles.packages.imports import Import, Imports
    from context_plane.bundles.packages.stored import Head, Stored
    from context_plane.parts.view import View

Origin = Literal["declared", "imported"]


@dataclass(frozen=True)
class State:
    """How a package stands beside what was built of it."""

    head: Head | None
    """What was built last."""
    built: Compiled | None
    changes: tuple[str, ...]
    """What has changed since."""

    @property
    def fresh(self) -> bool:
        """Whether what was built is what would be compiled."""
        return self.built is not None and not self.changes


@dataclass
class Shelf:
    """The packages of one tenant at one view. Safe for threads; what was compiled is kept."""

    view: View
    reader: Reader
    declared: Packages
    stored: Stored | None
    """What was built; `None` to compile everything from the log."""
    imports: Imports
    _compiled: dict[str, Compiled] = field(default_factory=dict)
    _sources: dict[str, tuple[Source, ...]] = field(default_factory=dict)
    _declarations: Mapping[str, Declaration] | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def imported(self) -> Mapping[str, Import]:
        """The imports that the view shows, without those whose names are declared."""
        return {name: each for name, each in self.imports.at(self.view).items() if name not in self.declarations}

    @property
    def declarations(self) -> Mapping[str, Declaration]:
        """What is declared: by the home, or where that declares nothing by what was built."""
        with self._lock:
            if self._declarations is None:
                good, tenant = self.declared.good, self.view.tenant
                mine = {name: each for name, each in good.items() if not each.tenants or tenant in each.tenants}
                self._declarations = mine if good or self.declared.broken else dict(self._of_built())
            return self._declarations

    def _of_built(self) -> Iterator[tuple[str, Declaration]]:
        for name in self.stored.names() if self.stored else ():
            found = self._current(name)
            if found is not None:
                yield name, found[1].declaration

    def _current(self, name: str) -> tuple[Head, Compiled] | None:
        return None if self.stored is None else self.stored.current(name)

    def names(self) -> list[str]:
        """All packages, sorted; those whose files are broken too."""
        broken = {each.name for each in self.declared.broken if each.name}
        return sorted({*self.declarations, *self.imported, *broken})

    def origin(self, name: str) -> Origin:
        """Where a package comes from. Raises `NotFound`, and `InputError` for a file that is broken."""
        check_name(name)
        if name in self.declarations:
            return "declared"
        broken = next((each for each in self.declared.broken if each.name == name), None)
        if broken is not None:
            raise InputError(broken.error.what, where=broken.error.where, remedy=broken.error.remedy)
        if name in self.imported:
            return "imported"
        near = get_close_matches(name, self.names(), 3, 0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known are: {', '.join(self.names()) or 'none'}"
        raise NotFound(f"there is no package {name}", where=f"tenant {self.view.tenant}", remedy=hint)

    def compiled(self, name: str) -> Compiled:
        """A package as it is at the view: what was built of it where that is fresh. Raises what `origin` raises,
        `NotFound` for a source that the view does not show, `Infeasible` for a budget below what is mandatory."""
        with self._lock:
            if name not in self._compiled:
                self._compiled[name] = self._read(name)
            return self._compiled[name]

    def _read(self, name: str) -> Compiled:
        if self.origin(name) == "imported":
            return self.imports.read(self.imported[name])
        state = self.state(name)
        return state.built if state.built is not None and state.fresh else self.again(name)

    def again(self, name: str) -> Compiled:
        """A declared package, compiled whatever was built of it."""
        return compile_package(self.declarations[name], self.sources(name), self.on(name))

    def sources(self, name: str) -> tuple[Source, ...]:
        """What a declared package names."""
        with self._lock:
            if name not in self._sources:
                self._sources[name] = find(self.declarations[name], self.reader)
            return self._sources[name]

    def on(self, name: str) -> list[Compiled]:
        """The packages that a package builds on, and those that these build on, each once."""
        found: dict[str, Compiled] = {}
        todo = [(name, each) for each in reversed(self._packages(name))]
        while todo:
            by, each = todo.pop()
            if each not in found:
                try:
                    found[each] = self.compiled(each)
                except NotFound as error:
                    what = f"{by} builds on {each}: {error.what}"
                    where = self.declarations[by].where or error.where
                    raise NotFound(what, where=where, remedy=error.remedy) from error
                todo += [(each, more) for more in reversed(self._packages(each))]
        return list(found.values())

    def recipe(self, name: str) -> dict[str, Declaration]:
        """The declarations that a package is made by: with these it is compiled again whatever the home says then."""
        names = [name, *(each.name for each in self.on(name))]
        return {each: self.declarations[each] for each in names if each in self.declarations}

    def _packages(self, name: str) -> tuple[str, ...]:
        return self.declarations[name].packages if name in self.declarations else ()

    def state(self, name: str) -> State:
        """How a declared package stands beside what was built of it."""
        found = self._current(name)
        if found is None:
            return State(None, None, ())
        head, built = found
        return State(head, built, () if self._untouched(name, head, built) else self._changes(name, built))

    def _untouched(self, name: str, head: Head, built: Compiled) -> bool:
        """Whether it was built at this very view, so that its sources need not be looked up."""
        view = self.view
        same = (head.log, head.as_of, head.end) == (view.number, view.as_of, view.end)
        return same and not built.depends and built.declaration.hash == self.declarations[name].hash

    def _changes(self, name: str, built: Compiled) -> tuple[str, ...]:
        if built.declaration.hash != self.declarations[name].hash:
            return ("its declaration changed",)
        depends = sorted((each.name, each.version) for each in self.on(name))
        return changes(built, self.declarations[name], self.sources(name), depends)

    def parts(self, names: Sequence[str]) -> list[Part]:
        """What packages and those that they build on add to a composition, in the order in which they are named."""
        found: list[Part] = []
        for name in names:
            made = self.compiled(name)
            found.append(made.part)
            found += [each.part for each in self.on(name)]
            found += [part for part in made.parts if part.version] if name not in self.declarations else []
        return found

    def chains(self) -> Iterator[frozenset[str]]:
        """The chains of memory in each declared package, as far as they are there."""
        for name in self.declarations:
            try:
                yield frozenset(chain for source in self.sources(name) for chain in source.chains)
            except ContextPlaneError:
                continue

    @property
    def nbytes(self) -> int:
        """Bytes of memory, about."""
        return 10_000 + sum(each.nbytes for each in list(self._compiled.values()))
