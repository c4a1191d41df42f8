"""Which parts of a text are somebody's own words: not code, not comments, not quotations.

Here belongs as much of Markdown (and of the HTML that is written within it) as that question needs. A text that is not
Markdown loses nothing but what stands between backticks and after ``>``.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final, NamedTuple

OWN: Final = 0
QUOTED: Final = 1
HIDDEN: Final = 2
"""Code and comments, of which nothing is read."""

# Lines that begin a quotation or a fence, or both, within a list or not.
_LINE: Final = re.compile(r"^[ \t]*+(>[> \t]*+)?(?:[-*+][ \t]++|[0-9]{1,3}[.)][ \t]++)?(`{3,}+|~{3,}+)?", re.M)
_INTERESTING: Final = re.compile(r"^[ \t]*+(?:>|(?:[-*+][ \t]++|[0-9]{1,3}[.)][ \t]++)?(?:```|~~~))", re.M)
_UNQUOTED: Final = re.compile(r"\n(?![ \t]*+>)")
_TICKS: Final = re.compile(r"`++|\n[ \t\r]*+(?=\n)")
_ELEMENT: Final = re.compile(r"<(!--|(?:pre|code|script|style)(?=[\s>]))", re.I)


class Zone(NamedTuple):
    """A stretch of a text that is not the writer's own words."""

    start: int
    end: int
    kind: int


class Zones:
    """The stretches of a text; outside of them are the writer's own words."""

    def __init__(self, text: str) -> None:
        hidden = _elements(text) if "<" in text else []
        lines = _lines(text) if ">" in text or "```" in text or "~~~" in text else []
        hidden += [zone for zone in lines if zone.kind == HIDDEN]
        if "`" in text:
            hidden += _spans(text, hidden)
        self._hidden = _merged(hidden)
        self._quoted = [zone for zone in lines if zone.kind == QUOTED]
        self._hidden_starts = [zone.start for zone in self._hidden]
        self._quoted_starts = [zone.start for zone in self._quoted]

    def kind(self, at: int) -> int:
        """What the character at a place is part of."""
        if _within(at, self._hidden_starts, self._hidden):
            return HIDDEN
        return QUOTED if _within(at, self._quoted_starts, self._quoted) else OWN


def _within(at: int, starts: list[int], zones: list[Zone]) -> bool:
    place = bisect_right(starts, at) - 1
    return place >= 0 and at < zones[place].end


def _lines(text: str) -> list[Zone]:
    """Quoted lines, and fenced blocks: those end at their closing fence, with their quotation, or with the text."""
    found: list[Zone] = []
    at = unquoted = 0
    while (match := _INTERESTING.search(text, at)) is not None:
        line = _LINE.match(text, match.start())
        assert line is not None
        end = _end(text, match.start())
        quoted, fence = line.groups()
        if fence and not (fence[0] == "`" and "`" in text[line.end() : end]):
            if quoted and unquoted <= end:
                unquoted = _unquoted(text, end)
            end = _closed(text, end, fence, unquoted if quoted else len(text))
            found.append(Zone(match.start(), end, HIDDEN))
        elif quoted:
            found.append(Zone(match.start(), end, QUOTED))
        if end >= len(text):
            break
        at = end + 1
    return found


def _unquoted(text: str, at: int) -> int:
    """The end of the quotation whose line ends at a place."""
    match = _UNQUOTED.search(text, at)
    return len(text) if match is None else match.start()


def _closed(text: str, at: int, fence: str, last: int) -> int:
    """The end of a fenced block whose first line ends at a place, `last` at the latest."""
    closing = rf"^[ \t]*+(?:>[> \t]*+)?{re.escape(fence[0])}{{{len(fence)},}}+[ \t\r]*+$"
    match = re.compile(closing, re.M).search(text, at, last)
    return last if match is None else match.end()


def _end(text: str, at: int) -> int:
    """The end of the line that a place is in."""
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _elements(text: str) -> list[Zone]:
    """HTML comments, and elements that hold code; those that are not closed are text."""
    found: list[Zone] = []
    at = 0
    missing: set[str] = set()
    while (match := _ELEMENT.search(text, at)) is not None:
        name = match[1].lower()
        close = "-->" if name == "!--" else f"</{name}"
        end = -1 if close in missing else _find(text, close, match.end())
        if end < 0:
            missing.add(close)  # nor will it be found further on
            at = match.end()
        else:
            at = end + len(close)
            found.append(Zone(match.start(), at, HIDDEN))
    return found


def _find(text: str, close: str, at: int) -> int:
    if close == "-->":
        return text.find(close, at)
    match = re.compile(re.escape(close), re.I).search(text, at)
    return -1 if match is None else match.start()


def _spans(text: str, hidden: list[Zone]) -> list[Zone]:
    """Code between runs of backticks of one length, within a paragraph."""
    blocks = _merged(hidden)
    starts = [zone.start for zone in blocks]
    found: list[Zone] = []
    runs: list[re.Match[str]] = []
    block = -1
    for match in _TICKS.finditer(text):
        place = bisect_right(starts, match.start()) - 1
        if place >= 0 and match.start() < blocks[place].end:
            continue
        if match[0][0] == "\n" or place != block:
            found += _paired(runs)
            runs, block = [], place
        if match[0][0] == "`":
            runs.append(match)
    return found + _paired(runs)


def _paired(runs: list[re.Match[str]]) -> list[Zone]:
    """Each run with the next of its length; what stands between two that are paired is code and pairs with nothing."""
    if len(runs) < 2:
        return []
    following: dict[int, int] = {}
    partner = [0] * len(runs)
    for place in range(len(runs) - 1, -1, -1):
        length = runs[place].end() - runs[place].start()
        partner[place] = following.get(length, 0)
        following[length] = place
    found, place = [], 0
    while place < len(runs):
        other = partner[place]
        if other:
            found.append(Zone(runs[place].start(), runs[other].end(), HIDDEN))
        place = (other or place) + 1
    return found


def _merged(zones: list[Zone]) -> list[Zone]:
    """Zones in their order, those that overlap made one."""
    found: list[Zone] = []
    for zone in sorted(zones):
        if found and zone.start < found[-1].end:
            found[-1] = found[-1]._replace(end=max(found[-1].end, zone.end))
        else:
            found.append(zone)
    return found
