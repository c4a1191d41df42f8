"""Facts of running text: what of a line must be the same in another that says it with fewer words.

Here belongs the comparison of two lines. `words` says which words may be missing; what counts as a number, a link or a
negation is said here once more and in another way, so that a mistake in one of the two is seen by the other.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from context_plane.ctx.prose import diagrams
from context_plane.ctx.prose.words import droppable, shortened

_KINDS: Final = {
    "link": re.compile(r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*+://[^\s)>\]]+|\]\([^()\s]*\)"),
    "code": re.compile(r"`[^`]*`"),
    "number": re.compile(r"\d[\d.,:/%-]*\d%?|\d%?"),
    "identifier": re.compile(r"\b(?=\w*[A-Za-z])(?:\w*[a-z][A-Z]\w*|\w*[A-Za-z]\d\w*|\w+_\w+|[A-Z]{2,}\w*)\b|[#@]\w+"),
    "negation": re.compile(
        r"\b(?:not|no|never|none|nor|neither|nobody|nothing|nowhere|cannot|without|unless|except)\b|n['\u2019]t\b", re.I
    ),
    "modal": re.compile(r"\b(?:must|shall|should|may|might|can|could|will|would|ought|needs?|required?)\b", re.I),
    "quantifier": re.compile(
        r"\b(?:all|any|each|every|some|most|many|several|few|both|only|always|sometimes|often|half|least|more|less|fewer"
        r"|between|until|since|before|after|if|when|or|and|but|from|to|by|than|was|were)\b",
        re.I,
    ),
    "comparison": re.compile(r"[<>≤≥=≠±\xd7→]+"),
}


def differences(original: str, other: str) -> list[str]:
    """What is not the same in two lines of running text; nothing if `other` only lacks words that may be missing."""
    if original == other:
        return []
    chart = diagrams.read(original)
    if chart is not None:
        return [] if chart == diagrams.read(other) else ["the charts do not say the same"]
    one, two = shortened(original), shortened(other)
    found = _words(one, two)
    for kind, pattern in _KINDS.items():
        missing = Counter(match[0].lower() for match in pattern.finditer(one))
        added = Counter(match[0].lower() for match in pattern.finditer(two))
        if missing != added:
            names = [*(f"-{name}" for name in missing - added), *(f"+{name}" for name in added - missing)]
            found.append(f"{kind}s differ: {', '.join(names)[:120]}")
    return found


def _words(one: str, two: str) -> list[str]:
    """Whether the words of the second are those of the first, in order, without some that may be missing."""
    others = two.split(" ")
    at = 0
    for word, may_go in droppable(one):
        if at < len(others) and others[at] == word:
            at += 1
        elif not may_go:
            instead = others[at] if at < len(others) else "the end"
            return [f"{word[:60]!r} is missing before {instead[:60]!r}"]
    return [f"{others[at][:60]!r} is not in the original"] if at < len(others) else []
