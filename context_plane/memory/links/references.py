"""References: how a thing is written in a text or a column, and which entity or event that stands for.

Nothing here knows a site. An entity whose id ends in ``#number`` (``issue/acme/shop#12``) tells how its neighbours are
written: ``#7``, ``GH-7``, ``acme/other#7``, and addresses with ``acme/shop/issues/7`` or the like in them. Every other
writing is declared (`notations`). What a text says about a reference belongs in `statements`.

No expression looks further than some hundred characters, and none begins twice in one word, so that the time taken is
linear in the text, whatever it is.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from context_plane.memory.links.link import Target
from context_plane.memory.links.lookalikes import looks_alike
from context_plane.memory.links.notations import ENDS, Notation, Own

_NUMBER: Final = re.compile(rf"#([1-9][0-9]{{0,9}}){ENDS}")
_GH: Final = re.compile(rf"[Gg][Hh]-([1-9][0-9]{{0,9}}){ENDS}")
_URL: Final = re.compile(r"https?://[^\s<>\"`)\]]+")
_TRACKED: Final = re.compile(
    r"https?://[^/\s]{1,255}/(?P<path>.{1,255}?)/(?:-/)?(?:issues|pulls?|pull-requests|merge_requests|work_items)"
    r"/(?P<number>[1-9][0-9]{0,9})(?![\w-])"
)
_PATH_BEFORE: Final = re.compile(r"(?<![\w./-])[A-Za-z0-9][\w.-]{0,99}+(?:/[\w.-]{1,100}+){0,5}\Z")
_PATH_ALONE: Final = re.compile(r"(?P<path>[A-Za-z0-9][\w./-]{0,255})#(?P<number>[1-9][0-9]{0,9})")
_NUMBER_ALONE: Final = re.compile(r"#?(?P<number>[1-9][0-9]{0,17})")
_NOUN_BEFORE: Final = re.compile(r"(?<![^\W_])(?:issues?|prs?|pull|bugs?|tickets?|mrs?|tasks?)\Z", re.I)
_PAGE: Final = re.compile(r"\.(?:html?|md|rst|txt|pdf|php|aspx?|jsp|xml|json|ya?ml)\Z", re.I)
# Characters of scripts without spaces, in which a reference follows a word at once.
_UNSPACED: Final = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_NEVER_BEFORE: Final = frozenset("&#\\=?@$%^`")
_PUNCTUATION: Final = ".,;:!?'*_"
"""What at the end of an address belongs to the sentence around it."""
_LONGEST_PATH: Final = 260
_LONGEST_URL: Final = 520


class Mention(NamedTuple):
    """A reference in a text, from `start` up to `end`."""

    start: int
    end: int
    target: Target
    by: str
    """How it was recognised: number, path, url or notation."""
    after: int
    """Where the text goes on: behind the address, if the reference is the words of a Markdown link."""


def mentions(text: str, me: Own, notations: Sequence[Notation] = ()) -> list[Mention]:
    """The references in a text about an entity, in their order. Of two that overlap the earlier, then the longer."""
    urls = [(m.start(), m.end()) for m in _URL.finditer(text)] if "://" in text else []
    found = [each for one in notations if not one.is_hash for each in _declared(text, me, one)]
    if me.tracked:
        found += _tracked(text, me, urls)
    if urls and found:
        starts = [start for start, _ in urls]
        found = [each for each in found if text[each.start].isalnum() or not _inside(each.start, starts, urls)]
    found.sort(key=lambda each: (each.start, -each.end))
    kept: list[Mention] = []
    for mention in found:
        if not kept or mention.start >= kept[-1].after:
            before = kept[-1] if kept else None
            if before is not None and mention.by == "url" and _same_link(text, before, mention):
                kept[-1] = before._replace(after=mention.after)
            else:
                kept.append(mention)
    return kept


def resolve(written: str, me: Own, notations: Sequence[Notation] = ()) -> Target | None:
    """What a reference stands for that is all of a value, as in a column; `None` for text that is in no notation."""
    for each in notations:
        match = each.expression.fullmatch(written)
        target = each.target(match, me) if match else None
        if target is not None:
            return target
    if me.number and (match := _NUMBER_ALONE.fullmatch(written)):
        return Target(written, entity=me.numbered(match["number"]))
    if me.tracked and (match := _PATH_ALONE.fullmatch(written) or _TRACKED.match(written)):
        return Target(written, entity=_neighbour(me, match["path"], match["number"]))
    return None


def _declared(text: str, me: Own, each: Notation) -> Iterator[Mention]:
    for match in each.expression.finditer(text):
        start, end = match.span()
        if not text[start].isalnum() and not _free(text, start):
            continue
        if text[start] == "#" and looks_alike(text, start, end, me.number):
            continue
        target = each.target(match, me)
        if target is not None:
            yield Mention(start, end, target, "notation", end)


def _tracked(text: str, me: Own, urls: list[tuple[int, int]]) -> Iterator[Mention]:
    """What follows from an id that ends in ``#number``."""
    for match in _NUMBER.finditer(text):
        start, end = match.span()
        path = _path_before(text, start, me.prefix)
        if path:
            begin = start - len(path)
            yield Mention(begin, end, Target(text[begin:end], entity=_neighbour(me, path, match[1])), "path", end)
        elif (_free(text, start) or _noun_before(text, start)) and not looks_alike(text, start, end, me.number):
            yield Mention(start, end, Target(match[0], entity=me.numbered(match[1])), "number", end)
    for match in _GH.finditer(text):
        start, end = match.span()
        if start == 0 or not (text[start - 1].isalnum() or text[start - 1] in "_-/"):
            yield Mention(start, end, Target(match[0], entity=me.numbered(match[1])), "number", end)
    for start, end in urls:
        url = _TRACKED.match(text, start, min(end, start + _LONGEST_URL))
        if url is not None and url["path"].casefold() == me.prefix.casefold():
            after = start + len(text[start:end].rstrip(_PUNCTUATION))
            yield Mention(start, url.end(), Target(url[0], entity=me.numbered(url["number"])), "url", after)


def _neighbour(me: Own, path: str, number: str) -> str:
    """The entity of a path and number; one's own path is the same in any case, as sites take it."""
    return me.numbered(number) if path.casefold() == me.prefix.casefold() else f"{me.type}/{path}#{number}"


def _path_before(text: str, at: int, prefix: str) -> str:
    """The path that ends where a number begins, as in ``acme/other#7``; empty where there is none.

    It has as many parts as one's own; of one part it must be one's own, or any word would be a path.
    """
    if at == 0 or not (text[at - 1].isalnum() or text[at - 1] in "._-"):
        return ""
    begin = max(0, at - _LONGEST_PATH)
    if "/" in prefix and text.find("/", begin, at) < 0:
        return ""
    match = _PATH_BEFORE.search(text[begin:at])
    if match is None or (begin and match.start() == 0) or match[0].count("/") != prefix.count("/"):
        return ""
    known = match[0].casefold() == prefix.casefold()
    return match[0] if known or ("/" in prefix and not _PAGE.search(match[0])) else ""


def _noun_before(text: str, at: int) -> bool:
    return _NOUN_BEFORE.search(text[max(0, at - 16) : at]) is not None


def _free(text: str, at: int) -> bool:
    """Whether a reference that begins with a sign may begin here: not within a word, an entity or an anchor."""
    if at == 0:
        return True
    before, second = text[at - 1], text[at - 2 : at - 1]
    if before == "(":
        return second != "]"  # [words](#7) leads to an anchor of the page
    if before == "/":
        return second.isdigit()  # #7/#8
    if before in "\"'":
        return second != "="
    if before == "_":
        return not second.isalnum()  # emphasis
    if before.isalnum():
        return _UNSPACED.match(before) is not None
    return before not in _NEVER_BEFORE


def _inside(at: int, starts: list[int], urls: list[tuple[int, int]]) -> bool:
    place = bisect_right(starts, at) - 1
    return place >= 0 and urls[place][0] < at < urls[place][1]


def _same_link(text: str, words: Mention, address: Mention) -> bool:
    """Whether a reference and an address are one Markdown link to one thing: ``[#7](https://…/issues/7)``."""
    if words.target.key != address.target.key or text[address.start - 2 : address.start] != "](":
        return False
    return address.start - words.end < _LONGEST_PATH and "]" not in text[words.end : address.start - 2]
