"""Statements: whether the words before a reference say what they seem to say.

Here belongs how a phrase (`phrases`) becomes a statement about the text's own entity: unless it is denied or asked
(`doubts`), or said of another thing. Where references are is `references`' business, which parts of a text are its
writer's own is `markdown`'s.

Nothing is looked for further than `NEAR` characters from a reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from context_plane.memory.links import link
from context_plane.memory.links.doubts import asked, doubted
from context_plane.memory.links.phrases import (
    EXCHANGED,
    HINT,
    INSTEAD,
    LISTED,
    LONGEST,
    MEANING,
    PHRASE,
    REVERTED_COMMIT,
    REVERTED_TITLE,
)
from context_plane.memory.links.references import Mention

NEAR: Final = 200
"""Characters around a reference in which its words are looked for."""
_LONGEST_GAP: Final = 48
_SPACES: Final = {ord(space): " " for space in "\t\r\u00a0"}
_LOWER: Final = _SPACES | {ord(capital): capital.lower() for capital in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}

_BARE: Final = re.compile(r"(?:close|fix|resolve|address|implement|tackle|super[sc]ede|replace|obsolete|revert)(?!\w)")
# Between a reference and the phrase that is said of it: "#4 was fixed by", "#4, which replaces".
_SUBJECT: Final = re.compile(
    r"[)\]*_\"]{0,3}(?:,[ ]{1,2}(?=which|that)|[ ]{0,2})(?:(?:"
    r"which|that|is|was|were|has|have|had|been|be|being|gets?|got|will|shall|should|would|may|might|can|could|did|does"
    r"|do|also|now|already|then|only|just|not|partly|partially|fully|really|itself|probably|apparently|actually|likely"
    r"|as|an?|the|isn['\u2019]t|doesn['\u2019]t|didn['\u2019]t)[ ]{1,2}){0,6}"
)
_BY_A_PERSON: Final = re.compile(
    r"(?<!\w)(?:i|we|you|he|she|they|@[\w-]{1,39})(?:['\u2019]ve)?[ ]"
    r"(?:(?:have|has|had|just|already|now|also)[ ]){0,3}\Z"
)
_PARTLY: Final = re.compile(r"(?<!\w)(?:partial(?:ly)?|partly|half|mostly|almost)[ ]{1,2}\Z")


class Statement(NamedTuple):
    """What is said of a reference, and from where to where in the text."""

    kind: str
    inverse: bool
    rule: str
    start: int
    end: int
    below: bool = False
    """Whether references follow line by line below the words."""


class Words:
    """A text whose references are asked for in their order. All places are places in the text."""

    def __init__(self, text: str) -> None:
        self._text = text.translate(_SPACES)
        self._lower = text.translate(_LOWER)

    def said(self, mention: Mention, last: Mention | None, before: Statement | None) -> Statement | None:
        """What is said of a reference; `None` where it is only referred to.

        `last` is the reference before it, where there is one, and `before` what was said of that.
        """
        if last is not None and before is not None and (found := self._listed(mention, last, before)):
            return found
        near = max(0, mention.start - LONGEST, 0 if last is None else last.end)
        phrase = self._phrase(near, mention.start)
        if phrase is None:
            return self._reverted_title(mention) or self._instead(mention)
        name = next(group for group in MEANING if phrase[group] is not None)
        if last is not None and near == last.end and self._is_subject(last, before, phrase.start(), name):
            return None
        bare = _BARE.match(phrase[name]) is not None
        if self._doubted(phrase.start(), mention.after, bare=bare):
            return None
        if name == "supersedes" and EXCHANGED.match(self._lower, mention.after):
            return None
        if phrase[name] == "closed" and _BY_A_PERSON.search(self._lower, near, phrase.start()):
            return None  # "I closed #5" tells what somebody did, not what this does
        if name == "closes" and (phrase["noun"] or _PARTLY.search(self._lower, near, phrase.start())):
            name = "addresses"  # trackers act upon "fixes #5", not upon "fixes issue #5" or "partly fixes #5"
        kind, inverse = MEANING[name]
        below = phrase["list"] is not None
        return Statement(kind, inverse, name.replace("_", "-"), phrase.start(), mention.end, below)

    def reverted_commits(self) -> Iterator[tuple[int, int, int]]:
        """Commits that the text says it reverts: where the words begin, and where the hash begins and ends."""
        if "revert" in self._lower:
            for match in REVERTED_COMMIT.finditer(self._lower):
                hash_ = match["hash"]
                sure = match["said"] or (any(c.isdigit() for c in hash_) and not hash_.isdigit())
                if sure and not self._doubted(match.start(), match.end()):
                    yield match.start(), *match.span("hash")

    def _phrase(self, begin: int, end: int) -> re.Match[str] | None:
        """The first phrase that reaches the end."""
        lower = self._lower
        for hint in HINT.finditer(lower, begin, end):
            at = hint.start()
            if at and (lower[at - 1].isalnum() or lower[at - 1] == "-"):
                continue
            phrase = PHRASE.match(lower, at, end)
            if phrase is not None:
                return phrase
        return None

    def _listed(self, mention: Mention, last: Mention, before: Statement) -> Statement | None:
        """What is said of one reference holds for the others of a list."""
        if mention.start - last.after > _LONGEST_GAP:
            return None
        between = LISTED.fullmatch(self._lower, last.after, mention.start)
        if between is None or (between["bullet"] and not before.below):
            return None
        rule = before.rule if before.rule.endswith("-list") else f"{before.rule}-list"
        return before._replace(rule=rule, end=mention.end)

    def _reverted_title(self, mention: Mention) -> Statement | None:
        start, end = mention.start, mention.end
        if self._lower[start - 1 : start] != "(":
            return None
        title = REVERTED_TITLE.search(self._lower, max(0, start - NEAR), start)
        if title is None or self._doubted(title.start(), end):
            return None
        return Statement(link.REVERTS, False, "reverts-title", title.start(), end)

    def _instead(self, mention: Mention) -> Statement | None:
        """ "Use #5 instead": the reference takes the place of what is spoken of."""
        word = INSTEAD.match(self._lower, mention.after)
        if word is None or self._doubted(mention.start, word.end()):
            return None
        return Statement(link.INSTEAD_OF, True, "instead", mention.start, word.end())

    def _is_subject(self, last: Mention, before: Statement | None, at: int, name: str) -> bool:
        """Whether a phrase is said of the reference before it: "#4 was fixed by #5", "#4 instead of #5"."""
        between = _SUBJECT.fullmatch(self._lower, max(last.end, last.after), at)
        if between is None:
            return False
        return before is None or name == "instead_of" or any(c.isalpha() for c in between[0])

    def _doubted(self, start: int, end: int, *, bare: bool = False) -> bool:
        """Whether words are denied, only possible, or asked."""
        left = self._text[max(0, start - NEAR) : start]
        return doubted(left, bare=bare) or asked(left, self._text[end : end + NEAR])
