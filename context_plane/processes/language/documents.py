"""Documents: what process files declare, each with its place; the syntax tree between parsing and linking.

Here belong the data. Everything keeps its mark, so that whatever a later stage finds is told where it stands. Two trees
are never compared, they are told apart by identity: a file that did not change keeps its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Generic, NamedTuple, TypeVar

from context_plane.canonical import digest
from context_plane.processes.language.diagnostic import Place
from context_plane.processes.language.marks import Document, mark_of
from context_plane.processes.linked import Command, Declared, Dispatch, Retries, Trigger

T = TypeVar("T")
SOUND: Final[frozenset[str]] = frozenset()


class Named(NamedTuple):
    """A name that refers to something, and where it stands."""

    name: str
    spot: Any


class Listing(NamedTuple, Generic[T]):
    """A list into which a parent's goes."""

    items: tuple[T, ...] = ()
    marker: int | None = None
    """How many items stand before ``inherit: all``; `None` where it is not written."""
    marked: Any = None
    """Where that stands."""


_EMPTY: Final[Listing[Any]] = Listing()


@dataclass(frozen=True, eq=False, slots=True)
class GateUse:
    """A gate that a process or step asks for."""

    gate: str
    spot: Any
    inputs: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""

    def at(self, key: str) -> Any:
        """Where the value of a key stands; of one that is not written, the whole."""
        return _at(self.spot, key)


@dataclass(frozen=True, eq=False, slots=True)
class NeedsSource:
    """What a step's context is made of, with names as they are written."""

    sections: tuple[str, ...] = ()
    knowledge: bool = False
    """Whether all topics of the process are."""
    topics: tuple[Named, ...] = ()
    packages: tuple[Named, ...] = ()
    steps: tuple[Named, ...] = ()


class ContextSource(NamedTuple):
    """What a step says of its context."""

    needs: NeedsSource | None = None
    budget: int | None = None


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class StepSource:
    """One item of `steps`."""

    spot: Any
    faulty: frozenset[str] = SOUND
    """Keys whose values were not taken, or not whole."""
    id: str
    action: str | None = None
    run: tuple[str, ...] | None = None
    description: str = ""
    gates: Listing[GateUse] = _EMPTY
    inputs: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = None
    retries: Retries | None = None
    context: ContextSource | None = None
    model: Mapping[str, Any] | None = None
    """Only the keys that are written: what else is needed the action says."""
    breakpoint: bool = False
    abstract: bool = False
    sealed: bool = False
    before: str | None = None
    after: str | None = None

    def at(self, key: str) -> Any:
        """Where the value of a key stands; of one that is not written, the whole step."""
        return _at(self.spot, key)


class TriggerSource(NamedTuple):
    """A trigger and where it stands."""

    trigger: Trigger
    spot: Any


class RequiredStep(NamedTuple):
    """A step that an interface requires."""

    id: str
    description: str
    spot: Any


@dataclass(frozen=True, eq=False, kw_only=True)
class Source:
    """A document."""

    file: str
    document: Document
    faulty: frozenset[str] = SOUND
    """Keys whose values were not taken, or not whole."""
    name: str
    description: str = ""

    @property
    def sound(self) -> bool:
        """Whether everything that is written was taken."""
        return not self.faulty and self.document.whole

    def lacks(self, key: str) -> bool:
        """Whether something of a key was not taken: what is missing there has been told."""
        return key in self.faulty or not self.document.whole

    def at(self, key: str) -> Any:
        """Where the value of a key stands; of one that is not written, the document."""
        return _at(self.document.marks, key)

    def key(self, key: str) -> Any:
        """Where a key itself stands."""
        return self.document.marks.keys.get(key, self.document.marks.at)

    def place(self, spot: Any) -> Place:
        """The place of a mark of this document."""
        mark = mark_of(spot)
        return Place(self.file, mark.line + 1, mark.column + 1)

    def holds(self, place: Place) -> bool:
        """Whether a place is in this document."""
        if place.file != self.file:
            return False
        text = self.document.text
        first, last = text.count("\n", 0, self.document.start), text.count("\n", 0, self.document.end)
        return first < place.line <= last + 1

    @cached_property
    def declaration(self) -> str:
        """``sha256:…`` over what it declares, without comments and layout. Only of one in which nothing was refused."""
        return digest(self.document.data)

    @property
    def text(self) -> str:
        """The document as it is written."""
        return self.document.text[self.document.start : self.document.end]


@dataclass(frozen=True, eq=False, kw_only=True)
class ProcessSource(Source):
    """A document ``process:``."""

    version: int = 0
    abstract: bool = False
    sealed: bool = False
    extends: str | None = None
    implements: tuple[Named, ...] = ()
    trigger: tuple[TriggerSource, ...] = ()
    inputs: Mapping[str, Declared] = field(default_factory=dict)
    entity: str | None = None
    workspace: str | None = None
    knowledge: Listing[Named] = _EMPTY
    gates: Listing[GateUse] = _EMPTY
    steps: Listing[StepSource] = _EMPTY
    dispatch: Dispatch | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class InterfaceSource(Source):
    """A document ``interface:``."""

    version: int = 0
    required_gates: tuple[Named, ...] = ()
    required_steps: tuple[RequiredStep, ...] = ()
    required_knowledge: tuple[Named, ...] = ()
    inputs: Mapping[str, Declared] = field(default_factory=dict)
    trigger: tuple[TriggerSource, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class ActionSource(Source):
    """A document ``action:``."""

    inputs: Mapping[str, Declared] = field(default_factory=dict)
    run: tuple[str, ...] | None = None
    prompt: str | None = None
    model: Mapping[str, Any] | None = None
    timeout: float | None = None
    keyed: bool = False
    check: bool = True

    @property
    def command(self) -> Command | None:
        """What it runs, if it does."""
        return None if self.run is None else Command(self.run, self.check)


@dataclass(frozen=True, eq=False, kw_only=True)
class GateSource(Source):
    """A document ``gate:``."""

    inputs: Mapping[str, Declared] = field(default_factory=dict)
    run: tuple[str, ...] = ()


def _at(spot: Any, key: str) -> Any:
    values = getattr(spot, "values", None)
    return mark_of(values[key]) if isinstance(values, dict) and key in values else mark_of(spot)
