"""The extractor that needs no model: links from declared columns, and from text by rules.

Here belongs how references, statements and zones of a text come together as links of one event. The words that rules
look for are `phrases`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from context_plane.memory.links import columns, markdown
from context_plane.memory.links.extractor import Said
from context_plane.memory.links.link import REFS, REVERTS, Evidence, Found, Target
from context_plane.memory.links.notations import Notation, Own, own
from context_plane.memory.links.references import Mention, mentions
from context_plane.memory.links.statements import Statement, Words

VERSION: Final = 1
"""Raised with every change by which the same event gives other links."""
COLUMN: Final = "column"


class Rules:
    """Finds what is said in so many words. Pure, and safe for threads."""

    @property
    def id(self) -> str:
        """Identity of the rules."""
        return f"rules/{VERSION}"

    def extract(self, said: Said) -> list[Found]:
        """The links of one event, without those of an entity to itself."""
        me, declared = own(said.entity), said.declared
        found = [
            Found(Evidence(column), kind, target, rule=COLUMN)
            for kind, column in declared.columns
            for target in columns.targets(said.data.get(column), me, declared.references)
        ]
        stated: list[Found] = []
        for field in declared.fields:
            value = said.data.get(field)
            if isinstance(value, str) and value:
                stated += of_text(value, field, me, declared.references)
        return [each for each in (*found, *_settled(stated)) if each.target.entity != said.entity]


def of_text(text: str, field: str, me: Own, notations: tuple[Notation, ...] = ()) -> Iterator[Found]:
    """The references of a text about an entity, each with what is said of it, in their order."""
    found = mentions(text, me, notations)
    if not found and "evert" not in text and "EVERT" not in text:
        return
    zones, words = markdown.Zones(text), Words(text)
    last: Mention | None = None
    said: Statement | None = None
    for mention in found:
        zone = zones.kind(mention.start)
        if zone == markdown.HIDDEN:
            continue
        now = words.said(mention, last, said) if zone == markdown.OWN else None
        last, said = (mention, now) if zone == markdown.OWN else (None, None)
        if now is None:
            yield Found(Evidence(field, mention.start, mention.end), REFS, mention.target, rule=mention.by)
        else:
            yield Found(Evidence(field, now.start, now.end), now.kind, mention.target, now.inverse, now.rule)
    starts = [mention.start for mention in found]
    for begin, start, end in words.reverted_commits():
        place = bisect_right(starts, start) - 1
        known = place >= 0 and start < found[place].end  # as a declared notation
        if not known and zones.kind(begin) == markdown.OWN:
            target = _commit(text[start:end], me, notations)
            yield Found(Evidence(field, begin, end), REVERTS, target, rule="reverts-commit")


def _commit(hash_: str, me: Own, notations: tuple[Notation, ...]) -> Target:
    """What a hash stands for; where nothing is declared, only itself."""
    for each in notations:
        match = each.expression.fullmatch(hash_) if each.is_hash else None
        target = each.target(match, me) if match else None
        if target is not None:
            return target
    return Target(hash_)


def _settled(found: list[Found]) -> list[Found]:
    """Of what is said several times the first, and no mere reference to a thing of which more is said."""
    first: dict[tuple[str, bool, tuple[str, str, str]], Found] = {}
    for each in found:
        first.setdefault((each.kind, each.inverse, each.target.key), each)
    told = {target for kind, _, target in first if kind != REFS}
    return [each for (kind, _, target), each in first.items() if kind != REFS or target not in told]
