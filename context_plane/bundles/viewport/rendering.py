"""Rendering: the text of a context window out of what was chosen.

Here belong the order of sections, and that data stays data: what is not trusted stands between tags that nothing in it
can close, and never where instructions do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

from context_plane.bundles.viewport.sections import Item, Section

T = TypeVar("T")


@lru_cache(maxsize=64)
def _tag(name: str) -> re.Pattern[str]:
    """What a reader could take for the tag of that name, however it is written."""
    return re.compile(rf"<\s*/?\s*{re.escape(name)}(?![\w-])", re.IGNORECASE)


def render(sections: Sequence[Section], chosen: Mapping[str, Sequence[Item]]) -> str:
    """The text of the chosen items by section, no line break at its end. Sections without items are not there."""
    return "\n".join(_framed(section, chosen[section.name]) for section in arranged(sections) if chosen[section.name])


def arranged(sections: Sequence[Section]) -> list[Section]:
    """Sections where they are read best: trusted ones first, of the others the more important at the beginning and at
    the end and the least in the middle (Liu et al. 2023, "Lost in the Middle")."""
    trusted = sorted((each for each in sections if each.trusted), key=lambda each: -each.priority)
    return [*trusted, *_edges(sorted((each for each in sections if not each.trusted), key=lambda each: -each.priority))]


def in_order(section: Section, items: Sequence[Item]) -> list[Item]:
    """Items of a section in the order in which they are read."""
    kept = {item.id for item in items}
    given = [item for item in section.items if item.id in kept]
    return given if section.arranged == "given" else _edges(sorted(given, key=lambda item: -item.value))


def _edges(best_first: list[T]) -> list[T]:
    return [*best_first[::2], *reversed(best_first[1::2])]


def _framed(section: Section, items: Sequence[Item]) -> str:
    return frame(section.name, [item.text for item in in_order(section, items)], trusted=section.trusted)


def frame(name: str, texts: Sequence[str], *, trusted: bool) -> str:
    """The texts of a section's items, between tags that nothing in them can close where they are not trusted."""
    body = "\n".join(texts)
    if trusted:
        return body
    tag, number = name, 1
    while _tag(tag).search(body):
        number += 1
        tag = f"{name}-{number}"
    return f"<{tag}>\n{body}\n</{tag}>"
