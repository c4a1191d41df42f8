"""Page furniture: the footer, form feed and header between two pages of a text set for a line printer.

Here belongs finding it, as RFCs up to 2019 have it: ``Author  Kind  [Page 3]``, a form feed, ``RFC 1  Title  Date``. A
footer and header count as furniture once they have come before, page numbers apart; the first stay in the text, so no
word of them is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from context_plane.ctx.prose.lines import SPACE

_PAGE: Final = re.compile(r"\S.*\[Page \d{1,5}\]$")
_NUMBER: Final = re.compile(r" *\[Page \d+\]$")
_GAP: Final = 4
"""A form feed stands so few lines behind the footer."""
_ENDS: Final = frozenset('.:;!?)>]"”')


@dataclass(frozen=True, slots=True)
class PageBreak:
    """The lines from `start` to before `end`, blank ones around them included; `footer` is the line with the number."""

    start: int
    footer: int
    end: int


def page_breaks(lines: list[str]) -> Iterator[PageBreak]:
    """Every footer with the form feed and the header behind it, in order."""
    at = floor = 0
    while at < len(lines):
        if lines[at].endswith("]") and _PAGE.fullmatch(lines[at].rstrip(SPACE)):
            feed = at + 1
            while feed < len(lines) and feed < at + _GAP and "\f" not in lines[feed] and not lines[feed].strip(SPACE):
                feed += 1
            if feed < len(lines) and lines[feed].startswith("\f"):
                found = _around(lines, at, feed, floor)
                yield found
                at = floor = found.end
                continue
        at += 1


def last_page_break(lines: list[str]) -> PageBreak | None:
    """The last of the page breaks, looked for from the end."""
    for feed in range(len(lines) - 1, 0, -1):
        if lines[feed].startswith("\f"):
            start = max(0, feed - _GAP)
            found = list(page_breaks(lines[start : feed + 1]))
            if found:
                return _around(lines, start + found[-1].footer, feed, 0)
    return None


def _around(lines: list[str], footer: int, feed: int, floor: int) -> PageBreak:
    start = footer
    while start > floor and not lines[start - 1].strip(SPACE):
        start -= 1
    end = feed + 1 if lines[feed].strip(SPACE) else feed + 2
    while end < len(lines) and not lines[end].strip(SPACE):
        end += 1
    return PageBreak(start, footer, min(end, len(lines)))


def without_furniture(lines: list[str]) -> tuple[list[str], list[int]]:
    """The lines without repeated page breaks, and the number in `lines` of each.

    A paragraph that goes on over a break is put together; else one blank line stands for it.
    """
    kept: list[str] = []
    numbers: list[int] = []
    seen: set[tuple[str, str]] = set()
    at = 0
    for found in page_breaks(lines):
        key = template(lines, found)
        if key not in seen:
            seen.add(key)
            continue
        kept += lines[at : found.start]
        numbers += range(at, found.start)
        at = found.end
        if not _goes_on(lines, found):
            kept.append("")
            numbers.append(found.start)
    return [*kept, *lines[at:]], [*numbers, *range(at, len(lines))]


def template(lines: list[str], found: PageBreak) -> tuple[str, str]:
    """What is the same in the footers and headers of all pages: the footer without its number, and the header."""
    footer = _NUMBER.sub("", lines[found.footer].rstrip(SPACE))
    header = "".join(lines[found.footer + 1 : found.end]).strip(SPACE)
    return footer, header


def _goes_on(lines: list[str], found: PageBreak) -> bool:
    """Whether the text around a page break is one paragraph, as far as its letters tell."""
    if found.start == 0 or found.end >= len(lines):
        return False
    before, after = lines[found.start - 1].rstrip(SPACE), lines[found.end].lstrip(SPACE)
    return before[-1:] not in _ENDS and after[:1].islower()
