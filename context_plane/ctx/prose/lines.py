"""Lines: where a text breaks, how far a line is indented, and which breaks only come from wrapping.

Here belongs what can be said of lines before anybody knows what blocks they are.

White space is space, tab, form feed and vertical tab, and the line endings LF, CR LF and CR. Everything else is part of
a word, U+2028 and the no-break space too: what looks like space to a reader may mean something to a program.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

SPACE: Final = " \t\f\v"
_WORDS: Final = re.compile(r"[ \t\f\v]+")
_DEFINITION: Final = re.compile(r"\[[^\[\]]+\]:")  # of a link
_NARROWEST, _WIDEST = 50, 130
_SHORTEST: Final = 20
_FEWEST: Final = 3
_EXPLAINED: Final = 0.6
_INSIDE: Final = frozenset("(\"'*_`“\u2018—\u2013&[")
"""Signs that a wrapped line may begin with, besides letters and digits."""


def split_lines(text: str) -> list[str]:
    """The lines of a text without their endings."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.split("\n")


def expanded(lines: list[str]) -> list[str]:
    """Lines with tabs before the first word expanded to columns of four."""
    return [_expanded(line) if "\t" in line else line for line in lines]


def _expanded(line: str) -> str:
    rest = line.lstrip(SPACE)
    return line[: len(line) - len(rest)].expandtabs(4) + rest


def indent_of(line: str) -> int:
    """How many characters of white space a line begins with."""
    return len(line) - len(line.lstrip(SPACE))


def dedented(line: str, indent: int) -> str:
    """A line without its first spaces, at most `indent` of them."""
    return line[min(indent, len(line) - len(line.lstrip(" "))) :] if indent else line


def words(line: str) -> str:
    """A line with one space between its words and none around them."""
    line = line.strip(SPACE)
    if "  " in line or "\t" in line or "\f" in line or "\v" in line:
        return _WORDS.sub(" ", line)
    return line


def wrap_width(lines: list[str]) -> int:
    """The width that a text is wrapped at, or 0 where its line breaks are its author's.

    Of the lines that running text goes on after, most must be so long that the next word would not have fitted.
    """
    pairs: list[tuple[int, int]] = []
    for line, after in pairwise(lines):
        if len(line) >= _SHORTEST and after and not line.endswith("  "):
            start = after.lstrip(SPACE)
            text = line.strip(SPACE)
            if start[:1].isalnum() and text[:1].isalnum() and " " in text:
                pairs.append((len(line), len(start.partition(" ")[0])))
    if len(pairs) < _FEWEST:
        return 0
    lengths = sorted((length for length, _ in pairs if length <= _WIDEST), reverse=True)
    width = lengths[min(len(lengths) - 1, max(1, len(pairs) // 100))] if lengths else 0
    explained = sum(length + 1 + word > width and length <= _WIDEST for length, word in pairs)
    return width if width >= _NARROWEST and explained >= _EXPLAINED * len(pairs) else 0


def is_soft(line: str, after: str, width: int) -> bool:
    """Whether the break between two lines of a text wrapped at `width` only comes from wrapping."""
    if width == 0 or line.endswith(("  ", "\\")):
        return False
    start = after.lstrip(SPACE)
    first = start[:1]
    if not (first.isalnum() or first in _INSIDE):
        return False
    if first == "[" and _DEFINITION.match(start):
        return False
    word = start.partition(" ")[0]
    return len(line) + 1 + len(word) > width and " " in line.strip(SPACE)
