"""Templates: what the strings of a column share, such as ``ORD-{}`` or ``/api/{}/items/{}``.

Here belongs finding it: the words that all of a few of them have in their order (a longest common subsequence), then
whether all strings fit, and what fills the places.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from context_plane.ctx.data.columns import Template

_SEEN: Final = 24
"""Strings by which a template is found."""
_LONGEST: Final = 80
_MOST_PARTS: Final = 6
_PIECE: Final = re.compile(r"[A-Za-z]+|[0-9]+|\s+|[^\sA-Za-z0-9]")
_SIGNS: Final = ("/", "|", " ", "^", ";")


def find(distinct: Sequence[str]) -> tuple[str, ...] | None:
    """The parts that different strings share, before, between and after what they do not; `None` for too little."""
    if len(distinct) < 3:
        return None
    step = max(1, len(distinct) // _SEEN)
    some = [_PIECE.findall(text) for text in distinct[::step][:_SEEN]]
    if max(map(len, some)) > _LONGEST:
        return _affixes(distinct)
    shared = some[0]
    for pieces in some[1:]:
        shared = _common(shared, pieces)
        if not shared:
            return None
    return _parts(shared, some) or _affixes(distinct)


def fill(parts: tuple[str, ...], values: Sequence[str]) -> tuple[Template, list[str]] | None:
    """The template over these parts, and what fills it for each value; `None` where one does not fit."""
    if len(parts) == 2:
        before, after = parts
        least = len(before) + len(after)
        if not all(len(v) >= least and v.startswith(before) and v.endswith(after) for v in values):
            return None
        end = len(after)
        return Template(parts, ""), [value[len(before) : len(value) - end] for value in values]
    pattern = re.compile("(.*?)".join(map(re.escape, parts)), re.DOTALL)
    matches = [pattern.fullmatch(value) for value in values]
    if not all(matches):
        return None
    places = [match.groups() for match in matches if match]
    inside = "".join("".join(each) for each in places)
    sign = next((sign for sign in _SIGNS if sign not in inside), None)
    return None if sign is None else (Template(parts, sign), [sign.join(each) for each in places])


def _affixes(distinct: Sequence[str]) -> tuple[str, ...] | None:
    """What all strings begin and end with."""
    before = _beginning(distinct)
    after = _beginning([text[len(before) :][::-1] for text in distinct])[::-1]
    if "{}" in before or "{}" in after or len((before + after).strip()) < 2:
        return None
    return before, after


def _beginning(texts: Sequence[str]) -> str:
    """What all texts begin with: as much as the first and the last of them share."""
    first, last = min(texts), max(texts)
    length = next(
        (at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last))
    )
    return first[:length]


def _parts(shared: Sequence[str], some: Sequence[Sequence[str]]) -> tuple[str, ...] | None:
    gaps: set[int] = set()
    for pieces in some:
        found = _gaps(shared, pieces)
        if found is None:
            return None
        gaps |= found
    parts = [""]
    for number, piece in enumerate(shared):
        if number in gaps:
            parts.append(piece)
        else:
            parts[-1] += piece
    if len(shared) in gaps:
        parts.append("")
    # A part of white space between two places says nothing: the two are one place.
    parts = [parts[0], *(part for part in parts[1:-1] if part.strip()), *parts[-1:]] if len(parts) > 1 else parts
    if not 2 <= len(parts) <= _MOST_PARTS or any("{}" in part for part in parts):
        return None
    return tuple(parts) if sum(len(part.strip()) for part in parts) >= 2 else None


def _gaps(shared: Sequence[str], pieces: Sequence[str]) -> set[int] | None:
    """Before which of the shared pieces there are others; `None` where they are not all there in their order."""
    gaps: set[int] = set()
    at = 0
    for number, piece in enumerate(shared):
        start = at
        while at < len(pieces) and pieces[at] != piece:
            at += 1
        if at == len(pieces):
            return None
        if at > start:
            gaps.add(number)
        at += 1
    if at < len(pieces):
        gaps.add(len(shared))
    return gaps


def _common(one: Sequence[str], other: Sequence[str]) -> list[str]:
    """A longest common subsequence."""
    n, m = len(one), len(other)
    table = [[0] * (m + 1) for _ in range(n + 1)]
    for i in range(n - 1, -1, -1):
        row, below, piece = table[i], table[i + 1], one[i]
        for j in range(m - 1, -1, -1):
            row[j] = below[j + 1] + 1 if piece == other[j] else max(below[j], row[j + 1])
    found, i, j = [], 0, 0
    while i < n and j < m:
        if one[i] == other[j]:
            found.append(one[i])
            i, j = i + 1, j + 1
        elif table[i + 1][j] >= table[i][j + 1]:
            i += 1
        else:
            j += 1
    return found
