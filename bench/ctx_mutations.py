"""Mistakes put into a text, one at a time, to see whether the check of CTX notices every one.

Here belong the kinds of mistake that a bad encoder, or a model that rewrites, makes: each is a function from a text to
the text with one such mistake, or None where there is no room for it. They work on Markdown as CTX writes it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")
Mutation = Callable[[str, random.Random], str | None]

_DROPPABLE: Final = set("a an the is are that which really actually basically simply very there".split())
_NEGATION: Final = re.compile(r"(?<![\w'-])(?:not|no|never|none|nor|cannot|without|neither) ", re.I)
_MODAL: Final = re.compile(r"\b(must|shall|should|may|might|can|could|will|would)\b(?!-)")
_OTHER: Final = {
    "must": "may",
    "shall": "should",
    "should": "must",
    "may": "must",
    "might": "will",
    "can": "must",
    "could": "can",
    "will": "may",
    "would": "must",
}
_LINK: Final = re.compile(r"https?://[\w./#-]{4,}|\]\([\w./#-]{3,}(?=\))")
_ITEM: Final = re.compile(r"(?: *)(?:-|\d+[.)]) \S.*")
_ROW: Final = re.compile(r"\|?[^|\n]*\w[^|\n]*\|.*")
_WORD: Final = re.compile(r" [^ \n]*[A-Za-z]{2}[^ \n]*")
_RUNNING: Final = re.compile(r"[A-Z(\"“]?[A-Za-z][^|`\n]* [^|`\n]* [^|`\n]*")


def digit(text: str, rng: random.Random) -> str | None:
    """One digit is another."""
    at = _any([match.start() for match in re.finditer(r"[0-9]", text)], rng)
    return None if at is None else text[:at] + str((int(text[at]) + rng.randint(1, 9)) % 10) + text[at + 1 :]


def negation_dropped(text: str, rng: random.Random) -> str | None:
    """A word that denies is gone."""
    found = _any(list(_NEGATION.finditer(text)), rng)
    return None if found is None else text[: found.start()] + text[found.end() :]


def negation_added(text: str, rng: random.Random) -> str | None:
    """A ``not`` has come in between two words."""
    at = _any([at for start, end in _running(text) for at in _spaces(text, start, end)], rng)
    return None if at is None else f"{text[:at]} not{text[at:]}"


def modal(text: str, rng: random.Random) -> str | None:
    """What must be may be, and so on."""
    found = _any(list(_MODAL.finditer(text)), rng)
    return None if found is None else text[: found.start()] + _OTHER[found[0]] + text[found.end() :]


def link(text: str, rng: random.Random) -> str | None:
    """An address leads elsewhere."""
    found = _any(list(_LINK.finditer(text)), rng)
    if found is None:
        return None
    at = rng.randrange(found.start() + 2, found.end())
    return text[:at] + ("x" if text[at] != "x" else "y") + text[at + 1 :]


def cell(text: str, rng: random.Random) -> str | None:
    """A letter of a table's cell is another."""
    lines = text.split("\n")
    at = _any(_rows(lines), rng)
    if at is None:
        return None
    letter = rng.choice([number for number, sign in enumerate(lines[at]) if sign.isalnum()])
    new = "x" if lines[at][letter] != "x" else "y"
    lines[at] = lines[at][:letter] + new + lines[at][letter + 1 :]
    return "\n".join(lines)


def row(text: str, rng: random.Random) -> str | None:
    """A row of a table is gone."""
    return _without(text, _rows(text.split("\n")), rng)


def item_dropped(text: str, rng: random.Random) -> str | None:
    """An item of a list is gone."""
    return _without(text, _items(text.split("\n")), rng)


def items_swapped(text: str, rng: random.Random) -> str | None:
    """Two items that follow each other have changed places, their numbers with them."""
    lines = text.split("\n")
    items = set(_items(lines))
    at = _any([at for at in items if at + 1 in items and lines[at].strip() != lines[at + 1].strip()], rng)
    if at is None:
        return None
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    return "\n".join(lines)


def word_dropped(text: str, rng: random.Random) -> str | None:
    """A word that is on no list of words that may be missing is gone."""
    start, end = _any(_running(text), rng) or (0, 0)
    words = [match for match in _WORD.finditer(text, start, end) if match[0].strip().lower() not in _DROPPABLE]
    found = _any(words, rng)
    return None if found is None else text[: found.start()] + text[found.end() :]


MUTATIONS: Final[dict[str, Mutation]] = {
    "changed digits": digit,
    "dropped negations": negation_dropped,
    "added negations": negation_added,
    "changed modals": modal,
    "changed links": link,
    "changed cells": cell,
    "dropped rows": row,
    "dropped items": item_dropped,
    "reordered items": items_swapped,
    "dropped content words": word_dropped,
}
"""The kinds of mistake by name."""


def _any(found: list[T], rng: random.Random) -> T | None:
    return rng.choice(found) if found else None


def _without(text: str, places: list[int], rng: random.Random) -> str | None:
    at = _any(places, rng)
    if at is None:
        return None
    lines = text.split("\n")
    return "\n".join(lines[:at] + lines[at + 1 :])


def _items(lines: list[str]) -> list[int]:
    return [at for at in _outside_code(lines) if _ITEM.fullmatch(lines[at])]


def _rows(lines: list[str]) -> list[int]:
    """Rows of tables, without headers and what is under them."""
    found: list[int] = []
    inside = False
    for at in _outside_code(lines):
        if re.fullmatch(r"\|?[ :-]*-[ :-]*\|[|: -]*", lines[at]):
            inside = True
        elif "|" not in lines[at]:
            inside = False
        elif inside and _ROW.fullmatch(lines[at]):
            found.append(at)
    return found


def _outside_code(lines: list[str]) -> list[int]:
    found: list[int] = []
    fence = ""
    for at, line in enumerate(lines):
        mark = re.match(r" *(`{3,}|~{3,})", line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        elif not fence:
            found.append(at)
    return found


def _running(text: str) -> list[tuple[int, int]]:
    """Where lines of running text begin and end."""
    return [match.span() for match in _RUNNING.finditer(text)]


def _spaces(text: str, start: int, end: int) -> list[int]:
    return [at for at in range(start + 1, end) if text[at] == " " and text[at - 1].isalpha()]
