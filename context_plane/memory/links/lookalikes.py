"""Lookalikes: whether ``#1`` or ``#123456`` is a colour or a line of a stack trace rather than a reference.

Here belongs that question alone. What may stand right before and behind a reference is decided in `references`.
"""

from __future__ import annotations

import re
from typing import Final

from context_plane.memory.links.phrases import STEMS

_COLOUR_LENGTHS: Final = (3, 4, 6, 8)
"""Digits of a colour in style sheets."""
_WORDS: Final = r"colou?rs?|background|foreground|fill|stroke|border|outline|shadow|gradient|rgba?|hex"
_ASSIGNED: Final = re.compile(rf"(?<![^\W_])(?:{_WORDS})[\w-]{{0,20}}[\"']?[ \t]?[:=(][^;\n#]{{0,24}}\Z", re.I)
_NAMED: Final = re.compile(rf"\b(?:{_WORDS}|palette|theme|shade|tint|css)\b", re.I)
_REFERRED: Final = re.compile(rf"(?:{STEMS}|issue|pull|\bprs?\b|\bmrs?\b|bug|ticket|see|request)[^\n]{{0,16}}\Z", re.I)
_NEAR: Final = 48
_FRAME: Final = re.compile(r"[ \t]{1,8}(?:0x[0-9a-fA-F]{4}|/[\w.-]{1,64}/|\{main\}|\[internal function\])")


def looks_alike(text: str, start: int, end: int, own: str) -> bool:
    """Whether the ``#`` and digits from `start` up to `end` are none, in a text about the thing numbered `own`."""
    digits = end - start - 1
    if digits <= 3 and _is_frame(text, start, end):
        return True
    return digits in _COLOUR_LENGTHS and _is_colour(text, start, end, own)


def _is_frame(text: str, start: int, end: int) -> bool:
    """Whether a line begins as one of a stack trace: ``#1  0x00007f3a in read ()``, ``#1 /srv/shop/cart.php(7)``."""
    begins = text[max(0, start - 9) : start].rpartition("\n")
    return (bool(begins[1]) or start < 9) and not begins[2].strip(" \t") and _FRAME.match(text, end) is not None


def _is_colour(text: str, start: int, end: int, own: str) -> bool:
    """Whether a style gives them to a property.

    Six or eight digits are a colour also beside a word for colours, and where the text's own number is at least a
    hundred times smaller (a tracker's numbers go up one by one) and no word before them tells of a reference.
    """
    before = text[max(0, start - _NEAR) : start]
    before = before[before.rfind("\n") + 1 :]
    if _ASSIGNED.search(before):
        return True
    digits = end - start - 1
    if digits < 6:
        return False
    if _NAMED.search(before) or _NAMED.search(text[end : end + _NEAR].partition("\n")[0]):
        return True
    return bool(own) and digits - len(own) > 2 and _REFERRED.search(before[-24:]) is None
