"""Facts and pieces: what a package says, as values, and as the CTX that is read.

Here belongs what a fact is known by wherever it comes from (so that it is said once), and how the facts of one source
become one document. A piece is data, but for knowledge, which is text: slices of a file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, Final, Literal, get_args

from context_plane.bundles.packages.declaration import DataMode, TextMode
from context_plane.ctx import prose
from context_plane.ctx.data.encoding import compact_json
from context_plane.ctx.data.encoding import encode as encode_data
from context_plane.ctx.prose.header import MARK, Head
from context_plane.ctx.tokens import counter

Kind = Literal["knowledge", "memory", "chain", "events"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
COLUMNS: Final = (
    "day", "time", "entity", "type", "confidence", "actor", "does", "target", "title", "says", "text",
)  # fmt: skip
"""What may be said of a fact, in the order in which it is read; ``#`` stands before these and ``links`` behind."""
_LISTS: Final[Mapping[str, str]] = {"memory": "nodes", "chain": "steps", "events": "found"}
_LINKED: Final = "links"
_NUMBER: Final = "#"


@dataclass(frozen=True)
class Fact:
    """Something that is said, by one event or of one link."""

    source: str
    """CloudEvents source of the event that says it."""
    id: str
    """Of that event; of a link what it connects."""
    says: Mapping[str, Any]
    """By column; of knowledge the slice of text alone."""
    links: tuple[tuple[str, str], ...] = ()
    """Of a memory node: kind and target of the edges from it."""
    entity: str = ""
    """Which entity it is about; empty for knowledge."""

    @cached_property
    def key(self) -> str:
        """What it is known by: two facts with one key say the same."""
        said = hashlib.sha256(str(self.says.get("text", "")).encode()).hexdigest()[:16]
        return f"{self.source}\x00{self.id}\x00{said}"

    def to_json(self) -> dict[str, Any]:
        """As package bodies hold it."""
        raw: dict[str, Any] = {"source": self.source, "id": self.id, "says": dict(self.says)}
        if self.links:
            raw["links"] = [list(link) for link in self.links]
        return {**raw, "entity": self.entity} if self.entity else raw


def fact_of(raw: Mapping[str, Any]) -> Fact:
    """Reverse of `Fact.to_json`. Raises `ValueError`, `KeyError`, `TypeError` for anything else."""
    says = raw["says"]
    if not isinstance(says, dict) or not says.keys() <= set(COLUMNS):
        raise ValueError("a fact says what no fact may say")
    links = tuple((_text(kind), _text(target)) for kind, target in raw.get("links", ()))
    return Fact(_text(raw["source"]), _text(raw["id"]), says, links, _text(raw.get("entity", "")))


@dataclass(frozen=True)
class Encoded:
    """A piece in CTX."""

    text: str
    tokens: int


@dataclass(frozen=True)
class Piece:
    """The facts of one source that stand together: a chain, a walk, the hits of a query, a topic."""

    kind: Kind
    id: str
    """What it is known by in the package: kind and name of the source."""
    of: str
    """What its facts are of: an entity, a query, a topic."""
    facts: tuple[Fact, ...] = field(repr=False)
    mandatory: bool = False
    back: bool = True
    """Of a walk: whether it leads to what came before."""

    @property
    def value(self) -> Any:
        """The piece as a JSON value; of knowledge its text."""
        if self.kind == "knowledge":
            return "".join(fact.says["text"] for fact in self.facts).strip("\n")
        name = ("before" if self.back else "after") if self.kind == "chain" else self.kind
        return {name: self.of, _LISTS[self.kind]: list(self._rows())}

    def _rows(self) -> Iterable[dict[str, Any]]:
        numbers = {fact.id: number for number, fact in enumerate(self.facts, 1)}
        linked = any(target in numbers for fact in self.facts for _, target in fact.links)
        for number, fact in enumerate(self.facts, 1):
            row = {_NUMBER: number} if linked else {}
            row |= {name: fact.says[name] for name in COLUMNS if name in fact.says}
            links = [f"{kind} {numbers[target]}" for kind, target in fact.links if target in numbers]
            yield {**row, _LINKED: "; ".join(links)} if links else row

    @cached_property
    def raw(self) -> str:
        """The same, uncompiled: compact JSON; of knowledge its text."""
        return _raw_text(self.value) if self.kind == "knowledge" else compact_json(self.value)

    def encoded(self, data: DataMode, text: TextMode) -> Encoded:
        """The piece in CTX: never more tokens than `raw` has."""
        return _of_text(self.value, text) if self.kind == "knowledge" else _of_data(self.raw, data)

    def with_facts(self, facts: Iterable[Fact]) -> Piece:
        """The piece with some of its facts."""
        return replace(self, facts=tuple(facts))

    def to_json(self) -> dict[str, Any]:
        """As package bodies hold it."""
        raw: dict[str, Any] = {"kind": self.kind, "id": self.id, "of": self.of}
        raw |= {"mandatory": True} if self.mandatory else {}
        raw |= {"back": self.back} if self.kind == "chain" else {}
        return {**raw, "facts": [fact.to_json() for fact in self.facts]}


def piece_of(raw: Mapping[str, Any]) -> Piece:
    """Reverse of `Piece.to_json`. Raises `ValueError`, `KeyError`, `TypeError` for anything else."""
    if raw["kind"] not in KINDS:
        raise ValueError(f"there is no kind {raw['kind']!r:.40}")
    kind: Kind = raw["kind"]
    facts = tuple(fact_of(each) for each in raw["facts"])
    if kind == "knowledge" and any(not isinstance(fact.says.get("text"), str) for fact in facts):
        raise ValueError("knowledge without a text")
    return Piece(kind, _text(raw["id"]), _text(raw["of"]), facts, raw.get("mandatory") is True, raw.get("back", True))


def _raw_text(text: str) -> str:
    """A text as it stands; one that begins as encoded ones do behind the line that says that it is none."""
    return Head().written() + text if text.startswith(MARK) else text


@lru_cache(4_096)
def _of_text(text: str, mode: TextMode) -> Encoded:
    written = prose.encode(text, prose.Mode(mode))
    return Encoded(written, counter()(written))


@lru_cache(4_096)
def _of_data(raw: str, mode: DataMode) -> Encoded:
    written = encode_data(json.loads(raw), mode)
    return Encoded(written, counter()(written))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
    return value
