"""Globs: whether two patterns have a text in common.

Here belongs the question that a check for loops asks: what a trigger waits for and what a run may write are both
patterns.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_PART: Final = re.compile(r"\*|\?|\[!?\]?[^\]]*\]|.", re.S)
ANY: Final = "*"
_MANY: Final = 200
"""Patterns of more parts than this are not looked into: they have a text in common for all we know."""


def literal(text: str) -> str:
    """The pattern that only this text fits."""
    return re.sub(r"([*?\[])", r"[\1]", text)


@lru_cache(4_096)
def overlap(one: str, other: str) -> bool:
    """Whether some text fits both patterns, of `*`, `?`, `[…]` and characters. Where in doubt, it does."""
    a, b = _PART.findall(one), _PART.findall(other)
    if len(a) > _MANY or len(b) > _MANY:
        return True
    # row[j]: whether what is left of `a` and b[j:] have a text in common.
    row = [False] * len(b) + [True]
    for j in range(len(b) - 1, -1, -1):
        row[j] = b[j] == ANY and row[j + 1]
    for part in reversed(a):
        last = row
        row = [False] * (len(b) + 1)
        row[len(b)] = part == ANY and last[len(b)]
        for j in range(len(b) - 1, -1, -1):
            if part == ANY or b[j] == ANY:
                row[j] = last[j] or row[j + 1]
            else:
                row[j] = last[j + 1] and _meet(part, b[j])
    return row[0]


@lru_cache(4_096)
def _meet(one: str, other: str) -> bool:
    """Whether some character fits both parts."""
    if one == "?" or other == "?":
        return True
    if len(one) == 1:
        return one == other if len(other) == 1 else _in(one, other)
    return _in(other, one) if len(other) == 1 else True  # two classes: looking closer is not worth it


def _in(character: str, part: str) -> bool:
    from fnmatch import fnmatchcase

    return fnmatchcase(character, part)
