"""Extractors: what finds the links of an event, chosen by name and imported only when chosen.

``rules`` (the default) is this package's own and needs no model. Any other name is one that an installed package
declares under the entry point group ``context_plane.link_extractors``: a function without arguments that returns an
`Extractor`. Whatever it finds carries its name as rule, so that what a model made of a text is never taken for what the
text says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, Protocol

from context_plane.errors import ContextPlaneError, InputError, NotFound
from context_plane.memory.links.declared import RULES, Declared
from context_plane.memory.links.link import Found

GROUP: Final = "context_plane.link_extractors"


@dataclass(frozen=True)
class Said:
    """One event as an extractor sees it."""

    entity: str
    time: int
    source: str
    id: str
    type: str
    data: Mapping[str, Any]
    declared: Declared = field(default_factory=Declared)


class Extractor(Protocol):
    """Finds the links that one event states. Safe for threads."""

    @property
    def id(self) -> str:
        """Identity of what it finds: name and version, so that a change is noticed."""

    def extract(self, said: Said) -> Iterable[Found]:
        """The links of an event. The same event gives the same links."""


class _Named:
    """A plugin under its name: what it finds is checked, and carries the name."""

    def __init__(self, name: str, plugin: Extractor) -> None:
        self._name = name
        self._plugin = plugin

    @property
    def id(self) -> str:
        return f"{self._name}:{self._plugin.id}"

    def extract(self, said: Said) -> list[Found]:
        return [replace(self._checked(each, said), rule=self._name) for each in self._plugin.extract(said)]

    def _checked(self, found: Found, said: Said) -> Found:
        evidence = found.evidence
        value = said.data.get(evidence.field)
        if not found.kind or not found.target.written:
            raise self._error(said, "a link without kind or target", "give both")
        if value is None:
            what = f"evidence in {evidence.field!r}, which the event lacks"
            raise self._error(said, what, "name a field of its data")
        if evidence.span is not None:
            start, end = evidence.span
            if not isinstance(value, str) or not start < end <= len(value):
                what = f"evidence from {start} to {end} in {evidence.field!r}"
                raise self._error(said, what, "give characters that the field's text has")
        return found

    def _error(self, said: Said, what: str, remedy: str) -> InputError:
        return InputError(what, where=f"link extractor {self._name!r}, event {said.source} {said.id}", remedy=remedy)


def open_extractor(name: str = RULES) -> Extractor:
    """The extractor of a name. Raises `NotFound` for one that is not installed, or that fails to open."""
    if name == RULES:
        from context_plane.memory.links.rules import Rules

        return Rules()
    for point in entry_points(group=GROUP, name=name):
        return _Named(name, _plugged(name, point))
    known = sorted({RULES, *(point.name for point in entry_points(group=GROUP))})
    raise NotFound(f"there is no link extractor {name[:80]!r}", remedy=f"known are {', '.join(known)}")


def _plugged(name: str, point: EntryPoint) -> Extractor:
    try:
        made: Extractor = point.load()()
    except ContextPlaneError:
        raise
    except Exception as error:
        what, remedy = f"the plugin {point.value!r} fails: {error!r}", "install it again, or name another extractor"
        raise NotFound(what, where=f"link extractor {name!r}", remedy=remedy) from error
    return made
