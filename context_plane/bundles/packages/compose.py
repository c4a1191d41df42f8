"""Composition: several packages in one context, within a budget.

Here belongs what several packages do to each other: whose facts go first, that what two of them say is said once, and
that of a memory and the one that took its place only the latter stays. What fits is then the viewport's choice.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, get_args

from context_plane.bundles.packages.declaration import DataMode, TextMode, is_name
from context_plane.bundles.packages.facts import KINDS, Fact, Kind, Piece, piece_of
from context_plane.bundles.viewport.assembly import Viewport, assemble
from context_plane.bundles.viewport.budget import Report as Spent
from context_plane.bundles.viewport.rendering import render
from context_plane.bundles.viewport.sections import Item, Section
from context_plane.memory.nodes.node import SUPERSEDES

_SLUG: Final = 28
"""Characters of a package's name in the name of its sections; a hash stands for the rest."""
_GENERATED: Final = re.compile(r"m-[0-9a-f]{20}")
_SHARE: Final = 8
"""Where not everything fits, pieces are cut between facts until none takes more than such a part of the budget."""
_SMALLEST: Final = 40
"""Tokens below which no piece is cut: what it saves would go into heads."""
Superseded = Callable[[Fact], tuple[str, ...]]
"""What takes the place of a node of memory, beside what the packages themselves say."""


@dataclass(frozen=True)
class Part:
    """A package as it goes into a composition, without those that it builds on."""

    name: str
    version: str
    precedence: int
    pieces: tuple[Piece, ...]
    data_mode: DataMode = "verbatim"
    text_mode: TextMode = "verbatim"

    @property
    def facts(self) -> int:
        """How many facts it states."""
        return sum(len(piece.facts) for piece in self.pieces)

    def to_json(self) -> dict[str, Any]:
        """As package bodies hold it."""
        return {
            "package": self.name, "version": self.version, "precedence": self.precedence,
            "mode": {"data": self.data_mode, "text": self.text_mode},
            "pieces": [piece.to_json() for piece in self.pieces],
        }  # fmt: skip


def part_of(raw: Mapping[str, Any]) -> Part:
    """Reverse of `Part.to_json`. Raises `ValueError`, `KeyError`, `TypeError` for anything else."""
    data, text = raw["mode"]["data"], raw["mode"]["text"]
    if data not in get_args(DataMode) or text not in get_args(TextMode) or not is_name(raw["package"]):
        raise ValueError("mode or name is none")
    if type(raw["precedence"]) is not int or not isinstance(raw["version"], str):
        raise ValueError("precedence or version is none")
    pieces = tuple(piece_of(each) for each in raw["pieces"])
    return Part(raw["package"], raw["version"], raw["precedence"], pieces, data, text)


@dataclass(frozen=True)
class Dropped:
    """A fact that is not said, because something else is."""

    package: str
    kind: Kind
    id: str
    why: str

    def to_dict(self) -> dict[str, str]:
        """As reports hold it."""
        return {"package": self.package, "kind": self.kind, "id": self.id, "why": self.why}


@dataclass(frozen=True)
class LeftOut:
    """A piece that did not fit."""

    package: str
    piece: Piece
    tokens: int
    why: str


@dataclass(frozen=True)
class Report:
    """How a budget was spent on packages."""

    spent: Spent
    left_out: tuple[LeftOut, ...]
    dropped: tuple[Dropped, ...]
    """Facts that are said elsewhere or not current, in the order in which they were looked at."""

    def to_dict(self) -> dict[str, Any]:
        """As `cortex package compose --json` prints it under ``report``."""
        return {**self.spent.to_dict(), "dropped": [each.to_dict() for each in self.dropped]}


@dataclass(frozen=True)
class Taken:
    """A piece that is in the context."""

    package: str
    version: str
    section: str
    piece: Piece
    tokens: int

    def to_dict(self) -> dict[str, Any]:
        """As `Composed.items` has it."""
        return {
            "package": self.package, "version": self.version, "section": self.section, "kind": self.piece.kind,
            "id": self.piece.id, "facts": [fact.id for fact in self.piece.facts], "tokens": self.tokens,
        }  # fmt: skip


@dataclass(frozen=True)
class Composed:
    """Several packages in one text."""

    text: str
    tokens: int
    """Of the text, in o200k_base; at most the budget."""
    taken: tuple[Taken, ...]
    report: Report

    @property
    def items(self) -> list[dict[str, Any]]:
        """What is in the text, in the order of precedence."""
        return [each.to_dict() for each in self.taken]

    def to_dict(self) -> dict[str, Any]:
        """As `cortex package compose --json` prints it."""
        return {"text": self.text, "tokens": self.tokens, "items": self.items, "report": self.report.to_dict()}


def compose(parts: Sequence[Part], budget: int, superseded: Superseded = lambda _: ()) -> Composed:
    """The packages in one text of at most `budget` tokens: those of higher precedence first, of equal ones as given.

    The same packages give the same bytes. Raises `Infeasible` where what is mandatory takes more, with the least that
    would do.
    """
    kept, dropped = _said_once(sorted(_unique(parts), key=lambda part: -part.precedence), superseded)
    whole = _Candidates(kept)
    port = assemble(whole.sections, budget)
    if not (left := whole.left_out(port)):
        return whole.composed(port, port.report, left, dropped)
    cut = _Candidates([replace(part, pieces=tuple(_cut(part, budget))) for part in kept])
    port = assemble(cut.sections, budget)
    joined = _Candidates(_joined(kept, cut, port))
    again = assemble(joined.sections, budget)
    left = cut.left_out(port)
    if joined.left_out(again):
        return cut.composed(port, port.report, left, dropped)
    outside = tuple(each for each in port.report.decisions if not each.included)
    spent = Spent(budget, again.tokens, (*again.report.decisions, *outside))
    return joined.composed(again, spent, left, dropped)


def _unique(parts: Sequence[Part]) -> list[Part]:
    """Each version of a package once: one that came along with another may lack what did not fit there."""
    found: dict[tuple[str, str], Part] = {}
    for part in parts:
        known = found.setdefault((part.name, part.version), part)
        if part.facts > known.facts:
            found[part.name, part.version] = part
    return list(found.values())


def raw_text(name: str, pieces: Sequence[Piece]) -> str:
    """Pieces of a package as they would stand in a context uncompiled, in the frames of the compiled ones."""
    (slug,) = _slugs([name])
    sections = [
        Section(f"{slug}-{kind}", tuple(Item(f"{at}", piece.raw) for at, piece in enumerate(mine)))
        for kind in KINDS
        if (mine := [piece for piece in pieces if piece.kind == kind])
    ]
    return render(sections, {section.name: section.items for section in sections})


def _said_once(parts: Sequence[Part], superseded: Superseded) -> tuple[list[Part], tuple[Dropped, ...]]:
    """The packages without facts that an earlier one states, or that are not current."""
    successors = dict(_successors(parts))
    said: dict[str, str] = {}
    dropped: list[Dropped] = []
    kept = []
    for part in parts:
        pieces = []
        for piece in part.pieces:
            facts = []
            for fact in piece.facts:
                why = _outdated(piece, fact, successors, superseded) or said.get(fact.key)
                if why is None:
                    facts.append(fact)
                    said[fact.key] = f"{part.name} says the same ({piece.id})"
                else:
                    dropped.append(Dropped(part.name, piece.kind, fact.id, why))
            if len(facts) == len(piece.facts):
                pieces.append(piece)
            elif facts:
                pieces.append(piece.with_facts(facts))
        kept.append(replace(part, pieces=tuple(pieces)))
    return kept, tuple(dropped)


def _successors(parts: Sequence[Part]) -> Iterator[tuple[tuple[str, str], str]]:
    """Node and entity (any for ids that are hashes of what is said), and what takes the node's place."""
    for part in parts:
        for piece in part.pieces:
            if piece.kind == "memory":
                for fact in piece.facts:
                    for kind, target in fact.links:
                        if kind == SUPERSEDES:
                            yield _known_by(target, fact.entity), f"superseded by {fact.id} of {part.name}"


def _known_by(node: str, entity: str) -> tuple[str, str]:
    """Ids that people gave may name different things in packages from elsewhere."""
    return (node, "" if _GENERATED.fullmatch(node) else entity)


def _outdated(piece: Piece, fact: Fact, successors: dict[tuple[str, str], str], superseded: Superseded) -> str | None:
    if piece.kind != "memory":
        return None
    why = successors.get(_known_by(fact.id, fact.entity))
    if why is None and (by := superseded(fact)):
        why = f"superseded by {by[0]}"
    return why


@dataclass(frozen=True)
class _Place:
    """Where an item comes from."""

    part: Part
    piece: Piece


class _Candidates:
    """Packages as sections of a viewport."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.places: dict[tuple[str, str], _Place] = {}
        slugs = _slugs([part.name for part in parts])
        self.sections = tuple(
            section for rank, part in enumerate(parts) for section in self._of(part, slugs[rank], -rank)
        )

    def _of(self, part: Part, slug: str, priority: int) -> Iterator[Section]:
        for kind in KINDS:
            name, items, ids = f"{slug}-{kind}", list[Item](), set[str]()
            for piece in part.pieces:
                if piece.kind == kind:
                    made = piece.encoded(part.data_mode, part.text_mode)
                    id_ = piece.id if piece.id not in ids else f"{piece.id}, from {piece.facts[0].id}"
                    ids.add(piece.id)
                    items.append(Item(id_, made.text, mandatory=piece.mandatory, tokens=made.tokens))
                    self.places[name, id_] = _Place(part, piece)
            if items:
                yield Section(name, tuple(items), priority)

    def left_out(self, port: Viewport) -> tuple[LeftOut, ...]:
        """What is not in a viewport of these candidates."""
        left = [(self.places[each.section, each.id], each) for each in port.report.decisions if not each.included]
        return tuple(LeftOut(place.part.name, place.piece, each.tokens, each.why) for place, each in left)

    def composed(
        self, port: Viewport, spent: Spent, left_out: tuple[LeftOut, ...], dropped: tuple[Dropped, ...]
    ) -> Composed:
        """What a viewport of these candidates shows."""
        taken = []
        for section, item in port.items:
            place = self.places[section, item.id]
            taken.append(Taken(place.part.name, place.part.version, section, place.piece, item.tokens or 0))
        return Composed(port.text, port.tokens, tuple(taken), Report(spent, left_out, dropped))


def _slugs(names: Sequence[str]) -> list[str]:
    """What stands for each package in the names of its sections: lower case, short, and no two the same."""
    found: list[str] = []
    for name in names:
        slug = name.replace("/", "-")
        slug = slug if slug[0].isalpha() else f"p-{slug}"
        if len(slug) > _SLUG or slug in found:
            mark = hashlib.sha256(f"{name} {names[: len(found)].count(name)}".encode()).hexdigest()[:8]
            slug = f"{slug[: _SLUG - 9].rstrip('-')}-{mark}"
        found.append(slug)
    return found


def _cut(part: Part, budget: int) -> Iterator[Piece]:
    most = max(_SMALLEST, budget // _SHARE)
    for piece in part.pieces:
        todo = [piece]
        while todo:
            each = todo.pop()
            half = len(each.facts) // 2
            if half and each.encoded(part.data_mode, part.text_mode).tokens > most:
                todo += [each.with_facts(each.facts[half:]), each.with_facts(each.facts[:half])]
            else:
                yield each


def _joined(parts: Sequence[Part], cut: _Candidates, port: Viewport) -> list[Part]:
    """The packages with the facts that a viewport chose (each is there once), those of one piece together again."""
    chosen = {fact.key for name, item in port.items for fact in cut.places[name, item.id].piece.facts}
    found = []
    for part in parts:
        facts = [[fact for fact in piece.facts if fact.key in chosen] for piece in part.pieces]
        pieces = (piece.with_facts(mine) for piece, mine in zip(part.pieces, facts, strict=True) if mine)
        found.append(replace(part, pieces=tuple(pieces)))
    return found
