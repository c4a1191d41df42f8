"""Checking: certain files among the others of a folder, before they are put there or after.

Here belongs which documents count, and what concerns those that were given of all that is told. A process that cannot
be run is never passed over in silence, wherever the reason stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from context_plane.processes.compiler.catalog import Catalog
from context_plane.processes.compiler.declare import KIND_OF, Declarations
from context_plane.processes.compiler.history import FOLDER
from context_plane.processes.compiler.validate import Validated
from context_plane.processes.language.diagnostic import Diagnostic
from context_plane.processes.language.documents import ProcessSource

Named = tuple[str, str]
"""Kind and name of a document."""
_OF_FILES: Final = "too-many-findings"
_OF_SEVERAL: Final = "trigger-loop"


def among(given: Mapping[str, Validated], others: Mapping[str, Validated], here: Mapping[str, str]) -> list[Validated]:
    """All files that count, in order. `here` says by which of the names that were given files of the folder go; they
    are there once. Of the others those documents do not count that a file from elsewhere replaces, also where they
    cannot be read."""
    elsewhere = [file for name, file in given.items() if name not in here.values()]
    replaced = {named for file in elsewhere for named in declared_in(file)}
    return elsewhere + [
        given[here[name]] if name in here else _without(others[name], replaced) for name in sorted([*here, *others])
    ]


def declared_in(file: Validated) -> set[Named]:
    """What a file declares, as far as it could be read."""
    return {(KIND_OF[type(source)], source.name) for source in file.sources}


def _without(file: Validated, names: set[Named]) -> Validated:
    """A file without documents of certain names."""
    sources = tuple(each for each in file.sources if (KIND_OF[type(each)], each.name) not in names)
    return replace(file, sources=sources, lost=file.lost - names)


def excerpt(catalog: Catalog, given: Sequence[Validated], all_: Sequence[Validated], declared: Declarations) -> Catalog:
    """Of a catalog of all files what concerns those that were given: what they declare, what is told of them, and the
    errors of others that keep their processes from being run."""
    names = {named for file in given for named in declared_in(file)}
    own = {name for kind, name in names if kind == "process"}
    unread = {name for file in given for kind, name in file.lost if kind == "process"}
    broken = catalog.broken & (own | unread)
    about = _About({*(names & declared.broken), *(("process", name) for name in broken)}, all_, declared)
    mine = {file.file for file in given}
    told = [
        each for each in catalog.diagnostics
        if each.place.file in mine or (each.severity == "error" and about.concerns(each))
    ]  # fmt: skip
    if broken and not any(each.severity == "error" for each in told):
        told += _else(catalog.errors)
    return replace(
        catalog,
        processes={name: each for name, each in catalog.processes.items() if name in own},
        interfaces={name: each for name, each in catalog.interfaces.items() if ("interface", name) in names},
        actions={name: each for name, each in catalog.actions.items() if ("action", name) in names},
        gates={name: each for name, each in catalog.gates.items() if ("gate", name) in names},
        diagnostics=tuple(sorted(told)),
        sources={name: place for name, place in catalog.sources.items() if name in own},
        broken=broken,
        reused={name: version for name, version in catalog.reused.items() if name in own},
    )


def _else(errors: Sequence[Diagnostic]) -> list[Diagnostic]:
    """What is told where nothing that was looked for explains why a process cannot be run: a loop stands at one of
    those that set each other off; failing that, everything."""
    return [each for each in errors if each.code == _OF_SEVERAL] or list(errors)


class _About:
    """What documents that cannot be used are made of: they, their parents, and everything that these name."""

    def __init__(self, names: set[Named], files: Sequence[Validated], declared: Declarations) -> None:
        self._names = names | set(_used(names, declared))
        self._documents = [
            source for file in files for source in file.sources if (KIND_OF[type(source)], source.name) in self._names
        ]
        self._files = {source.file for source in self._documents}
        self._lost = {file.file: file.sources for file in files if file.lost & self._names}

    def concerns(self, told: Diagnostic) -> bool:
        """Whether a finding may be why they cannot be used."""
        place = told.place
        if not self._names:
            return False
        if told.code == _OF_FILES and place.file in self._files:  # what comes after it was not looked at
            return True
        folder, _, record = place.file.rpartition("/")
        if folder == FOLDER and ("process", record.partition(".")[0]) in self._names:
            return True
        if place.file in self._lost and not any(source.holds(place) for source in self._lost[place.file]):
            return True
        return any(source.holds(place) for source in self._documents)


def _used(names: set[Named], declared: Declarations) -> Iterator[Named]:
    """What processes extend, implement and ask for, and what their parents do."""
    todo = [name for kind, name in names if kind == "process"]
    seen = set(todo)
    while todo:
        source = declared.processes.get(todo.pop())
        if source is None:
            continue
        yield from _named_by(source)
        if source.extends is not None and source.extends not in seen:
            seen.add(source.extends)
            todo.append(source.extends)


def _named_by(source: ProcessSource) -> Iterator[Named]:
    if source.extends is not None:
        yield "process", source.extends
    for interface in source.implements:
        yield "interface", interface.name
    for gate in source.gates.items:
        yield "gate", gate.gate
    for step in source.steps.items:
        if step.action is not None:
            yield "action", step.action
        for gate in step.gates.items:
            yield "gate", gate.gate
