"""Signs: by what a line shows that it is a heading, an item, a fence, a rule, or columns that spaces line up.

Here belongs what one line says of itself, and of the next one where that decides. Where a block stands and what
belongs to it is `parse`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from context_plane.ctx.prose.lines import SPACE, indent_of, is_soft

ITEM: Final = re.compile(r"(?:([-*+•‣◦·])|o(?=  )|(\d{1,9}[.)]))(?:[ \t]+|$)")
"""A bullet, or a number in the second group, and the white space behind it."""
HEADING: Final = re.compile(r"(#{1,6})(?:[ \t]+(.*)|$)")
FENCE: Final = re.compile(r"(`{3,})([^`]*)$|(~{3,})(.*)$")
QUOTE: Final = re.compile(r">(?:[ \t]*+>)*+[ \t]?")
RULE: Final = re.compile(r"([-*_])(?:[ \t]*\1){2,}")
STARTS: Final = frozenset("#-*+•‣◦·o0123456789`~>|_=^\"'")
"""What the first sign of a line that may start a block is; all others are text."""

_NUMBERED: Final = re.compile(r"(?:(\d{1,3}\.  )|\d{1,3}(?:\.\d{1,3}){1,8}(?:\.  | {1,2}))(?=[^\W\d_])")
_APPENDIX: Final = re.compile(r"(?:Appendix |(?=[A-Z]\.\d))[A-Z](?:\.\d{1,3}){0,8}\.  ()(?=\w)")
_UNDERLINES: Final = {"=": 1, "-": 2, "~": 3, "^": 4, '"': 5, "+": 6, "'": 6}
_WIDE_GAP: Final = re.compile(r"\S\t|\S {3,}\S")
_DRAWN: Final = re.compile(r"[|+/\\\u2500-\u257f].*  ")
_GAP: Final = re.compile(r"[^\s.?!:;,\"'”\u2019)\]]  \S")
_LOOK_AHEAD: Final = 5
_RFC_INDENT: Final = 3
_SHORTEST_PROSE: Final = 40


def interrupts(rest: str, *, quoted: bool) -> bool:
    """Whether a line starts a block of its own although no blank line is before it; `rest` has no space around it."""
    sign = rest[0]
    if sign == ">":
        return not quoted
    if sign == "#":
        return HEADING.match(rest) is not None
    if sign in "`~" and FENCE.match(rest):
        return True
    if sign in _UNDERLINES and len(rest) > 2 and not rest.strip(sign):
        return True
    return ITEM.match(rest) is not None or (sign in "-*_" and RULE.fullmatch(rest) is not None)


def underline_level(line: str, title: str) -> int:
    """The level of the heading that `line` makes of the title above it, 0 if it makes none."""
    sign = line[:1]
    if sign not in _UNDERLINES or len(line) < 3 or line.strip(sign):
        return 0
    return 0 if sign not in "=-" and len(line) < len(title) else _UNDERLINES[sign]


def numbered_level(rest: str, following: Sequence[str]) -> int:
    """The level of a line that stands alone as a numbered heading (``2.1 Terms``, ``Appendix A.  Terms``), else 0.

    ``1.  Terms`` may be an item too: it is a heading if the next text is set in as below the headings of RFCs, or is
    such a heading.
    """
    match = _NUMBERED.match(rest) or _APPENDIX.match(rest)
    if match is None or rest.endswith((".", ",", ";", ":")) or (following and following[0].strip(SPACE)):
        return 0
    if match[1]:
        line = next((line for line in following[:_LOOK_AHEAD] if line.strip(SPACE)), "")
        if indent_of(line) != _RFC_INDENT and not (line[:1].isdigit() and _NUMBERED.match(line)):
            return 0
    return min(6, len(re.findall(r"\d+|\b[A-Z]\b", match[0])))


def is_numbered_twice(rest: str) -> bool:
    """Whether a numbered heading is one wherever it stands alone."""
    match = _NUMBERED.match(rest) or _APPENDIX.match(rest)
    return match is not None and not match[1]


def is_lined_up(lines: Sequence[str]) -> bool:
    """Whether spaces within lines line something up, rather than part two sentences: a gap of three or a tab, gaps of
    two that end in the same column of two lines, or one in a line that is drawn rather than written."""
    columns: set[int] = set()
    for line in lines:
        if "  " in line or "\t" in line:
            text = line.strip(SPACE)
            if _WIDE_GAP.search(text) or _DRAWN.match(text):
                return True
            indent = indent_of(line)
            ends = {indent + match.end() for match in _GAP.finditer(text)}
            if ends & columns:
                return True
            columns |= ends
    return False


def is_prose(lines: Sequence[str], width: int) -> bool:
    """Whether lines that are indented like code are a paragraph of a text wrapped at `width` all the same."""
    first = lines[0].strip(SPACE)
    if len(first) < _SHORTEST_PROSE or not (first[0].isalpha() or first[0] in "“\"'("):
        return False
    if is_lined_up(lines) or interrupts(first, quoted=True):
        return False
    return len(lines) > 1 and all(is_soft(line, after, width) for line, after in pairwise(lines))
