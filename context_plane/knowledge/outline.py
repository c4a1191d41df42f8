"""Outlines: the sections of a file, each with the headings above it and the places where it may be cut.

Here belongs what a file's form says of its structure. Blocks are found by `ctx.prose.parse`, which reads Markdown,
plain text, RFCs and reStructuredText; here stands what it need not know: front matter, which underline means which
level in reStructuredText, and that files of data have indentation instead of headings. Lines are counted, not copied:
whoever cuts a file cuts it as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from context_plane.ctx.prose.blocks import Block
from context_plane.ctx.prose.lines import indent_of, split_lines
from context_plane.ctx.prose.parse import parse

Form = Literal["prose", "rst", "data"]
Heading = tuple[str, ...]
"""The headings above a place, the outermost first."""
MAX_HEADING: Final = 200
"""Characters of one heading that are kept: more of them is a paragraph that looks like one."""
PARTED: Final = 4
"""What a cut costs at least that leaves one side without sense: a heading without text, a lead-in without its list."""
_DEEPEST: Final = 6
_BOM: Final = "\ufeff"
_FRONT: Final = re.compile(r"(?:\.\.\.|---)[ \t]*")
_TITLE: Final = re.compile(r"title:[ \t]*(.+)")
_ADORNMENT: Final = re.compile(r"([!-/:-@\[-`{-~])\1+[ \t]*")
_NUMBERED: Final = re.compile(r"(?:\d|Appendix |[A-Z]\.\d)")
_FRONT_LINES: Final = 200


@dataclass(frozen=True, slots=True)
class Place:
    """A line before which a section may be cut."""

    line: int
    """From 0."""
    cost: int = 0
    """How much a cut here takes apart: 0 nothing, higher ones more."""


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under one heading, up to the next of any level."""

    heading: Heading
    level: int
    """Of its own heading, from 1; 0 for what stands before the first."""
    places: tuple[Place, ...]
    """Where its parts begin, in order; the first is where it begins itself."""


@dataclass(frozen=True, slots=True)
class Outline:
    """The sections of a file. Together they cover all of its lines."""

    title: str | None
    """What the file says that it is called."""
    sections: tuple[Section, ...]


def outline(text: str, form: Form) -> Outline:
    """The outline of a file's text. Never fails."""
    lines = split_lines(text.removeprefix(_BOM))
    if form == "data":
        return Outline(None, (Section((), 0, _indented(lines)),))
    front, title = _front_matter(lines)
    lines[:front] = [""] * front
    if form == "rst":
        _mark_titles(lines)
    blocks = parse("\n".join(lines))
    sections = tuple(_sections(blocks, front))
    return Outline(title or _first_title(blocks), sections)


def _sections(blocks: Sequence[Block], front: int) -> Iterator[Section]:
    """Sections in order. Front matter belongs to the first."""
    path: list[tuple[int, str]] = []
    places, level = [Place(0)], 0
    before: Block | None = None
    for block in blocks:
        if block.kind == "heading" and block.quote == (0, 0):
            if before is not None:
                yield Section(_titles(path), level, tuple(places))
                places = [Place(block.at)]
            level = len(block.mark)
            path = [*(each for each in path if each[0] < level), (level, block.lines[0][:MAX_HEADING])]
        if block.at > places[-1].line:
            places.append(Place(block.at, _cost(before, block) if before or not front else 0))
        before = block
    yield Section(_titles(path), level, tuple(places))


def _titles(path: Sequence[tuple[int, str]]) -> Heading:
    return tuple(title for _, title in path)


def _cost(before: Block | None, block: Block) -> int:
    """What is lost where a cut parts a block from the one before it."""
    if before is None or before.kind == "heading":
        return PARTED
    last = before.lines[-1] if before.lines else ""
    if last.endswith(":") or last.startswith(".. "):
        return PARTED
    nested = block.depth + (block.mark == ">" and block.kind == "para") + sum(block.quote)
    return min(PARTED - 1, nested + (block.kind == "item") + (not block.apart))


def _first_title(blocks: Sequence[Block]) -> str | None:
    """The first heading, unless it is numbered, as that of a chapter is."""
    first = next((block.lines[0] for block in blocks if block.kind == "heading" and block.quote == (0, 0)), "")
    return first[:MAX_HEADING] if first and not _NUMBERED.match(first) else None


def _front_matter(lines: Sequence[str]) -> tuple[int, str | None]:
    """How many lines of front matter a file begins with, and the title that it states."""
    if not lines or lines[0].rstrip() != "---":
        return 0, None
    title = None
    for number, line in enumerate(lines[1:_FRONT_LINES], 1):
        if _FRONT.fullmatch(line):
            return number + 1, title
        if match := _TITLE.match(line):
            title = match[1].strip().strip("\"'")[:MAX_HEADING] or None
    return 0, None


def _mark_titles(lines: list[str]) -> None:
    """Writes the titles of reStructuredText as Markdown's, on as many lines: a sign that lines a title means the level
    at which it comes first."""
    levels: dict[tuple[str, bool], int] = {}
    for at, (title, below) in enumerate(pairwise(lines)):
        under = _ADORNMENT.fullmatch(below)
        text = title.strip()
        if under is None or not text or _ADORNMENT.fullmatch(title) or len(below.rstrip()) < max(2, len(text)):
            continue
        above = lines[at - 1].rstrip() if at else ""
        over = above == below.rstrip()
        if above.strip() and not over:
            continue
        level = levels.setdefault((under[1], over), len(levels) + 1)
        start = at - over
        lines[start : at + 2] = [f"{'#' * min(level, _DEEPEST)} {text}", *[""] * (at + 1 - start)]


def _indented(lines: Sequence[str]) -> tuple[Place, ...]:
    """Every line that is not blank; the further in it stands, the more a cut before it takes apart."""
    indents = {at: indent_of(line) for at, line in enumerate(lines) if line.strip()}
    costs = {indent: min(PARTED - 1, rank) for rank, indent in enumerate(sorted(set(indents.values())))}
    return (Place(0), *(Place(at, costs[indent]) for at, indent in indents.items() if at))
