"""Links in few letters, for tables of cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from context_plane.memory.links.declared import Declared
from context_plane.memory.links.extractor import Said
from context_plane.memory.links.link import Found
from context_plane.memory.links.rules import Rules

ENTITY = "issue/acme/shop#12"


def found(text: str, entity: str = ENTITY, references: Iterable[Mapping[str, str]] = (), **data: Any) -> list[Found]:
    """The links of a text on an entity, in the order of the text."""
    declared = Declared.of({}, references)
    return Rules().extract(Said(entity, 0, "tests", "1", "test", {"text": text, **data}, declared))


def short(link: Found) -> str:
    """Kind and target; ``<`` before what the target does, and of one's own repository only the number."""
    target = link.target.entity.removeprefix("issue/acme/shop") or link.target.event or link.target.written
    return f"{'<' if link.inverse else ''}{link.kind} {target}"


def told(text: str, entity: str = ENTITY, references: Iterable[Mapping[str, str]] = ()) -> str:
    """The links of a text in few letters, sorted: ``closes #5, refs #6``; nothing for none."""
    return ", ".join(sorted(map(short, found(text, entity, references))))
