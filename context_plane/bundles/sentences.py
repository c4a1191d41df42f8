"""Sentences of an event's text, and the words that make each of them worth reading.

Here belongs the taking apart of one text, the same for every spec and entity; what is chosen from several texts is
`summary`. Texts are what people and systems write: prose, Markdown, mail with quotes, logs, lists, rendered data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from context_plane.ctx import tokens

MAX_CHARS: Final = 2_000  # of one text; what comes later is not considered
MAX_SENTENCES: Final = 40  # of one text
# Full stops of Chinese and Japanese, and closing curly quotes, by number because they look like others.
_WIDE, _CURLY = "\u3002\uff01\uff1f", "\u201d\u2019"
ENDS: Final = tuple(f".!?…:;,{_WIDE}{_CURLY}\"')]")

_FENCE: Final = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_IMAGE: Final = re.compile(r"!\[[^\]\n]*\]\([^)\s]*\)")
_LINK: Final = re.compile(r"\[([^\]\n]+)\]\([^)\s]*\)")
_MARKED: Final = re.compile(r"[\n`~<>\]|#]|^\s*(?:[-*+•\d]|$)")  # anything of the following
# Lines that begin a block of their own: headings, list items, table rows.
_BLOCK: Final = re.compile(r"\s*(?:#{1,6}\s+|[-*+•]\s+|\d{1,3}[.)]\s+|\|)")
_QUOTED: Final = re.compile(r"\s*>")
_RULE: Final = re.compile(r"[\s\-=_*|:+]*")
_END: Final = re.compile(rf"[.!?…][\"'{_CURLY})\]*_`]*\s+(?=[^\sa-z])|[{_WIDE}]\s*")
# A full stop after these ends no sentence, nor does one after a single letter (an initial, e.g., i.e.).
_ABBREVIATION: Final = re.compile(
    r"(?:^|[\s(\[\"'])(?:[A-Za-z](?:\.[A-Za-z])*|mr|mrs|ms|dr|prof|st|vs|etc|cf|approx|no|nr|fig|sec|inc|ltd|co|jr|sr)\.$",
    re.IGNORECASE,
)
_WORD: Final = re.compile(r"\w+")
# Words that distinguish nothing, single ASCII letters among them.
_STOP_WORDS: Final = frozenset(
    """a b c d e f g h i j k l m n o p q r s t u v w x y z about after all also am an and any are as at be because
    been before being but by can could did do does doing for from further had has have having he her here hers him
    his how if in into is it its itself just may me might more most must my no nor not now of off on once only or
    other our ours out over own please same she should so some such than thank thanks that the their theirs them
    then there these they this those through to too under until up us very was we were what when where which while
    who whom why will with would yes you your yours""".split()
)


class Sentence(NamedTuple):
    """One sentence as it may be quoted: on one line, without the marks of Markdown blocks."""

    text: str
    words: frozenset[str]
    tokens: int


@lru_cache(maxsize=4_096)
def sentences(text: str) -> tuple[Sentence, ...]:
    """The sentences of a text, in order, of which each says something (has an informative word).

    Code blocks, quoted lines, comments and images are left out. `text` is at most `MAX_CHARS` long: callers cut it, so
    that what is remembered between calls stays small.
    """
    count = tokens.counter()
    found: list[Sentence] = []
    for piece in _pieces(text):
        words = frozenset(_WORD.findall(piece.casefold())) - _STOP_WORDS
        if words:
            found.append(Sentence(piece, words, count(f" {piece}" if piece.endswith(ENDS) else f" {piece};")))
            if len(found) == MAX_SENTENCES:
                break
    return tuple(found)


def _pieces(text: str) -> Iterator[str]:
    for block in _blocks(text):
        start = 0
        for end in _END.finditer(block):
            at = end.start()
            if block[max(0, at - 7) : at].isalnum() or not _ABBREVIATION.search(block, max(start, at - 12), at + 1):
                yield block[start : end.end()].strip()
                start = end.end()
        if rest := block[start:].strip():
            yield rest


def _blocks(text: str) -> Iterator[str]:
    """Paragraphs, headings, list items and table rows, each on one line."""
    if not _MARKED.search(text):
        yield " ".join(text.split())
        return
    lines: list[str] = []
    for line in _unmarked(text).splitlines():
        begins = _BLOCK.match(line)
        quoted = _QUOTED.match(line)
        if (begins or quoted or not line.strip()) and lines:
            yield " ".join(lines)
            lines = []
        if quoted or _RULE.fullmatch(line):
            continue
        content = " ".join(line[begins.end() if begins else 0 :].split())
        mark = begins.group().lstrip()[:1] if begins else ""
        if mark == "#":
            yield content.rstrip("# ")
        elif content:
            lines.append(content.rstrip("| ") if mark == "|" else content)
    if lines:
        yield " ".join(lines)


def _unmarked(text: str) -> str:
    """The text without code blocks, comments and images, and with links as their words."""
    if "`" in text or "~~~" in text:
        text = _FENCE.sub("\n\n", text)
    if "<!--" in text:
        text = _COMMENT.sub(" ", text)
    return _LINK.sub(r"\1", _IMAGE.sub(" ", text)) if "](" in text else text
