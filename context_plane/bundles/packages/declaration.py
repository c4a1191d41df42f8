"""Declarations: what a package is made of, as values.

Here belong what may be named and what a name is. How a file says it is `reading`, several files together are `folder`,
what they name is looked up in `sources`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, get_args

from context_plane.canonical import digest
from context_plane.errors import InputError

Scope = Literal["personal", "project", "team", "org", "domain"]
DataMode = Literal["verbatim", "compact", "dense"]
TextMode = Literal["verbatim", "compact", "semantic"]
Direction = Literal["back", "forward"]
Searched = Literal["bm25", "vector", "hybrid"]

PRECEDENCE: Final[Mapping[Scope, int]] = {"personal": 50, "project": 40, "team": 30, "org": 20, "domain": 10}
"""By scope, where a file does not say: what is nearer to who asks goes first."""
MODES: Final[Mapping[str, tuple[DataMode, TextMode]]] = {
    "verbatim": ("verbatim", "verbatim"),
    "compact": ("compact", "compact"),
    "dense": ("dense", "compact"),
    "semantic": ("compact", "semantic"),
}
"""What one word stands for: of data and of text."""
MOST_TOKENS: Final = 1_000_000
NAMED: Final = "use a-z, 0-9, _ and -, with / between at most four parts, such as team/backend-standards"
_NAME: Final = re.compile(r"(?=.{1,120}\Z)[a-z0-9][a-z0-9_-]*(?:/[a-z0-9][a-z0-9_-]*){0,3}")


@dataclass(frozen=True)
class Topic:
    """A topic of knowledge."""

    topic: str
    mandatory: bool = False

    @property
    def ref(self) -> str:
        """What it is called in manifests and reports."""
        return f"topic {self.topic}"


@dataclass(frozen=True)
class Chain:
    """The chain of memory that a node is in."""

    node: str
    mandatory: bool = False

    @property
    def ref(self) -> str:
        """What it is called in manifests and reports."""
        return f"chain {self.node}"


@dataclass(frozen=True)
class Memory:
    """All chains of memory about an entity."""

    memory: str
    mandatory: bool = False

    @property
    def ref(self) -> str:
        """What it is called in manifests and reports."""
        return f"memory {self.memory}"


@dataclass(frozen=True)
class Walk:
    """What came before an entity, or after it."""

    entity: str
    direction: Direction = "back"
    depth: int = 10
    mandatory: bool = False

    @property
    def ref(self) -> str:
        """What it is called in manifests and reports."""
        return f"{self.direction} {self.entity} {self.depth}"


@dataclass(frozen=True)
class Query:
    """The events that answer a query best."""

    query: str
    k: int = 10
    type: tuple[str, ...] = ()
    entity: tuple[str, ...] = ()
    since: str | None = None
    """A time or a day, or how long before the instant of the view."""
    until: str | None = None
    search: Searched = "bm25"
    mandatory: bool = False

    @property
    def ref(self) -> str:
        """What it is called in manifests and reports."""
        filters = {name: value for name, value in asdict(self).items() if value and name not in ("query", "mandatory")}
        shown = ", ".join(f"{name}={'|'.join(v) if isinstance(v, tuple) else v}" for name, v in filters.items())
        return f"query {self.query} ({shown})"


Entry = Topic | Chain | Memory | Walk | Query


@dataclass(frozen=True)
class Declaration:
    """A checked declaration: two files that mean the same are the same value."""

    name: str
    scope: Scope
    description: str = ""
    entries: tuple[Entry, ...] = ()
    """Topics, chains and queries, in the order in which they are to be read."""
    packages: tuple[str, ...] = ()
    """Names of the packages it builds on."""
    data_mode: DataMode = "verbatim"
    text_mode: TextMode = "verbatim"
    max_tokens: int | None = None
    precedence: int = 0
    tenants: tuple[str, ...] = field(default=(), compare=False)
    """Whose package it is; of no tenant in particular where none is named. Not part of what it is."""
    where: str = field(default="", compare=False)
    """The file, for messages."""
    places: tuple[str, ...] = field(default=(), compare=False)
    """Of the entries: file, line and key, for messages."""

    @cached_property
    def hash(self) -> str:
        """Equal where the same would be compiled of the same sources."""
        return digest(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The declaration as JSON; `from_json` reads it."""
        return {
            "name": self.name, "scope": self.scope, "description": self.description,
            "entries": [_plain(entry) for entry in self.entries], "packages": list(self.packages),
            "mode": {"data": self.data_mode, "text": self.text_mode}, "max_tokens": self.max_tokens,
            "precedence": self.precedence,
        }  # fmt: skip

    @classmethod
    def from_json(cls, raw: Mapping[str, Any], where: str = "") -> Declaration:
        """The declaration that `to_json` wrote. Raises `KeyError`, `TypeError`, `ValueError` for anything else."""
        mode, budget = raw["mode"], raw["max_tokens"]
        if raw["scope"] not in PRECEDENCE or not is_name(raw["name"]) or type(raw["precedence"]) is not int:
            raise ValueError("scope, name or precedence is none")
        if mode["data"] not in get_args(DataMode) or mode["text"] not in get_args(TextMode):
            raise ValueError("mode is none")
        if budget is not None and (type(budget) is not int or not 1 <= budget <= MOST_TOKENS):
            raise ValueError("max_tokens is no number of tokens")
        return cls(
            raw["name"], raw["scope"], str(raw["description"]), tuple(_entry(each) for each in raw["entries"]),
            tuple(map(str, raw["packages"])), mode["data"], mode["text"], budget, raw["precedence"], where=where,
        )  # fmt: skip


def is_name(name: object) -> bool:
    """Whether a package may have this name."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def check_name(name: str, where: str = "package") -> str:
    """The name. Raises `InputError` where no package may have it."""
    if not is_name(name):
        raise InputError(f"{name!r:.80} is no name of a package", where=where, remedy=NAMED)
    return name


def _plain(entry: Entry) -> dict[str, Any]:
    kind = type(entry).__name__.lower()
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(entry).items()}
    return {"kind": kind, **values}


_KINDS: Final[Mapping[str, Callable[..., Entry]]] = {
    each.__name__.lower(): each for each in (Topic, Chain, Memory, Walk, Query)
}


def _entry(raw: Mapping[str, Any]) -> Entry:
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()}
    return _KINDS[str(values.pop("kind"))](**values)
