"""Phrases: the words that give a reference its kind, as expressions that end where the reference begins.

Here belong the words alone, in lower case, with no other spaces between them than spaces and line breaks. Whether they
are a statement, or denied, asked or said of another thing, is decided in `statements`.
"""

from __future__ import annotations

import re
from typing import Final

from context_plane.memory.links import link

# Between the words of a phrase: spaces, or one line break where a text is wrapped.
_GAP: Final = r"(?:[ ]{1,3}|[ ]{0,2}\n[ ]{0,3})"
_NOUN: Final = (
    rf"(?:(?:the|this|that|my|our|your|an?|both|all|open|old|earlier|previous|original|related){_GAP}){{0,3}}"
    rf"(?:issues?|bugs?|(?:pull|merge)(?:{_GAP}|-)requests?|pulls?|prs?|mrs?|tickets?|tasks?|cases?|story|stories"
    r"|defects?|incidents?|discussions?|problems?|items?|number|no\.?|nr\.?)"
)
_CLOSE: Final = r"clos(?:e[sd]?|ing)|fix(?:e[sd]|ing)?|resolv(?:e[sd]?|ing)"
_ADDRESS: Final = r"address(?:e[sd]|ing)?|implement(?:s|ed|ing)?|tackl(?:e[sd]?|ing)"
_SUPERSEDE: Final = (
    rf"super[sc]ed(?:e[sd]?|ing)|replac(?:e[sd]?|ing)|obsolet(?:e[sd]?|ing)|replacement{_GAP}(?:for|of)"
    rf"|successor{_GAP}(?:of|to)"
)
_REVERT: Final = (
    rf"revert(?:s|ed|ing)?(?:{_GAP}(?:the{_GAP})?(?:changes?|commits?|merge)"
    rf"(?:{_GAP}(?:made|introduced))?{_GAP}(?:from|in|of|by))?"
)
_BY: Final = rf"{_GAP}(?:by|in|with|via|through)"

LONGEST: Final = 100
"""Characters that a phrase may have."""

STEMS: Final = "clos|fix|resolv|address|implement|tackl|super[sc]ed|replac|obsolet|success|revert|dup|instead"
HINT: Final = re.compile(rf"{STEMS}|in{_GAP}favou?r")
"""Where a phrase may begin, in lower case."""

PHRASE: Final = re.compile(
    r"(?:(?:"
    rf"(?P<closed_by>(?:closed|fixed|resolved){_BY})"
    rf"|(?P<addressed_by>(?:addressed|implemented|tackled){_BY})"
    rf"|(?P<superseded_by>(?:super[sc]ed|replac|obsolet)ed?{_GAP}(?:by|with)|in{_GAP}favou?r{_GAP}of)"
    rf"|(?P<reverted_by>reverted{_GAP}(?:by|in|with|via))"
    rf"|(?P<duplicated_by>duplicated{_GAP}(?:by|in))"
    rf"|(?P<duplicate_of>dup(?:e|licate)?[sd]?{_GAP}of)"
    rf"|(?P<instead_of>instead{_GAP}of)"
    # Behind such a word a line may break; behind a verb it would as often be the end of a sentence.
    r")(?:[ ]{0,2}\n)?|"
    r"(?P<duplicates>duplicates(?![*_]{0,2}:)|dup(?:e|licate)?(?=[*_]{0,2}:))"
    rf"|(?P<closes>{_CLOSE})|(?P<addresses>{_ADDRESS})|(?P<supersedes>{_SUPERSEDE})|(?P<reverts>{_REVERT})"
    # A list below the words: "Fixes:", and a line for each reference.
    r")(?:\*\*|__|[*_])?[ ]{0,3}(?::(?:\*\*|__|[*_])?[ ]{0,3}(?P<list>\n[ ]{0,3}(?:[-*+][ ]{1,3})?)?)?"
    rf"(?:(?P<noun>{_NOUN}){_GAP}?)?[\[*_\"\u201c<]{{0,3}}\Z"
)
"""A phrase, matched where it begins and up to where its reference does; which one it is, is the name of its group."""

REVERTED_TITLE: Final = re.compile(r"(?<![^\W_])reverts?[ ]{1,2}[\"\u201c][^\"\u201d\n]{0,150}\(\Z")
"""``Revert "Fix the parser (#7)"``: the title of a commit holds the number of the change that it came from."""

REVERTED_COMMIT: Final = re.compile(
    rf"(?<![^\W_])(?<!-)revert(?:s|ed|ing)?{_GAP}(?:the{_GAP})?(?P<said>(?:commits?|revisions?|changesets?){_GAP})?"
    r"[`*_\"(]{0,2}(?P<hash>[0-9a-f]{7,64})(?![0-9a-z_-])"
)

INSTEAD: Final = re.compile(r"[)\]*_\"]{0,3}[ ]{1,2}instead\b(?![ ]{1,2}of\b)")
"""What follows a reference that is to take the place of what is spoken of: "use #5 instead"."""

EXCHANGED: Final = re.compile(r"[)\]*_\"]{0,3}[ ]{1,2}(?:with|by)\b")
"""What follows a reference that another one takes the place of: "replace #4 with #5"."""

LISTED: Final = re.compile(
    r"[)\]*_\"]{0,3}(?:[ ]{1,2}|(?:"
    r"[ ]{0,3}(?:[,;&/+]|\band\b)[ ]{0,3}\n?[ ]{0,3}(?:and\b|&)?|[ ]{0,3}(?P<bullet>\n[ ]{0,3}[-*+])"
    rf")[ ]{{0,3}}(?:{_NOUN}{_GAP}?)?)[\[*_(<]{{0,3}}"
)
"""What stands between two references of one list."""

MEANING: Final = {
    "closes": (link.CLOSES, False),
    "closed_by": (link.CLOSES, True),
    "addresses": (link.ADDRESSES, False),
    "addressed_by": (link.ADDRESSES, True),
    "supersedes": (link.SUPERSEDES, False),
    "superseded_by": (link.SUPERSEDES, True),
    "reverts": (link.REVERTS, False),
    "reverted_by": (link.REVERTS, True),
    "duplicates": (link.DUPLICATE_OF, False),
    "duplicate_of": (link.DUPLICATE_OF, False),
    "duplicated_by": (link.DUPLICATE_OF, True),
    "instead_of": (link.INSTEAD_OF, False),
}
"""Kind, and whether it is inverse, of each phrase."""
