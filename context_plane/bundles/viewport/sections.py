"""Sections and their items: the candidates for a context window, as whoever needs it declares them.

Here belongs what may be said of a candidate. An item is a fact or more: it is there whole or not at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from context_plane.errors import InputError

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,40}")
MOST_TOKENS: Final = 10_000_000


@dataclass(frozen=True)
class Item:
    """Something that can be left out."""

    id: str
    """What it is known by in the section: an event's id, a node's, a topic's."""
    text: str
    value: float = 0.0
    """What it is worth to this question beside the others of its section."""
    mandatory: bool = False
    """Whether there is no context without it."""
    tokens: int | None = None
    """Of the text, where that is known; counted otherwise."""
    same_as: str | None = None
    """What it says, if another item may say the same: of all with this key, and of those with the very same text, the
    first by the order of choice is taken."""
    says: tuple[str, ...] = ()
    """The facts in it, by whatever they are known by: an item of which all facts are said already is not taken."""


@dataclass(frozen=True)
class Section:
    """Candidates of one kind."""

    name: str
    """Lower case; what stands around the items in the text."""
    items: tuple[Item, ...]
    """In the order in which they are to be read."""
    priority: int = 0
    """Higher ones are served first, and stand where a model reads best: at the beginning and at the end."""
    most: int | None = None
    """Tokens that its items may take; `None` for all that there are."""
    least: int = 0
    """Tokens kept for it from sections of higher priority, as far as its items can use them."""
    trusted: bool = False
    """Whether it is written by whoever runs the plane: instructions. All else is data, and stands in quotes."""
    arranged: Literal["given", "edges"] = "given"
    """Whether its items keep their order, or the best stand at its edges."""
    ranked: bool = False
    """Whether values only rank, as scores of a search do: the best are taken first, however long they are. By value a
    token short items would win that say little (bench/README.md)."""


def check(sections: tuple[Section, ...], budget: int) -> None:
    """Raises `InputError` for what cannot be meant."""
    if type(budget) is not int or not 0 < budget <= MOST_TOKENS:
        remedy = f"give a whole number of tokens from 1 to {MOST_TOKENS:,}"
        raise InputError(f"the budget is {budget!r}", where="max_tokens", remedy=remedy)
    names = [section.name for section in sections]
    for name in names:
        if not _NAME.fullmatch(name):
            raise InputError(f"{name!r:.60} is no name", where="sections", remedy="use a-z, 0-9, _ and -")
        if names.count(name) > 1:
            raise InputError(f"section {name} is there twice", where="sections", remedy="put its items together")
    for section in sections:
        ids = [item.id for item in section.items]
        if len(set(ids)) < len(ids):
            odd = next(each for each in ids if ids.count(each) > 1)
            raise InputError(f"item {odd!r:.60} is there twice", where=f"section {section.name}", remedy="give it once")
        if any(item.value != item.value for item in section.items):
            raise InputError("a value is not a number", where=f"section {section.name}", remedy="give finite values")
