"""Chunks: a file cut along its structure into pieces that are found, shown and paid for one by one.

Here belongs where to cut. A section is a chunk; one with too many tokens is cut at the borders of its blocks, where
that takes least apart and into pieces of like size. A block is cut only if it is too large for any window: at its
lines, then at its sentences, in the end anywhere. Pieces are slices: in order they are the file again, to the
character. The numbers are measured (bench/README.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Final, NamedTuple

from context_plane.ctx import tokens
from context_plane.knowledge.outline import PARTED, Form, Heading, Outline, Section, outline

MOST: Final = 250
"""Tokens from which a section is cut."""
LARGEST: Final = 2_000
"""Tokens from which a single block is cut."""
SMALL: Final = 50
"""Tokens up to which something is no piece of its own: sections side by side are put together, as those of a glossary
are, and what introduces a section goes with it."""
_ENDINGS: Final = re.compile(r"\r\n|\r|\n")
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])")
_WORD: Final = re.compile(r"\s+")
Count = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Piece:
    """A slice of a file."""

    heading: Heading
    """The headings above it, the outermost first; its own is the last."""
    text: str
    """As it stands in the file."""
    tokens: int


class _Part(NamedTuple):
    """What is not cut any further: from, to (characters), tokens, and what a cut before it costs."""

    start: int
    end: int
    tokens: int
    cost: int


Waiting = list[tuple[Section, list[_Part]]]
"""Sections of what may become one piece."""


def cut(text: str, form: Form) -> tuple[str | None, list[Piece]]:
    """The title that a file gives itself, and its pieces in order: joined they are the text."""
    found, count = outline(text, form), tokens.counter()
    slices = [(heading, text[start:end]) for heading, start, end in _spans(text, found, count)]
    return found.title, [Piece(heading, each, count(each)) for heading, each in slices]


def _spans(text: str, found: Outline, count: Count) -> Iterator[tuple[Heading, int, int]]:
    starts = [0, *(match.end() for match in _ENDINGS.finditer(text))]
    bounds = [*(starts[section.places[0].line] for section in found.sections), len(text)]
    waiting: Waiting = []
    for section, end in zip(found.sections, bounds[1:], strict=True):
        parts = _parts(text, section, starts, end, count)
        if waiting and not _goes_with(waiting, section, parts):
            yield from _packed(waiting)
            waiting = []
        waiting.append((section, parts))
    yield from _packed(waiting)


def _goes_with(waiting: Waiting, section: Section, parts: Sequence[_Part]) -> bool:
    """Whether a section belongs to those before it: it is below a heading with hardly any text of its own, or stands
    beside a section that is as small as it is."""
    last = waiting[-1][0]
    if sum(part.tokens for _, each in waiting for part in each) > SMALL:
        return False
    beside = section.level == last.level and section.heading[:-1] == last.heading[:-1]
    return section.level > last.level or (beside and sum(part.tokens for part in parts) <= SMALL)


def _packed(waiting: Waiting) -> Iterator[tuple[Heading, int, int]]:
    heading = _shared([section.heading for section, _ in waiting])
    for group in _groups([part for _, each in waiting for part in each]):
        yield heading, group[0].start, group[-1].end


def _shared(headings: Sequence[Heading]) -> Heading:
    """What sections stand under together; those that only introduce the next are not asked."""
    first = 0
    while first + 1 < len(headings) and headings[first + 1][: len(headings[first])] == headings[first]:
        first += 1
    shared = headings[first]
    for other in headings[first + 1 :]:
        same = next((at for at, (a, b) in enumerate(zip(shared, other, strict=False)) if a != b), len(other))
        shared = shared[:same]
    return shared


def _parts(text: str, section: Section, starts: Sequence[int], end: int, count: Count) -> list[_Part]:
    """The parts of a section. A few words that make no sense without what they announce are one with it."""
    found: list[_Part] = []
    places = [(starts[place.line], place.cost) for place in section.places]
    for (start, cost), (stop, _) in pairwise([*places, (end, 0)]):
        size = count(text[start:stop])
        if size > LARGEST:
            for inner in _broken(text[start:stop], count):
                found.append(_Part(start, start + len(inner), count(inner), cost))
                start, cost = start + len(inner), 0
        elif found and cost >= PARTED and found[-1].tokens <= 2 * SMALL and size <= LARGEST - 2 * SMALL:
            found[-1] = found[-1]._replace(end=stop, tokens=found[-1].tokens + size)
        else:
            found.append(_Part(start, stop, size, cost))
    return found


def _groups(parts: list[_Part]) -> Iterator[list[_Part]]:
    """Parts in groups of at most `MOST` tokens, where single ones are not larger."""
    left = sum(part.tokens for part in parts)
    while left > MOST:
        at, size = _best(parts, left)
        if left - size <= SMALL:
            break
        yield parts[:at]
        left -= size
        parts = parts[at:]
    yield parts


def _best(parts: Sequence[_Part], left: int) -> tuple[int, int]:
    """How many of the parts make the next group, and their tokens: a cut there takes least apart and leaves groups of
    like size."""
    aim = left / ceil(left / MOST)
    size, best = 0, (2, 0, 0.0, len(parts), left)
    for at, (part, after) in enumerate(pairwise(parts), 1):
        size += part.tokens
        if size > SMALL:
            best = min(best, (int(size < aim / 2), after.cost, abs(size - aim), at, size))
            if size + after.tokens > MOST:
                break
    return best[3:]


def _broken(text: str, count: Count) -> Iterator[str]:
    """A block that is too large, in pieces that are not: at its lines, lines at their sentences, sentences at words,
    and what has no spaces anywhere."""
    for pattern in (_ENDINGS, _SENTENCE, _WORD):
        ends = [match.end() for match in pattern.finditer(text) if match.end() < len(text)]
        if ends:
            break
    else:
        ends = [len(text) // 2]
    gathered, size = "", 0
    for start, end in pairwise([0, *ends, len(text)]):
        each = text[start:end]
        more = count(each)
        if gathered and size + more > MOST:
            yield gathered
            gathered, size = "", 0
        if more > LARGEST:
            yield from _broken(each, count)
        else:
            gathered, size = gathered + each, size + more
    if gathered:
        yield gathered
